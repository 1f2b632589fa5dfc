//! `pinhole import`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use pinhole::import::{self, System};

use crate::print;

/// The most bytes that are read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct ImportSettings {
    /// What the file is of.
    #[arg(value_enum)]
    system: Source,
    /// The configuration: `nft list ruleset`, FortiOS `show system session-helper`, Junos `show configuration`.
    file: PathBuf,
    /// What the policy is to be called.
    #[arg(long, default_value = "imported")]
    name: String,
}

/// The systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Source {
    /// Linux nftables.
    Nftables,
    /// Fortinet FortiOS.
    Fortios,
    /// Juniper Junos, in braces or as `set` commands.
    Junos,
}

/// Prints a proposal, and what it leaves out.
pub(super) fn import(settings: &ImportSettings) -> anyhow::Result<()> {
    let shown = settings.file.display();
    let mut bytes = Vec::new();
    let file = File::open(&settings.file).with_context(|| format!("cannot read {shown}"))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
    anyhow::ensure!(u64::try_from(bytes.len())? <= MAX_BYTES, "{shown} is longer than {MAX_BYTES} bytes");
    let system = match settings.system {
        Source::Nftables => System::Nftables,
        Source::Fortios => System::Fortios,
        Source::Junos => System::Junos,
    };
    let proposal = import::read(system, &String::from_utf8_lossy(&bytes), &settings.name)
        .map_err(|detail| anyhow::anyhow!("{shown}: {detail}"))?;
    let mut stderr = std::io::stderr().lock();
    for skipped in &proposal.skipped {
        writeln!(stderr, "{shown}:{}: {}: {}", skipped.line, skipped.reason, skipped.text)?;
    }
    print(&serde_yaml_ng::to_string(&proposal.document)?)?;
    Ok(())
}
