//! The world that every test starts from: the provider, the enterprises `acme` and `globex`, and a signed-in user
//! for each role.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use pinhole::access::seal::SecretKey;
use pinhole::app::{AppState, bootstrap};
use pinhole::clock::ShiftedClock;
use pinhole::store::{self, Store};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tokio::sync::{Mutex, OnceCell};
use tower::ServiceExt as _;

use super::cluster::Cluster;

const TEMPLATE: &str = "pinhole_template";
pub(crate) const PASSWORD: &str = "a long enough secret";

/// A prepared cluster and what is known of the world in its template database.
#[derive(Debug)]
struct Prepared {
    cluster: Cluster,
    secret_key: SecretKey,
    ids: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
    cloning: Mutex<()>,
}

static PREPARED: OnceCell<Prepared> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A controller on a database of its own.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: AppState,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) router: Router,
    /// How to connect to the database as its owner.
    pub(crate) owner: PgConnectOptions,
    prepared: &'static Prepared,
}

/// A user of the API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    router: Router,
    token: Option<String>,
    address: Option<SocketAddr>,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Prepared {
    /// Copies a database, and answers how to connect to the copy as its owner.
    async fn copy_of(&self, database: &str) -> PgConnectOptions {
        let copy = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let _one_at_a_time = self.cloning.lock().await;
        let mut admin = self.cluster.options("postgres").connect().await.unwrap();
        let create = format!("CREATE DATABASE {copy} TEMPLATE {database}");
        admin.execute(sqlx::raw_sql(AssertSqlSafe(create))).await.unwrap();
        self.cluster.options(&copy)
    }
}

impl World {
    /// A fresh world.
    pub(crate) async fn new() -> Self {
        let prepared = PREPARED.get_or_init(prepare).await;
        let owner = prepared.copy_of(TEMPLATE).await;
        let clock = Arc::new(ShiftedClock::default());
        let store = Store::connect_lazily(owner.clone());
        let started = bootstrap::start(&store, &*clock, &prepared.secret_key, |_| Ok(())).await.unwrap();
        assert!(started.first_login.is_none());
        let shared = Arc::<ShiftedClock>::clone(&clock);
        let state = AppState::new(store, shared, started.keys, started.authority).unwrap();
        let router = pinhole::http::router(state.clone());
        Self { state, clock, router, owner, prepared }
    }

    /// Another world that is as this one is now. This one may have no connection open.
    pub(crate) async fn copy(&self) -> Self {
        let owner = self.prepared.copy_of(self.owner.get_database().unwrap()).await;
        let state = AppState { store: Store::connect_lazily(owner.clone()), ..self.state.clone() };
        let router = pinhole::http::router(state.clone());
        Self { state, clock: Arc::clone(&self.clock), router, owner, prepared: self.prepared }
    }

    /// Ends the world and removes its database.
    pub(crate) async fn remove(self) {
        self.state.store.pool().close().await;
        let mut admin = self.prepared.cluster.options("postgres").connect().await.unwrap();
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.owner.get_database().unwrap());
        admin.execute(sqlx::raw_sql(AssertSqlSafe(drop))).await.unwrap();
    }

    /// The API as a signed-in user: `root`, `root-operator` (provider), `acme-admin`, `acme-operator`, `globex-admin`,
    /// `globex-operator`.
    pub(crate) fn api(&self, user: &str) -> Api {
        Api { router: self.router.clone(), token: Some(self.prepared.tokens[user].clone()), address: None }
    }

    /// The API without a token.
    pub(crate) fn anonymous(&self) -> Api {
        Api { router: self.router.clone(), token: None, address: None }
    }

    /// What the secrets in the database are sealed with.
    pub(crate) fn secret_key(&self) -> &SecretKey {
        &self.prepared.secret_key
    }

    /// The id of a tenant: `provider`, `acme` or `globex`.
    pub(crate) fn tenant(&self, name: &str) -> &str {
        &self.prepared.ids[name]
    }
}

impl Api {
    /// The same user on another controller.
    pub(crate) fn on(&self, router: Router) -> Self {
        Self { router, ..self.clone() }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same user from an address.
    pub(crate) fn from(&self, address: &str) -> Self {
        Self { address: Some(SocketAddr::new(address.parse().unwrap(), 1)), ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// Changes whatever version there is.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[("if-match", "*")], Some(body)).await
    }

    /// Changes whatever version there is.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, &[("if-match", "*")], Some(body)).await
    }

    /// Deletes whatever version there is.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[("if-match", "*")], None).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encoded: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.raw(Method::POST, path, &headers, encoded.join("&").into_bytes()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.raw(method, path, &headers, body.map(Value::to_string).unwrap_or_default().into_bytes()).await
    }

    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// Sends a request and leaves the answer's body unread.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(address) = self.address {
            request = request.extension(ConnectInfo(address));
        }
        let request = request.body(Body::from(body)).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| {
            panic!("{error}: {} {:?}", self.status, String::from_utf8_lossy(&self.bytes))
        })
    }

    /// The body, when the status is the expected one.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem document, when status and type are the expected ones.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.headers["x-request-id"].to_str().unwrap());
        problem
    }

    /// The pointers and codes of a 422's errors.
    #[track_caller]
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        let problem = self.problem(422, "invalid-fields");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (text(&error["pointer"]), text(&error["code"])))
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

fn percent(text: &str) -> String {
    let keep = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes().map(|b| if keep(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Makes the template database: migrated, bootstrapped, with tenants, users and their sign-ins.
async fn prepare() -> Prepared {
    let cluster = Cluster::start().await;
    let mut admin = cluster.options("postgres").connect().await.unwrap();
    admin.execute(sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE}")))).await.unwrap();
    let options = cluster.options(TEMPLATE);
    store::migrate(&options).await.unwrap();
    let store = Store::connect_lazily(options);
    let clock = Arc::new(ShiftedClock::default());
    let secret_key = SecretKey::generate().unwrap();
    let started = bootstrap::start(&store, &*clock, &secret_key, |_| Ok(())).await.unwrap();
    let first = started.first_login.unwrap();
    let state = AppState::new(store.clone(), clock, started.keys, started.authority).unwrap();
    let api = Api { router: pinhole::http::router(state), token: None, address: None };

    let (mut ids, mut tokens) = (BTreeMap::new(), BTreeMap::new());
    tokens.insert("root".to_owned(), sign_in(&api, &first.username, first.password.reveal()).await);
    let root = api.with_token(&tokens["root"]);
    let me = root.get("/v1/auth/me").await.expect(200);
    ids.insert("provider".to_owned(), me["tenant"]["id"].as_str().unwrap().to_owned());
    for name in ["acme", "globex"] {
        let tenant = root.post("/v1/tenants", &json!({ "name": name })).await;
        tenant.expect(201);
        ids.insert(name.to_owned(), tenant.id());
    }
    for (tenant, username, role) in [
        ("provider", "root-operator", "service_provider_operator"),
        ("acme", "acme-admin", "enterprise_administrator"),
        ("acme", "acme-operator", "enterprise_operator"),
        ("globex", "globex-admin", "enterprise_administrator"),
        ("globex", "globex-operator", "enterprise_operator"),
    ] {
        let user = json!({ "username": username, "password": PASSWORD, "role": role });
        root.post(&format!("/v1/tenants/{tenant}/users"), &user).await.expect(201);
        tokens.insert(username.to_owned(), sign_in(&api, username, PASSWORD).await);
    }
    store.pool().close().await;
    Prepared { cluster, secret_key, ids, tokens, cloning: Mutex::new(()) }
}

async fn sign_in(api: &Api, username: &str, password: &str) -> String {
    let fields = [("grant_type", "password"), ("username", username), ("password", password)];
    let tokens = api.form("/v1/auth/token", &fields).await.expect(200);
    tokens["access_token"].as_str().unwrap().to_owned()
}
