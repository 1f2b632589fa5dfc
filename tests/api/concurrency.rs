//! Many at once, on two controllers: nothing is lost, and nothing refers to what is gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Method;
use futures_util::future::join_all;
use pinhole::app::AppState;
use pinhole::clock::ShiftedClock;
use pinhole::store::Store;
use serde_json::{Value, json};

use crate::support::{Api, World, create, service};

const WRITERS: usize = 6;
const EDITS: usize = 4;

/// The API as a user on two controllers of one database.
fn on_two(world: &World, user: &str) -> [Api; 2] {
    let store = Store::connect_lazily(world.owner.clone());
    let clock = Arc::<ShiftedClock>::clone(&world.clock);
    let state = AppState::new(store, clock, world.state.keys.clone(), world.state.authority.clone()).unwrap();
    [world.api(user), world.api(user).on(pinhole::http::router(state))]
}

fn tags(object: &Value) -> BTreeSet<String> {
    object["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

/// Adds a tag by reading, changing and writing, again and again until nobody else was faster.
async fn add_tag(api: &Api, path: &str, tag: &str) {
    loop {
        let read = api.get(path).await;
        let mut body = read.expect(200);
        body["tags"].as_array_mut().unwrap().push(json!(tag));
        let answer = api.send(Method::PUT, path, &[("if-match", read.header("etag"))], Some(&body)).await;
        if answer.status.as_u16() == 412 {
            let current = api.get(path).await.expect(200)["version"].as_i64().unwrap();
            let told = answer.header("etag").trim_matches('"').parse::<i64>().unwrap();
            assert!(told <= current, "the current version was told");
            continue;
        }
        answer.expect(200);
        return;
    }
}

#[tokio::test]
async fn edits_at_once_lose_nothing() {
    let world = World::new().await;
    let apis = on_two(&world, "acme-admin");
    let id = service(&apis[0], "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    let writer = async |number: usize| {
        for edit in 0..EDITS {
            add_tag(&apis[number % apis.len()], &path, &format!("{number}-{edit}")).await;
        }
    };
    join_all((0..WRITERS).map(writer)).await;
    let last = apis[1].get(&path).await.expect(200);
    let expected: BTreeSet<String> =
        (0..WRITERS).flat_map(|number| (0..EDITS).map(move |edit| format!("{number}-{edit}"))).collect();
    assert_eq!(tags(&last), expected);
    assert_eq!(last["version"], WRITERS * EDITS + 1);
    // Each version is the one before it and one tag more.
    let mut before = BTreeSet::new();
    for version in 2..=WRITERS * EDITS + 1 {
        let after = tags(&apis[0].get(&format!("{path}/versions/{version}")).await.expect(200));
        assert!(before.is_subset(&after) && after.len() == before.len() + 1, "version {version}");
        before = after;
    }
}

#[tokio::test]
async fn of_many_with_one_name_one_is_made() {
    let world = World::new().await;
    let apis = on_two(&world, "acme-admin");
    let body = json!({"name": "same", "kind": "system"});
    let answers = join_all((0..WRITERS).map(async |number| {
        apis[number % apis.len()].post("/v1/tenants/acme/sub-profiles", &body).await.status.as_u16()
    }));
    let mut statuses = answers.await;
    statuses.sort_unstable();
    let mut expected = vec![409; WRITERS];
    expected[0] = 201;
    assert_eq!(statuses, expected);
}

#[tokio::test]
async fn what_is_deleted_and_attached_at_once_is_one_or_the_other() {
    let world = World::new().await;
    let apis = on_two(&world, "acme-admin");
    for round in 0..4 {
        let policy = create(&apis[0], "acme", "alg-policies", &json!({"name": format!("p{round}")})).await;
        let sub = json!({"name": format!("u{round}"), "kind": "system"});
        let sub = create(&apis[0], "acme", "sub-profiles", &sub).await;
        let path = format!("/v1/tenants/acme/alg-policies/{policy}");
        let (attach, profile) = (format!("{path}/attach"), json!({"profile": sub}));
        let (attached, deleted) = tokio::join!(apis[0].post(&attach, &profile), apis[1].delete(&path));
        let seen = apis[0].get(&format!("/v1/tenants/acme/sub-profiles/{sub}")).await.expect(200);
        match deleted.status.as_u16() {
            204 => {
                attached.problem(404, "not-found");
                assert_eq!(seen["alg_policy"], json!(null));
            }
            409 => {
                attached.expect(200);
                assert_eq!(seen["alg_policy"]["id"], policy);
            }
            status => panic!("deleting was answered {status}"),
        }
    }
}

#[tokio::test]
async fn defaults_changed_at_once_on_both_sides_keep_an_editor() {
    let world = World::new().await;
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let enterprises = json!({"enterprises": {"service": {"service_provider_administrator": "read"}}});
    let own = json!({"defaults": {"service": {"enterprise_administrator": "read"}}});
    let (one, other) = tokio::join!(
        root.put("/v1/tenants/provider/permission-defaults", &enterprises),
        api.put("/v1/tenants/acme/permission-defaults", &own),
    );
    one.expect(200);
    // By who was first, the tenant's administrator was the last one that could edit, and may not give that away.
    assert!(matches!(other.status.as_u16(), 200 | 422));
    let defaults = api.get("/v1/tenants/acme/permission-defaults").await.expect(200);
    let service = defaults["defaults"]["service"].as_array().unwrap();
    let edits = |entry: &&Value| {
        entry["permission"] == "edit" && entry["role"].as_str().unwrap().ends_with("administrator")
    };
    assert!(service.iter().any(|entry| edits(&entry)), "{service:?}");
}
