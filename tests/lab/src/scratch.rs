//! A directory that is gone in the end, also when its holder is killed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use nix::unistd::mkdtemp;

/// Waits for the end of its input, which comes with the end of the holder, whatever signal that got. What is being
/// killed at the same time may still write, so it tries twice.
const KEEPER: &str = r#"trap "" HUP INT TERM; cat; rm -rf -- "$0" || { sleep 1; rm -rf -- "$0"; }"#;

/// A directory that everybody may enter and only its maker may change.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keeper: Child,
}

impl Scratch {
    /// Makes one where temporary files go.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    /// Makes one below a directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn below(directory: &Path) -> anyhow::Result<Self> {
        let make = || {
            let path = mkdtemp(&directory.join("pinhole-XXXXXX"))?;
            let mut keeper = Command::new("sh");
            keeper.args(["-c", KEEPER]).arg(&path);
            // With no output of the holder's, so that nobody waits for the keeper who waits for that.
            keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
            let scratch = Self { keeper: keeper.spawn()?, path };
            fs::set_permissions(&scratch.path, Permissions::from_mode(0o755))?;
            anyhow::Ok(scratch)
        };
        make().with_context(|| format!("cannot make a directory below {}", directory.display()))
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // It is this process's child, and nobody else waits for it.
        let _ = self.keeper.wait();
    }
}
