//! The API, over HTTP.

use std::time::Duration;

use anyhow::{Context as _, bail};
use pinhole::domain::kind::Kind;
use pinhole::tls;
use reqwest::{Certificate, Method, RequestBuilder, StatusCode, header};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::events::Events;
use super::login::{Credential, Login, LoginSettings};
use super::session::Place;

/// How long an answer may take; the controller gives up before that.
const TIMEOUT: Duration = Duration::from_secs(40);
/// How often something is asked that gets no answer.
const ATTEMPTS: u32 = 3;
/// How long nothing is asked in between.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// What makes a repetition known.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// How long after a stream of events broke off it is asked for again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// The items of a page: the most that the API answers.
const PER_PAGE: usize = 100;

/// A client that is signed in.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    server: String,
    token: String,
}

impl Client {
    /// Signs in, unless there is a token already.
    pub(super) async fn sign_in(settings: &LoginSettings) -> anyhow::Result<Self> {
        let Login { server, roots, credential } = settings.resolve()?;
        let http = web(roots)?;
        let token = match credential {
            Credential::Token(token) => token.reveal().to_owned(),
            Credential::Kept => Place::open()?.token(&http, &server).await?.context(
                "nobody to sign in as: `pinhole login`, or set PINHOLE_USERNAME and PINHOLE_PASSWORD, or PINHOLE_TOKEN, \
                 or write them to a configuration file",
            )?,
            Credential::Password { username, password } => {
                let form =
                    [("grant_type", "password"), ("username", &username), ("password", password.reveal())];
                let request = http.post(format!("{server}/v1/auth/token")).form(&form);
                let answer = receive(request.send().await, &server).await.context("cannot sign in")?;
                let token = answer.get("access_token").and_then(Value::as_str);
                token.with_context(|| format!("{server} is no Pinhole controller"))?.to_owned()
            }
        };
        Ok(Self::with_token(http, server, token))
    }

    /// A client that is signed in already.
    pub(super) fn with_token(http: reqwest::Client, server: String, token: String) -> Self {
        Self { http, server, token }
    }

    /// The name of the caller's own tenant.
    pub(super) async fn own_tenant(&self) -> anyhow::Result<String> {
        let me = self.get("/v1/auth/me").await?;
        let name = me.pointer("/tenant/name").and_then(Value::as_str);
        Ok(name.context("the controller does not say whose user this is")?.to_owned())
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None, None).await
    }

    /// Has something made, once: what got no answer is asked again with the same key, and then answered as the first
    /// time.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let key = Uuid::now_v7().to_string();
        let mut attempt = 1;
        loop {
            let request = self.request(Method::POST, path).header(IDEMPOTENCY_KEY, &key).json(body);
            let sent = request.send().await;
            if sent.is_ok() || attempt == ATTEMPTS {
                return receive(sent, &self.server).await;
            }
            attempt += 1;
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Replaces what there is, if it is still of that version.
    pub(super) async fn put(&self, path: &str, version: i64, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::PUT, path, Some(&format!("\"{version}\"")), Some(body)).await
    }

    /// Deletes what there is, if it is still of that version; `None` is any.
    pub(super) async fn delete(&self, path: &str, version: Option<i64>) -> anyhow::Result<()> {
        let tag = version.map_or_else(|| "*".to_owned(), |version| format!("\"{version}\""));
        self.send(Method::DELETE, path, Some(&tag), None).await.map(drop)
    }

    /// Everything in a list.
    pub(super) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        for page in 1_u32.. {
            let answer = self.get(&format!("{path}?per_page={PER_PAGE}&page={page}")).await?;
            let Some(Value::Array(found)) = answer.get("items").cloned() else { bail!("{path} is no list") };
            let last = found.len() < PER_PAGE;
            items.extend(found);
            if last {
                break;
            }
        }
        Ok(items)
    }

    /// The objects of a kind.
    pub(super) async fn objects(&self, tenant: &str, kind: Kind) -> anyhow::Result<Vec<Value>> {
        self.list(&format!("/v1/tenants/{tenant}/{}", kind.plural())).await
    }

    /// Follows events until the last one, `done`, or until the time is over; where the stream breaks off, it goes on after
    /// the event that was read last.
    pub(super) async fn follow(&self, path: &str, until: Instant) -> anyhow::Result<()> {
        let mut read = Events::default();
        while !read.is_done() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let mut request = self.request(Method::GET, path);
            if let Some(id) = read.last_id() {
                request = request.header("last-event-id", id);
            }
            let sent = request.timeout(left).send().await;
            let broken = match sent {
                Ok(response) if response.status() == StatusCode::OK => read.all(response).await.err(),
                Ok(response) if !passes(response.status()) => {
                    return receive(Ok(response), &self.server).await.map(drop);
                }
                Ok(_) => None,
                Err(error) => Some(error),
            };
            if read.is_done() || broken.as_ref().is_some_and(reqwest::Error::is_timeout) {
                break;
            }
            // A controller that ends, or a proxy that has had enough.
            sleep(RECONNECT_PAUSE.min(until.saturating_duration_since(Instant::now()))).await;
        }
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.server)).bearer_auth(&self.token)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(method, path);
        if let Some(tag) = if_match {
            request = request.header(header::IF_MATCH, tag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        receive(request.send().await, &self.server).await
    }
}

/// Whether a refusal may be another one soon.
fn passes(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// An HTTP client that is nobody yet.
pub(super) fn web(roots: Vec<Certificate>) -> reqwest::Result<reqwest::Client> {
    tls::client_builder().tls_certs_merge(roots).timeout(TIMEOUT).build()
}

/// An answer's body, or its problem as an error.
pub(super) async fn receive(sent: reqwest::Result<reqwest::Response>, server: &str) -> anyhow::Result<Value> {
    let response =
        sent.map_err(reqwest::Error::without_url).with_context(|| format!("{server} does not answer"))?;
    let status = response.status();
    let bytes = response.bytes().await.map_err(reqwest::Error::without_url)?;
    if status.is_success() {
        return match bytes.is_empty() {
            true => Ok(Value::Null),
            false => {
                serde_json::from_slice(&bytes).with_context(|| format!("{server} answered what is no JSON"))
            }
        };
    }
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text =
        |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut told = format!("{} ({status})", text(&problem, "title"));
    let errors = problem.get("errors").and_then(Value::as_array);
    match errors.filter(|errors| !errors.is_empty()) {
        None => told = format!("{told}: {}", text(&problem, "detail")),
        Some(errors) => {
            let fields: Vec<String> = errors
                .iter()
                .map(|error| format!("{} {}", text(error, "pointer"), text(error, "detail")))
                .collect();
            told = format!("{told}: {}", fields.join("; "));
        }
    }
    bail!(told)
}
