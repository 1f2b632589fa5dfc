//! Runs `ip` and `tc`, whose own words reach the operator when they fail.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

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
    let command = || format!("{} {}", program.name(), arguments.join(" "));
    let output = prepare(program)
        .args(arguments)
        .output()
        .map_err(|source| CommandError::Start { command: command(), source })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(CommandError::Failed { command: command(), output: complaint(&output) })
    }
}

/// Runs several commands, one a line, in one process; stops at the first that fails.
pub(crate) fn run_batch(program: Program, lines: &[String]) -> Result<(), CommandError> {
    if lines.is_empty() {
        return Ok(());
    }
    let start = |source| CommandError::Start { command: format!("{} -batch", program.name()), source };
    let mut child = prepare(program)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Where the process has stopped reading, its complaint says more than the broken pipe.
        let _ = stdin.write_all(format!("{}\n", lines.join("\n")).as_bytes());
    }
    let output = child.wait_with_output().map_err(start)?;
    if output.status.success() {
        return Ok(());
    }
    let said = complaint(&output);
    // The complaint ends in "Command failed -:3", the number of the line.
    let failed =
        said.rsplit_once("Command failed -:").and_then(|(_, line)| line.trim().parse::<usize>().ok());
    let line = failed.and_then(|number| lines.get(number.checked_sub(1)?)).or(lines.first());
    let command = format!("{} {}", program.name(), line.map(String::as_str).unwrap_or_default());
    Err(CommandError::Failed { command, output: said })
}

fn prepare(program: Program) -> Command {
    let path = match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => format!("{path}:{SYSTEM_PATHS}"),
        Ok(_) | Err(_) => SYSTEM_PATHS.to_owned(),
    };
    let mut command = Command::new(program.name());
    command.env("PATH", path).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Returns what a failed process said, in one line.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { output.status.to_string() } else { lines.join("; ") }
}
