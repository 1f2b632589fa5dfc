use serde_json::json;

use super::*;

#[test]
fn all_errors_are_reported_with_their_pointers() {
    let value = json!({"a/b": 1, "flag": "yes", "list": ["x", 2]});
    let mut report = Report::new();
    let mut fields = Fields::open(&value, &mut report).unwrap();
    assert_eq!(fields.required("name", &mut report, |v, r| string(v, r).map(str::to_owned)), None);
    assert_eq!(fields.required("flag", &mut report, boolean), None);
    let list =
        fields.required("list", &mut report, |v, r| array(v, 4, r, |v, r| string(v, r).map(str::to_owned)));
    assert_eq!(list, None);
    fields.finish(&mut report);

    let found: Vec<_> = report.into_errors().into_iter().map(|error| (error.pointer, error.code)).collect();
    let expected = [
        ("/name".to_owned(), Code::Required),
        ("/flag".to_owned(), Code::WrongType),
        ("/list/1".to_owned(), Code::WrongType),
        ("/a~1b".to_owned(), Code::UnknownField),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_number_of_errors_is_bounded() {
    let value = serde_json::Value::Array(vec![json!(0); MAX_ERRORS * 2]);
    let mut report = Report::new();
    assert_eq!(array(&value, usize::MAX, &mut report, boolean), None);
    assert_eq!(report.into_errors().len(), MAX_ERRORS);
}
