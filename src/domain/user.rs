//! Users and their passwords' rules.

use std::fmt;

use serde_json::Value;

use super::input::{self, Code, Fields, Report};
use super::name::Name;
use super::object::Stamp;
use super::permission::decode_role;
use super::role::Role;
use super::tenant::TenantKind;
use super::version::Version;
use crate::ids::{TenantId, UserId};

/// The fewest characters of a password, NIST SP 800-63B section 5.1.1.2.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// The most characters of a password.
pub const MAX_PASSWORD_CHARS: usize = 128;
/// A user name this long must not stand in the password; shorter ones stand in many words.
const MIN_FORBIDDEN_CHARS: usize = 4;
/// The most characters of an e-mail address, RFC 5321 section 4.5.3.1.
pub const MAX_EMAIL_CHARS: usize = 254;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The tenant that the user belongs to.
    pub tenant: TenantId,
    /// The name to sign in with, unique in the installation without regard to case.
    pub username: Name,
    /// The e-mail address.
    pub email: Option<String>,
    /// What the user is to the tenant.
    pub role: Role,
    /// How often the user was saved.
    pub version: Version,
    /// When and by whom the user was created.
    pub created: Stamp,
    /// When and by whom the user was saved last.
    pub updated: Stamp,
}

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

    fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let text = input::string(value, report)?;
        let length = text.chars().count();
        if !(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&length) {
            let rule = format!("is to have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters");
            report.error(Code::Length, rule);
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(...)")
    }
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name to sign in with.
    pub username: Name,
    /// The password.
    pub password: Password,
    /// The role.
    pub role: Role,
    /// The e-mail address.
    pub email: Option<String>,
}

impl NewUser {
    /// Reads a user of a tenant of the given kind.
    pub fn decode(value: &Value, tenant: TenantKind, report: &mut Report) -> Option<Self> {
        let mut fields = Fields::open(value, report)?;
        let username = fields.required("username", report, Name::decode);
        let password = fields.required("password", report, Password::decode);
        let role = fields.required("role", report, |value, report| {
            let role = decode_role(value, report)?;
            if role.tenant_kind() != tenant {
                report.error(Code::Conflict, "a user of this tenant cannot have the role");
                return None;
            }
            Some(role)
        });
        let email = fields.nullable("email", report, decode_email);
        fields.finish(report);
        let (username, password) = (username?, password?);
        let key = username.key();
        if key.len() >= MIN_FORBIDDEN_CHARS && password.0.to_lowercase().contains(&key) {
            report.within("password", |report| report.error(Code::Conflict, "contains the user name"));
            return None;
        }
        Some(Self { username, password, role: role?, email: email? })
    }
}

fn decode_email(value: &Value, report: &mut Report) -> Option<String> {
    let text = input::string(value, report)?;
    let shaped = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if !shaped || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        report.error(Code::Format, "is to be an e-mail address");
        return None;
    }
    if text.chars().count() > MAX_EMAIL_CHARS {
        report.error(Code::Length, format!("is longer than {MAX_EMAIL_CHARS} characters"));
        return None;
    }
    Some(text.to_owned())
}
