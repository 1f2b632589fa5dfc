use super::*;
use crate::limits::MAX_INTERFACES;

fn list(name: &str, items: &[&str]) -> Option<List<String>> {
    let items = items
        .iter()
        .enumerate()
        .map(|(index, item)| Located { value: (*item).to_owned(), at: format!("{name}/{index}") })
        .collect();
    Some(List { at: name.to_owned(), items })
}

fn draft(inside: &[&str], outside: &[&str], prefixes: &[&str], pool: &[&str]) -> NatDraft<String> {
    NatDraft {
        inside: list("inside", inside),
        outside: list("outside", outside),
        inside_prefixes: list("prefixes", prefixes),
        pool: list("pool", pool),
        translation: Some(TranslationDraft::default()),
        pcp: None,
        exports: Vec::new(),
        trust: Trust::default(),
    }
}

fn number(value: i64, at: &str) -> Option<Located<i64, String>> {
    Some(Located { value, at: at.to_owned() })
}

fn good() -> NatDraft<String> {
    draft(&["in0"], &["out0"], &["10.0.0.0/24"], &["203.0.113.1"])
}

fn problems(draft: NatDraft<String>) -> Vec<String> {
    let problems = check(draft).unwrap_err();
    problems.into_iter().map(|problem| format!("{}: {}", problem.at, problem.error)).collect()
}

#[test]
fn good_settings_are_taken_as_they_are() {
    let settings =
        check(draft(&["in0", "in1"], &["out0"], &["10.0.0.0/24"], &["203.0.113.0/28", "192.0.2.1"])).unwrap();
    assert_eq!(settings.inside.len(), 2);
    assert_eq!(settings.translation, Translation::default());
    assert_eq!(settings.pool.iter().map(|range| range.count()).sum::<u64>(), 17);
}

#[test]
fn every_problem_is_named_at_its_place() {
    let found = problems(draft(
        &["in0", "in0", "lo", "x/y"],
        &["in0"],
        &["10.0.0.1/24", "10.0.0.0/8", "10.1.0.0/16", "127.0.0.0/8", "x"],
        &["203.0.113.9-203.0.113.1", "10.1.2.3", "203.0.113.0/24", "203.0.113.7", "224.0.0.1", ""],
    ));
    assert_eq!(
        found,
        [
            "inside/2: \"lo\" cannot be used: it is the host's loopback or the gateway's own device",
            "inside/3: \"x/y\" is not an interface name: 1 to 15 printable characters without space, / or :",
            "inside/1: in0 is listed twice in inside",
            "outside/0: in0 is both inside and outside",
            "prefixes/0: \"10.0.0.1/24\" has host bits set: did you mean 10.0.0.0/24?",
            "prefixes/4: \"x\" is not an IPv4 prefix such as 10.0.0.0/24",
            "prefixes/2: 10.1.0.0/16 overlaps with the inside prefix 10.0.0.0/8",
            "prefixes/3: 127.0.0.0/8 cannot be an inside prefix: it holds loopback addresses",
            "pool/0: \"203.0.113.9-203.0.113.1\" is reversed: the first address is above the last",
            "pool/5: \"\" is not an IPv4 address",
            "pool/1: the pool's 10.1.2.3 overlaps with the inside prefix 10.0.0.0/8",
            "pool/3: 203.0.113.7 overlaps with the pool's 203.0.113.0/24",
            "pool/4: 224.0.0.1 cannot be in the pool: it holds multicast, reserved or broadcast addresses",
        ]
    );
}

#[test]
fn lists_are_neither_empty_nor_endless() {
    assert_eq!(
        problems(draft(&[], &[], &[], &[])),
        [
            "inside: inside is empty",
            "outside: outside is empty",
            "prefixes: inside_prefixes is empty",
            "pool: pool is empty"
        ]
    );
    let many: Vec<String> = (0..=MAX_INTERFACES).map(|index| format!("in{index}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = problems(draft(&many, &["out0"], &["10.0.0.0/24"], &["20.0.0.0/8"]));
    assert_eq!(
        found,
        [
            "inside: inside has 65 entries, at most 64 are allowed",
            "pool: the pool has 16777216 addresses, at most 4096 are allowed"
        ]
    );
}

#[test]
fn a_list_that_could_not_be_read_is_not_reported_again_and_yet_no_settings_come_out() {
    let mut unread = draft(&["in0"], &["out0"], &["10.0.0.0/24"], &["203.0.113.1"]);
    unread.pool = None;
    assert_eq!(check(unread), Err(vec![]));
}

#[test]
fn a_wrong_text_is_repeated_in_part_only() {
    let long = "x".repeat(100_000);
    let found = problems(draft(&[&long], &["out0"], &["10.0.0.0/24"], &["203.0.113.1"]));
    assert!(found.first().unwrap().len() < 200);
}

#[test]
fn blocks_and_limits_have_defaults_and_bounds() {
    let mut settings = good();
    let blocks =
        PortBlockDraft { at: "block".to_owned(), size: None, per_subscriber: None, hold_seconds: None };
    settings.translation = Some(TranslationDraft { port_block: Some(blocks), ..TranslationDraft::default() });
    let Allocation::Blocks(rule) = check(settings).unwrap().translation.allocation else { panic!("none") };
    assert_eq!((rule.size.ports(), rule.per_subscriber, rule.hold.as_secs()), (512, 4, 120));

    for (size, per_subscriber, hold) in [(64, 1, 0), (4_096, 64, 86_400)] {
        let mut settings = good();
        settings.translation = Some(TranslationDraft {
            port_block: Some(PortBlockDraft {
                at: "block".to_owned(),
                size: number(size, "size"),
                per_subscriber: number(per_subscriber, "blocks"),
                hold_seconds: number(hold, "hold"),
            }),
            limits: LimitsDraft { ports: number(10_000_000, "ports"), ..LimitsDraft::default() },
            ..TranslationDraft::default()
        });
        assert!(check(settings).is_ok());
    }

    let mut settings = good();
    settings.translation = Some(TranslationDraft {
        port_block: Some(PortBlockDraft {
            at: "block".to_owned(),
            size: number(500, "size"),
            per_subscriber: number(65, "blocks"),
            hold_seconds: number(-1, "hold"),
        }),
        limits: LimitsDraft {
            ports: number(0, "ports"),
            sessions: number(i64::MAX, "sessions"),
            new_sessions_per_second: number(-3, "rate"),
        },
        ..TranslationDraft::default()
    });
    assert_eq!(
        problems(settings),
        [
            "size: 500 is not a power of two from 64 to 4096",
            "blocks: 65 is out of range: per_subscriber is 1 to 64",
            "hold: -1 is out of range: hold_seconds is 0 to 86400",
            "ports: 0 is out of range: ports_per_subscriber is 1 to 10000000",
            "sessions: 9223372036854775807 is out of range: sessions_per_subscriber is 1 to 10000000",
            "rate: -3 is out of range: new_sessions_per_second is 1 to 10000000",
        ]
    );
}
