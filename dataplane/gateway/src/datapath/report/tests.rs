use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::addr::Endpoint;
use pinhole_dataplane::alg::{AlgProtocol, PinholeId};
use pinhole_dataplane::config::PortRange;
use pinhole_dataplane::tuple::{Protocol, Tuple};

use super::*;

fn control() -> Flow {
    Tuple {
        protocol: Protocol::Tcp,
        source: Ipv4Addr::new(10, 0, 0, 2),
        source_port: 40_000,
        destination: Ipv4Addr::new(203, 0, 113, 2),
        destination_port: 21,
    }
    .into()
}

fn endpoint(address: [u8; 4], port: u16) -> Endpoint {
    Endpoint::from((address, port))
}

#[test]
fn a_rewrite_shows_both_lines_and_the_flow() {
    let message = event(Event::AlgRewrite {
        protocol: AlgProtocol::Ftp,
        control: control(),
        message: "PORT",
        before: b"PORT 10,0,0,2,4,1".to_vec(),
        after: b"PORT \"\\\xff\x00".to_vec(),
    });
    let Some(v1::event::Event::AlgRewrite(rewrite)) = message else { panic!("{message:?}") };
    assert_eq!(rewrite.protocol(), v1::AlgProtocol::Ftp);
    assert_eq!(rewrite.before, "PORT 10,0,0,2,4,1");
    assert_eq!(rewrite.after, r#"PORT "\\\xff\x00"#);
    let flow = rewrite.control.unwrap();
    let texts = [flow.protocol.as_str(), flow.source.as_str(), flow.destination.as_str()];
    assert_eq!(texts, ["tcp", "10.0.0.2:40000", "203.0.113.2:21"]);
}

#[test]
fn pinholes_are_named_alike_when_they_open_and_close() {
    let (outside, inside) = (endpoint([203, 0, 113, 1], 30_000), endpoint([10, 0, 0, 2], 1025));
    let opened = event(Event::PinholeOpened {
        id: PinholeId(7),
        protocol: AlgProtocol::Ftp,
        control: control(),
        message: "PORT",
        transport: Protocol::Tcp,
        peer: endpoint([203, 0, 113, 2], 0),
        outside,
        inside,
        lifetime: Duration::from_secs(30),
    });
    let Some(v1::event::Event::PinholeOpened(opened)) = opened else { panic!("{opened:?}") };
    let closed = event(Event::PinholeClosed {
        id: PinholeId(7),
        protocol: AlgProtocol::Ftp,
        transport: Protocol::Tcp,
        peer: endpoint([203, 0, 113, 2], 0),
        outside,
        inside,
        reason: CloseReason::Used,
    });
    let Some(v1::event::Event::PinholeClosed(closed)) = closed else { panic!("{closed:?}") };
    assert_eq!((opened.pinhole_id, opened.lifetime_ms, opened.peer.as_str()), (7, 30_000, "203.0.113.2:0"));
    assert_eq!((closed.pinhole_id, closed.reason.as_str()), (7, "used"));
    assert_eq!((opened.outside, opened.inside), (closed.outside, closed.inside));
}

#[test]
fn blocks_of_ports_are_told_with_whose_they_are() {
    let block = PortBlock {
        subscriber: Ipv4Addr::new(10, 0, 0, 2),
        outside: Ipv4Addr::new(203, 0, 113, 1),
        ports: PortRange::new(1024, 1535).unwrap(),
    };
    let expected = v1::PortBlock {
        subscriber: "10.0.0.2".to_owned(),
        outside: "203.0.113.1".to_owned(),
        ports: Some(v1::PortRange { first: 1024, last: 1535 }),
    };
    let allocated = v1::event::Event::PortBlockAllocated(expected.clone());
    assert_eq!(event(Event::PortBlockAllocated(block)), Some(allocated));
    let released = v1::event::Event::PortBlockReleased(expected);
    assert_eq!(event(Event::PortBlockReleased(block)), Some(released));
}
