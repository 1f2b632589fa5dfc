//! A real OpenID Connect issuer, `tests/issuer`, and a browser that walks its forms.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use reqwest::{Certificate, Client, Response, Url, header};

use crate::authority::Authority;
use crate::process::{Family, Process};
use crate::program::installed;
use crate::scratch::Scratch;

/// The id of the client that it knows.
pub const CLIENT: &str = "pinhole";
/// The secret of the client that it knows.
pub const SECRET: &str = "the secret of the client";

/// More pages than signing in has.
const MAX_STEPS: usize = 20;

/// Where it says what it knows of people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimsIn {
    /// In ID tokens.
    IdToken,
    /// At its user-info endpoint only.
    UserInfo,
}

/// A running issuer.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    ca_file: PathBuf,
    client: Client,
    _process: Process,
    _scratch: Scratch,
}

impl Issuer {
    /// Installs what is missing of it, starts it, and waits until it listens.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub fn start(redirect_uri: &str, claims_in: ClaimsIn) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let output = Command::new(root.join("scripts/install-issuer"))
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run scripts/install-issuer")?;
        ensure!(output.status.success(), "scripts/install-issuer failed");
        let place = String::from_utf8(output.stdout)?;

        let scratch = Scratch::new()?;
        let authority = Authority::new()?;
        let certified = authority.certify("127.0.0.1")?;
        let write = |name: &str, text: &str| {
            let path = scratch.path().join(name);
            std::fs::write(&path, text).map(|()| path)
        };
        let ca_file = write("ca.pem", authority.pem())?;
        let (certificate, key) =
            (write("issuer.pem", &certified.certificate)?, write("issuer.key", &certified.key)?);
        let mut command = Command::new(installed("node")?);
        command.arg("issuer.mjs").args([&certificate, &key]).arg(redirect_uri);
        command.arg(match claims_in {
            ClaimsIn::IdToken => "id_token",
            ClaimsIn::UserInfo => "user_info",
        });
        command.current_dir(place.trim()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::start(None, Family::Alone, command)?;
        let url = loop {
            let line = process.line().context("the issuer")?;
            if let Some(url) = line.strip_prefix("ready ") {
                break url.to_owned();
            }
        };
        let client = crate::http_client()
            .tls_certs_merge([Certificate::from_pem(authority.pem().as_bytes())?])
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { url, ca_file, client, _process: process, _scratch: scratch })
    }

    /// Returns its identifier.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the file with the authority that certifies it.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Signs in as a browser would, from where a relying party sends it, and returns where it is sent back to.
    ///
    /// # Errors
    /// When the issuer does something else.
    pub async fn sign_in(&self, from: &str, account: &str) -> anyhow::Result<String> {
        let mut browser = Browser { client: &self.client, cookies: BTreeMap::new() };
        let mut response = browser.get(from.parse()?).await?;
        for _ in 0..MAX_STEPS {
            if let Some(location) = response.headers().get(header::LOCATION) {
                let location = response.url().join(location.to_str()?)?;
                if !location.as_str().starts_with(&self.url) {
                    return Ok(location.into());
                }
                response = browser.get(location).await?;
                continue;
            }
            let here = response.url().clone();
            ensure!(response.status().is_success(), "{here}: {}", response.status());
            let page = response.text().await?;
            let form = page.split_once("action=\"").and_then(|(_, rest)| rest.split_once('"'));
            let (action, rest) = form.with_context(|| format!("a page without a form: {page}"))?;
            let prompt =
                rest.split_once("name=\"prompt\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
            let (prompt, _) = prompt.with_context(|| format!("a form without a prompt: {page}"))?;
            let fields: &[(&str, &str)] = match prompt {
                "login" => &[("prompt", "login"), ("login", account), ("password", "any")],
                "consent" => &[("prompt", "consent")],
                _ => bail!("an unknown form: {page}"),
            };
            response = browser.post(here.join(action)?, fields).await?;
        }
        bail!("the issuer's pages do not end")
    }
}

/// A browser without a screen.
struct Browser<'a> {
    client: &'a Client,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    async fn get(&mut self, url: Url) -> anyhow::Result<Response> {
        let request = self.client.get(url).header(header::COOKIE, self.jar());
        Ok(self.keep(request.send().await?))
    }

    async fn post(&mut self, url: Url, fields: &[(&str, &str)]) -> anyhow::Result<Response> {
        let request = self.client.post(url).header(header::COOKIE, self.jar()).form(fields);
        Ok(self.keep(request.send().await?))
    }

    fn jar(&self) -> String {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    fn keep(&mut self, response: Response) -> Response {
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|cookie| cookie.split(';').next()?.split_once('='));
            if let Some((name, value)) = pair {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }
}
