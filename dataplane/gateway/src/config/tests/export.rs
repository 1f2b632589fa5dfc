use pinhole_proto::v1;

use pinhole_dataplane::config::nat::export::*;

use crate::config::{file, message};

const BASE: &str = "inside = [\"in0\"]\noutside = [\"out0\"]\n[nat]\ninside_prefixes = [\"10.0.0.0/24\"]\npool = [\"203.0.113.1\"]\n";

fn read(exports: &str) -> Result<Vec<ExportSettings>, Vec<String>> {
    let parsed = file::parse(&format!("{BASE}{exports}"));
    parsed.map(|config| config.exports).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn by_message(exports: Vec<v1::Export>) -> Result<Vec<ExportSettings>, String> {
    let nat = v1::Nat {
        inside_interfaces: vec!["in0".to_owned()],
        outside_interfaces: vec!["out0".to_owned()],
        inside_prefixes: vec!["10.0.0.0/24".to_owned()],
        pool: vec!["203.0.113.1".to_owned()],
        ..v1::Nat::default()
    };
    let message = v1::GatewayConfig { nat: Some(nat), exports, ..v1::GatewayConfig::default() };
    message::parse(&message).map(|config| config.exports).map_err(|error| error.to_string())
}

#[test]
fn every_kind_of_exporter_is_read() {
    let exports = read(
        r#"
[[export]]
name = "collector"
format = "ipfix"
to = "udp://192.0.2.9:4739"
events = ["blocks", "sessions"]
domain = 7
queue = 100
[[export]]
name = "log"
format = "syslog"
to = "tcp://[2001:db8::9]:601"
enterprise = 5
[[export]]
name = "file"
format = "ndjson"
to = "file:///var/log/events"
rotate_bytes = 1_024
keep = 2
[[export]]
name = "local"
format = "ndjson"
to = "unix:///run/collector"
[[export]]
name = "archive"
format = "ipfix"
to = "file:///var/log/events.ipfix"
"#,
    )
    .unwrap();
    let file = |path: &str, rotate_bytes, keep| ExportTarget::File { path: path.into(), rotate_bytes, keep };
    let of = |name: &str, format, target| ExportSettings {
        name: name.to_owned(),
        format,
        target,
        events: EventKinds::DEFAULT,
        queue: DEFAULT_QUEUE,
    };
    let first = ExportSettings {
        events: EventKinds::NONE.with(EventKind::Sessions).with(EventKind::Blocks),
        queue: 100,
        ..of(
            "collector",
            ExportFormat::Ipfix { domain: 7 },
            ExportTarget::Udp("192.0.2.9:4739".parse().unwrap()),
        )
    };
    let syslog = ExportFormat::Syslog { enterprise: 5 };
    let expected = [
        first,
        of("log", syslog, ExportTarget::Tcp("[2001:db8::9]:601".parse().unwrap())),
        of("file", ExportFormat::Ndjson, file("/var/log/events", 1_024, 2)),
        of("local", ExportFormat::Ndjson, ExportTarget::Unix("/run/collector".into())),
        of(
            "archive",
            ExportFormat::Ipfix { domain: DEFAULT_DOMAIN },
            file("/var/log/events.ipfix", DEFAULT_ROTATE_BYTES, DEFAULT_KEEP),
        ),
    ];
    assert_eq!(exports, expected);
    let targets: Vec<String> = exports.iter().map(|export| export.target.to_string()).collect();
    assert_eq!(targets[1..3], ["tcp://[2001:db8::9]:601", "file:///var/log/events"]);
    assert!(!EventKinds::DEFAULT.contains(EventKind::Sessions));
}

#[test]
fn every_problem_of_an_exporter_is_printed_with_its_place() {
    let found = read(
        r#"[[export]]
name = "a b"
format = "xml"
to = "http://192.0.2.9"
events = ["blocks", "all"]
queue = 0
[[export]]
name = "x"
format = "syslog"
to = "file:///var/log/x"
domain = 1
rotate_bytes = 1
[[export]]
name = "x"
format = "ndjson"
to = "tcp://collector:4739"
enterprise = 1
keep = 3
events = []
[[export]]
name = "y"
format = "ipfix"
to = "unix:///run/y"
events = "blocks"
[[export]]
format = "ipfix"
"#,
    );
    let expected = [
        "7:8: an exporter's name has 1 to 63 printable characters and no space",
        "8:10: \"xml\" is not one of ipfix, syslog, ndjson",
        "9:6: \"http://192.0.2.9\" does not begin with udp://, tcp://, unix:// or file://",
        "10:21: \"all\" is not one of sessions, blocks, pinholes, quota",
        "11:9: 0 is out of range: queue is 1 to 1048576",
        "15:6: syslog cannot be sent to \"file:///var/log/x\", but to udp:// or tcp://",
        "16:10: domain is of no use with syslog",
        "17:16: 1 is out of range: rotate_bytes is 1024 to 1099511627776",
        "19:8: the exporter \"x\" is listed twice",
        "21:6: \"tcp://collector:4739\" names no address and port such as 192.0.2.9:4739",
        "22:14: enterprise is of no use with ndjson",
        "23:8: keep is of no use with anything but a file",
        "24:10: events is empty",
        "29:10: \"events\" is a string, but must be a list of strings",
        "30:1: [[export]] lacks \"name\"",
        "30:1: [[export]] lacks \"to\"",
    ];
    assert_eq!(found.unwrap_err(), expected);
    for (to, problem) in [
        ("udp://192.0.2.9:0", "names no address and port"),
        ("udp://0.0.0.0:1", "is no collector's address"),
        ("tcp://255.255.255.255:1", "is no collector's address"),
        ("udp://[ff02::1]:1", "is no collector's address"),
        ("file://x", "names no file by its whole path"),
        ("file:///", "names no file by its whole path"),
        ("udp", "names no address and port"),
    ] {
        let one = format!("[[export]]\nname = \"x\"\nformat = \"ipfix\"\nto = \"{to}\"\n");
        let found = read(&one).unwrap_err();
        assert!(found[0].contains(problem), "{found:?}");
    }
    let many: String = (0..9)
        .map(|index| {
            format!("[[export]]\nname = \"{index}\"\nformat = \"ipfix\"\nto = \"udp://192.0.2.9:1\"\n")
        })
        .collect();
    assert_eq!(read(&many).unwrap_err(), ["39:8: 9 exporters, at most 8 are allowed"]);
}

#[test]
fn a_controllers_word_sends_to_the_network_only() {
    let export = |to: &str| v1::Export {
        name: "collector".to_owned(),
        format: "ipfix".to_owned(),
        to: to.to_owned(),
        ..v1::Export::default()
    };
    let message = v1::Export {
        events: vec!["quota".to_owned()],
        queue: 5,
        domain: Some(0),
        ..export("tcp://192.0.2.9:4739")
    };
    let [settings] = &by_message(vec![message]).unwrap()[..] else { panic!("none") };
    assert_eq!((settings.queue, settings.format), (5, ExportFormat::Ipfix { domain: 0 }));
    assert_eq!(settings.events, EventKinds::NONE.with(EventKind::Quota));
    assert_eq!(by_message(vec![export("udp://192.0.2.9:1")]).unwrap()[0].events, EventKinds::DEFAULT);
    for (to, problem) in [
        ("file:///etc/passwd", "\"file:///etc/passwd\" does not begin with udp:// or tcp://"),
        ("unix:///run/x", "\"unix:///run/x\" does not begin with udp:// or tcp://"),
        ("udp://127.0.0.1:514", "127.0.0.1 is no collector's address"),
        ("tcp://[::ffff:127.0.0.1]:514", "::ffff:127.0.0.1 is no collector's address"),
    ] {
        assert_eq!(by_message(vec![export(to)]).unwrap_err(), format!("exports[0].to: {problem}"));
    }
}
