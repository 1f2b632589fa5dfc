use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{EndReason, LimitReached, Scarce};
use pinhole_dataplane::tuple::Protocol;

use super::*;
use crate::export::record::{Binding, Block, Flow};

fn records() -> Vec<Record> {
    let flow = Flow {
        protocol: Protocol::Tcp,
        originator: Realm::Inside,
        inside: "10.0.0.2:2000".parse().unwrap(),
        outside: "203.0.113.1:3000".parse().unwrap(),
        remote: "198.51.100.5:80".parse().unwrap(),
    };
    let block = Block {
        subscriber: "10.0.0.2".parse().unwrap(),
        outside: "203.0.113.1".parse().unwrap(),
        first: 1_024,
        last: 1_535,
    };
    let binding = Binding {
        id: 7,
        origin: "ftp",
        protocol: Protocol::Tcp,
        inside: flow.inside,
        outside: flow.outside,
        peer: "198.51.100.5:0".parse().unwrap(),
    };
    let limit = LimitReached {
        subscriber: [10, 0, 0, 2].into(),
        protocol: Protocol::Udp,
        scarce: Scarce::SubscriberPorts(100),
    };
    let ports = LimitReached { scarce: Scarce::Ports([203, 0, 113, 1].into()), ..limit };
    [
        What::SessionOpened(flow),
        What::SessionEnded { flow, packets_out: 3, packets_in: 4, reason: EndReason::Closed },
        What::BlockAllocated(block),
        What::BlockReleased(block),
        What::PinholeOpened(binding),
        What::PinholeClosed { binding, reason: "used" },
        What::MappingOpened(Binding { origin: "pcp", ..binding }),
        What::MappingClosed { binding, reason: "expired" },
        What::LimitReached(limit),
        What::LimitReached(ports),
        What::RecordsLost(9),
    ]
    .map(|what| Record { at_ms: 1_700_000_000_120, what })
    .to_vec()
}

/// Reads a message by the grammar of RFC 5424, section 6; returns priority, header fields and structured data.
fn parse(message: &str) -> (u8, Vec<&str>, Vec<(String, String)>) {
    let rest = message.strip_prefix('<').expect("a priority");
    let (priority, rest) = rest.split_once('>').expect("a priority's end");
    let mut fields = rest.splitn(7, ' ').collect::<Vec<_>>();
    let data = fields.pop().expect("structured data");
    assert_eq!((fields.len(), fields[0]), (6, "1"), "{message}");
    for (field, most) in fields.iter().zip([2, 32, 255, 48, 128, 32]) {
        assert!((1..=most).contains(&field.len()) && field.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    let inner = data.strip_prefix('[').and_then(|data| data.strip_suffix(']')).expect("one element");
    let (id, mut rest) = inner.split_once(' ').expect("parameters");
    assert_eq!(id, "nat@32473");
    let mut parameters = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a parameter");
        assert!(name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        let (mut value, mut letters) = (String::new(), after.char_indices());
        let end = loop {
            match letters.next().expect("a value ends") {
                (_, '\\') => value.push(letters.next().expect("something escaped").1),
                (at, '"') => break at,
                (_, ']') => panic!("] stands unescaped"),
                (_, letter) => value.push(letter),
            }
        };
        parameters.push((name.to_owned(), value));
        rest = &after[end + 1..];
        match rest.strip_prefix(' ') {
            Some(more) => rest = more,
            None => break,
        }
    }
    assert!(rest.is_empty());
    (priority.parse().expect("a number"), fields, parameters)
}

#[test]
fn every_record_is_a_message_by_the_grammar() {
    let sender = Sender::new("edge\n", 42, 32_473);
    for record in records() {
        let message = sender.message(&record);
        let (priority, fields, parameters) = parse(&message);
        let warns = matches!(record.what, What::LimitReached(_) | What::RecordsLost(_));
        assert_eq!(priority, if warns { 132 } else { 134 });
        let header = ["1", "2023-11-14T22:13:20.120Z", "edge", "pinhole-gateway", "42", record.what.name()];
        assert_eq!(fields, header);
        assert!(!parameters.is_empty());
    }
    let message = sender.message(&records()[1]);
    assert_eq!(
        message,
        "<134>1 2023-11-14T22:13:20.120Z edge pinhole-gateway 42 session_ended [nat@32473 protocol=\"tcp\" \
         inside=\"10.0.0.2:2000\" outside=\"203.0.113.1:3000\" remote=\"198.51.100.5:80\" originator=\"inside\" \
         packets_out=\"3\" packets_in=\"4\" reason=\"closed\"]"
    );
    assert_eq!(counted("abc"), "3 abc");
}

#[test]
fn what_a_name_or_value_must_not_hold_is_left_out_or_escaped() {
    let long = "x".repeat(256);
    for bad in ["", " ", "a b", "größe", long.as_str()] {
        assert_eq!(Sender::new(bad, 1, 1).hostname, "-");
    }
    assert_eq!(escaped(r#"a"b]c\d"#), r#"a\"b\]c\\d"#);
}

#[test]
fn every_record_is_a_line_of_json() {
    for record in records() {
        let line = json_line(&record);
        assert_eq!((line.matches('\n').count(), line.ends_with('\n')), (1, true));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], record.what.name());
        assert_eq!(value["at"], "2023-11-14T22:13:20.120Z");
    }
    let lines: Vec<String> = records().iter().map(json_line).collect();
    assert_eq!(
        lines[2],
        "{\"at\":\"2023-11-14T22:13:20.120Z\",\"event\":\"port_block_allocated\",\"subscriber\":\"10.0.0.2\",\
         \"outside\":\"203.0.113.1\",\"first_port\":1024,\"last_port\":1535}\n"
    );
    assert!(lines[8].contains("\"limit\":\"subscriber_ports\"") && lines[8].contains("\"most\":100"));
    assert!(lines[9].contains("\"limit\":\"ports\"") && lines[9].contains("\"outside\":\"203.0.113.1\""));
}
