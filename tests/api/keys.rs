//! The keys that sign access tokens, as they come and go.

use chrono::Duration;
use pinhole::access::seal::SecretKey;
use pinhole::access::token::{KEY_ANNOUNCEMENT, KEY_LIFETIME, KEY_RETIREMENT, SigningKeys};
use pinhole::app::keys::{Rotation, rotate};
use pinhole::app::{AppState, bootstrap};
use serde_json::Value;
use sqlx::ConnectOptions as _;

use crate::support::{Api, PASSWORD, World};

async fn tokens(api: &Api) -> (String, String) {
    let login = [("grant_type", "password"), ("username", "acme-admin"), ("password", PASSWORD)];
    let tokens = api.form("/v1/auth/token", &login).await.expect(200);
    let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

async fn refreshed(api: &Api, token: &str) -> (String, String) {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let tokens = api.form("/v1/auth/token", &fields).await.expect(200);
    let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

async fn published(api: &Api) -> Vec<String> {
    let set = api.get("/.well-known/jwks.json").await.expect(200);
    let keys: &Vec<Value> = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn keys_rotate_and_nobody_is_logged_out() {
    let world = World::new().await;
    let (state, clock) = (&world.state, &world.clock);
    clock.advance(KEY_ANNOUNCEMENT);
    let api = world.anonymous();
    let (old, refresh) = tokens(&api).await;
    let by_age = async || rotate(&state.store, &**clock, world.secret_key(), Rotation::ByAge).await.unwrap();
    assert_eq!(by_age().await.len(), 1, "it is young");
    let stored = rotate(&state.store, &**clock, world.secret_key(), Rotation::Now).await.unwrap();
    // One replica knows at once, the other a little later; a token of either is good at both.
    let late = AppState { keys: SigningKeys::load(stored.get(1..).unwrap()).unwrap(), ..state.clone() };
    let other = api.on(pinhole::http::router(late.clone()));
    state.keys.replace(&stored).unwrap();
    assert_eq!(published(&api).await, [stored[0].kid.clone(), stored[1].kid.clone()]);
    let (between, refresh) = refreshed(&api, &refresh).await;
    assert_eq!(kid(&between), kid(&old), "it is not announced for long enough");
    other.with_token(&between).get("/v1/auth/me").await.expect(200);
    late.keys.replace(&by_age().await).unwrap();

    clock.advance(KEY_ANNOUNCEMENT);
    let (new, refresh) = refreshed(&api, &refresh).await;
    assert_eq!(kid(&new), stored[0].kid);
    for token in [&between, &new] {
        other.with_token(token).get("/v1/auth/me").await.expect(200);
    }
    // The old one goes when no token of it can be good any more.
    state.keys.replace(&by_age().await).unwrap();
    assert_eq!(published(&api).await.len(), 2);
    clock.advance(KEY_RETIREMENT - KEY_ANNOUNCEMENT + Duration::seconds(1));
    state.keys.replace(&by_age().await).unwrap();
    assert_eq!(published(&api).await, [stored[0].kid.clone()]);
    api.with_token(&between).get("/v1/auth/me").await.problem(401, "unauthenticated");
    let (newest, _) = refreshed(&api, &refresh).await;
    api.with_token(&newest).get("/v1/auth/me").await.expect(200);

    clock.advance(KEY_LIFETIME);
    assert_eq!(by_age().await.len(), 2, "it is old");
}

#[tokio::test]
async fn keys_are_sealed_and_another_secret_key_opens_none() {
    let world = World::new().await;
    let stranger = SecretKey::generate().unwrap();
    let error = rotate(&world.state.store, &*world.clock, &stranger, Rotation::Now).await.unwrap_err();
    assert!(error.to_string().contains("PINHOLE_SECRET_KEY"), "{error}");
    let start = bootstrap::start(&world.state.store, &*world.clock, &stranger, |_| Ok(())).await;
    assert!(start.unwrap_err().to_string().contains("PINHOLE_SECRET_KEY"));
    let mut owner = world.owner.connect().await.unwrap();
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT private FROM signing_keys UNION ALL SELECT private FROM authorities")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert_eq!(stored.len(), 2);
    // PKCS #8 begins with a sequence.
    assert!(stored.iter().all(|sealed| sealed[0] == 1));
}
