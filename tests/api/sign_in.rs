//! Signing in, staying signed in, and not being signed in.

use crate::support::World;

#[tokio::test]
async fn who_is_not_signed_in_is_told_how_to() {
    let world = World::new().await;
    let answer = world.anonymous().get("/v1/auth/me").await;
    answer.problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"pinhole\"");
}
