use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::kind::Kind;

/// An object as the API would answer it.
fn answer(kind: Kind, index: usize, mut fields: Value) -> Current {
    let id = uuid::Uuid::from_u128(index as u128 + 1).to_string();
    fields["id"] = json!(id);
    for (name, value) in [
        ("name", json!(format!("{kind}-{index}"))),
        ("description", json!("")),
        ("tags", json!([])),
        ("version", json!(3)),
        ("created_by", Value::Null),
        ("used_by", json!([])),
        (
            "permissions",
            json!([{"role": "enterprise_operator", "permission": "hide", "inherited": index.is_multiple_of(2)}]),
        ),
    ] {
        if fields.get(name).is_none() {
            fields[name] = value;
        }
    }
    Current { kind, answer: fields }
}

fn reference(current: &Current) -> Value {
    json!({"id": current.answer["id"], "name": current.answer["name"]})
}

fn file(current: &[Current]) -> String {
    let mut lists = json!({});
    for object in current {
        let key = key_of(object.kind);
        if lists.get(&key).is_none() {
            lists[&key] = json!([]);
        }
        lists[&key].as_array_mut().unwrap().push(export(object.kind, &object.answer));
    }
    serde_yaml_ng::to_string(&lists).unwrap()
}

fn tenant(ports: &[u16], enabled: &[bool]) -> Vec<Current> {
    let mut current: Vec<Current> = ports
        .iter()
        .enumerate()
        .map(|(index, port)| {
            let fields =
                json!({"protocol": "tcp", "source_port": null, "destination_port": port.to_string()});
            answer(Kind::Service, index, fields)
        })
        .collect();
    let services: Vec<Value> = current.iter().map(reference).collect();
    for (index, enabled) in enabled.iter().enumerate() {
        let fields = json!({"protocols": {"ftp": {"enabled": enabled, "services": services}}});
        current.push(answer(Kind::AlgPolicy, 100 + index, fields));
        let policy = reference(current.last().unwrap());
        current.push(answer(
            Kind::MasterProfile,
            200 + index,
            json!({"kind": "basic", "alg_policy": policy}),
        ));
    }
    current
}

proptest! {
    #[test]
    fn what_was_exported_changes_nothing(
        ports in proptest::collection::vec(1..=u16::MAX, 0..6),
        enabled in proptest::collection::vec(any::<bool>(), 0..4),
    ) {
        let current = tenant(&ports, &enabled);
        let mut desired = Desired::default();
        desired.add("export", &file(&current)).unwrap();
        let plan = plan(&current, &desired, Prune::Listed).unwrap();
        prop_assert_eq!(&plan.steps, &[]);
        prop_assert_eq!(plan.unchanged, current.len());
        // Into an empty tenant it makes everything, what is referred to first.
        let made = super::plan(&[], &desired, Prune::Listed).unwrap();
        prop_assert_eq!(made.steps.len(), current.len());
        prop_assert!(made.steps.windows(2).all(|pair| pair[0].kind <= pair[1].kind));
    }

    #[test]
    fn no_text_is_trouble(text in ".{0,200}") {
        let _ = Desired::default().add("file", &text);
    }
}

#[test]
fn a_change_is_named_by_its_place() {
    let current = tenant(&[21], &[true]);
    let text = file(&current).replace("enabled: true", "enabled: false").replace("'21'", "'2121'");
    let mut desired = Desired::default();
    desired.add("f", &text).unwrap();
    let plan = plan(&current, &desired, Prune::Keep).unwrap();
    let shown: String = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        "~ service service-0\n    /destination_port: \"21\" -> \"2121\"\n\
         ~ ALG policy alg_policy-100\n    /protocols/ftp/enabled: true -> false\n"
    );
    assert_eq!(plan.steps[0].existing.as_ref().unwrap().1, 3);
}

#[test]
fn only_listed_kinds_are_pruned_and_only_on_request() {
    let current = tenant(&[21, 22], &[]);
    let mut desired = Desired::default();
    desired.add("f", "services: []\n---\nalg_policies:\n  - name: p\n").unwrap();
    assert_eq!(plan(&current, &desired, Prune::Keep).unwrap().steps.len(), 1);
    let pruned = plan(&current, &desired, Prune::Listed).unwrap();
    assert_eq!(pruned.steps.iter().filter(|step| step.action == Action::Delete).count(), 2);
    let mut other = Desired::default();
    other.add("f", "alg_policies: []").unwrap();
    assert_eq!(plan(&current, &other, Prune::Listed).unwrap().steps, []);
}

#[test]
fn what_is_wrong_is_named_all_at_once() {
    let mut desired = Desired::default();
    let text = "services: {}\nunicorns: []\nalg_policies: [{}, {name: a}, {name: A}, {name: '-'}]\ntenant: 5";
    let places: Vec<String> =
        desired.add("f", text).unwrap_err().into_iter().map(|problem| problem.place).collect();
    let expected = [
        "f: alg_policies[0]",
        "f: alg_policies[2]",
        "f: alg_policies[3]/name",
        "f: services",
        "f: tenant",
        "f: unicorns",
    ];
    assert_eq!(places, expected);
    for text in ["[", "a: &a [*a]", "- x", "services: [5]", "\u{0}"] {
        assert!(Desired::default().add("f", text).is_err(), "{text}");
    }
    let mut desired = Desired::default();
    desired.add("f", "services: [{name: s, protocol: pigeon, colour: red}]").unwrap();
    let problems = plan(&[], &desired, Prune::Keep).unwrap_err();
    assert!(problems.iter().any(|problem| problem.place == "f: services[0]/protocol"), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.place == "f: services[0]/colour"), "{problems:?}");
}
