//! `nft list ruleset`: a helper object says which ALG, rules say on which ports it listens.

use std::collections::BTreeMap;

use super::proposal::{Draft, ports};
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::service::Transport;

/// What a rule may have besides ports and still mean the same.
const HARMLESS: [&str; 4] = ["counter", "accept", "continue", "return"];

/// A helper object.
#[derive(Debug, Clone, Copy)]
enum Helper {
    Known(AlgProtocol, Transport),
    Unknown,
}

pub(super) fn read(text: &str) -> Draft {
    let mut draft = Draft::default();
    let helpers = objects(text, &mut draft);
    for (index, line) in text.lines().enumerate() {
        let rule = line.split('#').next().unwrap_or_default().trim();
        if !rule.contains("ct helper") || rule.ends_with('{') && rule.starts_with("ct helper") {
            continue;
        }
        if let Err(reason) = take_rule(rule, &helpers, &mut draft) {
            draft.skip(index + 1, line, reason);
        }
    }
    draft
}

/// The helper objects of all tables, by name.
fn objects<'a>(text: &'a str, draft: &mut Draft) -> BTreeMap<&'a str, Helper> {
    let mut helpers = BTreeMap::new();
    let mut open: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), open) {
            (["ct", "helper", name, "{"], _) => open = Some(name),
            (["type", kind, "protocol", transport], Some(name)) => {
                let kind = kind.trim_matches('"');
                let transport = transport_of(transport.trim_end_matches(';'));
                let helper = match (AlgProtocol::parse(kind), transport) {
                    (Some(protocol), Some(transport)) => Helper::Known(protocol, transport),
                    _ => Helper::Unknown,
                };
                if matches!(helper, Helper::Unknown) {
                    draft.skip(index + 1, line, "there is no such ALG");
                }
                helpers.insert(name, helper);
            }
            (["}", ..], _) => open = None,
            _ => {}
        }
    }
    helpers
}

fn take_rule(rule: &str, helpers: &BTreeMap<&str, Helper>, draft: &mut Draft) -> Result<(), String> {
    let spaced = rule.replace('{', " { ").replace('}', " } ").replace([',', ';'], " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let mut listening = None;
    let mut helper = None;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        match (*word, after) {
            (transport @ ("tcp" | "udp"), ["dport", after @ ..]) => {
                let transport = transport_of(transport).ok_or("the transport is unknown")?;
                let (found, after) = set(after).ok_or("the ports are no numbers")?;
                listening = Some((transport, found));
                rest = after;
            }
            ("ct", ["helper", "set", name, after @ ..]) => {
                helper = Some(name.trim_matches('"'));
                rest = after;
            }
            ("meta", ["l4proto", _, after @ ..]) | ("ct", ["state", _, after @ ..]) => rest = after,
            ("packets" | "bytes", [_, after @ ..]) => rest = after,
            (word, _) if HARMLESS.contains(&word) => {}
            _ => return Err("a policy has no such condition".to_owned()),
        }
    }
    let name = helper.ok_or("it sets no helper")?;
    let (transport, found) = listening.ok_or("it says no destination port")?;
    match helpers.get(name) {
        Some(Helper::Known(protocol, object)) if *object == transport => {
            found.into_iter().try_for_each(|ports| draft.listen(*protocol, transport, ports))?;
            draft.enable(*protocol, true);
            Ok(())
        }
        Some(Helper::Known(..)) => Err("the helper is for another transport".to_owned()),
        Some(Helper::Unknown) => Err("there is no such ALG".to_owned()),
        None => Err("there is no such helper object".to_owned()),
    }
}

/// Ports that a set has, and the words that follow it.
type Set<'a> = (Vec<(u16, u16)>, &'a [&'a str]);

/// A port, a range, or a set of them in braces.
fn set<'a>(words: &'a [&'a str]) -> Option<Set<'a>> {
    let (first, rest) = words.split_first()?;
    if *first != "{" {
        return Some((vec![ports(first)?], rest));
    }
    let end = rest.iter().position(|word| *word == "}")?;
    let (inside, rest) = rest.split_at(end);
    let found = inside.iter().map(|word| ports(word)).collect::<Option<Vec<_>>>()?;
    Some((found, rest.get(1..)?))
}

fn transport_of(word: &str) -> Option<Transport> {
    match word {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        _ => None,
    }
}
