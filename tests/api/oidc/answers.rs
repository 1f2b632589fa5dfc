//! What an issuer may not say, OpenID Connect Core section 3.1.3.7.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::issuer::{Key, Manner};
use super::{Scene, person};

async fn refused(scene: &Scene, what: &str) {
    let answer = scene.sign_in(person("ann", json!(["root"]))).await;
    assert_eq!(answer.status.as_u16(), 400, "{what}: {}", String::from_utf8_lossy(&answer.bytes));
    answer.problem(400, "sign-in-failed");
}

/// Has a claim say something else.
fn with(name: &'static str, value: Value) -> impl Fn(&Key, Value) -> String + Send {
    move |key, mut claims| {
        claims[name] = value.clone();
        key.sign(&claims)
    }
}

/// Has a claim left out.
fn without(name: &'static str) -> impl Fn(&Key, Value) -> String + Send {
    move |key, mut claims| {
        claims.as_object_mut().unwrap().remove(name);
        key.sign(&claims)
    }
}

#[tokio::test]
async fn what_an_id_token_says_is_checked() {
    let scene = Scene::new().await;
    scene.signed_in(person("ann", json!(["root"]))).await.get("/v1/auth/me").await.expect(200);
    let now = chrono::Utc::now().timestamp();
    for (name, value) in [
        ("nonce", json!("another")),
        ("nonce", json!("")),
        ("aud", json!("another")),
        ("aud", json!([])),
        ("aud", json!(["pinhole", "another"])),
        ("azp", json!("another")),
        ("iss", json!("https://login.example.com")),
        ("iss", json!(format!("{}/", scene.issuer.url))),
        ("exp", json!(now - 90)),
        ("iat", json!(now + 600)),
        ("iat", json!(now - 3600)),
        ("sub", json!("")),
        ("sub", json!("x".repeat(256))),
        ("sub", json!(7)),
    ] {
        scene.issuer.mint(with(name, value.clone()));
        refused(&scene, &format!("{name} {value}")).await;
    }
    for name in ["nonce", "aud", "iss", "exp", "iat", "sub"] {
        scene.issuer.mint(without(name));
        refused(&scene, name).await;
    }
    // Several audiences are none that we know; the one that we are, as a list, is fine.
    scene.issuer.mint(with("aud", json!(["pinhole"])));
    scene.signed_in(person("ann", json!(["root"]))).await.get("/v1/auth/me").await.expect(200);
}

#[tokio::test]
async fn an_id_token_is_signed_by_a_key_of_the_issuer() {
    let scene = Scene::new().await;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    // Nobody's signature.
    scene.issuer.mint(move |_, claims| format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims)));
    refused(&scene, "none").await;
    scene.issuer.mint(move |key, claims| {
        let signed = key.sign(&claims);
        format!("{}.{}.{}", part(&json!({"alg": "none"})), part(&claims), signed.rsplit('.').next().unwrap())
    });
    refused(&scene, "none with a signature").await;
    // The client's secret, and the public key in every form, as the key of an HMAC.
    let hmac = |bytes: fn(&Key) -> Vec<u8>| {
        move |key: &Key, claims: Value| {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some(key.kid.clone());
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&bytes(key))).unwrap()
        }
    };
    scene.issuer.mint(hmac(|_| super::issuer::SECRET.as_bytes().to_vec()));
    refused(&scene, "the client's secret").await;
    scene.issuer.mint(hmac(|key| key.public.clone()));
    refused(&scene, "the public key").await;
    scene.issuer.mint(hmac(|key| STANDARD.encode(&key.public).into_bytes()));
    refused(&scene, "the public key in base64").await;
    scene.issuer.mint(hmac(|key| key.jwk().to_string().into_bytes()));
    refused(&scene, "the public key as a JWK").await;
    // Somebody else's key under the same name, and claims that were changed after they were signed.
    scene.issuer.mint(|key, claims| Key::new(&key.kid).sign(&claims));
    refused(&scene, "another key").await;
    scene.issuer.mint(move |key, mut claims| {
        let signed = key.sign(&claims);
        claims["sub"] = json!("root");
        let parts: Vec<&str> = signed.split('.').collect();
        format!("{}.{}.{}", parts[0], part(&claims), parts[2])
    });
    refused(&scene, "changed claims").await;
    for nonsense in ["", "a", "a.b", "a.b.c", "e30.e30.", "{}"] {
        scene.issuer.mint(move |_, _| nonsense.to_owned());
        refused(&scene, nonsense).await;
    }
    scene.issuer.mint(|key, claims| key.sign(&claims));
    scene.signed_in(person("ann", json!(["root"]))).await.get("/v1/auth/me").await.expect(200);
}

#[tokio::test]
async fn an_issuer_may_rotate_its_keys_and_is_not_asked_for_them_without_end() {
    let scene = Scene::new().await;
    scene.signed_in(person("ann", json!(["root"]))).await;
    assert_eq!(scene.issuer.discoveries(), 1);
    // A key that nobody has is asked for, and then not again for a while.
    scene.world.clock.advance(chrono::Duration::seconds(11));
    let unknown = Key::new("unknown");
    scene.issuer.mint(move |_, claims| unknown.sign(&claims));
    for _ in 0..5 {
        refused(&scene, "unknown").await;
    }
    assert_eq!(scene.issuer.discoveries(), 2);
    scene.issuer.mint(|key, claims| key.sign(&claims));
    scene.issuer.rotate("second");
    refused(&scene, "too soon").await;
    assert_eq!(scene.issuer.discoveries(), 2);
    scene.world.clock.advance(chrono::Duration::seconds(11));
    scene.signed_in(person("ann", json!(["root"]))).await.get("/v1/auth/me").await.expect(200);
    assert_eq!(scene.issuer.discoveries(), 3);
}

#[tokio::test]
async fn a_callback_is_the_issuers_own() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let come = async |issuer: Option<&str>| {
        let browser = scene.begin().await;
        let issuer = issuer.map(|issuer| format!("&iss={issuer}")).unwrap_or_default();
        scene.come(&browser.cookie, &format!("code=c&state={}{issuer}", browser.state)).await
    };
    let own = scene.issuer.url.clone();
    come(Some("https://login.example.com")).await.problem(400, "sign-in-failed");
    come(Some(&format!("{own}/"))).await.problem(400, "sign-in-failed");
    come(Some(&own)).await.expect(303);
    come(None).await.expect(303);
    // RFC 9207 section 2.4: who announces it leaves it out never.
    scene.issuer.announce_iss();
    scene.world.clock.advance(chrono::Duration::minutes(61));
    assert_eq!(scene.issuer.exchanges(), 2);
    // The issuer's clock has to come along.
    scene.issuer.mint(|key, mut claims| {
        for name in ["iat", "exp"] {
            claims[name] = json!(claims[name].as_i64().unwrap() + 3660);
        }
        key.sign(&claims)
    });
    come(None).await.problem(400, "sign-in-failed");
    come(Some(&own)).await.expect(303);
    assert_eq!(scene.issuer.exchanges(), 3);
}

#[tokio::test]
async fn what_the_id_token_does_not_say_the_issuer_is_asked_for() {
    let scene = Scene::new().await;
    scene.issuer.tells(
        json!({ "sub": "ann", "groups": ["noc"], "preferred_username": "ann", "email": "ann@example.com" }),
    );
    let ann = scene.signed_in(json!({ "sub": "ann" })).await;
    let me = ann.get("/v1/auth/me").await.expect(200);
    assert_eq!((&me["role"], &me["username"]), (&json!("service_provider_operator"), &json!("ann")));
    // What is signed counts more than what is not.
    scene.issuer.tells(json!({ "sub": "ann", "groups": ["root"] }));
    let me = scene
        .signed_in(json!({ "sub": "ann", "groups": ["noc"] }))
        .await
        .get("/v1/auth/me")
        .await
        .expect(200);
    assert_eq!(me["role"], "service_provider_operator");
    // Core section 5.3.2: it is of the same person.
    scene.issuer.tells(json!({ "sub": "bob", "groups": ["root"], "preferred_username": "bob" }));
    scene.sign_in(json!({ "sub": "ann" })).await.problem(400, "sign-in-failed");
}

#[tokio::test]
async fn a_code_that_the_issuer_refuses_signs_nobody_in() {
    let scene = Scene::new().await;
    scene.issuer.behave(Manner::Honest);
    scene.issuer.says(person("ann", json!(["root"])));
    let browser = scene.begin().await;
    scene.issuer.behave(Manner::Refusing);
    let problem = scene.back(&browser).await.problem(400, "sign-in-failed");
    assert!(!problem.to_string().contains("xxx"), "{problem}");
    // Whose verifier is another's: the issuer holds PKCE against it.
    scene.issuer.behave(Manner::Honest);
    let browser = scene.begin().await;
    scene.issuer.forget();
    scene.back(&browser).await.problem(400, "sign-in-failed");
    tokio::time::timeout(Duration::from_secs(60), scene.signed_in(person("ann", json!(["root"]))))
        .await
        .unwrap();
}
