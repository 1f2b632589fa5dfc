//! To whom events are exported, as a file has it.

use pinhole_dataplane::config::nat::export::ExportDraft;

use crate::config::file::Span;
use crate::config::file::reader::{Reader, Table};

pub(super) fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<ExportDraft<Span>> {
    reader.only_keys(
        table,
        &["name", "format", "to", "events", "queue", "domain", "enterprise", "rotate_bytes", "keep"],
    );
    let name = reader.required_string(table, "name");
    let format = reader.required_string(table, "format");
    let to = reader.required_string(table, "to");
    let before = reader.problem_count();
    let events = reader.optional_strings(table, "events");
    let [queue, domain, enterprise, rotate_bytes, keep] =
        ["queue", "domain", "enterprise", "rotate_bytes", "keep"].map(|key| reader.number(table, key));
    // Values of a wrong type are reported, and must not pass for left out.
    if reader.problem_count() > before {
        return None;
    }
    Some(ExportDraft {
        name: name?,
        format: format?,
        to: to?,
        events,
        queue,
        domain,
        enterprise,
        rotate_bytes,
        keep,
    })
}
