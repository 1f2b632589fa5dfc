use super::*;

fn entry(seq: i64, previous: ChainHash) -> Entry {
    let mut entry = Entry {
        tenant: TenantId::generate(),
        seq,
        id: Uuid::now_v7(),
        at: Utc::now(),
        actor: None,
        client: Some("192.0.2.1".to_owned()),
        request: None,
        action: "create".to_owned(),
        kind: "service".to_owned(),
        object: Some(Uuid::now_v7()),
        object_name: Some("s".to_owned()),
        before: None,
        after: Some(RawValue::from_string("{\"name\": \"s\"}".to_owned()).unwrap()),
        previous,
        hash: ChainHash::START,
    };
    entry.hash = entry.expected_hash();
    entry
}

fn chain() -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for seq in 1..=4 {
        let previous = entries.last().map_or(ChainHash::START, |entry| entry.hash);
        entries.push(entry(seq, previous));
    }
    entries
}

fn flaws(entries: &[Entry], end: &Entry) -> Vec<Flaw> {
    let mut walk = Walk::default();
    let mut flaws: Vec<Flaw> = entries.iter().flat_map(|entry| walk.step(entry)).collect();
    flaws.extend(walk.finish(end.seq, end.hash));
    flaws
}

#[test]
fn a_chain_that_is_whole_has_no_flaw() {
    let chain = chain();
    assert_eq!(flaws(&chain, &chain[3]), []);
}

#[test]
fn what_is_changed_removed_or_exchanged_is_named() {
    let whole = chain();
    let end = whole[3].clone();
    let mut changed = whole.clone();
    changed[1].object_name = None;
    assert_eq!(flaws(&changed, &end), [Flaw::Changed { seq: 2, id: whole[1].id }]);

    let mut removed = whole.clone();
    removed.remove(1);
    assert_eq!(flaws(&removed, &end), [Flaw::Missing { from: 2, to: 2 }]);
    assert_eq!(flaws(&whole[..2], &end), [Flaw::Missing { from: 3, to: 4 }]);
    assert_eq!(flaws(&[], &end), [Flaw::Missing { from: 1, to: 4 }]);

    let mut exchanged = whole.clone();
    exchanged.swap(1, 2);
    (exchanged[1].seq, exchanged[2].seq) = (2, 3);
    let expected = [Flaw::Changed { seq: 2, id: whole[2].id }, Flaw::Changed { seq: 3, id: whole[1].id }];
    assert_eq!(flaws(&exchanged, &end), expected);

    // One that was forged with a hash of its own, and does not follow.
    let mut forged = whole.clone();
    forged[1] = entry(2, ChainHash::START);
    assert_eq!(flaws(&forged, &end), [Flaw::Detached { seq: 2, id: forged[1].id }]);
}

#[test]
fn no_two_entries_have_the_same_text() {
    let one = entry(1, ChainHash::START);
    let mut other = one.clone();
    // The same characters, divided differently.
    (other.action, other.kind) = ("creates".to_owned(), "ervice".to_owned());
    assert_ne!(one.expected_hash(), other.expected_hash());
    other = one.clone();
    other.object_name = Some("-".to_owned());
    let mut none = one;
    none.object_name = None;
    assert_ne!(other.expected_hash(), none.expected_hash());
}

#[test]
fn parameters_have_bounds() {
    let parse = |name, value| AuditQuery::parse([(name, value)]);
    assert_eq!(parse("cursor", "7").unwrap().cursor, Some(7));
    assert!(parse("from", "2026-01-02T03:04:05+02:00").unwrap().from.is_some());
    for (name, value) in [
        ("cursor", "0"),
        ("cursor", "x"),
        ("per_page", "101"),
        ("from", "yesterday"),
        ("to", "2026-13-01T00:00:00Z"),
        ("q", "\0"),
        ("actor", &"x".repeat(201)),
        ("page", "1"),
    ] {
        assert!(parse(name, value).is_err(), "{name}={value}");
    }
    assert!(AuditQuery::parse([("q", "a"), ("q", "b")]).is_err());
}
