use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use pinhole_proto::v1;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, UdpSocket, UnixListener};
use tokio::time::timeout;

use super::*;
use crate::export::record::{Block, Record, What};
use pinhole_dataplane::config::nat::export::{EventKind, EventKinds, ExportFormat, ExportTarget};

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(20);

fn settings(format: ExportFormat, target: ExportTarget) -> ExportSettings {
    let events = EventKinds::NONE.with(EventKind::Blocks);
    ExportSettings { name: "test".to_owned(), format, target, events, queue: 1_000 }
}

/// A record that its first port tells from the others.
fn record(number: u16) -> Record {
    let (subscriber, outside) = ([10, 0, 0, 2].into(), [203, 0, 113, 1].into());
    Record {
        at_ms: 0,
        what: What::BlockAllocated(Block { subscriber, outside, first: number, last: u16::MAX }),
    }
}

fn offer(outlets: &Outlets, numbers: std::ops::Range<u16>) {
    numbers.for_each(|number| outlets.offer(EventKind::Blocks, record(number)));
}

fn counters(outlets: &Outlets) -> v1::ExportCounters {
    outlets.counters().remove(0)
}

/// Waits until the counters are as wanted.
async fn until(outlets: &Outlets, wanted: impl Fn(&v1::ExportCounters) -> bool) -> v1::ExportCounters {
    let look = async {
        loop {
            let counters = counters(outlets);
            if wanted(&counters) {
                return counters;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{:?}", counters(outlets)))
}

fn first_port(line: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    value.get("first_port").and_then(serde_json::Value::as_u64)
}

fn ports_in(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| first_port(line).unwrap()).collect()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_reads_stalls_nobody_and_every_record_is_accounted_for() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let target = ExportTarget::Tcp(listener.local_addr().unwrap());
    let exports = Exports::new();
    let outlets = exports.outlets(&[settings(ExportFormat::Ndjson, target)]);
    let (silent, _) = listener.accept().await.unwrap();
    // What the kernel takes for it is soon full.
    let drained = async || {
        let drained = until(&outlets, |counters| counters.records_waiting == 0);
        timeout(Duration::from_secs(1), drained).await.is_ok()
    };
    let mut offered = 0;
    loop {
        offer(&outlets, 0..900);
        offered += 900;
        if !drained().await {
            break;
        }
    }
    // The datapath does not wait, so this ends.
    for _ in 0..50 {
        offer(&outlets, 0..1_000);
        // Kinds that this exporter does not have cost it nothing.
        outlets.offer(EventKind::Sessions, record(1));
        offered += 1_000;
    }
    let stalled = counters(&outlets);
    assert!(stalled.records_dropped > 40_000 && stalled.records_waiting > 0, "{stalled:?}");
    assert_eq!(stalled.records_sent + stalled.records_dropped + stalled.records_waiting, offered);
    // Now it reads: what waited comes, and how much did not.
    let reader = tokio::spawn(async move {
        let mut lines = BufReader::new(silent).lines();
        let (mut read, mut lost) = (0, 0);
        while read + lost < offered + 1 {
            let line = lines.next_line().await.unwrap().expect("the exporter goes on");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            match value["count"].as_u64() {
                Some(count) => lost += count,
                None => read += 1,
            }
        }
        (read, lost)
    });
    until(&outlets, |counters| counters.records_waiting == 0).await;
    // Losses are told with the next record at the latest.
    offer(&outlets, 0..1);
    let (read, lost) = timeout(PATIENCE, reader).await.unwrap().unwrap();
    let end = until(&outlets, |counters| counters.records_waiting == 0).await;
    assert_eq!((read, lost), (end.records_sent, end.records_dropped));
    assert_eq!(end.records_sent + end.records_dropped, offered + 1);
    drop(outlets);
    timeout(PATIENCE, exports.finish()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_a_collector_that_is_away_and_go_to_the_next_connection() {
    let (listener, address) = listener().await;
    let exports = Exports::new();
    let syslog = ExportFormat::Syslog { enterprise: 32_473 };
    let outlets = exports.outlets(&[settings(syslog, ExportTarget::Tcp(address))]);
    offer(&outlets, 0..3);
    let (mut first, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut received = String::new();
    while received.matches("first_port").count() < 3 {
        let mut buffer = [0; 4_096];
        let length = timeout(PATIENCE, first.read(&mut buffer)).await.unwrap().unwrap();
        received.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    // Octet counting: each message's length stands before it.
    let mut rest = received.as_str();
    while !rest.is_empty() {
        let (length, after) = rest.split_once(' ').unwrap();
        let (message, more) = after.split_at(length.parse().unwrap());
        assert!(message.starts_with("<134>1 ") && message.ends_with(']'), "{message}");
        rest = more;
    }
    until(&outlets, |counters| counters.connected && counters.records_sent == 3).await;
    drop(first);
    drop(listener);
    let down = until(&outlets, |counters| !counters.connected).await;
    assert!(!down.fault.is_empty());
    offer(&outlets, 3..6);
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut second, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    until(&outlets, |counters| counters.records_sent == 6).await;
    drop(outlets);
    exports.finish().await;
    let mut rest = String::new();
    timeout(PATIENCE, second.read_to_string(&mut rest)).await.unwrap().unwrap();
    let ports = [3, 4, 5].map(|port| rest.contains(&format!("first_port=\"{port}\"")));
    assert_eq!(ports, [true; 3], "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_a_collector_too_and_what_waits_at_the_end_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("collector");
    let listener = UnixListener::bind(&path).unwrap();
    let exports = Exports::new();
    let outlets = exports.outlets(&[settings(ExportFormat::Ndjson, ExportTarget::Unix(path))]);
    offer(&outlets, 0..500);
    drop(outlets);
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    assert_eq!(text.lines().map(first_port).collect::<Vec<_>>(), (0..500).map(Some).collect::<Vec<_>>());
    exports.finish().await;
}

#[tokio::test]
async fn an_exporter_that_reaches_nobody_ends_in_bounded_time() {
    let (listener, address) = listener().await;
    drop(listener);
    let exports = Exports::new();
    let outlets = exports.outlets(&[settings(ExportFormat::Ndjson, ExportTarget::Tcp(address))]);
    offer(&outlets, 0..10);
    drop(outlets);
    timeout(PATIENCE, exports.finish()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_put_aside_when_it_is_large_and_made_anew_when_another_program_moved_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let target = ExportTarget::File { path: path.clone(), rotate_bytes: 2_000, keep: 2 };
    let exports = Exports::new();
    let outlets = exports.outlets(&[settings(ExportFormat::Ndjson, target)]);
    let aside = |number: u8| directory.path().join(format!("events.{number}"));
    let mut sent = 0;
    let mut send = async |count: u16| {
        offer(&outlets, sent..sent + count);
        sent += count;
        until(&outlets, |counters| counters.records_sent == u64::from(sent)).await;
    };
    send(10).await;
    assert_eq!(ports_in(&path), (0..10).collect::<Vec<_>>());
    std::fs::rename(&path, directory.path().join("moved")).unwrap();
    send(1).await;
    assert_eq!(ports_in(&path), [10]);
    for _ in 0..8 {
        send(10).await;
    }
    let mut all = [aside(2), aside(1), path.clone()].map(|path| ports_in(&path)).concat();
    assert!(!aside(3).exists());
    assert!(all.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{all:?}");
    assert_eq!(all.pop(), Some(90));
    // What is no file is not written to.
    let not_a_file = ExportTarget::File { path: "/dev/null".into(), rotate_bytes: 2_000, keep: 2 };
    let other = exports.outlets(&[settings(ExportFormat::Ndjson, not_a_file)]);
    let down = until(&other, |counters| !counters.fault.is_empty()).await;
    assert!(down.fault.contains("no regular file"), "{down:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_whose_settings_stay_is_left_alone() {
    let (listener, address) = listener().await;
    let exports = Exports::new();
    let wanted = settings(ExportFormat::Ndjson, ExportTarget::Tcp(address));
    let before = exports.outlets(std::slice::from_ref(&wanted));
    let _connection = listener.accept().await.unwrap();
    let after = exports.outlets(&[ExportSettings { name: "more".to_owned(), ..wanted.clone() }, wanted]);
    drop(before);
    offer(&after, 0..1);
    until(&after, |_| after.counters()[1].records_sent == 1 && after.counters()[1].connected).await;
    // Only the new one has made a connection.
    let _second = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    until(&after, |counters| counters.records_sent == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_fit_the_path_and_each_has_whole_messages() {
    let collector = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = ExportTarget::Udp(collector.local_addr().unwrap());
    let exports = Exports::new();
    let outlets = exports.outlets(&[settings(ExportFormat::Ipfix { domain: 1 }, target)]);
    offer(&outlets, 0..200);
    let mut records = 0;
    // Of each template number, the bytes of one record.
    while records < 200 {
        let mut buffer = [0; 2_048];
        let length = timeout(PATIENCE, collector.recv(&mut buffer)).await.unwrap().unwrap();
        assert!(length <= 1_472);
        assert_eq!(usize::from(u16::from_be_bytes([buffer[2], buffer[3]])), length);
        let mut at = 16;
        while at < length {
            let field = |at: usize| usize::from(u16::from_be_bytes([buffer[at], buffer[at + 1]]));
            records += if field(at) == 258 { (field(at + 2) - 4) / 21 } else { 0 };
            at += field(at + 2);
        }
    }
    assert_eq!(records, 200);
}
