//! Whom Postgres runs as: this program's user, but never root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use nix::unistd::{User, geteuid};
use tokio::process::Command;

use super::error::PostgresError;

/// The user that Debian's package makes.
const PACKAGED_USER: &str = "postgres";
/// Search permission of a directory's owner, group and others.
const SEARCH: (u32, u32, u32) = (0o100, 0o010, 0o001);

/// The user that owns the cluster.
#[derive(Debug, Clone)]
pub(super) enum Owner {
    /// This program's.
    Oneself,
    /// Another one, since this program's is root.
    Other(Box<User>),
}

impl Owner {
    /// Finds out.
    pub(super) fn determine() -> Result<Self, PostgresError> {
        if !geteuid().is_root() {
            return Ok(Self::Oneself);
        }
        match User::from_name(PACKAGED_USER) {
            Ok(Some(user)) => Ok(Self::Other(Box::new(user))),
            Ok(None) | Err(_) => Err(PostgresError::NoUser),
        }
    }

    /// Makes a directory that only the owner may enter, or checks that it is the owner's.
    pub(super) fn prepare(&self, directory: &Path) -> Result<(), PostgresError> {
        fs::create_dir_all(directory).map_err(|source| PostgresError::file("make", directory, source))?;
        if let Self::Other(user) = self {
            let given = chown(directory, Some(user.uid.as_raw()), Some(user.gid.as_raw()));
            given.map_err(|source| {
                // EINVAL of chown(2): there is no such user in this user namespace.
                if source.kind() == std::io::ErrorKind::InvalidInput {
                    PostgresError::NoUserHere
                } else {
                    PostgresError::file("give away", directory, source)
                }
            })?;
        }
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
            .map_err(|source| PostgresError::file("protect", directory, source))?;
        self.check_passage(directory)
    }

    /// Checks that the owner may pass through each directory on the way.
    fn check_passage(&self, directory: &Path) -> Result<(), PostgresError> {
        let Self::Other(user) = self else { return Ok(()) };
        for ancestor in directory.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()) {
            let metadata =
                fs::metadata(ancestor).map_err(|source| PostgresError::file("look at", ancestor, source))?;
            let wanted = match (metadata.uid() == user.uid.as_raw(), metadata.gid() == user.gid.as_raw()) {
                (true, _) => SEARCH.0,
                (false, true) => SEARCH.1,
                (false, false) => SEARCH.2,
            };
            if metadata.mode() & wanted == 0 {
                return Err(PostgresError::NoPassage {
                    user: user.name.clone(),
                    directory: ancestor.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// A command that runs as the owner, in an empty environment and a process group of its own, so that a
    /// terminal's Ctrl-C is this program's to handle. It is sent `death_signal` should this thread end.
    ///
    /// Through util-linux's `setpriv`, since a change of user clears the parent-death signal, so that it has to
    /// be set by the process itself after that.
    pub(super) fn command(&self, program: &Path, death_signal: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", death_signal]);
        if let Self::Other(user) = self {
            command
                .arg(format!("--reuid={}", user.uid))
                .arg(format!("--regid={}", user.gid))
                .arg("--clear-groups");
        }
        command.arg(program).current_dir("/").process_group(0).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }
}
