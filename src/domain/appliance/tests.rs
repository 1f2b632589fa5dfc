use serde_json::json;

use super::*;

fn decode(value: &Value) -> Result<Appliance, Vec<(String, Code)>> {
    let mut report = Report::new();
    let mut fields = Fields::open(value, &mut report).unwrap();
    let decoded = Appliance::decode(&mut fields, &mut report);
    fields.finish(&mut report);
    let errors = report.into_errors().into_iter().map(|error| (error.pointer, error.code)).collect();
    decoded.ok_or(errors)
}

#[test]
fn an_appliance_without_any_field_is_the_default_and_says_every_default() {
    let appliance = decode(&json!({})).unwrap();
    assert_eq!(appliance, Appliance::default());
    let limits = json!({"ports_per_subscriber": null, "sessions_per_subscriber": null,
                        "new_sessions_per_second": null});
    let nat = json!({"inside": [], "outside": [], "inside_prefixes": [], "pool": [], "mode": "port_translation", "mapping": "endpoint_independent", "filtering": "address_and_port_dependent", "other_protocols": "refuse", "tcp_mss": null,
                       "port_block": null, "deterministic": null, "forwards": [], "exempt_destinations": [],
                       "limits": limits, "pcp": null, "export": []});
    let encoded = appliance.encode();
    assert_eq!(encoded, json!({"site": "", "labels": {}, "master_profile": null, "nat": nat}));
    assert_eq!(decode(&encoded).unwrap(), appliance);
    assert_eq!(decode(&json!({"nat": null, "state": {"connected": true}})).unwrap(), appliance);
}

#[test]
fn labels_and_sites_are_bounded() {
    let many: serde_json::Map<String, Value> = (0..33).map(|n| (format!("k{n}"), json!("v"))).collect();
    for (value, pointer, code) in [
        (json!({"site": "a\nb"}), "/site", Code::Format),
        (json!({"site": "x".repeat(256)}), "/site", Code::Length),
        (json!({"labels": []}), "/labels", Code::WrongType),
        (json!({"labels": many}), "/labels", Code::Length),
        (json!({"labels": {"a/b": "x"}}), "/labels/a~1b", Code::Format),
        (json!({"labels": {"": "x"}}), "/labels/", Code::Length),
        (json!({"labels": {"a": 1}}), "/labels/a", Code::WrongType),
        (json!({"labels": {"a": "x".repeat(64)}}), "/labels/a", Code::Length),
        (json!({"labels": {"a": "\u{0}"}}), "/labels/a", Code::Format),
    ] {
        assert_eq!(decode(&value), Err(vec![(pointer.to_owned(), code)]), "{value}");
    }
    let long = decode(&json!({"labels": {"k".repeat(100_000): "x"}})).unwrap_err();
    assert!(long.first().unwrap().0.len() < 100);
}
