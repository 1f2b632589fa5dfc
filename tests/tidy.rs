//! The rules of this repository that no compiler holds; ARCHITECTURE.md says why they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each part of the controller, and the parts that it may name. `main`, `lib` and what starts the program join them
/// all.
const LAYERS: [(&str, &[&str]); 16] = [
    ("ids", &[]),
    ("clock", &[]),
    ("origin", &[]),
    ("domain", &["ids", "clock"]),
    ("error", &["ids", "domain"]),
    ("access", &["ids", "clock", "error", "domain"]),
    ("store", &["ids", "clock", "origin", "error", "domain", "access"]),
    ("desired", &["ids", "domain"]),
    ("import", &["domain", "desired"]),
    ("compiler", &["ids", "clock", "error", "domain"]),
    ("push", &["ids", "clock", "error", "domain", "access", "store", "compiler"]),
    ("oidc", &["clock", "error", "domain", "access", "tls"]),
    ("app", &["ids", "clock", "error", "domain", "access", "store", "compiler", "push", "oidc"]),
    ("http", &["ids", "clock", "origin", "error", "domain", "access", "store", "oidc", "app"]),
    ("telemetry", &[]),
    ("tls", &[]),
];

/// Where siblings are blind to each other, and the modules that are for all of them.
const BLIND: [(&str, &[&str]); 3] = [
    ("store", &["tx", "once", "error", "objects"]),
    ("app", &["scope", "objects", "permissions", "references", "compilation"]),
    ("http::v1", &["objects"]),
];

/// Siblings that see each other all the same. The list may shrink.
const SIGHTED: [(&str, &str, &str); 7] = [
    ("store::users", "tenants", "a user is found with its tenant"),
    ("app::objects", "alg_policies", "every kind is saved in one way, under rules of its own"),
    ("app::objects", "services", "every kind is saved in one way, under rules of its own"),
    ("app::embedded", "bootstrap", "its appliance is one of the first objects of an installation"),
    ("app::tenants", "bootstrap", "a new tenant starts with what the first one starts with"),
    ("http::v1::alg_policies", "master_profiles", "attaching a policy answers the profile"),
    ("http::v1::alg_policies", "sub_profiles", "attaching a policy answers the profile"),
];

/// What the engine, the domain and the compiler do without, so that they stay functions of what they are given.
const IMPURE: [&str; 12] = [
    "tokio::",
    "tonic::",
    "axum::",
    "sqlx::",
    "reqwest::",
    "nix::",
    "libc::",
    "std::fs",
    "std::io",
    "std::thread",
    "std::process",
    "std::env",
];
/// Where that is so.
const PURE: [&str; 3] = ["dataplane/src", "src/domain", "src/compiler"];

/// The only files with unsafe code.
const UNSAFE: [&str; 3] =
    ["dataplane/benches/engine/bare.rs", "dataplane/gateway/src/sys.rs", "tests/lab/src/process.rs"];

/// The package whose code is generated, which has lints of its own.
const GENERATED: &str = "dataplane/proto/Cargo.toml";

/// How long a file may be, in lines.
const MAX_LINES: usize = 400;
/// Files that read better in one piece, and why.
const LONG: [(&str, &str); 2] = [
    ("dataplane/gateway/src/supervisor.rs", "one actor: its messages and what it does with them"),
    ("dataplane/gateway/tests/datapath/embedded.rs", "one test after the other"),
];

/// A source file.
struct Source {
    /// Its path from the repository's root.
    path: String,
    text: String,
}

impl Source {
    /// Its lines without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
    }

    /// The path of its module in its crate, for example `store::objects`.
    fn module(&self) -> Vec<String> {
        let path = self.path.split_once("src/").map_or(self.path.as_str(), |(_, path)| path);
        let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        module
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the paths of all files below a directory of the repository.
fn files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        let relative = format!("{directory}/{}", name.to_string_lossy());
        if path.is_dir() {
            // Built things, and what other tools keep.
            if name != "target" && name != "node_modules" && !name.to_string_lossy().starts_with('.') {
                found.extend(files(relative.trim_start_matches("./")));
            }
        } else {
            found.push(PathBuf::from(relative.trim_start_matches("./")));
        }
    }
    found.sort();
    found
}

/// Returns the Rust sources below a directory.
fn sources(directory: &str) -> Vec<Source> {
    let paths = files(directory).into_iter().filter(|path| path.extension().is_some_and(|is| is == "rs"));
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(root().join(&path)).expect("a source is text"),
        path: path.to_str().expect("paths are text").to_owned(),
    };
    paths.map(read).collect()
}

/// Returns the paths that a source names which begin with a word.
fn paths_from(source: &Source, first: &str) -> Vec<Vec<String>> {
    let code: String = source.code().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(&format!("{first}::")) {
        let before = code[..at].chars().next_back();
        // Not as part of a longer word, nor `super::super` from its middle.
        if before.is_none_or(|letter| !letter.is_alphanumeric() && !"_:".contains(letter)) {
            tree(&code[at..], Vec::new(), &mut paths);
        }
    }
    paths
}

/// Returns the paths that a source names in its own crate, from the crate's root.
fn own_paths(source: &Source) -> Vec<Vec<String>> {
    let own = source.module();
    let mut paths = Vec::new();
    for first in ["crate", "self", "super"] {
        for path in paths_from(source, first) {
            let supers = path.iter().take_while(|word| *word == "super").count();
            let base = if first == "crate" { 0 } else { own.len().saturating_sub(supers) };
            paths.push(own.iter().take(base).chain(path.iter().skip(supers.max(1))).cloned().collect());
        }
    }
    paths
}

/// Reads a path or a `use` tree, adds what it names to `paths`, and returns what follows it.
fn tree<'a>(mut text: &'a str, mut path: Vec<String>, paths: &mut Vec<Vec<String>>) -> &'a str {
    loop {
        text = text.trim_start();
        if let Some(mut group) = text.strip_prefix('{') {
            while !group.trim_start().starts_with('}') && !group.is_empty() {
                group = tree(group, path.clone(), paths).trim_start();
                group = group.strip_prefix(',').unwrap_or(group);
            }
            return group.trim_start().strip_prefix('}').unwrap_or_default();
        }
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        // What is no path ends the group that it is in.
        if end == 0 {
            paths.push(path);
            return text.trim_start_matches(|letter: char| !",}".contains(letter));
        }
        path.push(text[..end].to_owned());
        text = &text[end..];
        let Some(rest) = text.strip_prefix("::") else {
            paths.push(path);
            return text.trim_start_matches(|letter: char| !",}".contains(letter));
        };
        text = rest;
    }
}

/// Fails with every violation at once.
fn report(what: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{what}:\n{}", violations.join("\n"));
}

#[test]
fn a_layer_names_only_lower_ones() {
    let mut violations = Vec::new();
    for source in sources("src") {
        let module = source.module();
        let Some((own, lower)) = module.first().and_then(|own| LAYERS.iter().find(|(layer, _)| layer == own))
        else {
            continue;
        };
        for path in own_paths(&source) {
            let Some(other) = path.first() else { continue };
            let layer = LAYERS.iter().any(|(layer, _)| layer == other)
                || ["settings", "serve"].contains(&other.as_str());
            if layer && other != own && !lower.contains(&other.as_str()) {
                violations.push(format!("{} names {}", source.path, path.join("::")));
            }
        }
    }
    report("layers named from below", &violations);
}

#[test]
fn siblings_are_blind_to_each_other() {
    let mut violations = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources("src") {
        let module = source.module().join("::");
        for (parent, shared) in BLIND {
            let child = |path: &str| {
                let rest = path.strip_prefix(parent)?.strip_prefix("::")?;
                rest.split("::").next().map(str::to_owned)
            };
            let Some(own) = child(&module) else { continue };
            for path in own_paths(&source) {
                let Some(other) = child(&path.join("::")) else { continue };
                let directory = format!("src/{}/{other}", parent.replace("::", "/"));
                let exists =
                    root().join(&directory).is_dir() || root().join(format!("{directory}.rs")).is_file();
                if !exists || other == own || shared.contains(&other.as_str()) {
                    continue;
                }
                let sighted = format!("{parent}::{own}");
                match SIGHTED.iter().position(|(from, to, _)| *from == sighted && *to == other) {
                    Some(index) => drop(used.insert(index)),
                    None => violations.push(format!("{} names {parent}::{other}", source.path)),
                }
            }
        }
    }
    let unused = SIGHTED.iter().enumerate().filter(|(index, _)| !used.contains(index));
    violations.extend(unused.map(|(_, (from, to, _))| format!("{from} no longer sees {to}: strike it out")));
    report("siblings that see each other", &violations);
}

#[test]
fn what_is_pure_does_no_io() {
    let mut violations = Vec::new();
    for source in PURE.into_iter().flat_map(sources) {
        for impure in IMPURE {
            let (first, rest) = impure.split_once("::").expect("it is a path");
            let paths = paths_from(&source, first);
            if paths.iter().any(|path| rest.is_empty() || path.get(1).is_some_and(|second| second == rest)) {
                violations.push(format!("{} names {impure}", source.path));
            }
        }
    }
    report("I/O where there is none", &violations);
}

#[test]
fn only_the_store_has_sql() {
    let mut violations = Vec::new();
    for source in sources("src").iter().filter(|source| !source.path.starts_with("src/store/")) {
        for (line, code) in source.code() {
            let sql = ["sqlx::query", "sqlx::raw_sql", "SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"];
            violations.extend(
                sql.iter()
                    .filter(|sql| code.contains(**sql))
                    .map(|sql| format!("{}:{line} has {sql}", source.path)),
            );
        }
    }
    report("SQL outside the store", &violations);
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut violations = Vec::new();
    let mut long = BTreeSet::new();
    for source in sources(".") {
        if source.text.lines().count() > MAX_LINES {
            long.insert(source.path.clone());
        }
        let tests = source.path.ends_with("tests.rs") || source.path.ends_with("/tests/mod.rs");
        if !tests && !source.text.starts_with("//!") {
            violations.push(format!("{} does not begin with what it is for", source.path));
        }
    }
    let known: BTreeSet<String> = LONG.iter().map(|(path, _)| (*path).to_owned()).collect();
    violations.extend(long.difference(&known).map(|path| format!("{path} has more than {MAX_LINES} lines")));
    violations.extend(known.difference(&long).map(|path| format!("{path} is no longer long: strike it out")));
    report("files", &violations);
}

#[test]
fn words_that_are_not_ours_are_not_used() {
    let mut violations = Vec::new();
    for source in sources(".").iter().filter(|source| source.path != "tests/tidy.rs") {
        for (line, code) in source.code() {
            for (word, instead) in [
                ("fn get_", "a getter is called by what it gets"),
                ("println!(", "programs write to what they are given"),
                ("todo!(", "what is not done is not there"),
                ("unimplemented!(", "what is not done is not there"),
                ("#[allow(", "#[expect(..., reason = ...)]"),
                ("#![allow(", "#![expect(..., reason = ...)]"),
            ] {
                let may_print =
                    ["tests", "benches", "build.rs"].iter().any(|part| source.path.contains(part));
                if code.contains(word) && !(word == "println!(" && may_print) {
                    violations.push(format!("{}:{line} has {word}: {instead}", source.path));
                }
            }
            if code.trim_start().starts_with("unsafe ") && !UNSAFE.contains(&source.path.as_str()) {
                violations.push(format!("{}:{line} is unsafe", source.path));
            }
        }
    }
    report("words", &violations);
}

#[test]
fn every_package_takes_the_workspaces_lints() {
    let manifests =
        files(".").into_iter().filter(|path| path.file_name().is_some_and(|name| name == "Cargo.toml"));
    let mut violations = Vec::new();
    for path in manifests {
        let text = fs::read_to_string(root().join(&path)).expect("a manifest is text");
        if !text.contains("[lints]\nworkspace = true") && path != Path::new(GENERATED) {
            violations.push(path.display().to_string());
        }
    }
    report("packages with lints of their own", &violations);
}

#[test]
fn migrations_are_numbered_once_and_named_by_what_they_do() {
    let mut numbers = BTreeSet::new();
    for path in files("migrations") {
        let name = path.file_name().and_then(|name| name.to_str()).expect("paths are text");
        let (number, rest) = name.split_once('_').unwrap_or_default();
        let four_digits = number.len() == 4 && number.chars().all(|digit| digit.is_ascii_digit());
        assert!(four_digits && numbers.insert(number.to_owned()), "{name} has no number of its own");
        let words = rest.strip_suffix(".sql").unwrap_or_default();
        let named =
            words.contains('_') && words.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        assert!(named, "{name} is not NNNN_verb_noun.sql");
    }
}
