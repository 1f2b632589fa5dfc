//! Which issuer is trusted, and how its people are known here: a TOML file.

use std::fmt;
use std::path::Path;

use openidconnect::url::{Host, Url};
use openidconnect::{ClientId, ClientSecret, IssuerUrl, Scope};
use reqwest::Certificate;
use serde::Deserialize;

use crate::access::grants::{ClaimPath, GrantDraft, GrantError, RoleGrants};
use crate::tls::{self, RootsError};

/// The most bytes of the file.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// The most characters of the title.
const MAX_TITLE_CHARS: usize = 63;
/// The most bytes of a subject; OpenID Connect Core section 2 has at most 255 ASCII characters.
pub(super) const MAX_SUBJECT_BYTES: usize = 255;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, std::io::Error),
    /// The file is too long.
    #[error("{0} is longer than {MAX_FILE_BYTES} bytes")]
    TooLong(String),
    /// It is not TOML, or has other fields.
    #[error("{0}: {1}")]
    Malformed(String, String),
    /// An address is none, or one without TLS that is not on this host.
    #[error("{0} is to be an https URL without query, or an http URL of this host")]
    BadUrl(&'static str),
    /// A text is empty or too long.
    #[error("{0} is empty or too long")]
    BadText(&'static str),
    /// The grants contradict themselves.
    #[error(transparent)]
    Grants(#[from] GrantError),
    /// There are no certificates.
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// An issuer, and what it may say.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) issuer: IssuerUrl,
    pub(super) client_id: ClientId,
    pub(super) client_secret: Option<ClientSecret>,
    pub(super) title: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) username_claim: ClaimPath,
    pub(super) grants: RoleGrants,
    pub(super) roots: Vec<Certificate>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuer: String,
    client_id: String,
    client_secret_file: Option<std::path::PathBuf>,
    title: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    username_claim: Option<ClaimPath>,
    ca_file: Option<std::path::PathBuf>,
    #[serde(default)]
    grant: Vec<GrantDraft>,
}

impl Settings {
    /// Reads a file. Other files that it names are looked for beside it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let shown = || path.display().to_string();
        let text = read(path)?;
        let file: File =
            toml::from_str(&text).map_err(|error| SettingsError::Malformed(shown(), error.to_string()))?;
        let beside = |file: &Path| path.parent().unwrap_or(Path::new("")).join(file);
        let secret = file.client_secret_file.as_deref().map(|file| read(&beside(file))).transpose()?;
        let roots = file.ca_file.as_deref().map(|file| tls::roots(&beside(file))).transpose()?;
        Self::parse(file, secret, roots.unwrap_or_default())
    }

    fn parse(file: File, secret: Option<String>, roots: Vec<Certificate>) -> Result<Self, SettingsError> {
        web_url(&file.issuer).ok_or(SettingsError::BadUrl("issuer"))?;
        let issuer = IssuerUrl::new(file.issuer).map_err(|_| SettingsError::BadUrl("issuer"))?;
        let title = file.title.or_else(|| issuer.url().host_str().map(str::to_owned)).unwrap_or_default();
        if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS {
            return Err(SettingsError::BadText("title"));
        }
        let secret = secret.map(|secret| secret.trim().to_owned());
        if file.client_id.is_empty() || secret.as_ref().is_some_and(String::is_empty) {
            return Err(SettingsError::BadText("client_id or the client secret"));
        }
        Ok(Self {
            issuer,
            client_id: ClientId::new(file.client_id),
            client_secret: secret.map(ClientSecret::new),
            title,
            scopes: file.scopes.into_iter().filter(|scope| scope != "openid").map(Scope::new).collect(),
            username_claim: file.username_claim.unwrap_or_else(|| ClaimPath::new("preferred_username")),
            grants: RoleGrants::parse(file.grant)?,
            roots,
        })
    }

    /// Whether the issuer is to be reached by TLS only.
    pub(super) fn is_secure(&self) -> bool {
        self.issuer.url().scheme() == "https"
    }

    /// The claims that count.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &ClaimPath> {
        self.grants.claims().chain([&self.username_claim])
    }
}

/// The origin at which browsers reach the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// `scheme://host[:port]`
    origin: String,
    secure: bool,
}

impl PublicUrl {
    /// Reads an origin: a URL without a path.
    ///
    /// # Errors
    /// [`SettingsError::BadUrl`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let url = web_url(text).filter(|url| url.path() == "/");
        let url = url.ok_or(SettingsError::BadUrl("the public URL"))?;
        Ok(Self { origin: url.origin().ascii_serialization(), secure: url.scheme() == "https" })
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

/// An `https` URL without query, fragment and user, or such an `http` URL of this host.
fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (bare && (url.scheme() == "https" || (url.scheme() == "http" && here))).then_some(url)
}

fn read(path: &Path) -> Result<String, SettingsError> {
    let shown = || path.display().to_string();
    let unreadable = |error| SettingsError::Unreadable(shown(), error);
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(SettingsError::TooLong(shown()));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests;
