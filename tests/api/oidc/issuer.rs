//! An issuer that says what a test has it say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub(super) const CLIENT: &str = "pinhole";
pub(super) const SECRET: &str = "the secret of the client";

const CHUNK_BYTES: usize = 65_536;

/// How the issuer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// Says 500.
    Broken,
    /// Sends elsewhere.
    Redirecting,
    /// Never ends.
    Endless,
    /// Never begins.
    Slow,
    /// Publishes another issuer's document.
    Impostor,
    /// Publishes what is no document.
    Nonsense,
    /// Refuses codes.
    Refusing,
}

/// A key that it signs with.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: String,
    private: Vec<u8>,
    pub(super) public: Vec<u8>,
}

impl Key {
    pub(super) fn new(kid: &str) -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        Self { kid: kid.to_owned(), private: pair.serialize_der(), public: pair.public_key_raw().to_vec() }
    }

    pub(super) fn jwk(&self) -> Value {
        let (x, y) = self.public[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
                "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.private)).unwrap()
    }
}

/// What makes an ID token of claims.
type Minter = Box<dyn Fn(&Key, Value) -> String + Send>;

struct Behaviour {
    manner: Manner,
    key: Key,
    claims: Value,
    user_info: Option<Value>,
    /// Nonces by challenge.
    expected: BTreeMap<String, String>,
    minter: Minter,
    announces_iss: bool,
    discoveries: usize,
    exchanges: usize,
    /// Bytes of what never ends.
    sent: usize,
}

/// The issuer.
pub(super) struct Issuer {
    pub(super) url: String,
    behaviour: Mutex<Behaviour>,
    server: Mutex<Option<AbortHandle>>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Issuer {
    pub(super) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour {
            manner: Manner::Honest,
            key: Key::new("first"),
            claims: json!({}),
            user_info: None,
            expected: BTreeMap::new(),
            minter: Box::new(|key, claims| key.sign(&claims)),
            announces_iss: false,
            discoveries: 0,
            exchanges: 0,
            sent: 0,
        };
        let issuer = Arc::new(Self { url, behaviour: Mutex::new(behaviour), server: Mutex::default() });
        // Weak, so that the server ends with the test.
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discover))
            .route("/elsewhere", get(elsewhere))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .route("/me", get(user_info))
            .with_state(Arc::downgrade(&issuer));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        *issuer.server.lock().unwrap() = Some(server.abort_handle());
        issuer
    }

    fn change<T>(&self, change: impl FnOnce(&mut Behaviour) -> T) -> T {
        change(&mut self.behaviour.lock().unwrap())
    }

    /// What it says of whoever signs in next.
    pub(super) fn says(&self, claims: Value) {
        self.change(|behaviour| behaviour.claims = claims);
    }

    /// What it says at its user-info endpoint.
    pub(super) fn tells(&self, claims: Value) {
        self.change(|behaviour| behaviour.user_info = Some(claims));
    }

    /// What it was asked for.
    pub(super) fn expect(&self, nonce: &str, challenge: &str) {
        self.change(|behaviour| {
            behaviour.expected.insert(challenge.to_owned(), nonce.to_owned());
        });
    }

    /// Knows of no sign-in any more that was begun.
    pub(super) fn forget(&self) {
        self.change(|behaviour| behaviour.expected.clear());
    }

    pub(super) fn behave(&self, manner: Manner) {
        self.change(|behaviour| behaviour.manner = manner);
    }

    /// Has ID tokens made in another way.
    pub(super) fn mint(&self, minter: impl Fn(&Key, Value) -> String + Send + 'static) {
        self.change(|behaviour| behaviour.minter = Box::new(minter));
    }

    /// Has other keys from now on.
    pub(super) fn rotate(&self, kid: &str) {
        self.change(|behaviour| behaviour.key = Key::new(kid));
    }

    /// Announces RFC 9207 from now on.
    pub(super) fn announce_iss(&self) {
        self.change(|behaviour| behaviour.announces_iss = true);
    }

    /// How often its document was read.
    pub(super) fn discoveries(&self) -> usize {
        self.change(|behaviour| behaviour.discoveries)
    }

    /// How much it sent of what never ends, in bytes.
    pub(super) fn sent(&self) -> usize {
        self.change(|behaviour| behaviour.sent)
    }

    /// How often it was given a code.
    pub(super) fn exchanges(&self) -> usize {
        self.change(|behaviour| behaviour.exchanges)
    }

    /// Is away from now on.
    pub(super) fn stop(&self) {
        if let Some(server) = self.server.lock().unwrap().take() {
            server.abort();
        }
    }
}

type Here = State<std::sync::Weak<Issuer>>;

async fn manners(issuer: &Arc<Issuer>, manner: Manner) -> Option<Response> {
    let issuer = Arc::clone(issuer);
    match manner {
        Manner::Honest | Manner::Impostor | Manner::Refusing => None,
        Manner::Broken => Some(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Manner::Redirecting => {
            // Where a client that follows it finds everything.
            Some((StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response())
        }
        Manner::Endless => {
            let chunk = move || {
                issuer.change(|behaviour| behaviour.sent += CHUNK_BYTES);
                Ok::<_, std::io::Error>(vec![b' '; CHUNK_BYTES])
            };
            let spaces = futures_util::stream::repeat_with(chunk);
            let headers = [(header::CONTENT_TYPE, "application/json")];
            Some((headers, Body::from_stream(spaces)).into_response())
        }
        Manner::Slow => std::future::pending().await,
        Manner::Nonsense => Some("<html>".into_response()),
    }
}

async fn discover(State(issuer): Here) -> Response {
    let issuer = issuer.upgrade().unwrap();
    let (manner, announces) = issuer.change(|behaviour| {
        behaviour.discoveries += 1;
        (behaviour.manner, behaviour.announces_iss)
    });
    if let Some(response) = manners(&issuer, manner).await {
        return response;
    }
    document(&issuer, manner, announces)
}

async fn elsewhere(State(issuer): Here) -> Response {
    document(&issuer.upgrade().unwrap(), Manner::Honest, false)
}

fn document(issuer: &Issuer, manner: Manner, announces: bool) -> Response {
    let url = &issuer.url;
    let own = if manner == Manner::Impostor { "https://login.example.com" } else { url };
    Json(json!({
        "issuer": own, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "userinfo_endpoint": format!("{url}/me"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        // As one that would sign anything.
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        "authorization_response_iss_parameter_supported": announces,
    }))
    .into_response()
}

async fn keys(State(issuer): Here) -> Json<Value> {
    let key = issuer.upgrade().unwrap().change(|behaviour| behaviour.key.clone());
    Json(json!({ "keys": [key.jwk()] }))
}

async fn token(State(issuer): Here, headers: HeaderMap, Form(fields): Form<Map<String, Value>>) -> Response {
    let issuer = issuer.upgrade().unwrap();
    let manner = issuer.change(|behaviour| {
        behaviour.exchanges += 1;
        behaviour.manner
    });
    if let Some(response) = manners(&issuer, manner).await {
        return response;
    }
    let encoded = SECRET.replace(' ', "+");
    let credentials = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{encoded}")));
    assert_eq!(headers[header::AUTHORIZATION], credentials);
    issuer.change(|behaviour| {
        let verifier = fields["code_verifier"].as_str().unwrap();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let nonce = behaviour.expected.get(&challenge).filter(|_| manner != Manner::Refusing);
        let Some(nonce) = nonce else {
            let refusal = Json(json!({ "error": "invalid_grant", "error_description": "x".repeat(1000) }));
            return (StatusCode::BAD_REQUEST, refusal).into_response();
        };
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({ "iss": issuer.url, "aud": CLIENT, "iat": now, "exp": now + 300,
                                 "nonce": nonce });
        claims.as_object_mut().unwrap().extend(behaviour.claims.as_object().unwrap().clone());
        let token = (behaviour.minter)(&behaviour.key, claims);
        Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": token })).into_response()
    })
}

async fn user_info(State(issuer): Here, headers: HeaderMap) -> Response {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer a");
    let claims = issuer.upgrade().unwrap().change(|behaviour| {
        let subject = behaviour.claims["sub"].clone();
        behaviour.user_info.clone().unwrap_or_else(|| json!({ "sub": subject }))
    });
    Json(claims).into_response()
}
