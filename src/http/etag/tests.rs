use super::*;

fn version(number: i64) -> Version {
    Version::new(number).unwrap()
}

#[test]
fn a_tag_names_its_version_and_changes_with_the_answer() {
    let (one, other) = (of(version(7), b"a"), of(version(7), b"b"));
    assert_ne!(one, other);
    let tags = Tags::parse(&format!("{one}, W/\"9\" ,\"foreign\"")).unwrap();
    assert_eq!(tags.versions().unwrap(), [version(7), version(9)]);
    assert!(tags.contain(&one) && !tags.contain(&other));
}

#[test]
fn what_is_no_list_of_tags() {
    assert_eq!(Tags::parse("*"), Some(Tags::Any));
    for text in ["", "7", "\"7", "7\"", "\"a\"b\"", "\"7\",", ","] {
        assert_eq!(Tags::parse(text), None, "{text:?}");
    }
}
