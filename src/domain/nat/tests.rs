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
                       "pool": ["192.0.2.1", "203.0.113.16/28"], "port_block": null, "limits": limits});
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
