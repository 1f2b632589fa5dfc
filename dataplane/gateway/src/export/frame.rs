//! Records as they leave: encoded, and cut where a datagram ends.

use tokio::time::Instant;

use crate::export::ipfix;
use crate::export::record::{Record, wall_ms};
use crate::export::text::{self, Sender};
use pinhole_dataplane::config::nat::export::ExportFormat;

/// Bytes that are sent in one piece; empty where its records have no form in the format.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// How many records are done with when it is sent.
    pub(super) records: usize,
}

/// What frames are sent as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// Each is a datagram.
    Datagrams {
        /// The most bytes that reach the collector in one piece.
        most: usize,
    },
    /// One after the other.
    Stream,
}

/// Writes records in a format.
#[derive(Debug)]
pub(super) enum Encoder {
    Ipfix(ipfix::Encoder),
    Syslog(Sender, Framing),
    Ndjson,
}

impl Encoder {
    pub(super) fn new(format: ExportFormat) -> Self {
        match format {
            ExportFormat::Ipfix { domain } => Self::Ipfix(ipfix::Encoder::new(domain)),
            ExportFormat::Syslog { enterprise } => {
                let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
                Self::Syslog(Sender::new(&hostname, std::process::id(), enterprise), Framing::Stream)
            }
            ExportFormat::Ndjson => Self::Ndjson,
        }
    }

    /// Begins with a collector that knows nothing yet.
    pub(super) fn begin(&mut self, framing: Framing) {
        match self {
            Self::Ipfix(encoder) => encoder.begin(framing, Instant::now()),
            Self::Syslog(_, current) => *current = framing,
            Self::Ndjson => {}
        }
    }

    /// Returns when there is something to send without a record.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Ipfix(encoder) => encoder.deadline(),
            Self::Syslog(..) | Self::Ndjson => None,
        }
    }

    /// Writes records, and what is due beside them.
    pub(super) fn encode(&mut self, records: &[Record]) -> Vec<Frame> {
        let each = |write: &dyn Fn(&Record) -> String| {
            let frame = |record| Frame { bytes: write(record).into_bytes(), records: 1 };
            records.iter().map(frame).collect()
        };
        match self {
            Self::Ipfix(encoder) => encoder.encode(records, wall_ms(), Instant::now()),
            Self::Syslog(sender, Framing::Datagrams { .. }) => each(&|record| sender.message(record)),
            Self::Syslog(sender, Framing::Stream) => each(&|record| text::counted(&sender.message(record))),
            Self::Ndjson => each(&text::json_line),
        }
    }
}
