//! The NAT settings of an appliance, by the gateway's own rules.

pub mod export;
mod pcp;
pub mod translation;

use pinhole_dataplane::config::nat::export::Trust;
use pinhole_dataplane::config::nat::{self, List, Located, NatDraft, NatError};
use serde_json::{Value, json};

use super::input::{self, Code, Fields, Report};

pub use pinhole_dataplane::config::nat::NatSettings;

/// The most items of a list that are read at all; the rules of each list are stricter.
const MAX_ITEMS: usize = 4096;

/// Decodes settings from JSON. `None` inside is an appliance without settings yet: no list has an item, and all else is
/// as by default.
pub fn decode(value: &Value, report: &mut Report) -> Option<Option<NatSettings>> {
    let mut fields = Fields::open(value, report)?;
    let inside = fields.optional("inside", report, texts);
    let outside = fields.optional("outside", report, texts);
    let inside_prefixes = fields.optional("inside_prefixes", report, texts);
    let pool = fields.optional("pool", report, texts);
    let translation = translation::decode(&mut fields, report);
    let pcp = fields.nullable("pcp", report, pcp::decode);
    let exports = fields.or_default("export", report, export::decode);
    fields.finish(report);
    let lists = [&inside, &outside, &inside_prefixes, &pool];
    let empty =
        lists.iter().all(|list| list.as_ref().is_some_and(|list| list.as_ref().is_none_or(Vec::is_empty)));
    // What does not read is reported; the rest is checked all the same.
    let unread = pcp.is_none() || exports.is_none();
    let (pcp, exports) = (pcp.flatten(), exports.unwrap_or_default());
    let plain = !unread && pcp.is_none() && exports.is_empty();
    if empty && plain && translation.as_ref().is_some_and(translation::is_default) {
        return Some(None);
    }
    let at = report.pointer().to_owned();
    let list = |name: &str, items: Option<Option<Vec<String>>>| items.map(|items| place(&at, name, items));
    let draft = NatDraft {
        inside: list("inside", inside),
        outside: list("outside", outside),
        inside_prefixes: list("inside_prefixes", inside_prefixes),
        pool: list("pool", pool),
        translation,
        pcp,
        exports,
        trust: Trust::Remote,
    };
    match nat::check(draft) {
        Ok(_) if unread => None,
        Ok(settings) => Some(Some(canonical(settings))),
        Err(problems) => {
            for problem in problems {
                report.error_at(&problem.at, code(&problem.error), problem.error.to_string());
            }
            None
        }
    }
}

/// The fields that [`decode`] reads.
#[must_use]
pub fn encode(settings: Option<&NatSettings>) -> Value {
    let mut fields =
        translation::encode(&settings.map(|settings| settings.translation.clone()).unwrap_or_default());
    let lists = settings.map(|settings| {
        [
            texts_of(&settings.inside),
            texts_of(&settings.outside),
            texts_of(&settings.inside_prefixes),
            texts_of(&settings.pool),
        ]
    });
    for (name, list) in
        ["inside", "outside", "inside_prefixes", "pool"].into_iter().zip(lists.unwrap_or_default())
    {
        fields.insert(name.to_owned(), json!(list));
    }
    fields.insert("pcp".to_owned(), pcp::encode(settings.and_then(|settings| settings.pcp.as_ref())));
    let exports = settings.map(|settings| settings.exports.iter().map(export::encode).collect());
    fields.insert("export".to_owned(), Value::Array(exports.unwrap_or_default()));
    Value::Object(fields)
}

/// The items of a list as text, in its order.
pub fn texts_of<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn texts(value: &Value, report: &mut Report) -> Option<Vec<String>> {
    input::array(value, MAX_ITEMS, report, |value, report| input::string(value, report).map(str::to_owned))
}

fn place(at: &str, name: &str, items: Option<Vec<String>>) -> List<String> {
    let at = format!("{at}/{name}");
    let items = items
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, value)| Located { value, at: format!("{at}/{index}") })
        .collect();
    List { at, items }
}

/// All lists are sets: in order, so that equal settings are equal.
fn canonical(mut settings: NatSettings) -> NatSettings {
    settings.inside.sort_unstable();
    settings.outside.sort_unstable();
    settings.inside_prefixes.sort_unstable();
    settings.pool.sort_unstable();
    settings.translation = translation::canonical(settings.translation);
    settings.exports.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    settings
}

fn number(value: &Value, report: &mut Report) -> Option<Located<i64, String>> {
    let value = input::integer(value, report)?;
    Some(Located { value, at: report.pointer().to_owned() })
}

fn code(error: &NatError) -> Code {
    match error {
        NatError::Export(error) => export::code(error),
        NatError::Pcp(error) => pcp::code(error),
        NatError::Empty(_) => Code::Required,
        NatError::TooMany { .. } | NatError::PoolSize(_) | NatError::PoolRoom { .. } => Code::Length,
        NatError::Interface { .. } | NatError::Prefix { .. } | NatError::Range { .. } => Code::Format,
        NatError::Repeated { .. } => Code::Repeated,
        NatError::UnusablePrefix { .. }
        | NatError::UnusableRange { .. }
        | NatError::BlockSize(_)
        | NatError::Number { .. } => Code::Range,
        NatError::BothSides(_)
        | NatError::PrefixOverlap { .. }
        | NatError::PoolInside { .. }
        | NatError::ForwardOutside(_)
        | NatError::ForwardInside(_)
        | NatError::ForwardLength { .. }
        | NatError::ForwardOverlap
        | NatError::Exclusive { .. }
        | NatError::UselessPool
        | NatError::PoolOverlap { .. } => Code::Conflict,
    }
}

#[cfg(test)]
mod tests;
