//! How addresses and ports are given to subscribers, as JSON has it.

use std::num::NonZeroU32;

use pinhole_dataplane::config::nat::{LimitsDraft, Located, PortBlockDraft, TranslationDraft};
use serde_json::{Map, Value, json};

use crate::domain::input::{self, Fields, Report};

pub use pinhole_dataplane::config::nat::{Allocation, PortBlocks, SubscriberLimits, Translation};

/// Reads the fields of settings that say it; `None` when one does not read.
pub(super) fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<TranslationDraft<String>> {
    let port_block = fields.nullable("port_block", report, port_block);
    let limits = fields.optional("limits", report, limits);
    Some(TranslationDraft { port_block: port_block?, limits: limits?.unwrap_or_default() })
}

/// Whether nothing is said.
pub(super) fn is_default(draft: &TranslationDraft<String>) -> bool {
    let TranslationDraft { port_block, limits } = draft;
    let LimitsDraft { ports, sessions, new_sessions_per_second } = limits;
    let limits = [ports, sessions, new_sessions_per_second];
    port_block.is_none() && limits.iter().all(|limit| limit.is_none())
}

fn port_block(value: &Value, report: &mut Report) -> Option<PortBlockDraft<String>> {
    let mut fields = Fields::open(value, report)?;
    let size = fields.optional("size", report, number);
    let per_subscriber = fields.optional("per_subscriber", report, number);
    let hold_seconds = fields.optional("hold_seconds", report, number);
    fields.finish(report);
    Some(PortBlockDraft { size: size?, per_subscriber: per_subscriber?, hold_seconds: hold_seconds? })
}

fn limits(value: &Value, report: &mut Report) -> Option<LimitsDraft<String>> {
    let mut fields = Fields::open(value, report)?;
    let ports = fields.nullable("ports_per_subscriber", report, number);
    let sessions = fields.nullable("sessions_per_subscriber", report, number);
    let rate = fields.nullable("new_sessions_per_second", report, number);
    fields.finish(report);
    Some(LimitsDraft { ports: ports?, sessions: sessions?, new_sessions_per_second: rate? })
}

fn number(value: &Value, report: &mut Report) -> Option<Located<i64, String>> {
    let value = input::integer(value, report)?;
    Some(Located { value, at: report.pointer().to_owned() })
}

/// The fields that [`decode`] reads, every default said.
pub(super) fn encode(translation: &Translation) -> Map<String, Value> {
    let port_block = match translation.allocation {
        Allocation::Random => Value::Null,
        Allocation::Blocks(rule) => json!({
            "size": rule.size.ports(),
            "per_subscriber": rule.per_subscriber,
            "hold_seconds": rule.hold.as_secs(),
        }),
    };
    let limits = json!({
        "ports_per_subscriber": translation.limits.ports.map(NonZeroU32::get),
        "sessions_per_subscriber": translation.limits.sessions.map(NonZeroU32::get),
        "new_sessions_per_second": translation.limits.new_sessions_per_second.map(NonZeroU32::get),
    });
    Map::from_iter([("port_block".to_owned(), port_block), ("limits".to_owned(), limits)])
}
