//! What servers say.

use std::net::IpAddr;

use super::address::{self, Announcement, Form};
use super::line::reply_code;
use crate::addr::Endpoint;

/// An answer that sets up a passive data connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    /// It names an endpoint.
    Passive(Announcement),
    /// It names none.
    Malformed(&'static str),
}

/// The codes with which a server may begin: ready, ready soon, or no service (RFC 959, section 5.4).
const GREETINGS: [&[u8]; 5] = [b"220", b"120", b"421", b"500", b"530"];

/// Whether a line, also an unfinished one, may be a server's first.
pub(super) fn may_greet(text: &[u8]) -> bool {
    let code = text.get(..3).unwrap_or(text);
    GREETINGS.iter().any(|greeting| greeting.starts_with(code))
}

/// Whether an unfinished line may become one that names an endpoint.
pub(super) fn may_announce(text: &[u8]) -> bool {
    let start = text.get(..4).unwrap_or(text);
    [b"227 ", b"229 "].iter().any(|code| code.starts_with(start))
}

/// Returns the name of an announcement that is worth a note when nobody has asked for it.
pub(super) fn unasked(code: u16) -> Option<&'static str> {
    match code {
        227 => Some("227"),
        229 => Some("229"),
        _ => None,
    }
}

/// Reads a final 227 or 229; a 229 means the server's `own` address.
pub(super) fn parse(text: &[u8], own: IpAddr) -> Reply {
    const TEXT: usize = 4;
    let rest = text.get(TEXT..).unwrap_or_default();
    if reply_code(text) == Some(229) {
        let Some(open) = rest.iter().position(|&byte| byte == b'(') else { return Reply::Malformed("229") };
        let inner = rest.get(open + 1..).unwrap_or_default();
        let Some((port, at, length)) = address::lone_port(inner) else { return Reply::Malformed("229") };
        let named = Endpoint::new(own, port);
        let at = TEXT + open + 1 + at;
        return Reply::Passive(Announcement { message: "229", named, form: Form::Port, at, length });
    }
    // Servers word the text as they like, and some leave out the parentheses: the first six decimals count
    // (RFC 1123, section 4.1.2.6).
    let mut follows_digit = false;
    for (at, byte) in rest.iter().enumerate() {
        if byte.is_ascii_digit()
            && !follows_digit
            && let Some((named, length)) = address::decimals(rest.get(at..).unwrap_or_default())
        {
            let (form, at) = (Form::Decimals, TEXT + at);
            return Reply::Passive(Announcement { message: "227", named, form, at, length });
        }
        follows_digit = byte.is_ascii_digit();
    }
    Reply::Malformed("227")
}
