//! Finds Postgres's server programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PostgresError;

/// Where Debian and its relatives put each major version's programs, as `<version>/bin`.
const PACKAGED: &str = "/usr/lib/postgresql";
/// What has to lie together.
const PROGRAMS: [&str; 2] = ["initdb", "postgres"];

/// The server programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The directory that they lie in.
    pub(super) directory: PathBuf,
    /// Their major version.
    pub(super) major: u32,
}

/// Finds what is installed, newest first; of one version, packaged ones before those on PATH.
pub(super) fn installed() -> Vec<Binaries> {
    let path = std::env::var_os("PATH");
    search(Path::new(PACKAGED), path.as_deref())
}

fn search(packaged: &Path, path: Option<&OsStr>) -> Vec<Binaries> {
    let versions = std::fs::read_dir(packaged).into_iter().flatten().flatten();
    let packaged = versions.map(|entry| entry.path().join("bin"));
    let on_path = path.map(std::env::split_paths).into_iter().flatten();
    let mut found: Vec<Binaries> = packaged
        .chain(on_path)
        .filter(|directory| directory.is_absolute())
        .filter(|directory| PROGRAMS.iter().all(|program| directory.join(program).is_file()))
        .filter_map(|directory| Some(Binaries { major: major_of(&directory)?, directory }))
        .collect();
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    found
}

/// Chooses the newest, or those that understand data that `data_version` made.
pub(super) fn choose(
    installed: &[Binaries],
    data: &Path,
    data_version: Option<u32>,
) -> Result<Binaries, PostgresError> {
    let newest = installed.first().ok_or(PostgresError::NotInstalled)?;
    let Some(wanted) = data_version else { return Ok(newest.clone()) };
    installed.iter().find(|binaries| binaries.major == wanted).cloned().ok_or_else(|| {
        let mut majors: Vec<String> = installed.iter().map(|binaries| binaries.major.to_string()).collect();
        majors.dedup();
        PostgresError::WrongVersion { directory: data.to_owned(), wanted, installed: majors.join(" and ") }
    })
}

/// Asks a directory's server for its version.
fn major_of(directory: &Path) -> Option<u32> {
    let output = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
    parse_version(std::str::from_utf8(&output.stdout).ok()?)
}

/// Reads the major version from, for example, `postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)`.
fn parse_version(text: &str) -> Option<u32> {
    let version = text.trim().strip_prefix("postgres (PostgreSQL) ")?;
    // A beta is `18beta1`.
    let end = version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 9", Some(9)),
            ("postgres (PostgreSQL) ", None),
            ("postgres (PostgreSQL) 99999999999", None),
            ("something else", None),
        ] {
            assert_eq!(parse_version(text), expected, "{text}");
        }
    }

    #[test]
    fn data_take_their_own_version_and_new_data_the_newest() {
        let of = |major| Binaries { directory: PathBuf::from(format!("/{major}")), major };
        let installed = [of(17), of(9)];
        let data = Path::new("/data");
        assert_eq!(choose(&installed, data, None).unwrap().major, 17);
        assert_eq!(choose(&installed, data, Some(9)).unwrap().major, 9);
        let wrong = choose(&installed, data, Some(15)).unwrap_err().to_string();
        assert!(wrong.contains("by Postgres 15, and only 17 and 9 is installed"), "{wrong}");
        assert!(wrong.contains("postgresql-15"), "{wrong}");
        let none = choose(&[], data, None).unwrap_err().to_string();
        assert!(none.contains("install the package postgresql"), "{none}");
    }

    #[test]
    fn a_directory_counts_only_with_all_programs() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("9").join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let server = bin.join("postgres");
        std::fs::write(&server, "#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.1'\n").unwrap();
        std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(search(root.path(), None), []);
        std::fs::write(bin.join("initdb"), "").unwrap();
        let expected = Binaries { directory: bin.clone(), major: 9 };
        assert_eq!(search(root.path(), None), std::slice::from_ref(&expected));
        let path = std::env::join_paths([Path::new("relative"), bin.as_path()]).unwrap();
        assert_eq!(search(Path::new("/nonexistent"), Some(&path)), [expected]);
    }
}
