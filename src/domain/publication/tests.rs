use serde_json::json;

use super::*;

fn decode(value: &Value) -> Result<Order, Vec<(String, Code)>> {
    let mut report = Report::new();
    let order = Order::decode(value, &mut report);
    let errors: Vec<_> = report.into_errors().into_iter().map(|error| (error.pointer, error.code)).collect();
    order.filter(|_| errors.is_empty()).ok_or(errors)
}

#[test]
fn the_four_ways_to_name_appliances() {
    let id = ObjectId::generate();
    let name = ObjectRef::parse("name:edge").unwrap();
    for (value, selection) in [
        (
            json!([id, "name:edge", {"id": id, "name": "x"}]),
            Selection::Listed(vec![ObjectRef::Id(id), name.clone(), ObjectRef::Id(id)]),
        ),
        (json!({"master_profile": "name:edge"}), Selection::Profiled(name)),
        (json!("all_changed"), Selection::AllChanged),
    ] {
        assert_eq!(decode(&json!({"appliances": value})), Ok(Order { selection, revision: None }));
    }
    let labelled = decode(&json!({"appliances": {"labels": {"region": "emea"}}, "revision": null})).unwrap();
    assert!(
        matches!(labelled.selection, Selection::Labelled(labels) if labels.iter().eq([("region", "emea")]))
    );
    let revision = RevisionId::generate();
    assert_eq!(decode(&json!({"appliances": [id], "revision": revision})).unwrap().revision, Some(revision));
}

#[test]
fn what_names_no_appliance() {
    for (value, pointer, code) in [
        (json!({}), "/appliances", Code::Required),
        (json!({"appliances": []}), "/appliances", Code::Length),
        (json!({"appliances": vec!["name:a"; MAX_APPLIANCES + 1]}), "/appliances", Code::Length),
        (json!({"appliances": ["edge"]}), "/appliances/0", Code::Format),
        (json!({"appliances": [7]}), "/appliances/0", Code::WrongType),
        (json!({"appliances": [{"name": "edge"}]}), "/appliances/0", Code::Format),
        (json!({"appliances": "all"}), "/appliances", Code::UnknownValue),
        (json!({"appliances": null}), "/appliances", Code::WrongType),
        (json!({"appliances": {}}), "/appliances", Code::Conflict),
        (json!({"appliances": {"labels": {}}}), "/appliances/labels", Code::Length),
        (json!({"appliances": {"labels": []}}), "/appliances/labels", Code::WrongType),
        (json!({"appliances": {"master_profile": null}}), "/appliances/master_profile", Code::WrongType),
        (
            json!({"appliances": {"labels": {"a": "b"}, "master_profile": "name:x"}}),
            "/appliances",
            Code::Conflict,
        ),
        (json!({"appliances": {"sites": 1}}), "/appliances/sites", Code::UnknownField),
        (json!({"appliances": "all_changed", "revision": "x"}), "/revision", Code::Format),
        (json!({"appliances": "all_changed", "force": true}), "/force", Code::UnknownField),
        (json!([]), "", Code::WrongType),
    ] {
        let errors = decode(&value).unwrap_err();
        assert_eq!(errors.first(), Some(&(pointer.to_owned(), code)), "{value:.60}");
    }
}
