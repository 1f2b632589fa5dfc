//! What is sent.

use std::net::Ipv4Addr;

use crate::packets::{ACK, Address, FIN, RST, SYN, echo, echo_reply, icmp, tcp, udp, unreachable, with_ttl};
use crate::story::{POOL, Story, checksum};

type Scenario = (&'static str, fn(&mut Story));

pub(crate) const SCENARIOS: [Scenario; 12] = [
    ("datagrams", datagrams),
    ("two hosts with one source port", same_source_port),
    ("checksums", checksums),
    ("a connection", connection),
    ("connections that do not begin", no_beginning),
    ("resets and windows", resets),
    ("simultaneous open", simultaneous),
    ("echoes", echoes),
    ("errors", errors),
    ("headers", headers),
    ("fragments", fragments),
    ("other protocols and addresses", others),
];

const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 66);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const CLIENT: Address = (HOST, 40_000);
const DNS: Address = (SERVER, 53);
const WEB: Address = (SERVER, 80);

fn datagrams(story: &mut Story) {
    let outside = story.inside("a question", &udp(CLIENT, DNS, b"who?"));
    story.outside("its answer", &udp(DNS, outside, b"you"));
    story.outside("another port of the server", &udp((SERVER, 54), outside, b"me"));
    story.outside("a stranger", &udp((STRANGER, 53), outside, b"me"));
    story.outside("to a port that nobody has", &udp(DNS, (POOL, 9), b"you"));
    story.inside("to another server", &udp(CLIENT, (STRANGER, 53), b"who?"));
    story.outside("which answers", &udp((STRANGER, 53), outside, b"you"));
    story.inside("to another port", &udp(CLIENT, (SERVER, 54), b"who?"));
    story.outside("straight to the inside host", &udp(DNS, CLIENT, b"you"));
}

fn same_source_port(story: &mut Story) {
    let first = story.inside("one host", &udp(CLIENT, DNS, b""));
    let second = story.inside("another host, to the same server", &udp((OTHER, CLIENT.1), DNS, b""));
    story.outside("an answer to the first", &udp(DNS, first, b""));
    story.outside("an answer to the second", &udp(DNS, second, b""));
    story.inside(
        "a third host, to another server",
        &udp((Ipv4Addr::new(10, 0, 0, 4), CLIENT.1), (STRANGER, 53), b""),
    );
    story.inside("one host, to an outside endpoint of another", &udp(CLIENT, second, b"hello"));
}

/// Writes bytes at a place and completes the IP header's checksum.
fn patched(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    packet[10..12].fill(0);
    let header = usize::from(packet[0] & 15) * 4;
    let sum = checksum(&[&packet[..header]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn checksums(story: &mut Story) {
    story.inside("a datagram without checksum", &patched(udp(CLIENT, DNS, b"x"), 26, &[0, 0]));
    story.inside("a datagram with a wrong one", &patched(udp((HOST, 40_001), DNS, b"x"), 26, &[1, 2]));
    story.inside("a SYN with a wrong one", &patched(tcp((HOST, 40_002), WEB, 9, 0, SYN, b""), 36, &[1, 2]));
    let mut broken = udp((HOST, 40_003), DNS, b"x");
    broken[11] ^= 1;
    story.inside("a wrong header checksum", &broken);
}

/// Opens a connection and returns the client's outside endpoint.
fn open(story: &mut Story) -> Address {
    let outside = story.inside("SYN", &tcp(CLIENT, WEB, 999, 0, SYN, b""));
    story.outside("SYN and ACK", &tcp(WEB, outside, 4_999, 1_000, SYN | ACK, b""));
    story.inside("ACK", &tcp(CLIENT, WEB, 1_000, 5_000, ACK, b""));
    outside
}

fn connection(story: &mut Story) {
    let outside = open(story);
    story.inside("data", &tcp(CLIENT, WEB, 1_000, 5_000, ACK, b"get"));
    story.outside("data back", &tcp(WEB, outside, 5_000, 1_003, ACK, b"this"));
    story.inside("SYN to another server", &tcp(CLIENT, (STRANGER, 80), 7, 0, SYN, b""));
    story.outside("SYN of a stranger", &tcp((STRANGER, 81), outside, 7, 0, SYN, b""));
    story.inside("FIN", &tcp(CLIENT, WEB, 1_003, 5_004, ACK | FIN, b""));
    story.outside("data after it", &tcp(WEB, outside, 5_004, 1_004, ACK, b"more"));
    story.outside("FIN back", &tcp(WEB, outside, 5_008, 1_004, ACK | FIN, b""));
    story.inside("last ACK", &tcp(CLIENT, WEB, 1_004, 5_009, ACK, b""));
    story.inside("the last ACK again", &tcp(CLIENT, WEB, 1_004, 5_009, ACK, b""));
}

fn no_beginning(story: &mut Story) {
    story.inside("ACK from inside", &tcp(CLIENT, WEB, 1_000, 5_000, ACK, b"x"));
    story.inside("FIN from inside", &tcp((HOST, 40_001), WEB, 1_000, 5_000, ACK | FIN, b""));
    story.inside("RST from inside", &tcp((HOST, 40_002), WEB, 1_000, 0, RST, b""));
    story.inside("SYN and ACK from inside", &tcp((HOST, 40_003), WEB, 1_000, 1, SYN | ACK, b""));
    story.inside("SYN and FIN", &tcp((HOST, 40_004), WEB, 1_000, 0, SYN | FIN, b""));
    story.inside("no flag", &tcp((HOST, 40_005), WEB, 1_000, 0, 0, b""));
    story.outside("SYN from outside", &tcp(WEB, (POOL, 50_000), 1, 0, SYN, b""));
    story.outside("SYN and ACK from outside", &tcp(WEB, (POOL, 50_000), 1, 1, SYN | ACK, b""));
    story.outside("ACK from outside", &tcp(WEB, (POOL, 50_000), 1, 1, ACK, b""));
}

fn resets(story: &mut Story) {
    let outside = open(story);
    story.outside("RST far outside of the window", &tcp(WEB, outside, 900_000_000, 0, RST, b""));
    story.outside("data far outside of the window", &tcp(WEB, outside, 900_000_000, 1_000, ACK, b"x"));
    story.outside("ACK of what was never sent", &tcp(WEB, outside, 5_000, 900_000, ACK, b"x"));
    story.outside("SYN in the open connection", &tcp(WEB, outside, 70, 0, SYN, b""));
    story.inside("it goes on", &tcp(CLIENT, WEB, 1_000, 5_000, ACK, b"x"));
    story.outside("RST as expected", &tcp(WEB, outside, 5_000, 1_001, RST | ACK, b""));
    story.inside("SYN on the same ports", &tcp(CLIENT, WEB, 90_000, 0, SYN, b""));
}

fn simultaneous(story: &mut Story) {
    let outside = story.inside("SYN", &tcp(CLIENT, WEB, 999, 0, SYN, b""));
    story.outside("SYN back", &tcp(WEB, outside, 4_999, 0, SYN, b""));
    story.inside("SYN and ACK", &tcp(CLIENT, WEB, 999, 5_000, SYN | ACK, b""));
    story.outside("SYN and ACK back", &tcp(WEB, outside, 4_999, 1_000, SYN | ACK, b""));
    story.inside("data", &tcp(CLIENT, WEB, 1_000, 5_000, ACK, b"x"));
}

fn echoes(story: &mut Story) {
    let outside = story.inside("an echo", &echo(HOST, SERVER, 7));
    story.outside("its reply", &echo_reply(SERVER, POOL, outside.1));
    story.outside("a second reply", &echo_reply(SERVER, POOL, outside.1));
    story.outside("a reply from a stranger", &echo_reply(STRANGER, POOL, outside.1));
    let second = story.inside("another host, same identifier", &echo(OTHER, SERVER, 7));
    story.outside("the reply to it", &echo_reply(SERVER, POOL, second.1));
    story.inside("a reply that nobody asked for", &echo_reply(HOST, SERVER, 9));
    story.inside("a timestamp request", &icmp(13, 0, 7 << 16, HOST, SERVER, &[0; 12]));
    story.inside("a router solicitation", &icmp(10, 0, 0, HOST, SERVER, b""));
    story.inside("a redirect", &icmp(5, 0, 0, HOST, SERVER, &udp(CLIENT, DNS, b"")));
}

fn errors(story: &mut Story) {
    let outside = story.inside("a question", &udp(CLIENT, DNS, b"who?"));
    let left = udp(outside, DNS, b"who?");
    story.outside("port unreachable from the server", &unreachable(3, SERVER, POOL, &left));
    story.outside("time exceeded on the way", &icmp(11, 0, 0, ROUTER, POOL, &left));
    story.outside("fragmentation needed", &icmp(3, 4, 1_400, ROUTER, POOL, &left));
    story.outside("about what nobody sent", &unreachable(3, ROUTER, POOL, &udp((POOL, 9), DNS, b"")));
    let mut broken = unreachable(3, ROUTER, POOL, &left);
    *broken.last_mut().unwrap() ^= 1;
    story.outside("with a wrong checksum", &broken);
    story.outside("the answer all the same", &udp(DNS, outside, b"you"));
    let arrived = udp(DNS, CLIENT, b"you");
    story.inside("port unreachable from the inside host", &unreachable(3, HOST, SERVER, &arrived));
    let web = story.inside("SYN", &tcp((HOST, 41_000), WEB, 999, 0, SYN, b""));
    story.outside(
        "host unreachable about it",
        &unreachable(1, ROUTER, POOL, &tcp(web, WEB, 999, 0, SYN, b"")),
    );
    let ping = story.inside("an echo", &echo(HOST, SERVER, 7));
    story.outside("host unreachable about that", &unreachable(1, ROUTER, POOL, &echo(POOL, SERVER, ping.1)));
}

/// Gives a packet a header with options, a multiple of four bytes.
fn with_options(packet: &[u8], options: &[u8]) -> Vec<u8> {
    let longer = [&packet[..20], options, &packet[20..]].concat();
    let words = u8::try_from(5 + options.len() / 4).unwrap();
    let length = u16::try_from(longer.len()).unwrap().to_be_bytes();
    patched(patched(longer, 0, &[0x40 | words]), 2, &length)
}

fn headers(story: &mut Story) {
    let packet = |port| udp((HOST, port), DNS, b"x");
    story.inside("the last hop", &with_ttl(packet(40_000), 1));
    story.inside("options that say nothing", &with_options(&packet(40_001), &[1, 1, 1, 0]));
    story.inside("a loose source route", &with_options(&packet(40_002), &[131, 7, 4, 192, 0, 2, 1, 0]));
    story.inside("a strict source route", &with_options(&packet(40_003), &[137, 7, 4, 192, 0, 2, 1, 0]));
    story.inside("source port 0", &udp((HOST, 0), DNS, b"x"));
    story.inside("destination port 0", &udp((HOST, 40_004), (SERVER, 0), b"x"));
    story.inside("a total length beyond the packet", &patched(packet(40_005), 2, &[0, 200]));
    story.inside("version 5", &patched(packet(40_006), 0, &[0x55]));
    story.inside("a header of 16 bytes", &patched(packet(40_007), 0, &[0x44]));
    story.inside("a UDP length beyond the packet", &patched(packet(40_008), 24, &[0, 99]));
    story.inside("a TCP header of 16 bytes", &patched(tcp((HOST, 40_009), WEB, 9, 0, SYN, b""), 32, &[0x40]));
}

/// Cuts a packet after so many bytes of its transport.
fn pieces(packet: &[u8], identification: u8, first: usize) -> [Vec<u8>; 2] {
    let cut = |bytes: &[u8], place: u16| {
        let piece = [&packet[..20], bytes].concat();
        let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
        let [high, low] = place.to_be_bytes();
        patched(patched(piece, 2, &length), 4, &[0, identification, high, low])
    };
    let place = u16::try_from(first / 8).unwrap();
    [cut(&packet[20..20 + first], 0x2000), cut(&packet[20 + first..], place)]
}

fn fragments(story: &mut Story) {
    let [first, second] = pieces(&udp(CLIENT, DNS, &[7; 64]), 1, 32);
    story.inside("the first", &first);
    let outside = story.inside("and the second", &second);
    let [first, second] = pieces(&udp(DNS, outside, &[8; 64]), 2, 32);
    story.outside("the second before", &second);
    story.outside("and the first", &first);
    let [first, _] = pieces(&tcp((HOST, 40_001), WEB, 9, 0, SYN, &[0; 24]), 3, 8);
    let [_, second] = pieces(&tcp((HOST, 40_001), WEB, 9, 0, SYN, &[0; 24]), 3, 8);
    story.inside("a first one without all of the TCP header", &first);
    story.inside("and what is missing of it", &second);
    let [first, second] = pieces(&udp((HOST, 40_002), DNS, &[9; 64]), 4, 32);
    story.inside("a first one", &first);
    // It begins eight bytes before the end of the first one.
    let overlap = patched(second, 6, &[0, 3]);
    story.inside("and one that overlaps it", &overlap);
}

fn others(story: &mut Story) {
    let of = |protocol: u8, bytes: &[u8]| {
        let packet = udp(CLIENT, DNS, bytes);
        patched(packet, 9, &[protocol])
    };
    story.inside("GRE", &of(47, &[0; 8]));
    story.inside("ESP", &of(50, &[1; 24]));
    story.inside("AH", &of(51, &[1; 24]));
    story.inside("an unknown protocol", &of(200, &[1; 24]));
    story.inside("to a multicast group", &udp(CLIENT, (Ipv4Addr::new(224, 0, 0, 9), 5), b""));
    story.inside("to everybody", &udp(CLIENT, (Ipv4Addr::BROADCAST, 5), b""));
    story.inside("to loopback", &udp(CLIENT, (Ipv4Addr::LOCALHOST, 5), b""));
    story.inside("from an outside address", &udp((STRANGER, 5), DNS, b""));
    story.inside("from the pool", &udp((POOL, 5), DNS, b""));
    story.inside("to another inside host", &udp(CLIENT, (OTHER, 5), b""));
    story.outside("from an inside address", &udp((OTHER, 5), (POOL, 40_000), b""));
    story.outside("from loopback", &udp((Ipv4Addr::LOCALHOST, 5), (POOL, 40_000), b""));
}
