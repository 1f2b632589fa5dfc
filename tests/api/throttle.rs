//! Guessing at passwords.

use chrono::Duration;

use crate::support::{Answer, Api, PASSWORD, World};

async fn sign_in(api: &Api, username: &str, password: &str) -> Answer {
    let login = [("grant_type", "password"), ("username", username), ("password", password)];
    api.form("/v1/auth/token", &login).await
}

fn wait(answer: &Answer) -> i64 {
    answer.problem(429, "sign-in-throttled");
    answer.header("retry-after").parse().unwrap()
}

#[tokio::test]
async fn a_guesser_has_to_wait_longer_and_longer_and_the_owner_does_not() {
    let world = World::new().await;
    let (guesser, owner) = (world.anonymous().from("192.0.2.1"), world.anonymous().from("192.0.2.2"));
    for _ in 0..5 {
        sign_in(&guesser, "acme-admin", "wrong").await.problem(400, "grant-refused");
    }
    let mut waits = Vec::new();
    for _ in 0..4 {
        let wait = wait(&sign_in(&guesser, "ACME-admin", "wrong").await);
        // Also with the right password, or the answer would say that it is right.
        sign_in(&guesser, "acme-admin", PASSWORD).await.problem(429, "sign-in-throttled");
        sign_in(&owner, "acme-admin", PASSWORD).await.expect(200);
        waits.push(wait);
        world.clock.advance(Duration::seconds(wait));
        sign_in(&guesser, "acme-admin", "wrong").await.problem(400, "grant-refused");
    }
    assert!(waits.is_sorted() && waits[3] >= 8, "{waits:?}");
    // Other accounts are not concerned, whether they exist or not.
    sign_in(&guesser, "acme-operator", PASSWORD).await.expect(200);
    sign_in(&guesser, "nobody", "wrong").await.problem(400, "grant-refused");
    // In the end it is forgotten, and a success forgets it at once.
    world.clock.advance(Duration::minutes(30));
    for _ in 0..3 {
        for _ in 0..4 {
            sign_in(&guesser, "acme-admin", "wrong").await.problem(400, "grant-refused");
        }
        sign_in(&guesser, "acme-admin", PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_throttled_as_one_that_does() {
    let world = World::new().await;
    let guesser = world.anonymous().from("192.0.2.1");
    for username in ["acme-admin", "nobody"] {
        for _ in 0..5 {
            sign_in(&guesser, username, "wrong").await.problem(400, "grant-refused");
        }
        let wait = wait(&sign_in(&guesser, username, "wrong").await);
        assert!((1..=2).contains(&wait), "{username}: {wait}");
    }
    let account = [("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "y")];
    for _ in 0..5 {
        guesser.form("/v1/auth/token", &account).await.problem(400, "grant-refused");
    }
    wait(&guesser.form("/v1/auth/token", &account).await);
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_has_to_wait() {
    let world = World::new().await;
    let guesser = world.anonymous().from("2001:db8::1");
    for number in 0..50 {
        sign_in(&guesser, &format!("user-{number}"), "wrong").await.problem(400, "grant-refused");
    }
    wait(&sign_in(&guesser, "user-51", "wrong").await);
    // The same network is the same guesser.
    wait(&sign_in(&world.anonymous().from("2001:db8::2"), "user-51", "wrong").await);
    sign_in(&world.anonymous().from("2001:db8:0:1::1"), "acme-admin", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn guesses_at_the_same_moment_are_counted() {
    let world = World::new().await;
    let guesser = world.anonymous().from("192.0.2.1");
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let guesser = guesser.clone();
        guesses.spawn(async move { sign_in(&guesser, "acme-admin", "wrong").await.status.as_u16() });
    }
    let looked_at = guesses.join_all().await.into_iter().filter(|status| *status == 400).count();
    // One more for each second that passes.
    assert!((5..=10).contains(&looked_at), "{looked_at}");
}
