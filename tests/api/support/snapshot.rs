//! Golden files: the difference is the review.

use std::fs;
use std::path::Path;

/// Set to rewrite golden files with what the program makes now.
const UPDATE: &str = "UPDATE_SNAPSHOTS";

/// Compares a text with a committed file, named from the package's root.
#[track_caller]
pub(crate) fn compare(file: &str, current: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, current).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if committed != current {
        let differs = committed.lines().zip(current.lines()).position(|(old, new)| old != new);
        let line = differs.unwrap_or_else(|| committed.lines().count().min(current.lines().count()));
        panic!(
            "{file} is not current from line {} on; set {UPDATE}=1 to write it anew\n committed: {}\n   current: {}",
            line + 1,
            committed.lines().nth(line).unwrap_or("(end)"),
            current.lines().nth(line).unwrap_or("(end)"),
        );
    }
}
