//! To whom a gateway exports its events, and which.

mod check;
mod error;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::check::cut;

pub(super) use check::check;

pub use check::ExportDraft;
pub use error::ExportError;

/// At most this many exporters.
pub const MAX_EXPORTS: usize = 8;
/// The longest name of an exporter in characters.
pub const MAX_EXPORT_NAME: usize = 63;
/// How many records may wait to be sent, unless the configuration says otherwise.
pub const DEFAULT_QUEUE: u32 = 16_384;
/// The most records that may wait to be sent; about 150 MB.
pub const MAX_QUEUE: u32 = 1 << 20;
/// The observation domain, unless the configuration says otherwise.
pub const DEFAULT_DOMAIN: u32 = 1;
/// The enterprise number in structured data, unless the configuration says otherwise: that of documentation (RFC 5612).
pub const DEFAULT_ENTERPRISE: u32 = 32_473;
/// The size at which a file is put aside, unless the configuration says otherwise, in bytes.
pub const DEFAULT_ROTATE_BYTES: u64 = 100 << 20;
/// How many files that were put aside are kept, unless the configuration says otherwise.
pub const DEFAULT_KEEP: u8 = 5;

/// One exporter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExportSettings {
    /// What people call it: printable ASCII without spaces, and no other exporter's.
    pub name: String,
    /// How records are written.
    pub format: ExportFormat,
    /// Where they go; the format can be sent there.
    pub target: ExportTarget,
    /// Which events are exported; never none.
    pub events: EventKinds,
    /// How many records may wait; further ones are dropped and counted.
    pub queue: u32,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExportFormat {
    /// IPFIX (RFC 7011) with the information elements of RFC 8158.
    Ipfix {
        /// The observation domain of every message.
        domain: u32,
    },
    /// Syslog (RFC 5424) with structured data.
    Syslog {
        /// Whose the names of the structured data are.
        enterprise: u32,
    },
    /// A JSON object in each line.
    Ndjson,
}

/// Where records go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExportTarget {
    /// Datagrams to a collector.
    Udp(SocketAddr),
    /// A connection to a collector.
    Tcp(SocketAddr),
    /// A connection to a Unix socket.
    Unix(PathBuf),
    /// A file.
    File {
        /// Where it is.
        path: PathBuf,
        /// The size at which it is put aside, in bytes.
        rotate_bytes: u64,
        /// How many of those are kept.
        keep: u8,
    },
}

impl ExportFormat {
    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipfix { .. } => "ipfix",
            Self::Syslog { .. } => "syslog",
            Self::Ndjson => "ndjson",
        }
    }
}

impl fmt::Display for ExportTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(formatter, "udp://{address}"),
            Self::Tcp(address) => write!(formatter, "tcp://{address}"),
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::File { path, .. } => write!(formatter, "file://{}", path.display()),
        }
    }
}

/// A kind of event that is exported or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// Sessions that open and end: as many as there are.
    Sessions,
    /// Blocks of ports that are given to subscribers and come back.
    Blocks,
    /// Pinholes and explicit mappings that open and close.
    Pinholes,
    /// Limits that subscribers reach.
    Quota,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Sessions, Self::Blocks, Self::Pinholes, Self::Quota];

    const KNOWN: &'static str = "sessions, blocks, pinholes, quota";

    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Blocks => "blocks",
            Self::Pinholes => "pinholes",
            Self::Quota => "quota",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Sessions => 1,
            Self::Blocks => 2,
            Self::Pinholes => 4,
            Self::Quota => 8,
        }
    }
}

impl FromStr for EventKind {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, ExportError> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| ExportError::Event(cut(text)))
    }
}

/// Whose word a configuration is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Trust {
    /// Somebody at the controller, who may send to the network and to nothing on the gateway's host.
    #[default]
    Remote,
    /// The host's administrator, who may have any file written.
    Host,
}

impl Trust {
    const fn schemes(self) -> &'static str {
        match self {
            Self::Remote => "udp:// or tcp://",
            Self::Host => "udp://, tcp://, unix:// or file://",
        }
    }
}

/// A set of kinds of event.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EventKinds(u8);

impl EventKinds {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// What is exported unless the configuration says otherwise: what does not grow with the traffic.
    pub const DEFAULT: Self =
        Self(EventKind::Blocks.bit() | EventKind::Pinholes.bit() | EventKind::Quota.bit());

    /// Returns the set with one kind more.
    #[must_use]
    pub const fn with(self, kind: EventKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Returns what is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a kind is in the set.
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Visits the kinds that are in the set, in their order.
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}
