//! The `pinhole` program: the controller's command line.

mod audit;
mod cli;
mod secret_file;
mod serve;
mod settings;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use pinhole::{http, telemetry};

use crate::settings::{Arguments, AuditCommand, Command, KeyCommand};

/// The environment variable with the log's filter, in the syntax of `RUST_LOG`.
const FILTER_VARIABLE: &str = "PINHOLE_LOG";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments) {
        Ok(code) => code,
        Err(error) => {
            // There is nothing left to do when even that fails.
            let _ = writeln!(std::io::stderr().lock(), "pinhole: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(arguments.log_format, std::env::var(FILTER_VARIABLE).ok().as_deref())?;
    match arguments.command {
        Command::Openapi => print(&http::openapi_json())?,
        Command::Migrate(database) => runtime()?.block_on(serve::migrate(&database))?,
        Command::Audit(AuditCommand::Verify(settings)) => runtime()?.block_on(audit::verify(&settings))?,
        Command::Client(command) => return runtime()?.block_on(cli::run(&command)),
        Command::Keys(KeyCommand::Rotate(settings)) => runtime()?.block_on(serve::rotate_keys(&settings))?,
        Command::Serve(settings) => {
            pinhole_gateway::raise_open_files_limit();
            runtime()?.block_on(serve::run(&settings))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// An error with its causes, in one line. Some errors tell their cause themselves; it is not told twice.
fn describe(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string().replace('\n', " ");
        match text.as_str() {
            "" => cause,
            told if told.ends_with(&cause) => text,
            told => format!("{told}: {cause}"),
        }
    })
}

/// Writes to standard output, which other programs read.
fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::describe;

    #[test]
    fn causes_are_told_once() {
        let cause = std::io::Error::other("no\nroom");
        let text = format!("cannot write: {}", "no room");
        let error = Err::<(), _>(cause).context(text).context("no login").unwrap_err();
        assert_eq!(describe(&error), "no login: cannot write: no room");
    }
}
