//! Records of real sessions reach collectors, and a decoder that is not ours reads them.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;

use pinhole_lab::net::{PATIENCE, SERVER};
use pinhole_lab::{Datagrams, Net, Scratch};
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use pinhole_proto::v1::inquiry::Question;

use crate::embedded::start;

/// The port that IPFIX is known by.
const IPFIX: u16 = 4_739;

fn config(collector: u16, file: &Path) -> String {
    format!(
        r#"
inside = ["in0"]
outside = ["out0"]
[nat]
inside_prefixes = ["10.0.0.0/24"]
pool = ["203.0.113.1"]
port_block = {{ size = 64 }}
limits = {{ ports_per_subscriber = 2 }}
[[export]]
name = "collector"
format = "ipfix"
to = "udp://127.0.0.1:{collector}"
events = ["sessions", "blocks", "pinholes", "quota"]
domain = 77
[[export]]
name = "file"
format = "ndjson"
to = "file://{}"
events = ["sessions", "blocks", "quota"]
"#,
        file.display()
    )
}

/// Writes datagrams as a capture of IPv4 packets (pcap, link type 101).
fn write_capture(path: &Path, datagrams: &[Vec<u8>]) {
    let mut capture = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        capture.extend(word.to_le_bytes());
    }
    for (second, datagram) in (1_u32..).zip(datagrams) {
        let (udp, ip) = (8 + datagram.len(), 28 + datagram.len());
        for word in [second, 0, ip as u32, ip as u32] {
            capture.extend(word.to_le_bytes());
        }
        capture.extend([0x45, 0]);
        capture.extend((ip as u16).to_be_bytes());
        capture.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
        capture.extend(Ipv4Addr::LOCALHOST.octets());
        capture.extend(Ipv4Addr::LOCALHOST.octets());
        for word in [40_000, IPFIX, udp as u16, 0] {
            capture.extend(word.to_be_bytes());
        }
        capture.extend(datagram);
    }
    std::fs::write(path, capture).expect("the capture can be written");
}

fn tshark(capture: &Path) -> String {
    let tshark = pinhole_lab::program::installed("tshark").expect("tshark is installed");
    let output = Command::new(tshark).arg("-r").arg(capture).arg("-V").output().expect("tshark runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("the output is text")
}

/// Reads datagrams until one has come after which `enough` is true of all.
fn datagrams(collector: &Datagrams, enough: impl Fn(&[Vec<u8>]) -> bool) -> Vec<Vec<u8>> {
    collector.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut datagrams = Vec::new();
    let mut buffer = [0; 2_048];
    while !enough(&datagrams) {
        let length = collector.recv(&mut buffer).expect("a datagram comes");
        datagrams.push(buffer.get(..length).unwrap_or_default().to_vec());
    }
    datagrams
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_decoder_reads_what_happened() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let collector = Datagrams::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    let file = run_dir.path().join("events");
    let text = config(collector.local_addr().unwrap().port(), &file);
    let gateway = start(&net, run_dir.path(), &text).await;
    let server = net.server.udp(&format!("{SERVER}:0")).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = server.local_addr().unwrap();
    let clients = [2_000, 2_001, 2_002].map(|port| net.client.udp(&format!("10.0.0.2:{port}")).unwrap());
    let mut outside = Vec::new();
    for client in clients.iter().take(2) {
        client.send_to(b"question", to).unwrap();
        outside.push(server.recv_from(&mut [0; 16]).unwrap().1);
    }
    clients[2].send_to(b"one too many", to).unwrap();
    let listing = Question::Sessions(v1::Listing::default());
    let findings = gateway.inquire(v1::Inquiry { id: 1, question: Some(listing) }).await;
    let Some(Outcome::Sessions(page)) = findings.outcome else { panic!("{findings:?}") };
    for session in page.sessions {
        gateway.inquire(v1::Inquiry { id: 2, question: Some(Question::EndSession(session.id)) }).await;
    }
    let counters = gateway.counters().await.unwrap();
    let names: Vec<&str> = counters.exports.iter().map(|export| export.name.as_str()).collect();
    assert_eq!(names, ["collector", "file"]);
    gateway.shutdown().await.unwrap();

    // The last record is of the block that came back.
    let lines: Vec<serde_json::Value> = std::fs::read_to_string(&file)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    let expected = [
        "port_block_allocated",
        "session_opened",
        "session_opened",
        "limit_reached",
        "session_ended",
        "session_ended",
        "port_block_released",
    ];
    let sorted = |events: &[&str]| -> Vec<String> {
        let mut events: Vec<String> = events.iter().map(ToString::to_string).collect();
        events.sort();
        events
    };
    assert_eq!(sorted(&events), sorted(&expected));
    let opened = lines.iter().find(|line| line["event"] == "session_opened").unwrap();
    assert_eq!(opened["inside"], "10.0.0.2:2000");
    assert_eq!(opened["outside"], outside[0].to_string());
    assert_eq!(opened["remote"], to.to_string());

    let released = |datagram: &Vec<u8>| datagram.ends_with(&[17]);
    let received = datagrams(&collector, |all| all.iter().any(released));
    let capture = run_dir.path().join("ipfix.pcap");
    write_capture(&capture, &received);
    let decoded = tshark(&capture);
    for line in [
        "Observation Domain Id: 77",
        "Nat Event: NAT44 session create (4)",
        "Nat Event: NAT44 session delete (5)",
        "Nat Event: Port block allocation (16)",
        "Nat Event: Port block de-allocation (17)",
        "Nat Event: Quota Exceeded (13)",
        "NAT Quota Exceeded Event: Maximum entries per user (3)",
        "Max Entries Per User: 2",
        "SrcAddr: 10.0.0.2",
        "SrcPort: 2001 (2001)",
        "Post NAT Source IPv4 Address: 203.0.113.1",
        &format!("Post NAPT Source Transport Port: {}", outside[1].port()),
        "DstAddr: 203.0.113.2",
        &format!("Post NAPT Destination Transport Port: {}", to.port()),
        "Flow End Reason: Forced end (4)",
        "Initiator Packets: 1",
    ] {
        assert!(decoded.contains(line), "{line} is missing in\n{decoded}");
    }
    for complaint in ["Malformed", "No template", "Unknown", "Expert Info"] {
        assert!(!decoded.contains(complaint), "{complaint} in\n{decoded}");
    }
}
