//! Where programs are.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Where Debian puts servers, which is not on everybody's `PATH`.
const SYSTEM_DIRECTORIES: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Returns the path of one of this workspace's programs, as built beside the running program or test.
///
/// # Errors
/// When it is not built, and how to build it.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    // Tests run from `deps` in the directory where programs are.
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let mut places = own.ancestors().skip(1).take(2).map(|directory| directory.join(name));
    places
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not built beside {}: `cargo build --workspace`", own.display()))
}

/// Returns the path of an installed program.
///
/// # Errors
/// When it is not installed.
pub fn installed(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = SYSTEM_DIRECTORIES.map(PathBuf::from);
    let mut places = std::env::split_paths(&path).chain(system).map(|directory| directory.join(name));
    places
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not installed: `scripts/install` says what to install"))
}

/// Returns the path of a program in a Debian package that cannot be installed beside another one, and was unpacked below
/// the workspace instead.
///
/// # Errors
/// When it is not there.
pub fn unpacked(package: &str, path: &str) -> anyhow::Result<PathBuf> {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the lab has no workspace")?;
    let program = workspace.join(".tools/debian").join(package).join(path);
    let found = program.is_file().then(|| program.clone());
    found.with_context(|| format!("there is no {}: `scripts/install test` puts it there", program.display()))
}
