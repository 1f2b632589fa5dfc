//! The kinds of translation, as hosts see them.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use nix::sys::signal::Signal;
use pinhole_lab::net::{PATIENCE, SILENCE};
use pinhole_lab::{Daemon, Datagrams, Net, Scratch};

use crate::CONFIG;

const PROGRAM: &str = env!("CARGO_BIN_EXE_pinhole-gateway");

/// Starts a gateway whose `[nat]` says more.
fn start(net: &Net, directory: &Path, nat: &str) -> Daemon {
    let config = format!("{CONFIG}{nat}\n");
    Daemon::start(&net.gateway, Path::new(PROGRAM), directory, &config).expect("the daemon starts")
}

#[test]
fn a_subscribers_ports_come_in_blocks() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let daemon = start(&net, directory.path(), "port_block = { size = 64, per_subscriber = 2 }");
    let server = net.server.udp("203.0.113.2:0").unwrap();
    let to = server.local_addr().unwrap();
    let mut blocks = BTreeSet::new();
    for _ in 0..60 {
        let client = net.client.udp("10.0.0.2:0").unwrap();
        client.send_to(b"x", to).unwrap();
        let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
        assert_eq!(from.ip().to_string(), "203.0.113.1");
        blocks.insert(from.port() / 64);
        // And back, so that the mapping works.
        server.send_to(b"y", from).unwrap();
        assert_eq!(client.recv_from(&mut [0; 8]).unwrap().1, to);
    }
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
    let log = std::fs::read_to_string(directory.path().join("gateway.log")).unwrap();
    assert_eq!(log.matches("PortBlockAllocated").count(), 1, "{log}");
}

/// Has one end say something and the other one answer.
fn converse(listener: &TcpListener, mut stream: TcpStream) -> io::Result<SocketAddr> {
    let (mut accepted, from) = listener.accept()?;
    accepted.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 5];
    stream.write_all(b"hello")?;
    accepted.read_exact(&mut buffer)?;
    accepted.write_all(b"there")?;
    stream.read_exact(&mut buffer)?;
    assert_eq!(&buffer, b"there");
    Ok(from)
}

#[test]
fn a_forward_leads_inside_from_outside_and_from_inside() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let listener = net.client.listen("10.0.0.2:0").unwrap();
    let inside = listener.local_addr().unwrap().port();
    let nat = format!(
        "forwards = [{{ protocol = \"tcp\", outside_address = \"203.0.113.1\", outside_port = \"8080\", \
         inside_address = \"10.0.0.2\", inside_port = \"{inside}\" }}]"
    );
    let daemon = start(&net, directory.path(), &nat);
    let outside: SocketAddr = "203.0.113.1:8080".parse().unwrap();
    let from = converse(&listener, net.server.connect(outside, PATIENCE).unwrap()).unwrap();
    assert_eq!(from.ip().to_string(), "203.0.113.2");
    // The other inside host is the same one: it is seen at its outside address all the same.
    let stream = net.client.connect(outside, PATIENCE).unwrap();
    let own = stream.local_addr().unwrap();
    let from = converse(&listener, stream).unwrap();
    assert_eq!(from.ip().to_string(), "203.0.113.1");
    assert_ne!(from, own);
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
}

/// What one sends, the other one receives whole; returns who sent it.
fn pass_on(from: &Datagrams, to: &Datagrams, address: SocketAddr, length: usize) -> io::Result<SocketAddr> {
    let sent: Vec<u8> = (0..=250).cycle().take(length).collect();
    from.send_to(&sent, address)?;
    let mut received = vec![0; 65_535];
    let (length, sender) = to.recv_from(&mut received)?;
    received.truncate(length);
    assert_eq!(received, sent);
    Ok(sender)
}

#[test]
fn datagrams_in_fragments_pass_both_ways_and_reach_the_host_itself() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let daemon = start(&net, directory.path(), "");
    let (client, server) = (net.client.udp("10.0.0.2:0").unwrap(), net.server.udp("203.0.113.2:0").unwrap());
    let there = server.local_addr().unwrap();
    for length in [1, 1_473, 4_000, 65_507] {
        let outside = pass_on(&client, &server, there, length).unwrap();
        assert_eq!(outside.ip().to_string(), "203.0.113.1");
        assert_eq!(pass_on(&server, &client, outside, length).unwrap(), there);
    }
    let own = net.gateway.udp("203.0.113.1:5353").unwrap();
    assert_eq!(pass_on(&server, &own, own.local_addr().unwrap(), 4_000).unwrap(), there);
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
}

#[test]
fn rfc4787_req_13_who_must_not_be_cut_is_told_how_long_a_packet_may_be() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    net.gateway.command("ip link set out0 mtu 1300").unwrap();
    let daemon = start(&net, directory.path(), "");
    let (client, server) = (net.client.udp("10.0.0.2:0").unwrap(), net.server.udp("203.0.113.2:0").unwrap());
    let there = server.local_addr().unwrap();
    pass_on(&client, &server, there, 1_000).unwrap();
    // The kernel forbids to cut what fits its own link, and cuts itself when it knows better.
    server.set_read_timeout(Some(SILENCE)).unwrap();
    let arrives = || {
        client.send_to(&[1; 1_400], there).unwrap();
        server.recv_from(&mut [0; 2_000]).is_ok_and(|(length, _)| length == 1_400)
    };
    assert!(!arrives());
    let tries = PATIENCE.as_millis() / SILENCE.as_millis();
    assert!((0..tries).any(|_| arrives()));
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
}

#[test]
fn rfc4787_req_13a_a_datagram_that_may_be_cut_is_cut_for_a_smaller_link() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    net.gateway.command("ip link set out0 mtu 1300").unwrap();
    // The client leaves it to others to cut what it sends.
    net.client.set_sysctl("ipv4/ip_no_pmtu_disc", "1").unwrap();
    let daemon = start(&net, directory.path(), "");
    let (client, server) = (net.client.udp("10.0.0.2:0").unwrap(), net.server.udp("203.0.113.2:0").unwrap());
    let pieces = || -> u64 {
        let counters = net.gateway.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp")).unwrap();
        let mut lines = counters.lines().filter(|line| line.starts_with("Ip:"));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let at = names.split(' ').position(|name| name == "FragCreates").unwrap();
        values.split(' ').nth(at).unwrap().parse().unwrap()
    };
    let before = pieces();
    let outside = pass_on(&client, &server, server.local_addr().unwrap(), 1_400).unwrap();
    assert_eq!(outside.ip().to_string(), "203.0.113.1");
    assert_eq!(pieces() - before, 2);
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
}

#[test]
fn without_translation_hosts_see_each_others_own_addresses() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let config = CONFIG.replace("pool = [\"203.0.113.1\"]", "mode = \"none\"");
    let daemon = Daemon::start(&net.gateway, Path::new(PROGRAM), directory.path(), &config).unwrap();
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let stream = net.client.connect(listener.local_addr().unwrap(), PATIENCE).unwrap();
    let own = stream.local_addr().unwrap();
    assert_eq!(converse(&listener, stream).unwrap(), own);
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
}
