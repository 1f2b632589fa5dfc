//! Limits of this process.

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Below this many open files a gateway may run out of them.
const WANTED_OPEN_FILES: u64 = 4096;

/// Raises this process's limit on open files as far as it may, and says so when that is too little.
pub fn raise_open_files_limit() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let reached =
        if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    if reached != libc::RLIM_INFINITY && reached < WANTED_OPEN_FILES {
        tracing::warn!(limit = reached, wanted = WANTED_OPEN_FILES, "the limit on open files is low");
    }
}
