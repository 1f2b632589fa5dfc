//! To whom a gateway's events are exported, as JSON has it.

use pinhole_dataplane::config::nat::export::{
    EventKind, ExportDraft, ExportError, ExportFormat, ExportSettings,
};
use pinhole_dataplane::config::nat::{List, Located};
use serde_json::{Value, json};

use super::{number, texts};
use crate::domain::input::{self, Code, Fields, Report};

/// The most exporters that are read at all; the rules are stricter.
const MAX_READ: usize = 64;

pub(super) fn decode(value: &Value, report: &mut Report) -> Option<Vec<ExportDraft<String>>> {
    input::array(value, MAX_READ, report, |value, report| {
        let mut fields = Fields::open(value, report)?;
        let draft = read(&mut fields, report);
        fields.finish(report);
        draft
    })
}

fn read(fields: &mut Fields<'_>, report: &mut Report) -> Option<ExportDraft<String>> {
    let name = fields.required("name", report, text);
    let format = fields.required("format", report, text);
    let to = fields.required("to", report, text);
    let events = fields.optional("events", report, |value, report| {
        let at = report.pointer().to_owned();
        let items = texts(value, report)?.into_iter().enumerate();
        let items = items.map(|(index, value)| Located { value, at: format!("{at}/{index}") }).collect();
        Some(List { at, items })
    });
    let queue = fields.optional("queue", report, number);
    let domain = fields.nullable("domain", report, number);
    let enterprise = fields.nullable("enterprise", report, number);
    Some(ExportDraft {
        name: name?,
        format: format?,
        to: to?,
        events: events?,
        queue: queue?,
        domain: domain?,
        enterprise: enterprise?,
        rotate_bytes: None,
        keep: None,
    })
}

fn text(value: &Value, report: &mut Report) -> Option<Located<String, String>> {
    let value = input::string(value, report)?.to_owned();
    Some(Located { value, at: report.pointer().to_owned() })
}

/// The fields that [`decode`] reads, every default said.
pub(super) fn encode(export: &ExportSettings) -> Value {
    let (domain, enterprise) = numbers_of(export.format);
    json!({
        "name": export.name,
        "format": export.format.name(),
        "to": export.target.to_string(),
        "events": export.events.iter().map(EventKind::name).collect::<Vec<_>>(),
        "queue": export.queue,
        "domain": domain,
        "enterprise": enterprise,
    })
}

/// The observation domain and the enterprise number of a format that has one.
#[must_use]
pub const fn numbers_of(format: ExportFormat) -> (Option<u32>, Option<u32>) {
    match format {
        ExportFormat::Ipfix { domain } => (Some(domain), None),
        ExportFormat::Syslog { enterprise } => (None, Some(enterprise)),
        ExportFormat::Ndjson => (None, None),
    }
}

pub(super) const fn code(error: &ExportError) -> Code {
    match error {
        ExportError::TooMany(_) => Code::Length,
        ExportError::Name | ExportError::Scheme { .. } | ExportError::Address(_) | ExportError::Path(_) => {
            Code::Format
        }
        ExportError::Repeated(_) => Code::Repeated,
        ExportError::Format(_) | ExportError::Event(_) => Code::UnknownValue,
        ExportError::NoEvent => Code::Required,
        ExportError::Unusable(_) | ExportError::Number { .. } => Code::Range,
        ExportError::Unfit { .. } | ExportError::Useless { .. } => Code::Conflict,
    }
}
