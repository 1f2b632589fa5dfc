//! What gateways do now, asked and ended on any replica.

use std::time::Duration;

use pinhole::app::AppState;
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use pinhole_proto::v1::gateway_message::Message as ToController;
use pinhole_proto::v1::inquiry::Question;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use super::peer::{Peer, hello};
use super::replica::Replica;
use super::replicas::another;
use super::{Fixture, NEVER, enrolled, until};
use crate::support::{Answer, Api, World};

/// So short that nobody could answer.
const NO_TIME: Duration = Duration::from_millis(1);

/// Has the gateway of an appliance do whatever it is asked, for as long as the test runs.
pub(crate) async fn obedient(world: &World, api: &Api, appliance: &str) {
    let replica = Replica::of(&world.state, NEVER, NEVER).await;
    let identity = enrolled(&replica, api, appliance).await;
    let mut peer = Peer::welcomed(replica.address, &identity, "i1", None).await;
    tokio::spawn(async move {
        loop {
            peer.answer(Outcome::Done(v1::Done {})).await;
            let _ = &replica;
        }
    });
}

fn session() -> v1::Session {
    v1::Session {
        id: "0000002a-1-0".to_owned(),
        protocol: "tcp".to_owned(),
        inside: "10.0.0.2:50000".to_owned(),
        outside: "203.0.113.1:20000".to_owned(),
        remote: "198.51.100.5:20".to_owned(),
        originator: "outside".to_owned(),
        state: "established".to_owned(),
        packets_out: 3,
        packets_in: 4,
        idle_left_ms: 7_000,
        alg: v1::AlgProtocol::Unspecified.into(),
        master: "0000002a-0-0".to_owned(),
        announced_by: v1::AlgProtocol::Ftp.into(),
        announced_in: "PORT".to_owned(),
    }
}

fn sessions(next: Option<u64>) -> Outcome {
    Outcome::Sessions(v1::Sessions { sessions: vec![session()], total: 12, next })
}

impl Fixture {
    fn path(&self, what: &str) -> String {
        format!("/v1/tenants/acme/appliances/{}/{what}", self.appliance)
    }

    /// Asks, while the gateway answers.
    async fn ask(&self, api: &Api, peer: &mut Peer, what: &str, outcome: Outcome) -> (Answer, Question) {
        let path = self.path(what);
        tokio::join!(api.get(&path), peer.answer(outcome))
    }

    async fn kill(&self, api: &Api, peer: &mut Peer, what: &str, outcome: Outcome) -> (Answer, Question) {
        let path = self.path(what);
        tokio::join!(api.delete(&path), peer.answer(outcome))
    }

    /// The API of a controller where nobody waits for gateways.
    fn impatient(&self, mut state: AppState) -> Api {
        state.inquirer = state.inquirer.with_patience(NO_TIME);
        self.api.on(pinhole::http::router(state))
    }

    /// The questions of replicas to each other that are left in the database.
    async fn left(&self) -> i64 {
        let mut owner = self.world.owner.connect().await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM inquiries").fetch_one(&mut owner).await.unwrap()
    }
}

#[tokio::test]
async fn sessions_are_listed_on_either_replica() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let mut peer = fixture.gateway("i1").await;
    for api in [fixture.api.clone(), fixture.api.on(second.router.clone())] {
        let what =
            "sessions?address=10.0.0.2&port=50000&protocol=tcp&alg=ftp&state=established&cursor=7&limit=5";
        let (answer, question) = fixture.ask(&api, &mut peer, what, sessions(Some(9))).await;
        let asked = v1::Listing {
            from: 7,
            limit: 5,
            address: "10.0.0.2".to_owned(),
            port: 50_000,
            protocol: "tcp".to_owned(),
            alg: v1::AlgProtocol::Ftp.into(),
            state: "established".to_owned(),
        };
        assert_eq!(question, Question::Sessions(asked));
        let item = json!({
            "id": "0000002a-1-0", "protocol": "tcp", "inside": "10.0.0.2:50000", "outside": "203.0.113.1:20000",
            "remote": "198.51.100.5:20", "originator": "outside", "state": "established", "packets_out": 3,
            "packets_in": 4, "idle_left_ms": 7_000, "alg": null,
            "announced": {"session": "0000002a-0-0", "alg": "ftp", "message": "PORT"},
        });
        assert_eq!(answer.expect(200), json!({"items": [item], "next_cursor": "9", "total": 12}));
        let (answer, question) = fixture.ask(&api, &mut peer, "sessions", sessions(None)).await;
        assert_eq!(question, Question::Sessions(v1::Listing { limit: 100, ..v1::Listing::default() }));
        assert_eq!(answer.expect(200)["next_cursor"], Value::Null);
    }
    assert_eq!(fixture.left().await, 0);
    for bad in ["cursor=x", "limit=257", "address=x", "port=0", "protocol=x", "alg=x", "state=x", "page=1"] {
        fixture.api.get(&fixture.path(&format!("sessions?{bad}"))).await.problem(400, "bad-parameter");
    }
    fixture.api.get(&fixture.path("mappings?state=closed")).await.problem(400, "bad-parameter");
    second.stop().await;
}

#[tokio::test]
async fn pinholes_and_mappings_are_listed() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let pinhole = v1::Pinhole {
        id: "0000002a-1".to_owned(),
        pinhole_id: 1,
        alg: v1::AlgProtocol::Ftp.into(),
        protocol: "tcp".to_owned(),
        peer: "198.51.100.5:0".to_owned(),
        outside: "203.0.113.1:20001".to_owned(),
        inside: "10.0.0.2:50000".to_owned(),
        master: "0000002a-0-0".to_owned(),
        message: "PORT".to_owned(),
        offset: 42,
        left_ms: 59_000,
    };
    let found = Outcome::Pinholes(v1::Pinholes { pinholes: vec![pinhole], total: 1, next: None });
    let (answer, _) = fixture.ask(&fixture.api, &mut peer, "pinholes?alg=ftp", found).await;
    let item = json!({
        "id": "0000002a-1", "pinhole_id": 1, "alg": "ftp", "protocol": "tcp", "peer": "198.51.100.5:0",
        "outside": "203.0.113.1:20001", "inside": "10.0.0.2:50000", "session": "0000002a-0-0",
        "message": "PORT", "offset": 42, "expires_in_ms": 59_000,
    });
    assert_eq!(answer.expect(200), json!({"items": [item], "next_cursor": null, "total": 1}));

    let mapping = v1::Mapping {
        protocol: "udp".to_owned(),
        inside: "10.0.0.2:5353".to_owned(),
        outside: "203.0.113.1:2000".to_owned(),
        remote: "0.0.0.0:0".to_owned(),
        holders: 2,
        block: Some(v1::PortRange { first: 1984, last: 2047 }),
        explicit: None,
    };
    let found = Outcome::Mappings(v1::Mappings { mappings: vec![mapping], total: 1, next: Some(8_192) });
    let (answer, _) = fixture.ask(&fixture.api, &mut peer, "mappings?port=5353", found).await;
    let item = json!({
        "protocol": "udp", "inside": "10.0.0.2:5353", "outside": "203.0.113.1:2000", "remote": null, "holders": 2,
        "block": {"first_port": 1984, "last_port": 2047},
    });
    assert_eq!(answer.expect(200), json!({"items": [item], "next_cursor": "8192", "total": 1}));
}

#[tokio::test]
async fn what_is_killed_is_in_the_audit_with_by_whom() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let mut peer = fixture.gateway("i1").await;
    let (session, pinhole) = ("sessions/0000002a-1-0", "pinholes/0000002a-1");
    let done = || Outcome::Done(v1::Done {});
    let (answer, question) = fixture.kill(&fixture.api, &mut peer, session, done()).await;
    answer.expect(204);
    assert_eq!(question, Question::EndSession("0000002a-1-0".to_owned()));
    let elsewhere = fixture.api.on(second.router.clone());
    let (answer, question) = fixture.kill(&elsewhere, &mut peer, pinhole, done()).await;
    answer.expect(204);
    assert_eq!(question, Question::ClosePinhole("0000002a-1".to_owned()));
    let absent = Outcome::Absent(v1::Absent {});
    fixture.kill(&elsewhere, &mut peer, session, absent).await.0.problem(404, "not-found");

    // None of these comes to the gateway.
    fixture.api.delete(&fixture.path(&format!("{session}?dry_run=true"))).await.expect(204);
    fixture.api.delete(&fixture.path("sessions/a%20b")).await.problem(404, "not-found");
    fixture.world.api("acme-operator").delete(&fixture.path(session)).await.problem(403, "forbidden");
    fixture.world.api("globex-admin").delete(&fixture.path(session)).await.problem(404, "not-found");
    let audit = format!("/v1/tenants/acme/audit?object={}", fixture.appliance);
    let entries = fixture.api.get(&audit).await.expect(200);
    let told: Vec<(&str, &str, &str)> = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["after"]["target"].is_string())
        .map(|entry| {
            assert_eq!(entry["object"]["name"], "edge");
            let text = |value: &'_ Value| -> &'static str { value.as_str().unwrap().to_owned().leak() };
            (text(&entry["action"]), text(&entry["after"]["target"]), text(&entry["actor"]["name"]))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("kill_session", "0000002a-1-0", "acme-admin"),
            ("close_pinhole", "0000002a-1", "acme-admin"),
            ("kill_session", "0000002a-1-0", "acme-admin"),
        ]
    );
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let second = another(&fixture);
    let replica = Replica::of(&second, NEVER, NEVER).await;
    let mut peer = fixture.gateway("i1").await;
    for state in [fixture.world.state.clone(), second.clone()] {
        let answer = fixture.impatient(state).get(&fixture.path("sessions")).await;
        answer.problem(503, "appliance-silent");
        assert_eq!(answer.header("retry-after"), "2");
    }
    assert_eq!(fixture.left().await, 0);
    // Answers that come too late, and some that nobody has asked for, harm nothing.
    let invented = v1::Findings { id: u64::MAX, outcome: Some(sessions(None)) };
    peer.send(ToController::Findings(invented)).await;
    let path = fixture.path("sessions");
    let answers = async {
        loop {
            peer.answer(sessions(None)).await;
        }
    };
    tokio::select! {
        answer = fixture.api.get(&path) => drop(answer.expect(200)),
        () = answers => {}
    }
    replica.stop().await;
}

#[tokio::test]
async fn nobody_is_asked_who_is_not_there_or_cannot_be() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let apis = [fixture.api.clone(), fixture.api.on(second.router.clone())];
    for api in &apis {
        for what in ["sessions", "pinholes", "mappings"] {
            api.get(&fixture.path(what)).await.problem(409, "appliance-not-connected");
        }
        api.delete(&fixture.path("sessions/a")).await.problem(409, "appliance-not-connected");
    }
    let mut old = hello("i1", None);
    if let Some(ToController::Hello(hello)) = &mut old.message {
        hello.capabilities.clear();
    }
    let mut peer = Peer::attach(fixture.replica.address, &fixture.identity, old).await.unwrap();
    peer.welcome().await;
    for api in &apis {
        api.get(&fixture.path("sessions")).await.problem(409, "appliance-unable");
    }
}

#[tokio::test]
async fn a_stream_that_ends_ends_the_wait() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let path = fixture.path("sessions");
    let gone = async {
        peer.inquiry().await;
        peer.leave();
    };
    let (answer, ()) = tokio::join!(fixture.api.get(&path), gone);
    answer.problem(409, "appliance-not-connected");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_not_shown() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let strange = v1::Session { inside: "<script>".to_owned(), ..session() };
    for outcome in [
        Outcome::Done(v1::Done {}),
        Outcome::Sessions(v1::Sessions { sessions: vec![strange], total: 1, next: None }),
        Outcome::Sessions(v1::Sessions { sessions: vec![session(); 101], total: 1, next: None }),
        Outcome::Sessions(v1::Sessions { sessions: vec![], total: 1, next: Some(0) }),
    ] {
        let (answer, _) = fixture.ask(&fixture.api, &mut peer, "sessions", outcome).await;
        answer.problem(502, "appliance-answer");
    }
    let refused = Outcome::Refused("no such\u{1b}thing".to_owned());
    let (answer, _) = fixture.ask(&fixture.api, &mut peer, "sessions", refused).await;
    let problem = answer.problem(502, "appliance-answer");
    assert_eq!(problem["detail"], "the gateway refuses: no such thing");
    // The stream goes on.
    fixture.ask(&fixture.api, &mut peer, "sessions", sessions(None)).await.0.expect(200);
}

#[tokio::test]
async fn a_gateway_has_only_so_many_questions_at_a_time() {
    const MOST: usize = 16;
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let path = fixture.path("sessions");
    let mut asking = tokio::task::JoinSet::new();
    let mut inquiries = Vec::new();
    for _ in 0..MOST {
        let (api, path) = (fixture.api.clone(), path.clone());
        asking.spawn(async move { api.get(&path).await });
        inquiries.push(peer.inquiry().await);
    }
    let answer = fixture.api.get(&path).await;
    answer.problem(503, "appliance-silent");
    // In any order.
    for inquiry in inquiries.into_iter().rev() {
        let findings = v1::Findings { id: inquiry.id, outcome: Some(sessions(None)) };
        peer.send(ToController::Findings(findings)).await;
    }
    assert!(asking.join_all().await.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn events_and_counters_are_read_on_the_replica_that_did_not_hear_them() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let elsewhere = fixture.api.on(second.router.clone());
    let peer = fixture.gateway("i1").await;
    peer.heartbeat(None, Some(v1::Counters { sessions: 5, ..v1::Counters::default() })).await;
    let flow = v1::Flow {
        protocol: "tcp".to_owned(),
        source: "10.0.0.2:40000".to_owned(),
        destination: "203.0.113.2:21".to_owned(),
    };
    let ended = v1::SessionEnded { session: Some(flow), reason: "killed".to_owned() };
    let event = v1::Event {
        at_ms: 1_800_000_000_123,
        sequence: 1,
        event: Some(v1::event::Event::SessionEnded(ended)),
    };
    peer.send(ToController::Events(v1::Events { events: vec![event], lost: 0 })).await;
    let read = until(&elsewhere, &fixture.path("counters"), |read| !read["at"].is_null()).await;
    assert_eq!(read["counters"]["sessions"], 5);
    let has_one = |page: &Value| page["items"].as_array().unwrap().len() == 1;
    let page = until(&elsewhere, &fixture.path("events?limit=3"), has_one).await;
    assert_eq!(page, fixture.api.get(&fixture.path("events")).await.expect(200));
    let event = &page["items"][0];
    assert_eq!((&event["type"], &event["reason"]), (&json!("session_ended"), &json!("killed")));
    assert_eq!(event["session"]["source"], "10.0.0.2:40000");
    assert_eq!(fixture.left().await, 0);
}
