use proptest::prelude::*;
use serde_json::json;

use super::*;

fn errors_of_tags(value: &Value) -> Vec<(String, Code)> {
    let mut report = Report::new();
    assert_eq!(Tags::decode(value, &mut report), None);
    report.into_errors().into_iter().map(|error| (error.pointer, error.code)).collect()
}

#[test]
fn names_that_are_none() {
    let too_long = "a".repeat(MAX_NAME_CHARS + 1);
    for (text, code) in [
        ("", Code::Length),
        (too_long.as_str(), Code::Length),
        ("-a", Code::Format),
        (".a", Code::Format),
        ("_a", Code::Format),
        ("a b", Code::Format),
        ("a/b", Code::Format),
        ("ä", Code::Format),
        ("a\0", Code::Format),
        ("name:a", Code::Format),
    ] {
        assert_eq!(Name::parse(text).unwrap_err().0, code, "{text:?}");
    }
}

#[test]
fn tags_come_back_sorted_and_without_repeats() {
    let mut report = Report::new();
    let tags = Tags::decode(&json!(["voice", "branch"]), &mut report).unwrap();
    assert_eq!(tags.iter().collect::<Vec<_>>(), ["branch", "voice"]);
    assert_eq!(errors_of_tags(&json!(["a", "b", "a"])), [("/2".to_owned(), Code::Repeated)]);
    assert_eq!(
        errors_of_tags(&json!(["", " a"])),
        [("/0".to_owned(), Code::Length), ("/1".to_owned(), Code::Format)]
    );
    assert_eq!(errors_of_tags(&json!("a")), [(String::new(), Code::WrongType)]);
}

#[test]
fn a_description_counts_characters_not_bytes() {
    let mut report = Report::new();
    assert!(Description::decode(&json!("ü".repeat(MAX_DESCRIPTION_CHARS)), &mut report).is_some());
    assert!(Description::decode(&json!("u".repeat(MAX_DESCRIPTION_CHARS + 1)), &mut report).is_none());
    assert!(Description::decode(&json!("a\u{0}b"), &mut report).is_none());
}

proptest! {
    #[test]
    fn a_name_is_kept_as_written(text in "[A-Za-z0-9][A-Za-z0-9._-]{0,62}") {
        let name = Name::parse(&text).unwrap();
        prop_assert_eq!(name.as_str(), &text);
        prop_assert_eq!(name.key(), text.to_lowercase());
    }

    #[test]
    fn whatever_is_accepted_obeys_the_rule(text in any::<String>()) {
        if Name::parse(&text).is_ok() {
            prop_assert!((1..=MAX_NAME_CHARS).contains(&text.len()));
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
        }
    }
}
