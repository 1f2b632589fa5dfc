//! Runs `ip` and `tc`, whose own words reach the operator when they fail.

use std::process::{Command, Stdio};

/// Where the two programs are when the caller's PATH does not say.
const SYSTEM_PATHS: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// A program of iproute2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Program {
    /// Links, addresses, routes.
    Ip,
    /// Queueing disciplines and filters.
    Tc,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Tc => "tc",
        }
    }
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot run `{command}`: {source} (iproute2 must be installed)")]
    Start {
        /// The whole command.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("`{command}` failed: {output}")]
    Failed {
        /// The whole command.
        command: String,
        /// What it said.
        output: String,
    },
}

/// Runs a command in the calling thread's network namespace and returns what it printed.
pub(crate) fn run(program: Program, arguments: &[&str]) -> Result<String, CommandError> {
    let path = match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => format!("{path}:{SYSTEM_PATHS}"),
        Ok(_) | Err(_) => SYSTEM_PATHS.to_owned(),
    };
    let command = || format!("{} {}", program.name(), arguments.join(" "));
    let output = Command::new(program.name())
        .args(arguments)
        .env("PATH", path)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| CommandError::Start { command: command(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let output = if lines.is_empty() { output.status.to_string() } else { lines.join("; ") };
    Err(CommandError::Failed { command: command(), output })
}
