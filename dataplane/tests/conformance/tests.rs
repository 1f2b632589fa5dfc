//! The tests that there are, found in the sources.

use std::path::{Path, PathBuf};

/// A test.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
}

/// Returns the tests below these directories, by name.
pub(crate) fn all(root: &Path, directories: &[&str]) -> Vec<Test> {
    let mut found = Vec::new();
    for path in directories.iter().flat_map(|directory| sources(&root.join(directory))) {
        let text = std::fs::read_to_string(&path).expect("a source is text");
        found.extend(names(&text));
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|name| Test { name }).collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "target" {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|is| is == "rs") {
            found.push(path);
        }
    }
    found
}

/// Returns the functions that `#[test]` or its like stands before, with attributes and comments between them or not.
fn names(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut test, mut ignored) = (false, false);
    for line in text.lines().map(str::trim_start) {
        if let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ") {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            if test && !ignored {
                found.push(name.to_owned());
            }
            (test, ignored) = (false, false);
        } else {
            test |= line == "#[test]" || line.starts_with("#[tokio::test");
            ignored |= test && line.starts_with("#[ignore");
        }
    }
    found
}

#[test]
fn tests_are_told_from_other_functions() {
    let text = "#[test]\nfn one() {\n fn helper(a: u8) {}\n}\n    #[test]\n    // why\n    fn two(a in b) {}\n\
                #[test]\n#[ignore = \"x\"]\nfn three() {}\nfn four() {}\n\
                #[tokio::test(flavor = \"x\")]\nasync fn five() {}\n";
    assert_eq!(names(text), ["one", "two", "five"]);
}
