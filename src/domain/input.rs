//! JSON from outside to typed values, with every error at once.
//!
//! A decoder is a function of a [`Value`] and a [`Report`]. It answers `None` when it has reported why, so a
//! caller collects the errors of all fields before it gives up. [`Fields`] reads an object's fields and reports
//! those that nobody asked for.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

/// The most errors that one answer names.
pub const MAX_ERRORS: usize = 100;

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A field that has to be there is not.
    Required,
    /// There is no such field.
    UnknownField,
    /// The JSON type is another.
    WrongType,
    /// Too short, too long, too many.
    Length,
    /// Not in the form that the field has.
    Format,
    /// A number is out of its range.
    Range,
    /// Not one of the words that the field can have.
    UnknownValue,
    /// The same value twice.
    Repeated,
    /// There is no such object, as far as the caller can see.
    NoSuchObject,
    /// Two protocols would inspect the same traffic.
    Overlap,
    /// The values contradict each other.
    Conflict,
}

/// An error of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where it is, as a JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What kind of error it is.
    pub code: Code,
    /// What is wrong, for people.
    pub detail: String,
}

/// The errors found so far, and where the decoder stands.
#[derive(Debug, Default)]
pub struct Report {
    pointer: String,
    errors: Vec<FieldError>,
}

impl Report {
    /// A report without errors, at the document's root.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports an error here; the first one at a place stands.
    pub fn error(&mut self, code: Code, detail: impl Into<String>) {
        let repeated = self.errors.iter().any(|error| error.pointer == self.pointer);
        if repeated || self.errors.len() >= MAX_ERRORS {
            return;
        }
        self.errors.push(FieldError { pointer: self.pointer.clone(), code, detail: detail.into() });
    }

    /// Reports an error at a place given by its whole pointer.
    pub fn error_at(&mut self, pointer: &str, code: Code, detail: impl Into<String>) {
        let here = std::mem::replace(&mut self.pointer, pointer.to_owned());
        self.error(code, detail);
        self.pointer = here;
    }

    /// Runs a decoder one step deeper in the document.
    pub fn within<T>(&mut self, step: impl std::fmt::Display, decode: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        self.pointer.push('/');
        // Writing to a string cannot fail.
        let _ = write!(Steps(&mut self.pointer), "{step}");
        let value = decode(self);
        self.pointer.truncate(length);
        value
    }

    /// Where the decoder stands, as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Whether nothing was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The errors, in the order of the document's fields as they were read.
    #[must_use]
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}

/// A JSON pointer whose last step is being written, RFC 6901 section 4.
struct Steps<'a>(&'a mut String);

impl std::fmt::Write for Steps<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if !text.contains(['~', '/']) {
            self.0.push_str(text);
            return Ok(());
        }
        for letter in text.chars() {
            match letter {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                letter => self.0.push(letter),
            }
        }
        Ok(())
    }
}

/// The fields of a JSON object, read one by one.
#[derive(Debug)]
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Opens a JSON object; anything else is reported.
    pub fn open(value: &'a Value, report: &mut Report) -> Option<Self> {
        match value.as_object() {
            Some(map) => Some(Self { map, known: Vec::with_capacity(map.len()) }),
            None => wrong_type(value, "an object", report),
        }
    }

    /// Reads a field that has to be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        decode: impl FnOnce(&Value, &mut Report) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        report.within(name, |report| match self.map.get(name) {
            Some(value) => decode(value, report),
            None => {
                report.error(Code::Required, "is required");
                None
            }
        })
    }

    /// Reads a field that has a default.
    pub fn or_default<T: Default>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        decode: impl FnOnce(&Value, &mut Report) -> Option<T>,
    ) -> Option<T> {
        self.optional(name, report, decode).map(Option::unwrap_or_default)
    }

    /// Reads a field that may be left out. The outer `None` is an error, the inner one absence.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        decode: impl FnOnce(&Value, &mut Report) -> Option<T>,
    ) -> Option<Option<T>> {
        self.known.push(name);
        match self.map.get(name) {
            Some(value) => report.within(name, |report| decode(value, report)).map(Some),
            None => Some(None),
        }
    }

    /// Reads a field that may be left out or null.
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        decode: impl FnOnce(&Value, &mut Report) -> Option<T>,
    ) -> Option<Option<T>> {
        self.known.push(name);
        match self.map.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => report.within(name, |report| decode(value, report)).map(Some),
        }
    }

    /// Accepts fields that answers carry and requests may repeat; they change nothing.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend_from_slice(names);
    }

    /// Reports every field that nobody asked for.
    pub fn finish(self, report: &mut Report) {
        for name in self.map.keys().filter(|name| !self.known.contains(&name.as_str())) {
            report.within(name, |report| report.error(Code::UnknownField, "there is no such field"));
        }
    }
}

/// Decodes a string.
pub fn string<'a>(value: &'a Value, report: &mut Report) -> Option<&'a str> {
    match value.as_str() {
        Some(text) => Some(text),
        None => wrong_type(value, "a string", report),
    }
}

/// Decodes a whole number; one beyond 64 bits is as far from zero as can be told.
pub fn integer(value: &Value, report: &mut Report) -> Option<i64> {
    let Some(number) = value.as_number() else {
        return wrong_type(value, "a whole number", report);
    };
    let whole = number.as_i64().or_else(|| number.as_u64().map(|_| i64::MAX));
    if whole.is_none() {
        report.error(Code::WrongType, "is to be a whole number");
    }
    whole
}

/// Decodes a boolean.
pub fn boolean(value: &Value, report: &mut Report) -> Option<bool> {
    match value.as_bool() {
        Some(flag) => Some(flag),
        None => wrong_type(value, "true or false", report),
    }
}

/// Decodes an array of at most `max` items, each by `decode`.
pub fn array<T>(
    value: &Value,
    max: usize,
    report: &mut Report,
    mut decode: impl FnMut(&Value, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(items) = value.as_array() else {
        return wrong_type(value, "an array", report);
    };
    if items.len() > max {
        report.error(Code::Length, format!("has {} items; at most {max} are allowed", items.len()));
        return None;
    }
    let decoded: Vec<Option<T>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| report.within(index, |report| decode(item, report)))
        .collect();
    decoded.into_iter().collect()
}

/// Reports that a value has another JSON type.
pub fn wrong_type<T>(value: &Value, wanted: &str, report: &mut Report) -> Option<T> {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    report.error(Code::WrongType, format!("is to be {wanted}, not {found}"));
    None
}

#[cfg(test)]
mod tests;
