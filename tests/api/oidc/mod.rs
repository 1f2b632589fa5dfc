//! Signing in with an outside issuer: one that is played here and lies when a test asks for it, and a real one.

mod answers;
mod flow;
mod issuer;
mod outage;
mod people;
mod real;

use std::sync::Arc;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinhole::access::seal::SecretKey;
use pinhole::oidc::{PublicUrl, RelyingParty, Settings};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::issuer::Issuer;
use crate::support::{Answer, Api, World};

/// Where browsers would reach the API.
const ORIGIN: &str = "https://pinhole.example.com";
const VERIFIER: &str = "a-verifier-of-a-page-that-only-this-page-has-in-it";
const START: &str = "/v1/auth/oidc/start";

/// Who is given which role, as an installation's file says it.
const GRANTS: &str = r#"
[[grant]]
claim = "groups"
value = "root"
role = "service_provider_administrator"

[[grant]]
claim = "groups"
value = "noc"
role = "service_provider_operator"

[[grant]]
claim = "groups"
value = "admins"
role = "enterprise_administrator"
tenant_claim = "org"

[[grant]]
claim = "/acme/roles"
value = "watch"
role = "enterprise_operator"
tenant = "acme"
"#;

/// A relying party that trusts an issuer.
fn party(world: &World, issuer: &str, more: &str) -> RelyingParty {
    party_with(world.secret_key(), issuer, more)
}

/// The same with a secret key of another installation's, maybe.
fn party_with(key: &SecretKey, issuer: &str, more: &str) -> RelyingParty {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("oidc.toml");
    std::fs::write(directory.path().join("secret"), issuer::SECRET).unwrap();
    let head =
        format!("issuer = '{issuer}'\nclient_id = '{}'\nclient_secret_file = 'secret'\n", issuer::CLIENT);
    std::fs::write(&path, format!("{head}{more}\n{GRANTS}")).unwrap();
    let settings = Settings::load(&path).unwrap();
    RelyingParty::new(settings, PublicUrl::parse(ORIGIN).unwrap(), key).unwrap()
}

/// A controller that signs people in with an issuer, and that issuer.
struct Scene {
    world: World,
    issuer: Arc<Issuer>,
    api: Api,
}

/// A browser that was sent to the issuer.
#[derive(Debug, Clone)]
struct Browser {
    cookie: String,
    state: String,
    nonce: String,
    challenge: String,
}

impl Scene {
    async fn new() -> Self {
        let issuer = Issuer::start().await;
        let mut world = World::new().await;
        world.state.oidc = Some(party(&world, &issuer.url, ""));
        world.router = pinhole::http::router(world.state.clone());
        let api = world.anonymous();
        Self { world, issuer, api }
    }

    async fn begin(&self) -> Browser {
        self.begin_with("").await
    }

    async fn begin_with(&self, more: &str) -> Browser {
        let answer = self.api.get(&format!("{}{more}", start())).await;
        assert_eq!(answer.status.as_u16(), 303, "{}", String::from_utf8_lossy(&answer.bytes));
        let location = answer.header("location");
        assert!(location.starts_with(&format!("{}/authorize?", self.issuer.url)), "{location}");
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let browser = Browser {
            cookie,
            state: parameter(location, "state"),
            nonce: parameter(location, "nonce"),
            challenge: parameter(location, "code_challenge"),
        };
        self.issuer.expect(&browser.nonce, &browser.challenge);
        browser
    }

    /// The issuer sends a browser back.
    async fn back(&self, browser: &Browser) -> Answer {
        self.come(&browser.cookie, &format!("code=c&state={}", browser.state)).await
    }

    async fn come(&self, cookie: &str, query: &str) -> Answer {
        come(&self.api, cookie, query).await
    }

    /// Signs somebody in of whom the issuer says this.
    async fn sign_in(&self, claims: Value) -> Answer {
        self.issuer.says(claims);
        let browser = self.begin().await;
        let answer = self.back(&browser).await;
        if answer.status.as_u16() != 303 {
            return answer;
        }
        exchange(&self.api, &code(&answer), VERIFIER).await
    }

    /// The API as somebody who signed in.
    async fn signed_in(&self, claims: Value) -> Api {
        let tokens = self.sign_in(claims).await.expect(200);
        self.api.with_token(tokens["access_token"].as_str().unwrap())
    }
}

fn start() -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    format!("{START}?code_challenge={challenge}&code_challenge_method=S256")
}

async fn come(api: &Api, cookie: &str, query: &str) -> Answer {
    let path = format!("{}?{query}", pinhole::oidc::CALLBACK_PATH);
    api.send(Method::GET, &path, &[("cookie", cookie)], None).await
}

async fn exchange(api: &Api, code: &str, verifier: &str) -> Answer {
    let fields = [("grant_type", "authorization_code"), ("code", code), ("code_verifier", verifier)];
    api.form("/v1/auth/token", &fields).await
}

/// The one-time code that a browser was sent on with.
fn code(answer: &Answer) -> String {
    let location = answer.header("location");
    location.strip_prefix(&format!("{ORIGIN}/sign-in#code=")).expect(location).to_owned()
}

/// A parameter of a URL, which needs no decoding here.
fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').unwrap().1;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(given, _)| *given == name).unwrap_or_else(|| panic!("{name} in {url}")).1.to_owned()
}

/// Somebody of a group.
fn person(subject: &str, groups: Value) -> Value {
    json!({ "sub": subject, "preferred_username": subject, "groups": groups })
}
