//! Reads typed values out of a TOML tree and reports each that is missing, unknown or of a wrong type.

use std::fmt::Display;
use std::str::FromStr;

use pinhole_dataplane::config::nat::{List, Located};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::Problem;
use crate::config::file::Span;

/// A table, where it stands, and what people call it.
pub(super) struct Table<'a> {
    entries: &'a DeTable<'a>,
    pub(super) at: Span,
    name: String,
}

impl<'a> Table<'a> {
    /// The whole document.
    pub(super) fn root(entries: &'a DeTable<'a>) -> Self {
        Self { entries, at: 0..0, name: "the file".to_owned() }
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }
}

/// Collects problems while values are read.
pub(super) struct Reader<'p> {
    problems: &'p mut Vec<Problem<Span>>,
    absences: Absences,
}

/// What to do about keys that are required and not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Absences {
    /// Report them.
    Report,
    /// Say nothing, as not all of the file was readable.
    Ignore,
}

impl<'p> Reader<'p> {
    pub(super) fn new(problems: &'p mut Vec<Problem<Span>>, absences: Absences) -> Self {
        Self { problems, absences }
    }

    pub(super) fn report(&mut self, at: &Span, message: String) {
        self.problems.push(Problem { at: at.clone(), message });
    }

    pub(super) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// Reports every key that is not one of `known`.
    pub(super) fn only_keys(&mut self, table: &Table<'_>, known: &[&str]) {
        for (key, _) in table.entries.iter() {
            if !known.contains(&key.get_ref().as_ref()) {
                let message = format!(
                    "unknown key \"{}\" in {}; known are {}",
                    key.get_ref(),
                    table.name,
                    known.join(", ")
                );
                self.report(&key.span(), message);
            }
        }
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("\"{key}\" is {}, but must be {wanted}", with_article(value.get_ref()));
        self.report(&value.span(), message);
    }

    fn required<'a>(&mut self, table: &Table<'a>, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = table.value(key);
        if value.is_none() && self.absences == Absences::Report {
            self.report(&table.at, format!("{} lacks \"{key}\"", table.name));
        }
        value
    }

    fn as_string(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Located<String, Span>> {
        match value.get_ref().as_str() {
            Some(text) => Some(Located { value: text.to_owned(), at: value.span() }),
            None => {
                self.wrong_type(key, value, "a string");
                None
            }
        }
    }

    pub(super) fn required_string(&mut self, table: &Table<'_>, key: &str) -> Option<Located<String, Span>> {
        let value = self.required(table, key)?;
        self.as_string(key, value)
    }

    /// Reads a list of strings; items of another type are reported and left out.
    pub(super) fn required_strings(&mut self, table: &Table<'_>, key: &str) -> Option<List<Span>> {
        let value = self.required(table, key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of strings");
            return None;
        };
        let before = self.problem_count();
        let items: Vec<_> = array.iter().filter_map(|item| self.as_string(key, item)).collect();
        // A list of nothing but wrong items is not also reported as empty.
        if items.is_empty() && self.problem_count() > before {
            return None;
        }
        Some(List { at: value.span(), items })
    }

    /// Reads a list of strings that may be left out: it is then empty, and stands where its table does.
    pub(super) fn strings(&mut self, table: &Table<'_>, key: &str) -> Option<List<Span>> {
        match table.value(key) {
            Some(_) => self.required_strings(table, key),
            None => Some(List { at: table.at.clone(), items: Vec::new() }),
        }
    }

    /// Reads a list of strings, `None` where it is left out.
    pub(super) fn optional_strings(&mut self, table: &Table<'_>, key: &str) -> Option<List<Span>> {
        table.value(key)?;
        self.required_strings(table, key)
    }

    fn as_parsed<T>(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.as_string(key, value)?;
        match text.value.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.report(&text.at, error.to_string());
                None
            }
        }
    }

    /// Reads a string with a syntax of its own, `None` where it is left out.
    pub(super) fn parsed<T>(&mut self, table: &Table<'_>, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let value = table.value(key)?;
        self.as_parsed(key, value)
    }

    pub(super) fn required_parsed<T>(&mut self, table: &Table<'_>, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let value = self.required(table, key)?;
        self.as_parsed(key, value)
    }

    pub(super) fn boolean(&mut self, table: &Table<'_>, key: &str) -> Option<bool> {
        let value = table.value(key)?;
        if value.get_ref().as_bool().is_none() {
            self.wrong_type(key, value, "true or false");
        }
        value.get_ref().as_bool()
    }

    /// Reads a whole number. One of more digits than any limit has is as far out of range as can be.
    pub(super) fn number(&mut self, table: &Table<'_>, key: &str) -> Option<Located<i64, Span>> {
        let value = table.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "an integer");
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i64::MAX);
        Some(Located { value: number, at: value.span() })
    }

    pub(super) fn table<'a>(&mut self, table: &Table<'a>, key: &str) -> Option<Table<'a>> {
        let value = table.value(key)?;
        let Some(entries) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        Some(Table { entries, at: value.span(), name: format!("[{key}]") })
    }

    pub(super) fn required_table<'a>(&mut self, table: &Table<'a>, key: &str) -> Option<Table<'a>> {
        self.required(table, key)?;
        self.table(table, key)
    }

    /// Reads a list of tables, empty where it is left out.
    pub(super) fn tables<'a>(&mut self, table: &Table<'a>, key: &str) -> Vec<Table<'a>> {
        let Some(value) = table.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(array.len());
        for item in array {
            match item.get_ref().as_table() {
                Some(entries) => tables.push(Table { entries, at: item.span(), name: format!("[[{key}]]") }),
                None => self.wrong_type(key, item, "a table"),
            }
        }
        tables
    }

    /// Returns where a key's value stands, or its table's place when it has none.
    pub(super) fn span_of(&self, table: &Table<'_>, key: &str) -> Span {
        table.value(key).map_or_else(|| table.at.clone(), Spanned::span)
    }
}

fn with_article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
