use serde_json::json;

use super::*;

fn errors(value: &Value) -> Vec<(String, Code)> {
    let mut report = Report::new();
    assert_eq!(report.within("nat", |report| decode(value, report)), None);
    report.into_errors().into_iter().map(|error| (error.pointer, error.code)).collect()
}

fn settings(value: &Value) -> Option<NatSettings> {
    let mut report = Report::new();
    let decoded = decode(value, &mut report);
    assert_eq!(report.into_errors(), []);
    decoded.unwrap()
}

#[test]
fn settings_come_in_one_order_and_form() {
    let one = json!({"inside": ["in1", "in0"], "outside": ["out0"], "inside_prefixes": ["10.1.0.0/16", "10.0.0.0/16"],
                     "pool": ["203.0.113.16-203.0.113.31", "192.0.2.1"]});
    let limits = json!({"ports_per_subscriber": null, "sessions_per_subscriber": null,
                        "new_sessions_per_second": null});
    let other = json!({"inside": ["in0", "in1"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/16", "10.1.0.0/16"],
                       "pool": ["192.0.2.1", "203.0.113.16/28"], "mode": "port_translation", "mapping": "endpoint_independent", "filtering": "address_and_port_dependent", "other_protocols": "refuse",
                       "tcp_mss": null, "port_block": null, "deterministic": null, "forwards": [], "exempt_destinations": [],
                       "limits": limits, "pcp": null, "export": []});
    let decoded = settings(&one).unwrap();
    assert_eq!(encode(Some(&decoded)), other);
    assert_eq!(settings(&other).unwrap(), decoded);
}

#[test]
fn empty_lists_are_no_settings_yet() {
    for value in [json!({}), json!({"pool": []}), encode(None)] {
        assert_eq!(settings(&value), None, "{value}");
    }
}

#[test]
fn every_problem_is_reported_at_its_place() {
    let value = json!({"inside": ["in0", "in0", "lo"], "outside": ["in0"], "inside_prefixes": ["10.0.0.1/24"],
                       "colour": 1});
    assert_eq!(
        errors(&value),
        [
            ("/nat/colour".to_owned(), Code::UnknownField),
            ("/nat/inside/2".to_owned(), Code::Format),
            ("/nat/inside/1".to_owned(), Code::Repeated),
            ("/nat/outside/0".to_owned(), Code::Conflict),
            ("/nat/inside_prefixes/0".to_owned(), Code::Format),
            ("/nat/pool".to_owned(), Code::Required),
        ]
    );
    // A list that does not read does not keep the others from being checked.
    let value =
        json!({"inside": "in0", "outside": [7], "inside_prefixes": ["127.0.0.0/8"], "pool": ["10.0.0.0/8"]});
    assert_eq!(
        errors(&value),
        [
            ("/nat/inside".to_owned(), Code::WrongType),
            ("/nat/outside/0".to_owned(), Code::WrongType),
            ("/nat/inside_prefixes/0".to_owned(), Code::Range),
            ("/nat/pool".to_owned(), Code::Length),
        ]
    );
}

fn with(more: &Value) -> Value {
    let mut value = json!({"inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/16"],
                           "pool": ["192.0.2.1"]});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

#[test]
fn blocks_and_limits_say_every_default() {
    let sent = with(&json!({"port_block": {}, "limits": {"sessions_per_subscriber": 100}}));
    let encoded = encode(settings(&sent).as_ref());
    assert_eq!(encoded["port_block"], json!({"size": 512, "per_subscriber": 4, "hold_seconds": 120}));
    let limits = json!({"ports_per_subscriber": null, "sessions_per_subscriber": 100,
                        "new_sessions_per_second": null});
    assert_eq!(encoded["limits"], limits);
    assert_eq!(settings(&encoded), settings(&sent));
    // What is said about ports is not lost because nothing is said about addresses.
    assert_eq!(errors(&json!({"port_block": {}}))[0], ("/nat/inside".to_owned(), Code::Required));
}

#[test]
fn every_problem_of_blocks_and_limits_is_reported_at_its_place() {
    let value = with(&json!({
        "port_block": {"size": 1000, "per_subscriber": 1e9 as u64, "hold_seconds": -1, "ports": 1},
        "limits": {"ports_per_subscriber": 0, "sessions_per_subscriber": u64::MAX},
    }));
    assert_eq!(
        errors(&value),
        [
            ("/nat/port_block/ports".to_owned(), Code::UnknownField),
            ("/nat/port_block/size".to_owned(), Code::Range),
            ("/nat/port_block/per_subscriber".to_owned(), Code::Range),
            ("/nat/port_block/hold_seconds".to_owned(), Code::Range),
            ("/nat/limits/ports_per_subscriber".to_owned(), Code::Range),
            ("/nat/limits/sessions_per_subscriber".to_owned(), Code::Range),
        ]
    );
    let value = with(&json!({
        "port_block": {"size": "512", "per_subscriber": 1.5, "hold_seconds": null},
        "limits": {"new_sessions_per_second": true, "rate": 1},
    }));
    assert_eq!(
        errors(&value),
        [
            ("/nat/port_block/size".to_owned(), Code::WrongType),
            ("/nat/port_block/per_subscriber".to_owned(), Code::WrongType),
            ("/nat/port_block/hold_seconds".to_owned(), Code::WrongType),
            ("/nat/limits/new_sessions_per_second".to_owned(), Code::WrongType),
            ("/nat/limits/rate".to_owned(), Code::UnknownField),
        ]
    );
    for value in [json!({"port_block": 512}), json!({"limits": null})] {
        assert_eq!(errors(&with(&value)).len(), 1, "{value}");
    }
}

#[test]
fn the_whole_of_the_translation_comes_in_one_order_and_form() {
    let forward = |protocol: &str, outside: &str, inside: Option<&str>| {
        json!({"protocol": protocol, "outside_address": "192.0.2.1", "outside_port": outside,
               "inside_address": "10.0.0.9", "inside_port": inside})
    };
    let sent = with(&json!({
        "mapping": "address_dependent", "filtering": "endpoint_independent", "other_protocols": "translate", "tcp_mss": 1452,
        "deterministic": {"ports_per_subscriber": 0x3f},
        "pool": ["192.0.2.0/25"],
        "forwards": [forward("udp", "9000-9009", Some("53-62")), forward("tcp", "443", None)],
        "exempt_destinations": [{"prefix": "203.0.113.0/24", "port": "90,50-60,55-70"},
                                {"prefix": "198.51.100.0/24"}, {"prefix": "198.51.100.0/24"}],
    }));
    let encoded = encode(settings(&sent).as_ref());
    assert_eq!(encoded["mapping"], "address_dependent");
    assert_eq!(encoded["other_protocols"], "translate");
    assert_eq!(encoded["tcp_mss"], 1452);
    assert_eq!(encoded["deterministic"], json!({"ports_per_subscriber": 63}));
    assert_eq!(
        encoded["forwards"],
        json!([forward("tcp", "443", Some("443")), forward("udp", "9000-9009", Some("53-62"))])
    );
    let exempt = json!([{"prefix": "198.51.100.0/24", "port": null}, {"prefix": "203.0.113.0/24", "port": "50-70,90"}]);
    assert_eq!(encoded["exempt_destinations"], exempt);
    assert_eq!(settings(&encoded), settings(&sent));

    let firewall =
        json!({"inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/16"], "mode": "none"});
    let encoded = encode(settings(&firewall).as_ref());
    assert_eq!((&encoded["mode"], &encoded["pool"]), (&json!("none"), &json!([])));
}

#[test]
fn every_problem_of_the_translation_is_reported_at_its_place() {
    let code = |value: &Value| -> Vec<(String, Code)> { errors(&with(value)) };
    let at = |pointer: &str, code| (format!("/nat/{pointer}"), code);
    let value = json!({
        "mode": "double", "mapping": 1, "filtering": "Address_dependent", "other_protocols": true, "tcp_mss": "small",
        "forwards": [{"protocol": "icmp", "outside_address": "x", "outside_port": "1,3", "inside_address": "10.0.0.1", "to": 1}],
        "exempt_destinations": [{"prefix": "10.0.0.1/8", "port": "0"}, {}, "10.0.0.0/8"],
    });
    assert_eq!(
        code(&value),
        [
            at("mode", Code::UnknownValue),
            at("mapping", Code::WrongType),
            at("filtering", Code::UnknownValue),
            at("other_protocols", Code::WrongType),
            at("tcp_mss", Code::WrongType),
            at("forwards/0/protocol", Code::UnknownValue),
            at("forwards/0/outside_address", Code::Format),
            at("forwards/0/outside_port", Code::Format),
            at("forwards/0/to", Code::UnknownField),
            at("exempt_destinations/0/prefix", Code::Format),
            at("exempt_destinations/0/port", Code::Range),
            at("exempt_destinations/1/prefix", Code::Required),
            at("exempt_destinations/2", Code::WrongType),
        ]
    );
    let forward = |outside: &str, inside: &str| json!({"protocol": "tcp", "outside_address": outside, "outside_port": "80", "inside_address": inside});
    let forwards = json!([
        forward("192.0.2.1", "10.0.0.1"),
        forward("192.0.2.1", "10.0.0.2"),
        forward("192.0.2.2", "10.0.0.3"),
        forward("192.0.2.1", "11.0.0.3")
    ]);
    for (value, expected) in [
        (
            json!({"forwards": forwards}),
            vec![
                at("forwards/1", Code::Conflict),
                at("forwards/2", Code::Conflict),
                at("forwards/3", Code::Conflict),
            ],
        ),
        (json!({"port_block": {}, "deterministic": {}}), vec![at("deterministic", Code::Conflict)]),
        (json!({"deterministic": {}}), vec![at("pool", Code::Length)]),
        (
            json!({"deterministic": {"ports_per_subscriber": 0}}),
            vec![at("deterministic/ports_per_subscriber", Code::Range), at("pool", Code::Length)],
        ),
        (json!({"mode": "one_to_one"}), vec![at("pool", Code::Length)]),
        (json!({"mode": "none"}), vec![at("pool", Code::Conflict)]),
        (
            json!({"mode": "one_to_one", "pool": ["20.0.0.0/21"], "inside_prefixes": ["10.0.0.0/21"], "port_block": {},
                "deterministic": {}}),
            vec![at("deterministic", Code::Conflict), at("port_block", Code::Conflict)],
        ),
    ] {
        assert_eq!(code(&value), expected, "{value}");
    }
}

#[test]
fn exporters_and_pcp_come_in_one_order_and_form() {
    let sent = with(&json!({
        "pcp": {"max_lifetime_seconds": 600},
        "export": [
            {"name": "b", "format": "ipfix", "to": "udp://192.0.2.9:4739", "events": ["quota", "blocks"], "domain": null},
            {"name": "a", "format": "ndjson", "to": "tcp://[2001:DB8::9]:5", "queue": 7},
        ],
    }));
    let encoded = encode(settings(&sent).as_ref());
    let pcp = json!({"nat_pmp": true, "third_party": false, "min_lifetime_seconds": 120, "max_lifetime_seconds": 600});
    assert_eq!(encoded["pcp"], pcp);
    let export = json!([
        {"name": "a", "format": "ndjson", "to": "tcp://[2001:db8::9]:5", "events": ["blocks", "pinholes", "quota"],
         "queue": 7, "domain": null, "enterprise": null},
        {"name": "b", "format": "ipfix", "to": "udp://192.0.2.9:4739", "events": ["blocks", "quota"],
         "queue": 16_384, "domain": 1, "enterprise": null},
    ]);
    assert_eq!(encoded["export"], export);
    assert_eq!(settings(&encoded), settings(&sent));
}

#[test]
fn every_problem_of_exporters_and_pcp_is_reported_at_its_place() {
    let at = |pointer: &str, code| (format!("/nat/{pointer}"), code);
    let export = |more: Value| {
        let mut export = json!({"name": "x", "format": "ipfix", "to": "udp://192.0.2.9:1"});
        export.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "export": [export] })
    };
    for (value, pointer, code) in [
        (json!({"pcp": {"min_lifetime_seconds": 0}}), "pcp/min_lifetime_seconds", Code::Range),
        (json!({"pcp": {"nat_pmp": 1}}), "pcp/nat_pmp", Code::WrongType),
        (json!({"pcp": true}), "pcp", Code::WrongType),
        (json!({"pcp": {}, "mapping": "address_dependent"}), "pcp", Code::Conflict),
        (json!({"export": null}), "export", Code::WrongType),
        (
            json!({"export": [{"format": "ipfix", "to": "udp://192.0.2.9:1"}]}),
            "export/0/name",
            Code::Required,
        ),
        (export(json!({"name": "a b"})), "export/0/name", Code::Format),
        (export(json!({"format": "xml"})), "export/0/format", Code::UnknownValue),
        (export(json!({"to": "file:///etc/passwd"})), "export/0/to", Code::Format),
        (export(json!({"to": "udp://127.0.0.1:514"})), "export/0/to", Code::Range),
        (export(json!({"format": "ndjson"})), "export/0/to", Code::Conflict),
        (export(json!({"events": []})), "export/0/events", Code::Required),
        (export(json!({"events": ["all"]})), "export/0/events/0", Code::UnknownValue),
        (export(json!({"queue": 0})), "export/0/queue", Code::Range),
        (export(json!({"enterprise": 5})), "export/0/enterprise", Code::Conflict),
    ] {
        assert_eq!(errors(&with(&value)), [at(pointer, code)], "{value}");
    }
    let strange = errors(&with(&export(json!({"queue": "x", "rotate_bytes": 5}))));
    let expected = [at("export/0/queue", Code::WrongType), at("export/0/rotate_bytes", Code::UnknownField)];
    assert_eq!(strange, expected);
    let one = json!({"name": "x", "format": "ipfix", "to": "udp://192.0.2.9:1"});
    let twice = json!({"export": [one, one]});
    assert_eq!(errors(&with(&twice)), [at("export/1/name", Code::Repeated)]);
    let many = json!({"export": vec![one; 9]});
    assert_eq!(errors(&with(&many)), [at("export/8/name", Code::Length)]);
}
