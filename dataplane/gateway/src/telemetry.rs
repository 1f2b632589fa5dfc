//! Where the daemon's log goes: standard error, in lines for people or in JSON for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// The environment variable with the filter, in `tracing`'s syntax.
const FILTER_VARIABLE: &str = "PINHOLE_LOG";
/// What is logged when the variable is not set or makes no sense.
const DEFAULT_FILTER: &str = "info";

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// One readable line per record.
    #[default]
    Text,
    /// One JSON object per record.
    Json,
}

/// Starts logging.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
