//! Which API to talk to and as whom: arguments, the environment, or a file that only its owner can read.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use clap::Args;
use pinhole::tls;
use reqwest::Certificate;
use serde::Deserialize;

/// Where `pinhole serve` listens unless it is told otherwise.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";
/// The file's place in the directory of configurations.
const CONFIG: &str = "pinhole/client.toml";
/// The bits of a mode that let others at a file.
const OTHERS: u32 = 0o077;

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct LoginSettings {
    /// The URL of the REST API.
    #[arg(long, env = "PINHOLE_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Certificates to trust beside the system's, PEM, when the API speaks TLS.
    #[arg(long, env = "PINHOLE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Who signs in; the password comes from PINHOLE_PASSWORD or the configuration.
    #[arg(long, env = "PINHOLE_USERNAME", value_name = "NAME")]
    username: Option<String>,
    #[arg(long, env = "PINHOLE_PASSWORD", hide = true, hide_env_values = true)]
    password: Option<Hidden>,
    /// An access token, instead of signing in.
    #[arg(long, env = "PINHOLE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<Hidden>,
    /// A file with `server`, `ca`, `username` and `password` or `token`, of mode 0600; ~/.config/pinhole/client.toml if left
    /// out.
    #[arg(long, env = "PINHOLE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A text that is not shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(String);

impl Hidden {
    /// The text.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: Option<String>,
    ca: Option<PathBuf>,
    username: Option<String>,
    password: Option<Hidden>,
    token: Option<Hidden>,
}

/// Whom to be.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Somebody with a password.
    Password { username: String, password: Hidden },
    /// Whoever a token is of.
    Token(Hidden),
    /// Whoever has signed in before, if anybody has.
    Kept,
}

/// Which API, as whom.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) server: String,
    /// Certificates to trust beside the system's.
    pub(crate) roots: Vec<Certificate>,
    pub(crate) credential: Credential,
}

impl LoginSettings {
    /// Puts arguments, environment and file together.
    ///
    /// # Errors
    /// Something is missing, or the file does not parse or is open to others.
    pub(crate) fn resolve(&self) -> anyhow::Result<Login> {
        let file = self.file()?;
        let server = self.server.clone().or(file.server).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let ca = self.ca.clone().or(file.ca);
        let roots = ca.as_deref().map(tls::roots).transpose()?.unwrap_or_default();
        // What is said nearer by counts: a name in an argument is not signed in with the file's token.
        let (token, username, password) = match (&self.token, &self.username) {
            (Some(token), _) => (Some(token.clone()), None, None),
            (None, Some(username)) => (None, Some(username.clone()), self.password.clone().or(file.password)),
            (None, None) => (file.token, file.username, self.password.clone().or(file.password)),
        };
        let credential = match (token, username, password) {
            (Some(token), _, _) => Credential::Token(token),
            (None, Some(username), Some(password)) => Credential::Password { username, password },
            (None, Some(username), None) => {
                anyhow::bail!("there is no password for {username}: set PINHOLE_PASSWORD")
            }
            (None, None, _) => Credential::Kept,
        };
        Ok(Login { server: server.trim_end_matches('/').to_owned(), roots, credential })
    }

    fn file(&self) -> anyhow::Result<File> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let usual = || {
            let directory = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
            let directory = directory.or_else(|| Some(variable("HOME")?.join(".config")));
            directory.map(|directory| directory.join(CONFIG))
        };
        let Some(path) = self.config.clone().or_else(usual) else { return Ok(File::default()) };
        let shown = path.display();
        let metadata = match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.config.is_none() => {
                return Ok(File::default());
            }
            other => other.with_context(|| format!("cannot read {shown}"))?,
        };
        let mode = metadata.permissions().mode();
        ensure!(mode & OTHERS == 0, "{shown} may be read by others; chmod 600 it");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
        // The parser's own message would show the line, and there may be a password in it.
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            anyhow::anyhow!("{shown} is not as it is to be: {}", error.message())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(config: &Path) -> LoginSettings {
        let config = Some(config.to_owned());
        LoginSettings { server: None, ca: None, username: None, password: None, token: None, config }
    }

    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.toml");
        fs::write(&path, "username = 'me'\npassword = 'secret'\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = settings(&path).resolve().unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let login = settings(&path).resolve().unwrap();
        assert_eq!(login.server, DEFAULT_SERVER);
        assert!(matches!(&login.credential, Credential::Password { username, .. } if username == "me"));
        assert!(!format!("{login:?}").contains("secret"));
        fs::write(&path, "password = 'secret\n").unwrap();
        let error = format!("{:#}", settings(&path).resolve().unwrap_err());
        assert!(!error.contains("secret"), "{error}");
        assert!(settings(&directory.path().join("absent")).resolve().is_err());
    }
}
