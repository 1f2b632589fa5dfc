//! Logs: lines for people on a terminal, JSON for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// What is logged when nothing else is asked for.
const DEFAULT_FILTER: &str = "info,sqlx=warn";

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One line of text.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Installs the process's log subscriber, writing to standard error.
///
/// `filter` is in the syntax of `RUST_LOG`; what does not parse in it is ignored.
///
/// # Errors
/// A subscriber is installed already.
pub fn init(format: Format, filter: Option<&str>) -> Result<(), TryInitError> {
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Text => {
            let colours = std::io::stderr().is_terminal();
            let layer = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
        Format::Json => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()
        }
    }
}
