//! PPTP through the whole engine (RFC 2637): control messages by TCP, and calls by GRE.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::OpaqueReason;
use pinhole_dataplane::engine::{DropReason, Event, Verdict};

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER};
use crate::packets::{ACK, Address, FIN, checksum, ip, read, tcp};

const SERVICE: Address = (SERVER, 1_723);

/// A control message: its type and length, and what stands at offsets.
fn message(kind: u16, length: u16, fields: &[(usize, u16)]) -> Vec<u8> {
    let mut message = vec![0; usize::from(length)];
    message[..2].copy_from_slice(&length.to_be_bytes());
    message[2..4].copy_from_slice(&[0, 1]);
    message[4..8].copy_from_slice(&[0x1a, 0x2b, 0x3c, 0x4d]);
    message[8..10].copy_from_slice(&kind.to_be_bytes());
    for (at, field) in fields {
        message[*at..at + 2].copy_from_slice(&field.to_be_bytes());
    }
    message
}

/// Success, in the byte that has the result.
const GOOD: u16 = 1 << 8;
/// An error.
const BAD: u16 = 2 << 8;

fn outgoing_request(own: u16) -> Vec<u8> {
    message(7, 168, &[(12, own)])
}

fn outgoing_reply(own: u16, peer: u16, result: u16) -> Vec<u8> {
    message(8, 32, &[(12, own), (14, peer), (16, result)])
}

fn at(message: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes([message[offset], message[offset + 1]])
}

/// One control connection of a client, as both of its ends count.
struct Control {
    client: Address,
    outside: Address,
    said: u32,
    heard: u32,
}

impl Control {
    fn started(network: &mut Network, client: Address) -> Self {
        let mut control = Self::connected(network, client);
        control.says(network, &message(1, 156, &[]));
        control.hears(network, &message(2, 156, &[(14, GOOD)]));
        control
    }

    fn connected(network: &mut Network, client: Address) -> Self {
        let outside = network.connect(client, SERVICE);
        Self { client, outside, said: 1_000, heard: 5_000 }
    }

    /// Returns what the server hears.
    fn says(&mut self, network: &mut Network, bytes: &[u8]) -> Vec<u8> {
        let seen = network.outbound(&tcp(self.client, SERVICE, self.said, self.heard, ACK, bytes));
        self.said += bytes.len() as u32;
        assert_eq!(seen.from, self.outside);
        seen.payload
    }

    /// Returns what the client hears.
    fn hears(&mut self, network: &mut Network, bytes: &[u8]) -> Vec<u8> {
        let seen = network.inbound(&tcp(SERVICE, self.outside, self.heard, self.said, ACK, bytes));
        self.heard += bytes.len() as u32;
        seen.payload
    }

    /// Sets a call up; returns what the client's call is called outside.
    fn call(&mut self, network: &mut Network, own: u16, servers: u16) -> u16 {
        let visible = at(&self.says(network, &outgoing_request(own)), 12);
        let heard = self.hears(network, &outgoing_reply(servers, visible, GOOD));
        assert_eq!((at(&heard, 12), at(&heard, 14)), (servers, own));
        visible
    }
}

fn gre(from: std::net::Ipv4Addr, to: std::net::Ipv4Addr, call: u16) -> Vec<u8> {
    let mut header = vec![0x20, 1, 0x88, 0x0b, 0, 4];
    header.extend(call.to_be_bytes());
    header.extend(b"ppp!");
    ip(47, from, to, &header)
}

/// Source, destination and call id of a packet of a call that passes.
fn passes(network: &mut Network, realm: Realm, packet: &[u8]) -> (String, String, u16) {
    let (verdict, packet) = network.process(realm, packet);
    assert_eq!(verdict, Verdict::Forward);
    assert_eq!(checksum(&[&packet[..20]]), 0);
    assert_eq!((&packet[20..26], &packet[28..]), (&[0x20, 1, 0x88, 0x0b, 0, 4][..], &b"ppp!"[..]));
    let address =
        |at: usize| format!("{}.{}.{}.{}", packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    (address(12), address(16), at(&packet, 26))
}

fn is_refused(network: &mut Network, realm: Realm, packet: &[u8]) {
    assert!(matches!(network.process(realm, packet).0, Verdict::Drop(_)));
}

/// Both directions of a call pass.
fn flows(network: &mut Network, client: std::net::Ipv4Addr, own: u16, servers: u16, visible: u16) {
    let out = passes(network, Realm::Inside, &gre(client, SERVER, servers));
    assert_eq!(out, (POOL.to_string(), SERVER.to_string(), servers));
    let back = passes(network, Realm::Outside, &gre(SERVER, POOL, visible));
    assert_eq!(back, (SERVER.to_string(), client.to_string(), own));
}

#[test]
fn clients_with_equal_call_ids_and_several_calls_of_one_are_told_apart() {
    let mut network = Network::small();
    let other = [10, 0, 0, 3].into();
    let mut calls = Vec::new();
    for (host, port, ids) in [(CLIENT, 40_000, &[(5, 100), (6, 101)][..]), (other, 40_001, &[(5, 102)])] {
        let mut control = Control::started(&mut network, (host, port));
        for &(own, servers) in ids {
            let visible = control.call(&mut network, own, servers);
            calls.push((host, own, servers, visible));
        }
    }
    for (host, own, servers, visible) in calls.clone() {
        flows(&mut network, host, own, servers, visible);
        is_refused(&mut network, Realm::Outside, &gre(STRANGER, POOL, visible));
    }
    let mut visible: Vec<_> = calls.iter().map(|call| call.3).collect();
    visible.sort_unstable();
    visible.dedup();
    assert_eq!(visible.len(), 3);
    assert_eq!(network.engine.pinhole_count(), 0);
}

#[test]
fn nothing_passes_before_the_call_is_accepted_or_when_it_is_not() {
    let mut network = Network::small();
    let mut control = Control::started(&mut network, (CLIENT, 40_000));
    let visible = at(&control.says(&mut network, &outgoing_request(5)), 12);
    is_refused(&mut network, Realm::Outside, &gre(SERVER, POOL, visible));
    is_refused(&mut network, Realm::Inside, &gre(CLIENT, SERVER, 100));
    let heard = control.hears(&mut network, &outgoing_reply(100, visible, BAD));
    assert_eq!(at(&heard, 14), 5);
    is_refused(&mut network, Realm::Outside, &gre(SERVER, POOL, visible));
    assert_eq!(network.engine.pinhole_count(), 0);
}

#[test]
fn each_message_names_the_call_as_its_reader_knows_it() {
    let mut network = Network::small();
    let mut control = Control::started(&mut network, (CLIENT, 40_000));
    let visible = control.call(&mut network, 5, 100);
    // The sender's own, or the receiver's: WAN-Error-Notify, Set-Link-Info, Call-Clear-Request, Echo-Request.
    assert_eq!(at(&control.hears(&mut network, &message(14, 40, &[(12, visible)])), 12), 5);
    assert_eq!(at(&control.hears(&mut network, &message(15, 24, &[(12, visible)])), 12), 5);
    assert_eq!(at(&control.says(&mut network, &message(15, 24, &[(12, 100)])), 12), 100);
    assert_eq!(at(&control.says(&mut network, &message(12, 16, &[(12, 5)])), 12), visible);
    assert_eq!(at(&control.says(&mut network, &message(5, 16, &[(12, 5)])), 12), 5);
    // A call id of nobody stays.
    assert_eq!(at(&control.says(&mut network, &message(12, 16, &[(12, 9)])), 12), 9);
}

#[test]
fn a_call_ends_with_its_notice_and_no_other_does() {
    let mut network = Network::small();
    let mut control = Control::started(&mut network, (CLIENT, 40_000));
    let calls =
        [(5, 100), (6, 101)].map(|(own, servers)| (own, servers, control.call(&mut network, own, servers)));
    for (own, servers, visible) in calls {
        flows(&mut network, CLIENT, own, servers, visible);
    }
    // Of a call that is nobody's: nothing ends.
    control.hears(&mut network, &message(13, 148, &[(12, 999)]));
    control.hears(&mut network, &message(13, 148, &[(12, 100)]));
    is_refused(&mut network, Realm::Outside, &gre(SERVER, POOL, calls[0].2));
    is_refused(&mut network, Realm::Inside, &gre(CLIENT, SERVER, 100));
    flows(&mut network, CLIENT, 6, 101, calls[1].2);
}

#[test]
fn calls_end_with_their_control_connection() {
    for stop in [true, false] {
        let mut network = Network::small();
        let mut control = Control::started(&mut network, (CLIENT, 40_000));
        let visible = control.call(&mut network, 5, 100);
        flows(&mut network, CLIENT, 5, 100, visible);
        if stop {
            control.says(&mut network, &message(3, 16, &[]));
            control.hears(&mut network, &message(4, 16, &[]));
        } else {
            network.outbound(&tcp(control.client, SERVICE, control.said, control.heard, FIN | ACK, b""));
            let outside = control.outside;
            network.inbound(&tcp(SERVICE, outside, control.heard, control.said + 1, FIN | ACK, b""));
            network.outbound(&tcp(control.client, SERVICE, control.said + 1, control.heard + 1, ACK, b""));
        }
        is_refused(&mut network, Realm::Outside, &gre(SERVER, POOL, visible));
    }
}

#[test]
fn messages_are_read_however_they_are_cut_and_joined() {
    let mut network = Network::small();
    let mut control = Control::started(&mut network, (CLIENT, 40_000));
    let both = [outgoing_request(5), outgoing_request(6)].concat();
    let heard = control.says(&mut network, &both);
    let visible = [at(&heard, 12), at(&heard, 168 + 12)];
    assert_ne!(visible[0], visible[1]);
    assert_eq!(network.engine.pinhole_count(), 2);
    // A reply in two segments, cut through the call id: nothing of it arrives before all does.
    let reply = outgoing_reply(100, visible[0], GOOD);
    let (first, rest) = reply.split_at(15);
    let packet = tcp(SERVICE, control.outside, control.heard, control.said, ACK, first);
    let (verdict, held) = network.process(Realm::Outside, &packet);
    assert!(verdict == Verdict::Hold || read(&held).payload.is_empty());
    control.heard += first.len() as u32;
    let heard = control.hears(&mut network, rest);
    assert_eq!((heard.len(), at(&heard, 12), at(&heard, 14)), (32, 100, 5));
    flows(&mut network, CLIENT, 5, 100, visible[0]);
}

#[test]
fn a_stream_of_something_else_opens_nothing() {
    let wrong_cookie = {
        let mut request = outgoing_request(5);
        request[4] = 0;
        request
    };
    let wrong_length = {
        let mut request = outgoing_request(5);
        request[1] += 1;
        request
    };
    for bytes in [&b"POST / HTTP/1.1\r\n"[..], &wrong_cookie, &wrong_length, &message(16, 16, &[])] {
        let mut network = Network::small();
        let mut control = Control::started(&mut network, (CLIENT, 40_000));
        assert_eq!(control.says(&mut network, bytes), bytes);
        let opaque = std::iter::from_fn(|| network.engine.poll_event())
            .find_map(|event| if let Event::AlgOpaque { reason, .. } = event { Some(reason) } else { None });
        assert_eq!(opaque, Some(OpaqueReason::NotTheProtocol));
        assert_eq!(at(&control.says(&mut network, &outgoing_request(5)), 12), 5);
        assert_eq!(network.engine.pinhole_count(), 0);
    }
}

#[test]
fn what_nobody_asked_for_opens_nothing() {
    let mut network = Network::small();
    // A call before the connection is started.
    let mut control = Control::connected(&mut network, (CLIENT, 40_000));
    assert_eq!(at(&control.says(&mut network, &outgoing_request(5)), 12), 5);
    // An answer to a call that the server has not asked for, and one of the server's to nothing.
    let mut control = Control::started(&mut network, (CLIENT, 40_001));
    assert_eq!(at(&control.says(&mut network, &outgoing_reply(5, 100, GOOD)), 12), 5);
    assert_eq!(at(&control.hears(&mut network, &outgoing_reply(100, 5, GOOD)), 14), 5);
    assert_eq!(network.engine.pinhole_count(), 0);
    assert!(network.refused(Realm::Inside, &gre(CLIENT, SERVER, 100)) != DropReason::NoPort);
}

#[test]
fn the_server_may_ask_for_a_call_too() {
    let mut network = Network::small();
    let mut control = Control::started(&mut network, (CLIENT, 40_000));
    assert_eq!(at(&control.hears(&mut network, &message(9, 220, &[(12, 100)])), 12), 100);
    let reply = control.says(&mut network, &message(10, 24, &[(12, 5), (14, 100), (16, GOOD)]));
    let visible = at(&reply, 12);
    assert_eq!(at(&reply, 14), 100);
    assert_eq!(at(&control.hears(&mut network, &message(11, 28, &[(12, visible)])), 12), 5);
    flows(&mut network, CLIENT, 5, 100, visible);
    // The server's notice names the server's call.
    control.hears(&mut network, &message(13, 148, &[(12, 100)]));
    is_refused(&mut network, Realm::Outside, &gre(SERVER, POOL, visible));
}
