//! The formats that are text: syslog (RFC 5424) and NDJSON.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};

use crate::export::fields::{self, Value};
use crate::export::record::{Record, What};

/// Facility local0 (RFC 5424, section 6.2.1).
const FACILITY: u8 = 16;
/// The name of this program in messages.
const APP_NAME: &str = "pinhole-gateway";
/// The longest name of a host (RFC 5424, section 6).
const MAX_HOSTNAME: usize = 255;

/// Who sends syslog messages.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    hostname: String,
    process: u32,
    enterprise: u32,
}

/// How important a message is (RFC 5424, section 6.2.1).
#[derive(Clone, Copy)]
enum Severity {
    Warning = 4,
    Informational = 6,
}

impl Sender {
    /// Describes this process on this host; a name that cannot stand in a message is left out.
    pub(super) fn new(hostname: &str, process: u32, enterprise: u32) -> Self {
        let fits = |name: &&str| {
            (1..=MAX_HOSTNAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let hostname = Some(hostname.trim()).filter(fits).unwrap_or("-").to_owned();
        Self { hostname, process, enterprise }
    }

    /// Returns the message of a record (RFC 5424, section 6): all of it is structured data, and there is no free text.
    pub(super) fn message(&self, record: &Record) -> String {
        let severity = match record.what {
            What::LimitReached(_) | What::RecordsLost(_) => Severity::Warning,
            What::SessionOpened(_)
            | What::SessionEnded { .. }
            | What::BlockAllocated(_)
            | What::BlockReleased(_)
            | What::PinholeOpened(_)
            | What::PinholeClosed { .. }
            | What::MappingOpened(_)
            | What::MappingClosed { .. } => Severity::Informational,
        };
        let mut message = format!(
            "<{}>1 {} {} {APP_NAME} {} {} [nat@{}",
            FACILITY * 8 + severity as u8,
            timestamp(record.at_ms),
            self.hostname,
            self.process,
            record.what.name(),
            self.enterprise,
        );
        // Writing to a string cannot fail.
        for (name, value) in fields::of(record) {
            let _ = match value {
                Value::Text(text) => write!(message, " {name}=\"{}\"", escaped(&text)),
                Value::Number(number) => write!(message, " {name}=\"{number}\""),
            };
        }
        message.push(']');
        message
    }
}

/// Escapes what must not stand in a value of structured data (RFC 5424, section 6.3.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Returns a message in a stream of them: its length, a space and itself (RFC 6587, section 3.4.1).
pub(super) fn counted(message: &str) -> String {
    format!("{} {message}", message.len())
}

/// Returns a record as a line of JSON.
pub(super) fn json_line(record: &Record) -> String {
    let mut line = format!("{{\"at\":\"{}\",\"event\":\"{}\"", timestamp(record.at_ms), record.what.name());
    for (name, value) in fields::of(record) {
        let _ = match value {
            Value::Text(text) => write!(line, ",\"{name}\":{}", serde_json::Value::from(text)),
            Value::Number(number) => write!(line, ",\"{name}\":{number}"),
        };
    }
    line.push_str("}\n");
    line
}

/// Returns a time as RFC 3339 has it, in UTC and with milliseconds.
fn timestamp(at_ms: u64) -> String {
    let time = i64::try_from(at_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
