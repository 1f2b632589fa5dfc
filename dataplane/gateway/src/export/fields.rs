//! A record as names and values, for the formats that are text.

use crate::export::record::{Binding, Block, Flow, Record, What, realm_name};

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value {
    /// Printable ASCII.
    Text(String),
    /// A number.
    Number(u64),
}

/// Names and values in their order.
pub(super) type Fields = Vec<(&'static str, Value)>;

fn text(value: impl ToString) -> Value {
    Value::Text(value.to_string())
}

/// Returns everything of a record but its time and name.
pub(super) fn of(record: &Record) -> Fields {
    match record.what {
        What::SessionOpened(flow) => of_flow(&flow),
        What::SessionEnded { flow, packets_out, packets_in, reason } => {
            let mut fields = of_flow(&flow);
            fields.push(("packets_out", Value::Number(packets_out)));
            fields.push(("packets_in", Value::Number(packets_in)));
            ended(fields, reason.name())
        }
        What::BlockAllocated(block) | What::BlockReleased(block) => of_block(&block),
        What::PinholeOpened(binding) => of_binding("pinhole_id", &binding),
        What::MappingOpened(binding) => of_binding("mapping_id", &binding),
        What::PinholeClosed { binding, reason } => ended(of_binding("pinhole_id", &binding), reason),
        What::MappingClosed { binding, reason } => ended(of_binding("mapping_id", &binding), reason),
        What::LimitReached(reached) => {
            let mut fields = vec![
                ("limit", text(reached.scarce.name())),
                ("subscriber", text(reached.subscriber)),
                ("protocol", text(reached.protocol.name())),
            ];
            fields.extend(reached.scarce.most().map(|most| ("most", Value::Number(most.into()))));
            fields.extend(reached.scarce.outside().map(|outside| ("outside", text(outside))));
            fields
        }
        What::RecordsLost(count) => vec![("count", Value::Number(count))],
    }
}

fn of_flow(flow: &Flow) -> Fields {
    vec![
        ("protocol", text(flow.protocol.name())),
        ("inside", text(flow.inside)),
        ("outside", text(flow.outside)),
        ("remote", text(flow.remote)),
        ("originator", text(realm_name(flow.originator))),
    ]
}

fn of_block(block: &Block) -> Fields {
    vec![
        ("subscriber", text(block.subscriber)),
        ("outside", text(block.outside)),
        ("first_port", Value::Number(block.first.into())),
        ("last_port", Value::Number(block.last.into())),
    ]
}

fn ended(mut fields: Fields, reason: &str) -> Fields {
    fields.push(("reason", text(reason)));
    fields
}

fn of_binding(id: &'static str, binding: &Binding) -> Fields {
    vec![
        (id, Value::Number(binding.id)),
        ("origin", text(binding.origin)),
        ("protocol", text(binding.protocol.name())),
        ("inside", text(binding.inside)),
        ("outside", text(binding.outside)),
        ("peer", text(binding.peer)),
    ]
}
