//! Users: persons, and programs that act as users.

use serde_json::{Value, json};

use super::input::{self, Code, Fields, Report};
use super::name::Name;
use super::object::Stamp;
use super::password::Password;
use super::permission::decode_role;
use super::role::Role;
use super::tenant::TenantKind;
use super::version::Version;
use crate::clock::Timestamp;
use crate::ids::{TenantId, UserId};

/// The most characters of an e-mail address, RFC 5321 section 4.5.3.1.
pub const MAX_EMAIL_CHARS: usize = 254;

/// What an outside issuer knows a person by, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The issuer, a URL.
    pub issuer: String,
    /// The person, in the issuer's own words.
    pub subject: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The tenant that the user belongs to.
    pub tenant: TenantId,
    /// What an administrator says of the user. The name of a person is unique in the installation, that of a service
    /// account in its tenant, without regard to case.
    pub draft: UserDraft,
    /// Who vouches for the person, instead of a password. Role and e-mail address are what the issuer says, anew with each
    /// sign-in.
    pub identity: Option<Identity>,
    /// Until when an invitation can be accepted, which it was not yet.
    pub invited_until: Option<Timestamp>,
    /// How often the user was saved.
    pub version: Version,
    /// When and by whom the user was created.
    pub created: Stamp,
    /// When and by whom the user was saved last.
    pub updated: Stamp,
}

/// What kind of user it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// One who signs in with a password, or whom an outside issuer vouches for.
    Person,
    /// A program, which signs in with a client id and a secret.
    ServiceAccount,
}

impl AccountKind {
    /// The word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::ServiceAccount => "service_account",
        }
    }

    /// What its name is called in bodies.
    #[must_use]
    pub fn name_field(self) -> &'static str {
        match self {
            Self::Person => "username",
            Self::ServiceAccount => "name",
        }
    }
}

/// What an administrator says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDraft {
    /// The name.
    pub username: Name,
    /// The e-mail address, of a person.
    pub email: Option<String>,
    /// What the user is to the tenant.
    pub role: Role,
    /// Whether the user can sign in.
    pub enabled: bool,
}

/// How a person who is created gets in.
#[derive(Debug, Clone)]
pub enum FirstPassword {
    /// With this.
    Given(Password),
    /// With one that the person chooses.
    Invited,
}

impl UserDraft {
    /// Reads what is said of a user of a tenant of the given kind.
    pub fn decode(value: &Value, kind: AccountKind, tenant: TenantKind, report: &mut Report) -> Option<Self> {
        let mut fields = Fields::open(value, report)?;
        let draft = Self::read(&mut fields, kind, tenant, report);
        fields.finish(report);
        draft
    }

    /// Reads a person to be created.
    pub fn decode_new(
        value: &Value,
        tenant: TenantKind,
        report: &mut Report,
    ) -> Option<(Self, FirstPassword)> {
        let mut fields = Fields::open(value, report)?;
        let draft = Self::read(&mut fields, AccountKind::Person, tenant, report);
        let invite = fields.optional("invite", report, input::boolean);
        let password = fields.optional("password", report, Password::decode);
        fields.finish(report);
        let (draft, invite, password) = (draft?, invite?, password?);
        let first = match (password, invite.unwrap_or(false)) {
            (Some(password), false) => {
                let checked = report.within("password", |report| password.check(&draft.username, report));
                FirstPassword::Given(checked?)
            }
            (None, true) => FirstPassword::Invited,
            (Some(_), true) | (None, false) => {
                report.within("password", |report| {
                    report.error(Code::Required, "either a password is given or \"invite\" is true");
                });
                return None;
            }
        };
        Some((draft, first))
    }

    /// The document that [`UserDraft::decode`] reads.
    #[must_use]
    pub fn encode(&self, kind: AccountKind) -> Value {
        let mut document = json!({ "role": self.role, "enabled": self.enabled });
        if let Some(fields) = document.as_object_mut() {
            fields.insert(kind.name_field().to_owned(), self.username.as_str().into());
            if kind == AccountKind::Person {
                fields.insert("email".to_owned(), json!(self.email));
            }
        }
        document
    }

    fn read(
        fields: &mut Fields<'_>,
        kind: AccountKind,
        tenant: TenantKind,
        report: &mut Report,
    ) -> Option<Self> {
        let username = fields.required(kind.name_field(), report, Name::decode);
        let role = fields.required("role", report, |value, report| {
            let role = decode_role(value, report)?;
            if role.tenant_kind() != tenant {
                report.error(Code::Conflict, "a user of this tenant cannot have the role");
                return None;
            }
            Some(role)
        });
        let email = match kind {
            AccountKind::Person => fields.nullable("email", report, decode_email),
            AccountKind::ServiceAccount => Some(None),
        };
        let enabled = fields.optional("enabled", report, input::boolean);
        Some(Self { username: username?, email: email?, role: role?, enabled: enabled?.unwrap_or(true) })
    }
}

fn decode_email(value: &Value, report: &mut Report) -> Option<String> {
    let text = input::string(value, report)?;
    if text.chars().count() > MAX_EMAIL_CHARS {
        report.error(Code::Length, format!("is longer than {MAX_EMAIL_CHARS} characters"));
        return None;
    }
    if !is_email(text) {
        report.error(Code::Format, "is to be an e-mail address");
        return None;
    }
    Some(text.to_owned())
}

/// Whether a text has the shape of an e-mail address, and is none too long.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let shaped = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    shaped && clean && text.chars().count() <= MAX_EMAIL_CHARS
}
