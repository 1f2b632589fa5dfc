//! An issuer that does not answer, or not as an issuer does.

use std::time::{Duration, Instant};

use serde_json::json;

use super::issuer::Manner;
use super::{Scene, VERIFIER, code, exchange, person, start};
use crate::support::Answer;

/// Far above what is read of an answer, in bytes.
const MUCH: usize = 32 << 20;
/// Far below what a request may take.
const PATIENCE: Duration = Duration::from_secs(25);

fn unavailable(answer: &Answer) {
    let problem = answer.problem(503, "issuer-unavailable");
    assert_eq!(answer.header("retry-after"), "2");
    assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
}

#[tokio::test]
async fn an_issuer_that_is_no_issuer_is_unavailable() {
    let scene = Scene::new().await;
    let manners = [Manner::Broken, Manner::Redirecting, Manner::Endless, Manner::Impostor, Manner::Nonsense];
    for manner in manners {
        scene.issuer.behave(manner);
        let before = scene.issuer.discoveries();
        unavailable(&scene.api.get(&start()).await);
        // Who does not answer is not asked again at once.
        unavailable(&scene.api.get(&start()).await);
        assert_eq!(scene.issuer.discoveries(), before + 1, "{manner:?}");
        scene.world.clock.advance(chrono::Duration::seconds(2));
    }
    // What the sockets between hold, and not what can be sent until time is up.
    assert!(scene.issuer.sent() < MUCH, "{}", scene.issuer.sent());
    scene.issuer.behave(Manner::Honest);
    scene.begin().await;
}

#[tokio::test]
async fn an_issuer_that_goes_away_between_is_unavailable_and_nobody_is_to_blame() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let api = scene.api.from("192.0.2.1");
    for _ in 0..60 {
        let browser = scene.begin().await;
        scene.issuer.behave(Manner::Broken);
        let query = format!("code=c&state={}", browser.state);
        unavailable(&super::come(&api, &browser.cookie, &query).await);
        scene.issuer.behave(Manner::Honest);
    }
    let browser = scene.begin().await;
    let query = format!("code=c&state={}", browser.state);
    let back = super::come(&api, &browser.cookie, &query).await;
    exchange(&scene.api, &code(&back), VERIFIER).await.expect(200);

    let browser = scene.begin().await;
    scene.issuer.stop();
    unavailable(&scene.back(&browser).await);
    scene.world.clock.advance(chrono::Duration::minutes(61));
    unavailable(&scene.api.get(&start()).await);
}

#[tokio::test]
async fn an_issuer_that_is_slow_is_waited_for_by_one_and_not_for_long() {
    let scene = Scene::new().await;
    scene.issuer.behave(Manner::Slow);
    let began = Instant::now();
    let path = start();
    let (one, two) = tokio::join!(scene.api.get(&path), scene.api.get(&path));
    unavailable(&one);
    unavailable(&two);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert_eq!(scene.issuer.discoveries(), 1);
    // Nobody else waits for the database meanwhile.
    scene.world.api("root").get("/v1/auth/me").await.expect(200);
}
