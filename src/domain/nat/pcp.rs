//! Whether inside hosts may ask for mappings of their own, as JSON has it.

use pinhole_dataplane::config::nat::pcp::{PcpDraft, PcpError, PcpSettings};
use serde_json::{Value, json};

use super::number;
use crate::domain::input::{self, Code, Fields, Report};

pub(super) fn decode(value: &Value, report: &mut Report) -> Option<PcpDraft<String>> {
    let mut fields = Fields::open(value, report)?;
    let nat_pmp = fields.optional("nat_pmp", report, input::boolean);
    let third_party = fields.optional("third_party", report, input::boolean);
    let min_lifetime = fields.optional("min_lifetime_seconds", report, number);
    let max_lifetime = fields.optional("max_lifetime_seconds", report, number);
    fields.finish(report);
    Some(PcpDraft {
        at: report.pointer().to_owned(),
        nat_pmp: nat_pmp?,
        third_party: third_party?,
        min_lifetime: min_lifetime?,
        max_lifetime: max_lifetime?,
    })
}

/// The fields that [`decode`] reads.
pub(super) fn encode(settings: Option<&PcpSettings>) -> Value {
    settings.map_or(Value::Null, |settings| {
        json!({
            "nat_pmp": settings.nat_pmp,
            "third_party": settings.third_party,
            "min_lifetime_seconds": settings.min_lifetime,
            "max_lifetime_seconds": settings.max_lifetime,
        })
    })
}

pub(super) const fn code(error: &PcpError) -> Code {
    match error {
        PcpError::Dependent => Code::Conflict,
        PcpError::Lifetime { .. } => Code::Range,
    }
}
