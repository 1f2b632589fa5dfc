//! The controller's REST API, as a client uses it.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use reqwest::header::{HeaderValue, IF_MATCH};
use reqwest::{Client, Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::controller::Login;

/// How long a gateway may take to apply what was published to it.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often the controller is asked.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// An object of any kind, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct Object {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How often it was saved.
    pub version: u64,
}

/// What gateways are given, and how far that has come.
#[derive(Debug, Deserialize)]
struct Publication {
    id: String,
    appliances: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    status: Status,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Applied,
    Rejected,
    Unreachable,
}

#[derive(Debug, Deserialize)]
struct List {
    items: Vec<Object>,
}

#[derive(Debug, Deserialize)]
struct Token {
    access_token: String,
}

/// What the API says when it refuses (RFC 9457).
#[derive(Debug, Deserialize)]
struct Problem {
    title: String,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    pointer: String,
    detail: String,
}

/// A signed-in client.
#[derive(Debug)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    /// Signs in at the controller with a URL.
    ///
    /// # Errors
    /// When the controller does not answer, or refuses.
    pub async fn sign_in(base: &str, login: &Login) -> anyhow::Result<Self> {
        let Login { username, password } = login;
        // The API is on this host, whatever proxies the user has.
        let client = crate::http_client().no_proxy().build()?;
        let form =
            [("grant_type", "password"), ("username", username.as_str()), ("password", password.as_str())];
        let response = client.post(format!("{base}/v1/auth/token")).form(&form).send().await?;
        if response.status() != StatusCode::OK {
            bail!("signing in as {username} failed: {}", response.status());
        }
        let Token { access_token } = response.json().await?;
        Ok(Self { client, base: base.to_owned(), token: access_token })
    }

    /// Reads what is at a path below `/v1/tenants/provider`.
    ///
    /// # Errors
    /// When the controller does not answer, or with what it says when it refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::GET, path, None).await
    }

    /// Creates something.
    ///
    /// # Errors
    /// When the controller does not answer, or with what it says when it refuses.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Changes an object, whatever its version.
    ///
    /// # Errors
    /// When the controller does not answer, or with what it says when it refuses.
    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Object> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Makes an object of a kind be what a body says, whether it is there or not.
    ///
    /// # Errors
    /// When the controller does not answer, or with what it says when it refuses.
    pub async fn ensure(&self, kind: &str, name: &str, body: &Value) -> anyhow::Result<Object> {
        let found: List = self.get(&format!("{kind}?q={name}")).await?;
        if found.items.iter().any(|object| object.name == name) {
            return self.patch(&format!("{kind}/name:{name}"), body).await;
        }
        let mut body = body.clone();
        if let Value::Object(fields) = &mut body {
            fields.insert("name".to_owned(), Value::from(name));
        }
        self.post(kind, &body).await
    }

    /// Publishes to an appliance, and waits until its gateway has applied that.
    ///
    /// # Errors
    /// When it cannot be published, the gateway refuses, or does not answer in time.
    pub async fn publish(&self, appliance: &Object) -> anyhow::Result<()> {
        let publication: Publication =
            self.post("publications", &json!({ "appliances": [appliance.id] })).await?;
        let path = format!("publications/{}", publication.id);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let publication: Publication = self.get(&path).await?;
            let [Row { status, reason }] = publication.appliances.as_slice() else {
                bail!("a publication to one appliance is about {}", publication.appliances.len());
            };
            match status {
                Status::Applied => return Ok(()),
                Status::Rejected => {
                    let reason = reason.as_deref().unwrap_or("without a reason");
                    bail!("the gateway refused the configuration: {reason}");
                }
                Status::Pending | Status::Unreachable => {
                    ensure!(
                        Instant::now() < deadline,
                        "the gateway did not apply the configuration: {status:?}"
                    );
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Deletes something, whatever its version.
    ///
    /// # Errors
    /// When the controller does not answer, or with what it says when it refuses.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.request(Method::DELETE, path, None).await.map(drop)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let response = self.request(method, path, body).await?;
        response.json().await.with_context(|| format!("{path}: the answer to it"))
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Response> {
        let what = format!("{method} {path}");
        let url = format!("{}/v1/tenants/provider/{path}", self.base);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        request = request.header(IF_MATCH, HeaderValue::from_static("*"));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| what.clone())?;
        let status = response.status();
        if !status.is_success() {
            let problem: Problem = response.json().await.with_context(|| format!("{what}: {status}"))?;
            bail!("{what}: {problem}");
        }
        Ok(response)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.detail.as_deref().unwrap_or(&self.title))?;
        for FieldError { pointer, detail } in &self.errors {
            write!(formatter, "; {pointer}: {detail}")?;
        }
        Ok(())
    }
}
