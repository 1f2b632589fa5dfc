//! To whom events are exported, as a message has it.

use pinhole_dataplane::config::nat::Located;
use pinhole_dataplane::config::nat::export::ExportDraft;
use pinhole_proto::v1;

use super::list;

pub(super) fn read(path: &str, export: &v1::Export) -> ExportDraft<String> {
    let text = |field: &str, value: &str| Located { value: value.to_owned(), at: format!("{path}.{field}") };
    let number = |field: &str, value: u32| Located { value: value.into(), at: format!("{path}.{field}") };
    let given = |field: &str, value: u32| (value != 0).then(|| number(field, value));
    ExportDraft {
        name: text("name", &export.name),
        format: text("format", &export.format),
        to: text("to", &export.to),
        events: (!export.events.is_empty()).then(|| list(&format!("{path}.events"), &export.events)),
        queue: given("queue", export.queue),
        domain: export.domain.map(|domain| number("domain", domain)),
        enterprise: given("enterprise", export.enterprise),
        rotate_bytes: None,
        keep: None,
    }
}
