use super::*;

fn filters(preference: u16) -> Change {
    Change::Filters { interface: "in0".to_owned(), index: 3, preference }
}

#[test]
fn what_is_recorded_is_read_by_the_next_process_and_what_is_struck_out_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netns-1.json");
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.changes(), []);
    journal.record(filters(1)).unwrap();
    journal.record(filters(2)).unwrap();
    journal.record(filters(1)).unwrap();
    assert_eq!(Journal::open(&path).unwrap().changes(), [filters(1), filters(2)]);
    journal.strike(&filters(1)).unwrap();
    assert_eq!(Journal::open(&path).unwrap().changes(), [filters(2)]);
    journal.strike(&filters(2)).unwrap();
    assert!(!path.exists());
}

#[test]
fn the_first_value_of_a_setting_is_the_one_to_restore() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netns-1.json");
    let mut journal = Journal::open(&path).unwrap();
    journal.record_sysctl("net/x", "1", "2").unwrap();
    journal.record_sysctl("net/x", "2", "3").unwrap();
    journal.record_sysctl("net/x", "3", "2").unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.original("net/x"), Some("1"));
    assert_eq!(journal.original("net/y"), None);
    let ours = vec!["2".to_owned(), "3".to_owned()];
    let expected = Change::Sysctl { path: "net/x".to_owned(), previous: "1".to_owned(), ours };
    assert_eq!(journal.changes(), [expected]);
}

#[test]
fn changes_of_an_earlier_boot_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netns-1.json");
    let mut journal = Journal::open(&path).unwrap();
    journal.record(filters(1)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&journal.boot_id, "another")).unwrap();
    assert_eq!(Journal::open(&path).unwrap().changes(), []);
}

#[test]
fn what_is_no_journal_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netns-1.json");
    let future = r#"{"format": 2, "boot_id": "x", "changes": []}"#;
    let strange = r#"{"format": 1, "boot_id": "x", "changes": [{"kind": "moon"}]}"#;
    for content in ["", "{", future, strange] {
        std::fs::write(&path, content).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.changes(), []);
        assert_eq!(std::fs::read_to_string(path.with_extension("corrupt")).unwrap(), content);
        journal.record(filters(1)).unwrap();
        assert_eq!(Journal::open(&path).unwrap().changes(), [filters(1)]);
    }
}
