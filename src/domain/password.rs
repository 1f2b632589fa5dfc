//! What a password may be, NIST SP 800-63B section 5.1.1.2: long enough, not one that is tried first, and any
//! characters at all.

use std::fmt;

use serde_json::Value;

use super::input::{self, Code, Report};
use super::name::Name;

/// The fewest characters of a password.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// The most characters of a password.
pub const MAX_PASSWORD_CHARS: usize = 128;
/// A user name this long must not stand in the password; shorter ones stand in many words.
const MIN_FORBIDDEN_CHARS: usize = 4;
/// The product, which must not stand in the password.
const PRODUCT: &str = "pinhole";

/// Passwords of at least [`MIN_PASSWORD_CHARS`] that lists of stolen ones have most often, in lower case. One that is
/// one of these with digits or punctuation around it counts, too.
const COMMON: [&str; 56] = [
    "password",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "passwort",
    "motdepasse",
    "contraseña",
    "qwertyui",
    "qwertyuiop",
    "qwertzui",
    "qwertzuiop",
    "azertyui",
    "azertyuiop",
    "asdfghjk",
    "asdfghjkl",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "zaq12wsx",
    "q1w2e3r4",
    "qazwsxedc",
    "administrator",
    "changeme",
    "letmein",
    "welcome",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "batman",
    "trustno1",
    "starwars",
    "whatever",
    "computer",
    "internet",
    "samsung",
    "michelle",
    "jennifer",
    "jordan23",
    "liverpool",
    "chelsea",
    "arsenal",
    "barcelona",
    "firewall",
    "gateway",
    "cisco",
    "juniper",
    "fortinet",
    "default",
    "secret",
    "master",
    "dragon",
    "monkey",
    "shadow",
];

/// A password, which never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes what a caller sent as a password to compare with, without any rule.
    #[must_use]
    pub fn candidate(text: String) -> Self {
        Self(text)
    }

    /// The password in the clear, to be hashed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads a new password, by the rules that hold for every user.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let text = input::string(value, report)?;
        let length = text.chars().count();
        if !(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&length) {
            let rule = format!("is to have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters");
            report.error(Code::Length, rule);
            return None;
        }
        if is_common(text) {
            report.error(Code::Conflict, "is one of those that are tried first");
            return None;
        }
        Some(Self(text.to_owned()))
    }

    /// Reads a password to compare with, of any length that a password may have.
    pub fn decode_candidate(value: &Value, report: &mut Report) -> Option<Self> {
        input::string(value, report).map(|text| Self(text.to_owned()))
    }

    /// Holds a new password against the name of its user.
    pub fn check(self, username: &Name, report: &mut Report) -> Option<Self> {
        let key = username.key();
        if key.chars().count() >= MIN_FORBIDDEN_CHARS && self.0.to_lowercase().contains(&key) {
            report.error(Code::Conflict, "contains the user name");
            return None;
        }
        Some(self)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(...)")
    }
}

/// Whether it is among the first that somebody tries.
fn is_common(text: &str) -> bool {
    let lower = text.to_lowercase();
    let core = lower.trim_matches(|letter: char| !letter.is_alphabetic());
    let mut letters = lower.chars();
    let first = letters.next();
    let one_letter = letters.all(|letter| Some(letter) == first);
    let steps = || lower.chars().zip(lower.chars().skip(1));
    let follows = |one: char, next: char| u32::from(next) == u32::from(one) + 1 || (one, next) == ('9', '0');
    let sequence =
        steps().all(|(one, next)| follows(one, next)) || steps().all(|(one, next)| follows(next, one));
    one_letter
        || sequence
        || lower.contains(PRODUCT)
        || COMMON.iter().any(|common| *common == lower || *common == core)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(text: &str) -> Option<Password> {
        let mut report = Report::new();
        let password = Password::decode(&json!(text), &mut report);
        assert_eq!(password.is_none(), !report.is_empty());
        password
    }

    #[test]
    fn length_counts_and_composition_does_not() {
        let longest = "ab".repeat(MAX_PASSWORD_CHARS / 2);
        for good in ["correct horse", "äöüßäöüé", "        x", "пароль и соль", "a\u{0}bcdefzz", &longest]
        {
            assert!(decode(good).is_some(), "{good}");
        }
        for bad in ["", "short", "1234567", &format!("{longest}x")] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for bad in [
            "password",
            "Password1!",
            "PASSW0RD",
            "123456789",
            "1234567890",
            "87654321",
            "aaaaaaaa",
            "abcdefgh",
            "qwertyuiop",
            "pinhole-2024",
            "MyPinhole",
            "Welcome2024",
            "changeme!!",
            "administrator",
        ] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_users_name_is_no_part_of_it() {
        let mut report = Report::new();
        let (carla, al) = (Name::parse("Carla").unwrap(), Name::parse("al").unwrap());
        assert!(decode("It is CARLA here").unwrap().check(&carla, &mut report).is_none());
        assert!(decode("also a password of al").unwrap().check(&al, &mut Report::new()).is_some());
    }
}
