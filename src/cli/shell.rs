//! Completion scripts and manual pages, made from what the program itself knows of its arguments.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::print;
use crate::settings::Arguments;

#[derive(Debug, Args)]
pub(crate) struct CompletionSettings {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManSettings {
    /// The directory to write them to, for example /usr/local/share/man/man1.
    directory: PathBuf,
}

/// Prints a completion script.
pub(super) fn completion(settings: &CompletionSettings) -> anyhow::Result<()> {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(settings.shell, &mut command, "pinhole", &mut script);
    Ok(print(&String::from_utf8(script)?)?)
}

/// Writes a manual page for each command.
pub(super) fn man(settings: &ManSettings) -> anyhow::Result<()> {
    let directory = &settings.directory;
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    clap_mangen::generate_to(Arguments::command(), directory)
        .with_context(|| format!("cannot write to {}", directory.display()))
}
