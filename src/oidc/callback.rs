//! What an issuer sends a browser back with.

use super::issuer::Metadata;
use super::{Outcome, unacceptable};

/// The most characters of a code, a state and an issuer in a callback.
const MAX_PARAMETER_CHARS: usize = 4096;

/// What an issuer sends a browser back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// What [`Begun::location`] had.
    pub state: String,
    /// A code for the token endpoint, or the error code of RFC 6749 section 4.1.2.1.
    pub outcome: std::result::Result<String, String>,
    /// Who says so, RFC 9207.
    pub issuer: Option<String>,
}

impl Callback {
    /// Reads what the issuer sent a browser back with. What else it sends is none of our business.
    ///
    /// # Errors
    /// The parameter that is wrong, and what is wrong with it.
    pub fn parse(pairs: &[(String, String)]) -> std::result::Result<Self, (String, String)> {
        let one = |name: &str| {
            let mut values = pairs.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
            let value = values.next().cloned();
            if values.next().is_some() {
                return Err((name.to_owned(), "is given twice".to_owned()));
            }
            if value.as_ref().is_some_and(|value| value.len() > MAX_PARAMETER_CHARS) {
                return Err((name.to_owned(), "is too long".to_owned()));
            }
            Ok(value)
        };
        let missing = |name: &str| (name.to_owned(), "is required".to_owned());
        let outcome = match (one("code")?, one("error")?) {
            (Some(code), None) => Ok(code),
            (_, Some(error)) => Err(error),
            (None, None) => return Err(missing("code")),
        };
        Ok(Self { state: one("state")?.ok_or_else(|| missing("state"))?, outcome, issuer: one("iss")? })
    }

    /// RFC 9207: who answers has to be who was asked.
    pub(super) fn check_issuer(&self, metadata: &Metadata) -> Outcome<()> {
        let announced = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match &self.issuer {
            Some(issuer) if issuer == metadata.issuer().as_str() => Ok(()),
            None if !announced => Ok(()),
            Some(_) | None => Err(unacceptable("the callback is another issuer's")),
        }
    }
}
