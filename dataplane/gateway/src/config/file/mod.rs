//! The configuration file of a gateway that runs alone.

mod export;
mod ipv6;
mod reader;
mod translation;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use pinhole_dataplane::config::nat::export::Trust;
use pinhole_dataplane::config::nat::pcp::PcpDraft;
use pinhole_dataplane::config::nat::{Located, Mode, NatDraft};
use toml::de::DeTable;

use crate::config::draft::{self, AlgDraft, Draft, ServiceDraft};
use crate::config::file::reader::{Absences, Reader, Table};
use crate::config::{AlgState, Config, HostEcho, parse_alg_name};

/// The largest file that is read.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where something stands in a file: bytes of its text.
type Span = Range<usize>;

/// A problem at a line and column of a file, printed as `line:column: message`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FileProblem {
    /// Counted from 1.
    pub line: usize,
    /// Counted in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("is larger than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    /// It can be read, and these are all its problems, in order.
    #[error("has {} problems, the first at {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Problems(Vec<FileProblem>),
}

/// Reads and checks a configuration file.
pub fn load(path: &Path) -> Result<Config, FileError> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(FileError::TooLarge);
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text).map_err(FileError::Problems),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let (line, column) = position(&String::from_utf8_lossy(valid), valid.len());
            let message = "this is not UTF-8 text".to_owned();
            Err(FileError::Problems(vec![FileProblem { line, column, message }]))
        }
    }
}

/// Parses and checks a configuration file's text; on failure returns every problem in order of appearance.
pub fn parse(text: &str) -> Result<Config, Vec<FileProblem>> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut found: Vec<FileProblem> = syntax
        .iter()
        .map(|error| locate(text, error.span().unwrap_or_default().start, error.message().to_owned()))
        .collect();
    // Behind a syntax error the tree is the parser's guess, and what seems missing may only be unread.
    let readable = found.iter().map(|problem| problem.line).min();
    let absences = if readable.is_none() { Absences::Report } else { Absences::Ignore };
    let mut problems = Vec::new();
    let draft = read_document(&Table::root(document.get_ref()), Reader::new(&mut problems, absences));
    let config = draft::check(draft, &mut problems);
    found.extend(
        problems
            .into_iter()
            .map(|problem| locate(text, problem.at.start, problem.message))
            .filter(|problem| readable.is_none_or(|first_error| problem.line < first_error)),
    );
    found.sort();
    found.dedup();
    match config {
        Some(config) if found.is_empty() => Ok(config),
        Some(_) | None => Err(found),
    }
}

fn locate(text: &str, offset: usize, message: String) -> FileProblem {
    let (line, column) = position(text, offset);
    FileProblem { line, column, message }
}

/// Returns line and column of a byte offset, both counted from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
    let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
    (line, column)
}

fn read_document(root: &Table<'_>, mut reader: Reader<'_>) -> Draft<Span> {
    reader.only_keys(root, &["inside", "outside", "nat", "ipv6", "host", "alg", "export"]);
    let inside = reader.required_strings(root, "inside");
    let outside = reader.required_strings(root, "outside");
    let mut draft = Draft {
        nat: NatDraft {
            inside,
            outside,
            inside_prefixes: None,
            pool: None,
            translation: None,
            pcp: None,
            exports: Vec::new(),
            trust: Trust::Host,
        },
        ipv6: None,
        nat_ports: None,
        host_echo: HostEcho::Answer,
        algs: Vec::new(),
    };
    if let Some(nat) = reader.required_table(root, "nat") {
        reader.only_keys(
            &nat,
            &[&["inside_prefixes", "pool", "ports"], &translation::KEYS[..], &["pcp"]].concat(),
        );
        draft.nat.inside_prefixes = reader.required_strings(&nat, "inside_prefixes");
        let rules = translation::read(&mut reader, &nat);
        draft.nat.pool = match rules.mode {
            Mode::PortTranslation | Mode::OneToOne => reader.required_strings(&nat, "pool"),
            Mode::None => reader.strings(&nat, "pool"),
        };
        draft.nat.translation = Some(rules);
        let at = reader.span_of(&nat, "ports");
        draft.nat_ports = reader.parsed(&nat, "ports").map(|value| Located { value, at });
        draft.nat.pcp = reader.table(&nat, "pcp").map(|table| read_pcp(&mut reader, &table));
    }
    draft.ipv6 = reader.table(root, "ipv6").map(|table| ipv6::read(&mut reader, &table));
    if let Some(host) = reader.table(root, "host") {
        reader.only_keys(&host, &["answer_echo"]);
        draft.host_echo = match reader.boolean(&host, "answer_echo") {
            Some(false) => HostEcho::Ignore,
            Some(true) | None => HostEcho::Answer,
        };
    }
    for alg in reader.tables(root, "alg") {
        draft.algs.extend(read_alg(&mut reader, &alg));
    }
    for table in reader.tables(root, "export") {
        draft.nat.exports.extend(export::read(&mut reader, &table));
    }
    draft
}

fn read_pcp(reader: &mut Reader<'_>, table: &Table<'_>) -> PcpDraft<Span> {
    reader.only_keys(table, &["nat_pmp", "third_party", "min_lifetime_seconds", "max_lifetime_seconds"]);
    PcpDraft {
        at: table.at.clone(),
        nat_pmp: reader.boolean(table, "nat_pmp"),
        third_party: reader.boolean(table, "third_party"),
        min_lifetime: reader.number(table, "min_lifetime_seconds"),
        max_lifetime: reader.number(table, "max_lifetime_seconds"),
    }
}

fn read_alg(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<AlgDraft<Span>> {
    reader.only_keys(table, &["protocol", "enabled", "services"]);
    let name = reader.required_string(table, "protocol");
    let state = reader.boolean(table, "enabled").map_or(AlgState::Enabled, AlgState::from);
    let services_at = reader.span_of(table, "services");
    let services: Vec<ServiceDraft<Span>> =
        reader.tables(table, "services").iter().filter_map(|service| read_service(reader, service)).collect();
    let name = name?;
    match parse_alg_name(&name.value) {
        Ok(value) => {
            Some(AlgDraft { protocol: Located { value, at: name.at }, state, services, services_at })
        }
        Err(error) => {
            reader.report(&name.at, error.to_string());
            None
        }
    }
}

fn read_service(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<ServiceDraft<Span>> {
    reader.only_keys(table, &["name", "protocol", "source_port", "destination_port"]);
    let name = reader.required_string(table, "name");
    let protocol = reader.required_parsed(table, "protocol");
    let before = reader.problem_count();
    let source_ports = reader.parsed(table, "source_port");
    let destination_ports = reader.parsed(table, "destination_port");
    // A port that does not parse is reported already; that it is missing then would be said twice.
    if reader.problem_count() > before {
        return None;
    }
    Some(ServiceDraft {
        at: table.at.clone(),
        name: name?,
        protocol: protocol?,
        source_ports,
        destination_ports,
    })
}

#[cfg(test)]
mod tests;
