//! What gateways tell of their traffic, as administrators read it.

use std::collections::HashMap;

use pinhole_proto::v1;
use pinhole_proto::v1::event::Event;
use pinhole_proto::v1::gateway_message::Message as ToController;
use serde_json::json;

use super::{Fixture, until};

fn flow() -> Option<v1::Flow> {
    Some(v1::Flow {
        protocol: "tcp".to_owned(),
        source: "10.0.0.2:40000".to_owned(),
        destination: "203.0.113.2:21".to_owned(),
    })
}

fn ftp_session() -> Vec<Event> {
    let ftp = v1::AlgProtocol::Ftp.into();
    let (outside, inside) = ("203.0.113.1:20000".to_owned(), "10.0.0.2:50000".to_owned());
    vec![
        Event::PinholeOpened(v1::PinholeOpened {
            pinhole_id: 1,
            protocol: ftp,
            control: flow(),
            message: "PORT".to_owned(),
            peer: "203.0.113.2:20".to_owned(),
            outside: outside.clone(),
            inside: inside.clone(),
            lifetime_ms: 60_000,
        }),
        Event::AlgRewrite(v1::AlgRewrite {
            protocol: ftp,
            control: flow(),
            message: "PORT".to_owned(),
            before: "PORT 10,0,0,2,195,80".to_owned(),
            after: "PORT 203,0,113,1,78,32".to_owned(),
        }),
        Event::PinholeClosed(v1::PinholeClosed {
            pinhole_id: 1,
            protocol: ftp,
            outside,
            inside,
            reason: "used".to_owned(),
        }),
        Event::AlgRefusal(v1::AlgRefusal {
            protocol: ftp,
            control: flow(),
            message: "PORT".to_owned(),
            reason: "third_host\u{1b}[2J".to_owned(),
        }),
        Event::AlgOpaque(v1::AlgOpaque { protocol: ftp, control: flow(), reason: "encrypted".to_owned() }),
    ]
}

fn batch(events: Vec<Event>, lost: u64) -> ToController {
    let at = |(index, event)| v1::Event { at_ms: 1_800_000_000_123, sequence: index, event: Some(event) };
    ToController::Events(v1::Events { events: (1..).zip(events).map(at).collect(), lost })
}

#[tokio::test]
async fn blocks_of_ports_are_told_with_whose_they_are() {
    let fixture = Fixture::new().await;
    let path = format!("/v1/tenants/acme/appliances/{}/events", fixture.appliance);
    let block = v1::PortBlock {
        subscriber: "10.0.0.2".to_owned(),
        outside: "203.0.113.1".to_owned(),
        ports: Some(v1::PortRange { first: 1024, last: 1535 }),
    };
    let events = vec![Event::PortBlockAllocated(block.clone()), Event::PortBlockReleased(block)];
    let peer = fixture.gateway("i1").await;
    peer.send(batch(events, 0)).await;
    let all = until(&fixture.api, &path, |page| page["items"].as_array().unwrap().len() == 2).await;
    for (item, what) in all["items"].as_array().unwrap().iter().zip(["allocated", "released"]) {
        let expected = json!({
            "sequence": item["sequence"], "at": "2027-01-15T08:00:00.123Z", "type": format!("port_block_{what}"),
            "subscriber": "10.0.0.2", "outside": "203.0.113.1", "first_port": 1024, "last_port": 1535,
        });
        assert_eq!(*item, expected);
    }
}

#[tokio::test]
async fn events_are_read_page_by_page() {
    let fixture = Fixture::new().await;
    let path = format!("/v1/tenants/acme/appliances/{}/events", fixture.appliance);
    let nothing = fixture.api.get(&path).await.expect(200);
    assert_eq!(nothing, json!({"items": [], "lost": 0, "next": 0}));
    let peer = fixture.gateway("i1").await;
    peer.send(batch(ftp_session(), 0)).await;
    peer.send(batch(ftp_session(), 3)).await;
    let all = until(&fixture.api, &path, |page| page["items"].as_array().unwrap().len() == 10).await;
    let items = all["items"].as_array().unwrap();
    let first = items[0]["sequence"].as_u64().unwrap();
    assert_eq!(
        items[0],
        json!({
            "sequence": first, "at": "2027-01-15T08:00:00.123Z", "type": "pinhole_opened", "pinhole_id": 1,
            "protocol": "ftp", "control": {"protocol": "tcp", "source": "10.0.0.2:40000", "destination": "203.0.113.2:21"},
            "message": "PORT", "peer": "203.0.113.2:20", "outside": "203.0.113.1:20000", "inside": "10.0.0.2:50000",
            "lifetime_ms": 60_000,
        })
    );
    assert_eq!(
        (&items[1]["type"], &items[1]["after"]),
        (&json!("alg_rewrite"), &json!("PORT 203,0,113,1,78,32"))
    );
    assert_eq!((&items[2]["type"], &items[2]["reason"]), (&json!("pinhole_closed"), &json!("used")));
    assert_eq!((&items[3]["type"], &items[3]["reason"]), (&json!("alg_refusal"), &json!("third_host [2J")));
    assert_eq!((&items[4]["type"], &items[4]["reason"]), (&json!("alg_opaque"), &json!("encrypted")));

    let page = fixture.api.get(&format!("{path}?after={first}&limit=5")).await.expect(200);
    let sequences: Vec<u64> =
        page["items"].as_array().unwrap().iter().map(|item| item["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [first + 1, first + 2, first + 3, first + 4, first + 8]);
    assert_eq!((&page["lost"], &page["next"]), (&json!(3), &json!(first + 8)));
    for bad in ["after=-1", "after=x", "limit=0", "limit=1001", "before=1"] {
        fixture.api.get(&format!("{path}?{bad}")).await.problem(400, "bad-parameter");
    }
    // They stay when the gateway goes.
    peer.leave();
    fixture.state(|state| state["connected"] == false).await;
    assert_eq!(fixture.api.get(&path).await.expect(200), all);
    // Another tenant's are not found.
    let other = format!("/v1/tenants/globex/appliances/{}/events", fixture.appliance);
    fixture.world.api("globex-admin").get(&other).await.problem(404, "not-found");
}

#[tokio::test]
async fn counters_are_the_last_ones() {
    let fixture = Fixture::new().await;
    let path = format!("/v1/tenants/acme/appliances/{}/counters", fixture.appliance);
    assert_eq!(fixture.api.get(&path).await.expect(200), json!({"at": null, "counters": null}));
    let peer = fixture.gateway("i1").await;
    for sessions in [3, 5] {
        let counters = v1::Counters {
            sessions,
            packets_dropped: 2,
            drops_by_reason: HashMap::from([("not_expected".to_owned(), 2)]),
            ..v1::Counters::default()
        };
        peer.heartbeat(None, Some(counters)).await;
    }
    let read = until(&fixture.api, &path, |read| read["counters"]["sessions"] == 5).await;
    assert_eq!(read["counters"]["drops_by_reason"], json!({"not_expected": 2}));
    assert_ne!(read["at"], json!(null));
}
