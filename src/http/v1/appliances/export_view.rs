//! How exporters, and mappings that inside hosts ask for, look in bodies and answers.

use pinhole_dataplane::config::nat::export::{EventKind, ExportFormat, ExportSettings};
use pinhole_dataplane::config::nat::pcp::PcpSettings;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::nat::export::numbers_of;

/// A collector that the gateway sends events to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportSettings)]
pub(super) struct Export {
    /// What counters and logs of the gateway call it.
    #[schema(example = "collector")]
    name: String,
    format: Format,
    /// `udp://` or `tcp://` with an address and port.
    #[schema(example = "udp://192.0.2.9:4739")]
    to: String,
    events: Vec<Kind>,
    /// Records that may wait to be sent; further ones are dropped and counted.
    #[schema(example = 16384)]
    queue: u32,
    /// IPFIX: the observation domain; else `null`.
    #[schema(required = true, example = 1)]
    domain: Option<u32>,
    /// Syslog: whose the names of the structured data are (an enterprise number of IANA's); else `null`.
    #[schema(required = true, example = json!(null))]
    enterprise: Option<u32>,
}

/// How records are written.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ExportFormat)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// RFC 7011 with the information elements of RFC 8158.
    Ipfix,
    /// RFC 5424 with structured data.
    Syslog,
    /// A JSON object in each line; over TCP.
    Ndjson,
}

/// A kind of event.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ExportedEvents)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Sessions that open and end: as many as there are.
    Sessions,
    /// Blocks of ports that are given to subscribers and come back.
    Blocks,
    /// What ALGs open, and mappings that inside hosts asked for.
    Pinholes,
    /// Limits that subscribers reach.
    Quota,
}

/// Inside hosts ask for mappings of their own (RFC 6887), within the limits of a subscriber.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PcpSettings)]
pub(super) struct Pcp {
    /// Clients of NAT-PMP (RFC 6886) are served as well.
    #[schema(example = true)]
    nat_pmp: bool,
    /// A host may ask for another one's mappings.
    #[schema(example = false)]
    third_party: bool,
    /// No mapping is given for a shorter time.
    #[schema(example = 120)]
    min_lifetime_seconds: u32,
    /// Nor for a longer one.
    #[schema(example = 86400)]
    max_lifetime_seconds: u32,
}

impl From<&ExportSettings> for Export {
    fn from(export: &ExportSettings) -> Self {
        let (domain, enterprise) = numbers_of(export.format);
        Self {
            name: export.name.clone(),
            format: match export.format {
                ExportFormat::Ipfix { .. } => Format::Ipfix,
                ExportFormat::Syslog { .. } => Format::Syslog,
                ExportFormat::Ndjson => Format::Ndjson,
            },
            to: export.target.to_string(),
            events: export.events.iter().map(Kind::from).collect(),
            queue: export.queue,
            domain,
            enterprise,
        }
    }
}

impl From<EventKind> for Kind {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Sessions => Self::Sessions,
            EventKind::Blocks => Self::Blocks,
            EventKind::Pinholes => Self::Pinholes,
            EventKind::Quota => Self::Quota,
        }
    }
}

impl From<&PcpSettings> for Pcp {
    fn from(pcp: &PcpSettings) -> Self {
        Self {
            nat_pmp: pcp.nat_pmp,
            third_party: pcp.third_party,
            min_lifetime_seconds: pcp.min_lifetime,
            max_lifetime_seconds: pcp.max_lifetime,
        }
    }
}

/// A collector that the gateway is to send events to.
#[derive(Debug, ToSchema)]
#[schema(as = ExportSettingsInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(super) struct ExportInput {
    /// Printable ASCII without spaces, and no other exporter's.
    #[schema(min_length = 1, max_length = 63, pattern = "^[!-~]+$", example = "collector")]
    name: String,
    format: Format,
    /// `udp://` (ipfix, syslog) or `tcp://` with an address and port, which is not of the gateway's own host.
    #[schema(example = "udp://192.0.2.9:4739")]
    to: String,
    /// All but `sessions` if left out.
    #[schema(nullable = false, min_items = 1)]
    events: Option<Vec<Kind>>,
    /// Records that may wait to be sent; 16,384 if left out.
    #[schema(nullable = false, minimum = 1, maximum = 1048576, example = 16384)]
    queue: Option<u32>,
    /// Only with `ipfix`: the observation domain; 1 if left out.
    #[schema(example = 1)]
    domain: Option<u32>,
    /// Only with `syslog`: whose the names of the structured data are; 32473 if left out.
    #[schema(minimum = 1, example = json!(null))]
    enterprise: Option<u32>,
}

/// Inside hosts are to ask for mappings of their own.
#[derive(Debug, ToSchema)]
#[schema(as = PcpSettingsInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(super) struct PcpInput {
    /// Clients of NAT-PMP (RFC 6886) are served as well; so it is if left out.
    #[schema(nullable = false, example = true)]
    nat_pmp: Option<bool>,
    /// A host may ask for another one's mappings; it may not if left out.
    #[schema(nullable = false, example = false)]
    third_party: Option<bool>,
    /// No mapping is given for a shorter time; 120 if left out.
    #[schema(nullable = false, minimum = 1, maximum = 604800, example = 120)]
    min_lifetime_seconds: Option<u32>,
    /// Nor for a longer one; 86,400 if left out.
    #[schema(nullable = false, minimum = 1, maximum = 604800, example = 86400)]
    max_lifetime_seconds: Option<u32>,
}
