//! What every object is called, described and tagged with.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::input::{self, Code, Report};

/// The most characters of a name, and of a tag.
pub const MAX_NAME_CHARS: usize = 63;
/// The characters that [`Name::resembling`] leaves for a mark.
pub const MAX_MARK_CHARS: usize = 9;
/// The most characters of a description.
pub const MAX_DESCRIPTION_CHARS: usize = 1024;
/// The most tags of an object.
pub const MAX_TAGS: usize = 32;

/// An object's name: 1 to 63 of `A-Z a-z 0-9 . _ -`, starting with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// The text is not a name; says why.
    pub fn parse(text: &str) -> Result<Self, (Code, String)> {
        if text.is_empty() {
            return Err((Code::Length, "is empty".to_owned()));
        }
        if text.chars().count() > MAX_NAME_CHARS {
            return Err((Code::Length, format!("is longer than {MAX_NAME_CHARS} characters")));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !text.chars().all(allowed) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            let rule = "is to be letters, digits, '.', '_' and '-', starting with a letter or a digit";
            return Err((Code::Format, rule.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name that is closest to a text of somebody else's, such as an e-mail address. Room stays for
    /// [`Name::marked`].
    #[must_use]
    pub fn resembling(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let letters = text.chars().map(|c| if allowed(c) { c } else { '-' });
        Self::parse(&letters.take(MAX_NAME_CHARS - MAX_MARK_CHARS).collect::<String>()).ok()
    }

    /// The name with a mark behind it, of at most [`MAX_MARK_CHARS`] with the hyphen before it.
    #[must_use]
    pub fn marked(&self, mark: &str) -> Option<Self> {
        Self::parse(&format!("{self}-{mark}")).ok()
    }

    /// Decodes a name from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        match Self::parse(input::string(value, report)?) {
            Ok(name) => Some(name),
            Err((code, detail)) => {
                report.error(code, detail);
                None
            }
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What names are compared by: two that differ in case only are one.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object's description: at most 1,024 characters without control characters save line breaks and tabs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Description(String);

impl Description {
    /// Decodes a description from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let text = input::string(value, report)?;
        if text.chars().count() > MAX_DESCRIPTION_CHARS {
            report.error(Code::Length, format!("is longer than {MAX_DESCRIPTION_CHARS} characters"));
            return None;
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            report.error(Code::Format, "contains a control character");
            return None;
        }
        Some(Self(text.to_owned()))
    }

    /// The description as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An object's tags, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tags(BTreeSet<String>);

impl Tags {
    /// Decodes tags from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let mut tags = BTreeSet::new();
        input::array(value, MAX_TAGS, report, |value, report| {
            let tag = tag(value, report)?;
            if !tags.insert(tag.to_owned()) {
                report.error(Code::Repeated, "stands in the list twice");
                return None;
            }
            Some(())
        })?;
        Some(Self(tags))
    }

    /// The tags in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn tag<'a>(value: &'a Value, report: &mut Report) -> Option<&'a str> {
    let text = input::string(value, report)?;
    if text.is_empty() || text.chars().count() > MAX_NAME_CHARS {
        report.error(Code::Length, format!("is to have 1 to {MAX_NAME_CHARS} characters"));
        return None;
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        report.error(Code::Format, "contains a control character, or starts or ends with a space");
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests;
