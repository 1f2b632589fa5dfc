//! `pinhole-gateway replay`, as its users type it.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use pinhole_capture::Records;
use pinhole_lab::daemon::STANDALONE;

use crate::frames::{Format, Traffic, capture};
use crate::packets::{ACK, Address, FIN, SYN, Seen, echo, echo_reply, read, sequence, tcp, udp, unreachable};
use crate::verify::{Packet, checksum, ftp_leak, header_leak};

const POOL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);
const START: Duration = Duration::from_secs(1_700_000_000);

/// What a run has left.
struct Outcome {
    output: Output,
    outside: Vec<Vec<u8>>,
    inside: Vec<Vec<u8>>,
}

impl Outcome {
    fn said(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }
}

fn replay(capture: &[u8], more: &[&str]) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("in.pcap"), capture).unwrap();
    std::fs::write(at("gateway.toml"), STANDALONE).unwrap();
    let files =
        ["replay", "in.pcap", "--config", "gateway.toml", "--out", "out.pcap", "--out-inside", "inside.pcap"];
    let output = Command::new(env!("CARGO_BIN_EXE_pinhole-gateway"))
        .args(files)
        .args(more)
        .current_dir(directory.path())
        .output()
        .unwrap();
    Outcome { output, outside: packets(&at("out.pcap")), inside: packets(&at("inside.pcap")) }
}

fn packets(path: &Path) -> Vec<Vec<u8>> {
    let Ok(bytes) = std::fs::read(path) else { return vec![] };
    Records::new(&bytes).unwrap().map(|record| record.unwrap().frame.to_vec()).collect()
}

/// One packet a millisecond.
fn at_once(packets: Vec<Vec<u8>>) -> Traffic {
    (0..).map(|at| START + Duration::from_millis(at)).zip(packets).collect()
}

/// An active FTP transfer as it looks inside; the announcement comes in two segments.
fn transfer() -> Traffic {
    let (client, control) = ((CLIENT, 40_000), (SERVER, 21));
    let (sink, data) = ((CLIENT, 50_000), (SERVER, 20));
    at_once(vec![
        tcp(client, control, 999, 0, SYN, b""),
        tcp(control, client, 4_999, 1_000, SYN | ACK, b""),
        tcp(client, control, 1_000, 5_000, ACK, b""),
        tcp(control, client, 5_000, 1_000, ACK, b"220 hi\r\n"),
        tcp(client, control, 1_000, 5_008, ACK, b"PORT 10,0,0"),
        tcp(client, control, 1_011, 5_008, ACK, b",2,195,80\r\n"),
        tcp(control, client, 5_008, 1_022, ACK, b"200 yes\r\n"),
        tcp(data, sink, 69, 0, SYN, b""),
        tcp(sink, data, 79, 70, SYN | ACK, b""),
        tcp(data, sink, 70, 80, ACK, b"the file"),
        tcp(sink, data, 80, 78, ACK | FIN, b""),
        tcp(client, control, 1_022, 5_017, ACK, b"NOOP\r\n"),
        tcp(control, client, 5_017, 1_028, ACK, b"200 so be it\r\n"),
        udp((CLIENT, 5_000), (SERVER, 53), b"who?"),
        udp((SERVER, 53), (CLIENT, 5_000), b"you"),
        udp((SERVER, 54), (CLIENT, 5_000), b"me, too"),
        udp((SERVER, 53), (CLIENT, 5_001), b"nobody asked"),
        echo(CLIENT, SERVER, 7),
        echo_reply(SERVER, CLIENT, 7),
        unreachable(3, SERVER, CLIENT, &udp((CLIENT, 5_000), (SERVER, 53), b"who?")),
    ])
}

#[test]
fn a_transfer_is_translated_as_a_gateway_would_have_done() {
    let formats = [Format::Ethernet, Format::Cooked, Format::Next];
    let [first, second, third] = formats.map(|format| replay(&capture(&transfer(), format), &[]));
    assert!(first.output.status.success(), "{:?}", first.output);
    assert_eq!((&first.outside, &first.inside), (&second.outside, &second.inside));
    assert_eq!((&first.outside, &first.inside), (&third.outside, &third.inside));

    for bytes in first.outside.iter().chain(&first.inside) {
        let packet = Packet::read(bytes).unwrap();
        assert_eq!(packet.wrong_checksum(), None);
        assert_eq!(packet.quoted().and_then(|quoted| quoted.wrong_checksum()), None);
    }
    for bytes in &first.outside {
        let packet = Packet::read(bytes).unwrap();
        let inside = |address: Ipv4Addr| address.octets()[0] == 10;
        assert_eq!(header_leak(&packet, inside).or(ftp_leak(&packet, inside)), None);
    }
    let mut said: Vec<_> = first.said().lines().map(str::to_owned).collect();
    let pinhole = said.pop().unwrap();
    assert_eq!(
        said,
        [
            "frames: 20",
            "left: outside 9, inside 10",
            "dropped: 2 (not_expected 2)",
            "held: 0",
            "checksums completed: 0",
        ]
    );
    let named = pinhole.strip_prefix("pinhole: ftp PORT: 198.51.100.5:any may reach 203.0.113.1:").unwrap();
    let (port, _) = named.split_once(", which is 10.0.0.2:50000").unwrap();
    let port: u16 = port.parse().unwrap();

    let streams = |packets: &[Vec<u8>], text: &[u8]| -> (Seen, (u32, u32)) {
        let found = packets.iter().find(|packet| read(packet).payload.starts_with(text)).unwrap();
        (read(found), sequence(found))
    };
    let (announcement, (seq, _)) = streams(&first.outside, b"PORT 203,0,113,1,");
    let length = u32::try_from(announcement.payload.len()).unwrap();
    // Outside the next command follows the longer announcement, inside it was acknowledged as it was sent.
    assert_eq!((streams(&first.outside, b"NOOP").1, seq), ((1_000 + length, 5_017), 1_000));
    assert_eq!(streams(&first.inside, b"200 yes").1, (5_008, 1_022));
    assert_eq!(streams(&first.inside, b"200 so").1, (5_017, 1_028));
    let (file, _) = streams(&first.inside, b"the file");
    assert_eq!((file.from, file.to), ((SERVER, 20), (CLIENT, 50_000)));
    assert!(first.outside.iter().any(|packet| read(packet).from == (POOL, port)));
}

#[test]
fn equal_seeds_choose_equal_ports() {
    let capture = capture(&transfer(), Format::Ethernet);
    let [first, again, other] = ["1", "1", "2"].map(|seed| replay(&capture, &["--seed", seed]).outside);
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn the_capture_s_time_is_the_engine_s() {
    let (client, server): (Address, Address) = ((CLIENT, 5_000), (SERVER, 53));
    let [question, answer] = [udp(client, server, b"who?"), udp(server, client, b"you")];
    let traffic = |wait: u64| {
        let times = [0, 1, 1 + wait].map(|seconds| START + Duration::from_secs(seconds));
        capture(
            &times.into_iter().zip([question.clone(), answer.clone(), answer.clone()]).collect(),
            Format::Ethernet,
        )
    };
    assert_eq!(replay(&traffic(298), &[]).inside.len(), 2);
    assert_eq!(replay(&traffic(302), &[]).inside.len(), 1);
}

#[test]
fn who_is_inside_can_be_told() {
    let traffic = at_once(vec![udp(([172, 16, 0, 9].into(), 5_000), (SERVER, 53), b"who?")]);
    let capture = capture(&traffic, Format::Ethernet);
    assert_eq!(replay(&capture, &[]).outside.len(), 0);
    assert_eq!(replay(&capture, &["--inside", "172.16.0.0/24"]).outside.len(), 1);
    let overlaps = replay(&capture, &["--inside", "203.0.113.0/24"]);
    assert_eq!(overlaps.output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&overlaps.output.stderr).contains("lies in the inside prefix"));
}

/// Cuts a datagram into two fragments after its first 32 bytes.
fn fragments(packet: &[u8]) -> [Vec<u8>; 2] {
    let piece = |bytes: &[u8], place: u16| {
        let mut piece = [&packet[..20], bytes].concat();
        let length = u16::try_from(piece.len()).unwrap();
        piece[2..4].copy_from_slice(&length.to_be_bytes());
        piece[6..8].copy_from_slice(&place.to_be_bytes());
        piece[10..12].fill(0);
        let sum = checksum(&[&piece[..20]]);
        piece[10..12].copy_from_slice(&sum.to_be_bytes());
        piece
    };
    [piece(&packet[20..52], 0x2000), piece(&packet[52..], 4)]
}

#[test]
fn what_has_no_ports_is_from_where_its_source_is() {
    let (client, server) = ((CLIENT, 5_000), (SERVER, 53));
    let [first, second] = fragments(&udp(client, server, &[7; 64]));
    let [first_back, second_back] = fragments(&udp(server, client, &[8; 64]));
    let error = unreachable(3, CLIENT, SERVER, &udp(server, client, &[8; 64]));
    let traffic = at_once(vec![first, second, first_back, second_back, error]);
    let outcome = replay(&capture(&traffic, Format::Ethernet), &[]);
    assert_eq!((outcome.outside.len(), outcome.inside.len()), (3, 2), "{}", outcome.said());
    for bytes in &outcome.outside {
        let packet = Packet::read(bytes).unwrap();
        assert_eq!((packet.source, packet.wrong_checksum()), (POOL, None));
    }
    assert!(outcome.inside.iter().all(|bytes| Packet::read(bytes).unwrap().destination == CLIENT));
}

#[test]
fn checksums_that_a_network_card_would_have_completed_are_completed() {
    let mut packet = udp((CLIENT, 5_000), (SERVER, 53), b"who?");
    packet[26..28].copy_from_slice(&[0xab, 0xcd]);
    packet[10..12].fill(0);
    let outcome = replay(&capture(&at_once(vec![packet]), Format::Ethernet), &[]);
    assert!(outcome.said().contains("checksums completed: 1"), "{}", outcome.said());
    assert_eq!(read(&outcome.outside[0]).payload, b"who?");
}

#[test]
fn what_cannot_be_replayed_is_said_and_what_came_before_damage_is_replayed() {
    let mut cut = capture(&transfer(), Format::Ethernet);
    cut.truncate(cut.len() - 1);
    let outcome = replay(&cut, &[]);
    assert_eq!(outcome.output.status.code(), Some(1));
    assert!(outcome.said().starts_with("frames: 19\n"));
    let error = String::from_utf8_lossy(&outcome.output.stderr).into_owned();
    assert!(error.contains("in.pcap: ends within the record at byte "), "{error}");
    let outcome = replay(b"no capture", &[]);
    assert_eq!((outcome.output.status.code(), outcome.outside.len()), (Some(1), 0));
    let error = String::from_utf8_lossy(&outcome.output.stderr).into_owned();
    assert!(error.contains("in.pcap: is neither pcap nor pcapng"), "{error}");
    assert_eq!(replay(&cut, &["--seed", "x"]).output.status.code(), Some(2));
}
