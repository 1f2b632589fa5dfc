//! Captures of other people's, kept beside the repository: broken ones, too.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinhole_capture::{Records, link};
use pinhole_dataplane::addr::Realm;
use pinhole_gateway::config::file;
use pinhole_gateway::replay::{Replay, Sink, Summary};

use crate::verify::{Packet, ftp_leak, header_leak};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference/captures");

/// An address that is in none of them.
const POOL: &str = "198.18.0.1";

/// What has left, each packet checked.
struct Checked {
    inside: Ipv4Addr,
    seen: [u64; 2],
    wrong: Vec<String>,
    /// FTP messages that name an inside address.
    unread: Vec<String>,
}

impl Sink for Checked {
    fn take(&mut self, to: Realm, _: Duration, bytes: &[u8]) -> io::Result<()> {
        let [outside, inside] = &mut self.seen;
        *(if to == Realm::Outside { outside } else { inside }) += 1;
        let Some(packet) = Packet::read(bytes) else {
            self.wrong.push("no IPv4 packet left".to_owned());
            return Ok(());
        };
        let here = format!("{} to {}, protocol {}", packet.source, packet.destination, packet.protocol);
        if let Some(sum) = packet.wrong_checksum() {
            self.wrong.push(format!("wrong {sum} checksum towards {to:?}: {here}"));
        }
        // Who quotes a packet may have got it wrong; its header is the one thing that a NAT must be able to use.
        if packet.quoted().is_some_and(|quoted| quoted.wrong_checksum() == Some("IP")) {
            self.wrong.push(format!("wrong checksum of the quoted header towards {to:?}: {here}"));
        }
        if to == Realm::Outside {
            let inside = |address| address == self.inside;
            self.wrong.extend(header_leak(&packet, inside).map(|leak| format!("{leak}: {here}")));
            self.unread.extend(ftp_leak(&packet, inside));
        }
        Ok(())
    }
}

/// Replays a capture with one host inside; `forward` lets others reach its well-known ports.
fn replay(bytes: &[u8], inside: Ipv4Addr, forward: bool) -> (Summary, Checked) {
    let forwards = if forward {
        format!(
            "forwards = [{{ protocol = \"tcp_udp\", outside_address = \"{POOL}\", outside_port = \"1-1023\", \
             inside_address = \"{inside}\" }}]"
        )
    } else {
        String::new()
    };
    let text = format!(
        "inside = [\"in0\"]\noutside = [\"out0\"]\n[nat]\ninside_prefixes = [\"{inside}/32\"]\npool = [\"{POOL}\"]\n{forwards}\n"
    );
    let mut replay = Replay::new(file::parse(&text).unwrap(), vec![], &[7; 32]).unwrap();
    let mut checked = Checked { inside, seen: [0, 0], wrong: vec![], unread: vec![] };
    for record in Records::new(bytes).unwrap().map_while(Result::ok) {
        replay.feed(&record, &mut checked).unwrap();
    }
    (replay.finish(), checked)
}

/// Returns both ends of the first packet between hosts.
fn first_ends(bytes: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let records = Records::new(bytes).ok()?.map_while(Result::ok);
    records
        .filter_map(|record| {
            let packet = link::packet(record.link, record.frame).ok()?;
            let packet = Packet::read(packet).filter(|_| packet[0] >> 4 == 4)?;
            Some((packet.source, packet.destination))
        })
        .find(|ends| [ends.0, ends.1].into_iter().all(pinhole_dataplane::config::is_unicast))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.extension().is_some_and(|is| is == "pcap" || is == "pcapng") {
            found.push(entry);
        }
    }
    found.sort();
    found
}

#[test]
fn every_packet_that_leaves_has_right_checksums_and_no_inside_address_is_outside() {
    let directory = Path::new(CAPTURES);
    if !directory.is_dir() {
        eprintln!("skipped: there is no {CAPTURES}; the captures that the other tests make cover the same");
        return;
    }
    let (mut wrong, mut pinholes, mut crossing) = (Vec::new(), 0, 0);
    let mut drops = BTreeMap::<&str, u64>::new();
    let files = files(directory);
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        let Some((first, second)) = first_ends(&bytes) else { continue };
        let name = path.strip_prefix(directory).unwrap().display();
        for (inside, forward) in [(first, false), (second, true)] {
            let (summary, checked) = replay(&bytes, inside, forward);
            assert_eq!([summary.outside, summary.inside], checked.seen, "{name}");
            // What an ALG has said that it does not read, TLS for example, may name anybody.
            let told = summary.alg.iter().any(|line| line.starts_with("not read further: ftp"));
            let unread = checked.unread.iter().filter(|_| !told);
            wrong.extend(
                checked.wrong.iter().chain(unread).map(|wrong| format!("{name}, {inside} inside: {wrong}")),
            );
            pinholes += summary.alg.iter().filter(|line| line.starts_with("pinhole: ")).count();
            crossing += usize::from(checked.seen.iter().all(|seen| *seen > 0));
            for (reason, count) in summary.drops {
                *drops.entry(reason.label()).or_default() += count;
            }
        }
    }
    eprintln!(
        "{} captures; {crossing} of twice as many replays cross both ways; {pinholes} pinholes",
        files.len()
    );
    eprintln!("dropped: {drops:?}");
    assert!(
        wrong.is_empty(),
        "{} packets are wrong, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(pinholes >= 5 && crossing >= 40, "{pinholes} pinholes, {crossing} replays cross both ways");
}
