//! What can be wrong with an exporter.

use std::net::IpAddr;

use super::{EventKind, MAX_EXPORT_NAME, MAX_EXPORTS, Trust};

/// What can be wrong with an exporter, in one sentence for the administrator. Texts are cut.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExportError {
    /// More exporters than a gateway has.
    #[error("{0} exporters, at most {MAX_EXPORTS} are allowed")]
    TooMany(usize),
    /// A name that is none.
    #[error("an exporter's name has 1 to {MAX_EXPORT_NAME} printable characters and no space")]
    Name,
    /// A name twice.
    #[error("the exporter \"{0}\" is listed twice")]
    Repeated(String),
    /// A format that there is not.
    #[error("\"{0}\" is not one of ipfix, syslog, ndjson")]
    Format(String),
    /// A kind of event that there is not.
    #[error("\"{0}\" is not one of {known}", known = EventKind::KNOWN)]
    Event(String),
    /// No kind of event at all.
    #[error("events is empty")]
    NoEvent,
    /// A target of no known kind.
    #[error("\"{text}\" does not begin with {}", .trust.schemes())]
    Scheme {
        /// The target.
        text: String,
        /// Whose word it is.
        trust: Trust,
    },
    /// A target without an address and port.
    #[error("\"{0}\" names no address and port such as 192.0.2.9:4739")]
    Address(String),
    /// An address that is nobody's to collect at.
    #[error("{0} is no collector's address")]
    Unusable(IpAddr),
    /// A target without a file's whole path.
    #[error("\"{0}\" names no file by its whole path")]
    Path(String),
    /// A format that cannot be sent to such a target.
    #[error("{format} cannot be sent to \"{to}\", but to {wanted}")]
    Unfit {
        /// The format.
        format: &'static str,
        /// The target.
        to: String,
        /// What targets it can be sent to.
        wanted: &'static str,
    },
    /// A setting that says nothing here.
    #[error("{field} is of no use with {with}")]
    Useless {
        /// The setting.
        field: &'static str,
        /// Why not.
        with: &'static str,
    },
    /// A number out of its range.
    #[error("{given} is out of range: {field} is {least} to {most}")]
    Number {
        /// Which.
        field: &'static str,
        /// What it is.
        given: i64,
        /// The least that it may be.
        least: i64,
        /// The most.
        most: i64,
    },
}
