//! Publications that are watched.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;
use pinhole::app::AppState;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::peer::Peer;
use super::replica::Replica;
use super::replicas::another;
use super::{Fixture, NEVER, PATIENCE, enrolled};
use crate::support::{Api, appliance};

/// A stream of events.
struct Events {
    body: BodyDataStream,
    text: String,
}

/// One event.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Event {
    /// The names and statuses of the appliances that have changed.
    fn statuses(&self) -> Vec<(&str, &str)> {
        let appliances = self.data["appliances"].as_array().unwrap().iter();
        appliances.map(|one| (one["name"].as_str().unwrap(), one["status"].as_str().unwrap())).collect()
    }
}

impl Events {
    async fn open(api: &Api, publication: &str, after: Option<&str>) -> Self {
        let headers: Vec<_> = after.iter().map(|id| ("last-event-id", *id)).collect();
        let response = api.open(Method::GET, &format!("{publication}/events"), &headers, Vec::new()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: Body::into_data_stream(response.into_body()), text: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap().to_owned()
                };
                let event = Event {
                    id: field("id"),
                    name: field("event"),
                    data: serde_json::from_str(&field("data")).unwrap(),
                };
                self.text = rest.to_owned();
                return Some(event);
            }
            let bytes = timeout(PATIENCE, self.body.next()).await.expect("no event comes")?.unwrap();
            self.text += std::str::from_utf8(&bytes).unwrap();
        }
    }

    /// Reads until an event is as wanted.
    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next().await.expect("the stream has ended");
            if wanted(&event) {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn a_publication_is_watched_on_one_replica_while_another_delivers_it() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let mut peer = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let mut events = Events::open(&fixture.api.on(second.router.clone()), &publication, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), &first.data["state"]), ("progress", &json!("running")));
    assert_eq!(first.statuses(), [("edge", "pending")]);
    let config = peer.config().await;
    peer.ack(&config).await;
    let last = events.until(|event| event.name == "done").await;
    assert_eq!((last.id.as_str(), &last.data["state"]), ("done", &json!("succeeded")));
    assert_eq!(last.data["counts"]["applied"], 1);
    assert!(events.next().await.is_none(), "something comes after the end");

    // One that is over is told whole, and to whoever has read its end, no more.
    let mut events = Events::open(&fixture.api, &publication, None).await;
    assert_eq!(events.next().await.unwrap().statuses(), [("edge", "applied")]);
    assert!(events.next().await.is_none());
    let path = format!("{publication}/events");
    fixture.api.send(Method::GET, &path, &[("last-event-id", "done")], None).await.expect(204);
}

#[tokio::test]
async fn whoever_was_cut_off_reads_on_without_a_gap() {
    let fixture = Fixture::new().await;
    let other = appliance(&fixture.api, "acme", "other").await;
    let identity = enrolled(&fixture.replica, &fixture.api, &other).await;
    let (mut edge, mut other_peer) =
        (fixture.gateway("i1").await, Peer::welcomed(fixture.replica.address, &identity, "i1", None).await);
    let order = json!({ "appliances": [fixture.appliance, other] });
    let made = fixture.api.post("/v1/tenants/acme/publications", &order).await;
    made.expect(202);
    let publication = made.header("location");
    let (edge_config, other_config) = (edge.config().await, other_peer.config().await);
    let mut events = Events::open(&fixture.api, publication, None).await;
    assert_eq!(events.next().await.unwrap().statuses(), [("edge", "pending"), ("other", "pending")]);
    edge.ack(&edge_config).await;
    let applied = events.until(|event| event.statuses().contains(&("edge", "applied"))).await;
    assert_eq!(applied.data["counts"]["pending"], 1);
    drop(events);

    other_peer.nack(&other_config, "not here").await;
    fixture.ended(publication, "failed").await;
    let mut events = Events::open(&fixture.api, publication, Some(&applied.id)).await;
    let last = events.next().await.unwrap();
    assert_eq!((last.name.as_str(), last.statuses()), ("done", vec![("other", "rejected")]));
    // An id of another life of the database says nothing about what was read.
    let mut events = Events::open(&fixture.api, publication, Some("9999999999999999999")).await;
    assert_eq!(events.next().await.unwrap().statuses().len(), 2);
    for wrong in ["", "-1", "1 ", "Done", "99999999999999999999"] {
        let path = format!("{publication}/events");
        let answer = fixture.api.send(Method::GET, &path, &[("last-event-id", wrong)], None).await;
        // No digits at all are no number either.
        answer.problem(400, "bad-parameter");
    }
}

#[tokio::test]
async fn what_is_hidden_is_not_told_and_an_ended_sign_in_ends_the_watching() {
    let fixture = Fixture::new().await;
    let publication = fixture.publish().await;
    let admin = fixture.world.api("root");
    let path = format!("/v1/tenants/acme/appliances/{}/permissions", fixture.appliance);
    admin.put(&path, &json!({ "enterprise_operator": "hide" })).await.expect(200);
    let operator = fixture.world.api("acme-operator");
    let mut events = Events::open(&operator, &publication, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.statuses(), &first.data["counts"]["pending"]), (vec![], &json!(0)));
    fixture.world.api("globex-admin").get(&format!("{publication}/events")).await.problem(404, "not-found");

    let users = admin.get("/v1/tenants/acme/users/name:acme-operator").await.expect(200);
    let sessions = admin.get("/v1/tenants/acme/sessions").await.expect(200);
    let session = sessions["items"].as_array().unwrap().iter().find(|one| one["user"]["id"] == users["id"]);
    let session = format!("/v1/tenants/acme/sessions/{}", session.unwrap()["id"].as_str().unwrap());
    admin.delete(&session).await.expect(204);
    assert!(events.next().await.is_none(), "the stream goes on after the sign-in");
    operator.get(&format!("{publication}/events")).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn so_many_may_watch_and_nobody_when_the_controller_ends() {
    let fixture = Fixture::new().await;
    let publication = fixture.publish().await;
    let state = AppState { watchers: Arc::new(Semaphore::new(2)), ..fixture.world.state.clone() };
    let api = fixture.api.on(pinhole::http::router(state));
    let mut first = Events::open(&api, &publication, None).await;
    let second = Events::open(&api, &publication, None).await;
    let path = format!("{publication}/events");
    api.get(&path).await.problem(429, "too-many-requests");
    drop(second);
    let mut second = Events::open(&api, &publication, None).await;
    fixture.world.state.signals.close();
    for events in [&mut first, &mut second] {
        while events.next().await.is_some() {}
    }
}
