//! docs/conformance.md: which test holds the engine to which requirement, written from the tests themselves.
//!
//! A test belongs to the requirement that its name begins with: `rfc4787_req_5_...`, `rfc5508_req_4_and_5_...`,
//! `rfc7857_section_2_2_...`; a row names further ones. `UPDATE_SNAPSHOTS=1 cargo test -p pinhole-dataplane --test
//! conformance` writes the document anew.

mod carrier;
mod icmp;
mod name;
mod row;
mod simple;
mod tcp;
mod tests;
mod udp;
mod updates;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use name::Reference;
use row::{Document, Level, Row, Stand};
use tests::Test;

const DOCUMENTS: [Document; 6] =
    [udp::RFC4787, tcp::RFC5382, icmp::RFC5508, simple::RFC6092, carrier::RFC6888, updates::RFC7857];

const HEAD: &str = "# Conformance

Which tests hold the engine to which requirement. This file is written from the tests: a test whose name begins with a
requirement belongs to it. `UPDATE_SNAPSHOTS=1 cargo test -p pinhole-dataplane --test conformance` writes it anew, and
without that variable the same command fails where it is stale, where a requirement has neither a test nor a reason, and
where a test names a requirement that there is not.

A *gap* is not done, or done and not tested. *Otherwise* is a recommendation that is not followed, with why;
what is *not applicable* is about something that there is not.
";

/// The tests of each requirement, and those named after RFCs that have no table here.
struct Found<'a> {
    by_requirement: BTreeMap<(u16, &'static str), Vec<&'a Test>>,
    others: BTreeMap<u16, Vec<&'a Test>>,
    problems: Vec<String>,
}

fn find(all: &[Test]) -> Found<'_> {
    let mut found = Found { by_requirement: BTreeMap::new(), others: BTreeMap::new(), problems: vec![] };
    for test in all {
        let Some(Reference { rfc, clauses }) = Reference::parse(&test.name) else { continue };
        let Some(document) = DOCUMENTS.iter().find(|document| document.rfc == rfc) else {
            found.others.entry(rfc).or_default().push(test);
            continue;
        };
        for clause in clauses {
            match document.rows.iter().find(|row| row.clause == clause) {
                Some(row) => found.by_requirement.entry((rfc, row.clause)).or_default().push(test),
                None => found
                    .problems
                    .push(format!("{} names {clause}, which RFC {rfc} has no row for", test.name)),
            }
        }
    }
    for document in &DOCUMENTS {
        for row in document.rows {
            for name in row.also {
                match all.iter().find(|test| test.name == *name) {
                    Some(test) => {
                        found.by_requirement.entry((document.rfc, row.clause)).or_default().push(test);
                    }
                    None => {
                        found.problems.push(format!("RFC {} {}: no test {name}", document.rfc, row.clause))
                    }
                }
            }
        }
    }
    found
}

/// Returns what the document says of a row, or what is wrong with it.
fn status(document: &Document, row: &Row, tests: &[&Test]) -> Result<String, String> {
    let names = || tests.iter().map(|test| format!("`{}`", test.name)).collect::<Vec<_>>().join(", ");
    let here = format!("RFC {} {}", document.rfc, row.clause);
    match (row.stand, tests.is_empty()) {
        (Stand::Tested, false) => Ok(names()),
        (Stand::Tested, true) => Err(format!("{here} has no test, and no reason why")),
        (Stand::Part(missing), false) => Ok(format!("{}; *gap*: {missing}", names())),
        (Stand::Part(_), true) => Err(format!("{here} is done in part, and no part has a test")),
        (Stand::Gap(reason), true) => Ok(format!("*gap*: {reason}")),
        (Stand::Gap(_), false) => Err(format!("{here} is no gap any more: strike that out")),
        (Stand::Moot(reason), true) => Ok(format!("*not applicable*: {reason}")),
        (Stand::Moot(_), false) => Err(format!("{here} has a test, so it is about something")),
        (Stand::Otherwise(_), _) if row.level == Level::Must => Err(format!("{here} is no recommendation")),
        (Stand::Otherwise(reason), true) => Ok(format!("*otherwise*: {reason}")),
        (Stand::Otherwise(reason), false) => Ok(format!("*otherwise*: {reason}; {}", names())),
    }
}

fn render(found: &mut Found<'_>) -> String {
    let mut text = HEAD.to_owned();
    let mut problems = Vec::new();
    for document in &DOCUMENTS {
        let stands = |wanted: fn(&Stand) -> bool| {
            let must = document.rows.iter().filter(|row| row.level == Level::Must);
            must.filter(|row| wanted(&row.stand)).count()
        };
        let (tested, part) =
            (stands(|stand| matches!(stand, Stand::Tested)), stands(|stand| matches!(stand, Stand::Part(_))));
        let _ = write!(
            text,
            "\n## RFC {}: {}\n\n{tested} of {} MUSTs are tested, {part} more in part.\n\n| clause | level | what \
             it wants | tests |\n|---|---|---|---|\n",
            document.rfc,
            document.title,
            stands(|stand| !matches!(stand, Stand::Moot(_))),
        );
        for row in document.rows {
            let tests = found.by_requirement.get(&(document.rfc, row.clause)).map_or(&[][..], Vec::as_slice);
            match status(document, row, tests) {
                Ok(status) => {
                    let _ = writeln!(
                        text,
                        "| {} | {} | {} | {status} |",
                        row.clause,
                        row.level.name(),
                        row.wants
                    );
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    text += "\n## Tests named after other documents\n\n| RFC | tests |\n|---|---|\n";
    for (rfc, tests) in &found.others {
        let names: Vec<String> = tests.iter().map(|test| format!("`{}`", test.name)).collect();
        let _ = writeln!(text, "| {rfc} | {} |", names.join(", "));
    }
    found.problems.extend(problems);
    text
}

#[test]
fn every_requirement_has_a_test_or_a_reason_and_the_document_says_so() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all = tests::all(&root, &["dataplane/src", "dataplane/tests", "dataplane/gateway"]);
    let mut found = find(&all);
    let text = render(&mut found);
    assert!(found.problems.is_empty(), "\n{}", found.problems.join("\n"));
    let path = root.join("docs/conformance.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/conformance.md is stale: run this test with UPDATE_SNAPSHOTS=1");
}
