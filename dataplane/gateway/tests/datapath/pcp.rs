//! Inside hosts ask the gateway for mappings of their own, and are reached by them.

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::process::{Command, Output};

use pinhole_gateway::Gateway;
use pinhole_lab::net::{CLIENT, GATEWAY_INSIDE, GATEWAY_OUTSIDE, PATIENCE, SILENCE};
use pinhole_lab::{Datagrams, Net, Scratch};
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use pinhole_proto::v1::inquiry::Question;

use crate::CONFIG;
use crate::embedded::start;

/// Debian's client of NAT-PMP, on the inside host.
fn natpmpc(net: &Net, arguments: &[&str]) -> Output {
    let program = pinhole_lab::program::installed("natpmpc").expect("natpmpc is installed");
    let run = || Command::new(program).args(["-g", GATEWAY_INSIDE]).args(arguments).output();
    net.client.run(run).expect("natpmpc runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A request for a mapping of a UDP port as RFC 6887 draws it in figures 2 and 9.
fn map_request(port: u16, lifetime: u32, suggested: u16) -> Vec<u8> {
    let mapped = |address: &str| address.parse::<Ipv4Addr>().expect("an address").to_ipv6_mapped().octets();
    let mut bytes = vec![2, 1, 0, 0];
    bytes.extend(lifetime.to_be_bytes());
    bytes.extend(mapped(CLIENT));
    bytes.extend(*b"twelve bytes");
    bytes.extend([17, 0, 0, 0]);
    bytes.extend(port.to_be_bytes());
    bytes.extend(suggested.to_be_bytes());
    bytes.extend(mapped("0.0.0.0"));
    bytes
}

fn ask(client: &Datagrams, request: &[u8]) -> Option<Vec<u8>> {
    client.send_to(request, (GATEWAY_INSIDE, 5_351)).expect("the client sends");
    let mut buffer = [0; 2_048];
    let (length, from) = client.recv_from(&mut buffer).ok()?;
    assert_eq!(from.to_string(), format!("{GATEWAY_INSIDE}:5351"));
    buffer.get(..length).map(<[u8]>::to_vec)
}

async fn mappings(gateway: &Gateway) -> Vec<v1::Mapping> {
    let question = Some(Question::Mappings(v1::Listing::default()));
    let findings = gateway.inquire(v1::Inquiry { id: 1, question }).await;
    let Some(Outcome::Mappings(page)) = findings.outcome else { panic!("{findings:?}") };
    page.mappings
}

fn with_pcp() -> String {
    format!("{CONFIG}pcp = {{}}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn debians_natpmpc_opens_a_port_and_closes_it() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), &with_pcp()).await;
    let told = text(&natpmpc(&net, &[]));
    assert!(told.contains(&format!("Public IP address : {GATEWAY_OUTSIDE}")), "{told}");
    let opened = text(&natpmpc(&net, &["-a", "20000", "8080", "tcp", "600"]));
    assert!(opened.contains("Mapped public port 20000 protocol TCP to local port 8080"), "{opened}");
    let [mapping] = &mappings(&gateway).await[..] else { panic!("not one") };
    let explicit = mapping.explicit.clone().unwrap();
    assert_eq!((mapping.outside.as_str(), explicit.origin.as_str()), ("203.0.113.1:20000", "nat_pmp"));
    assert!((590_000..=600_000).contains(&explicit.left_ms), "{explicit:?}");

    let listener = net.client.listen(&format!("{CLIENT}:8080")).unwrap();
    let outside = format!("{GATEWAY_OUTSIDE}:20000").parse().unwrap();
    let mut stranger = net.server.connect(outside, PATIENCE).unwrap();
    let (mut inside, _) = listener.accept().unwrap();
    stranger.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    inside.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");

    let closed = text(&natpmpc(&net, &["-a", "0", "8080", "tcp", "0"]));
    assert!(closed.contains("Mapped public port 0 protocol TCP to local port 8080"), "{closed}");
    assert!(net.server.connect(outside, SILENCE).is_err());
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pcp_client_is_reached_by_its_mapping_until_an_administrator_ends_it() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), &with_pcp()).await;
    let client = net.client.udp(&format!("{CLIENT}:0")).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let answer = ask(&client, &map_request(6_000, 600, 20_001)).unwrap();
    assert_eq!(
        (answer.len(), &answer[..4], &answer[4..8]),
        (60, &[2, 0x81, 0, 0][..], &600_u32.to_be_bytes()[..])
    );
    assert_eq!(answer[42..44], 20_001_u16.to_be_bytes());
    let outside: Ipv4Addr = GATEWAY_OUTSIDE.parse().unwrap();
    assert_eq!(answer[44..60], outside.to_ipv6_mapped().octets());

    let service = net.client.udp(&format!("{CLIENT}:6000")).unwrap();
    service.set_read_timeout(Some(PATIENCE)).unwrap();
    let stranger = net.server.udp("203.0.113.2:0").unwrap();
    stranger.send_to(b"hello", (GATEWAY_OUTSIDE, 20_001)).unwrap();
    let mut buffer = [0; 16];
    let (length, from) = service.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"hello"[..], stranger.local_addr().unwrap()));

    let [mapping] = &mappings(&gateway).await[..] else { panic!("not one") };
    let id = mapping.explicit.clone().unwrap().id;
    let kill = v1::Inquiry { id: 1, question: Some(Question::EndMapping(id)) };
    let outcome = gateway.inquire(kill.clone()).await.outcome;
    assert_eq!(outcome, Some(Outcome::Done(v1::Done {})));
    assert_eq!(gateway.inquire(kill).await.outcome, Some(Outcome::Absent(v1::Absent {})));
    let another = net.server.udp("203.0.113.2:0").unwrap();
    another.send_to(b"hello", (GATEWAY_OUTSIDE, 20_001)).unwrap();
    service.set_read_timeout(Some(SILENCE)).unwrap();
    assert!(service.recv_from(&mut buffer).is_err(), "somebody new is let in still");
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_outside_is_answered_and_nobody_at_all_where_it_is_off() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), &with_pcp()).await;
    // The server's network knows the way to the inside.
    let stranger = net.server.udp("203.0.113.2:0").unwrap();
    stranger.set_read_timeout(Some(SILENCE)).unwrap();
    for gateway in [GATEWAY_INSIDE, GATEWAY_OUTSIDE] {
        stranger.send_to(&map_request(1, 600, 0), (gateway, 5_351)).unwrap();
        assert!(stranger.recv_from(&mut [0; 64]).is_err(), "{gateway}");
    }
    let client = net.client.udp(&format!("{CLIENT}:0")).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(ask(&client, &map_request(6_000, 600, 0)).is_some());
    assert_eq!(mappings(&gateway).await.len(), 1);

    let without = pinhole_gateway::config::file::parse(CONFIG).unwrap();
    gateway.apply(without).await.unwrap();
    assert_eq!(mappings(&gateway).await, []);
    client.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(ask(&client, &map_request(6_000, 600, 0)), None);
    let with = pinhole_gateway::config::file::parse(&with_pcp()).unwrap();
    gateway.apply(with).await.unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let answer = ask(&client, &map_request(6_000, 600, 0)).unwrap();
    // Mappings were lost, so the clients' clock has begun anew.
    assert!(u32::from_be_bytes([answer[8], answer[9], answer[10], answer[11]]) < 10);
    gateway.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_hosts_are_told_that_the_gateway_has_started() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let listener = net.client.udp("0.0.0.0:5350").unwrap();
    let inside: Ipv4Addr = CLIENT.parse().unwrap();
    listener.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 1), &inside).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let gateway = start(&net, run_dir.path(), &with_pcp()).await;
    let mut buffer = [0; 64];
    for _ in 0..2 {
        let (length, from) = listener.recv_from(&mut buffer).unwrap();
        assert_eq!((length, &buffer[..4]), (24, &[2, 0x80, 0, 0][..]));
        assert_eq!(from.to_string(), format!("{GATEWAY_INSIDE}:5351"));
    }
    gateway.shutdown().await.unwrap();
}
