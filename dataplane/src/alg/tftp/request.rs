//! Bytes to a [`Request`] (RFC 1350, section 5; RFC 2347).

use crate::limits::MAX_TFTP_REQUEST;

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// To read a file, opcode 1.
    Read,
    /// To write one, opcode 2.
    Write,
}

/// A well-formed request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Request {
    pub(super) kind: Kind,
    /// Whether it has the option `multicast` (RFC 2090).
    pub(super) multicast: bool,
}

/// Why there is no [`Request`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Malformed {
    /// It is another kind of datagram.
    NoRequest,
    /// It says that it is a request, and is not formed as one.
    Request(Kind),
}

impl Request {
    /// Reads a datagram.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (kind, rest) = match bytes {
            [0, 1, rest @ ..] => (Kind::Read, rest),
            [0, 2, rest @ ..] => (Kind::Write, rest),
            _ => return Err(Malformed::NoRequest),
        };
        // RFC 2347 takes the limit of a request from RFC 1350: a block of 512 bytes.
        if bytes.len() > MAX_TFTP_REQUEST {
            return Err(Malformed::Request(kind));
        }
        let Some(strings) = rest.strip_suffix(&[0]) else { return Err(Malformed::Request(kind)) };
        let mut strings = strings.split(|byte| *byte == 0);
        let (Some([_, ..]), Some([_, ..])) = (strings.next(), strings.next()) else {
            return Err(Malformed::Request(kind));
        };
        // What else follows is options and their values in turn; a server that understands none ignores them.
        let multicast = strings.step_by(2).any(|option| option.eq_ignore_ascii_case(b"multicast"));
        Ok(Self { kind, multicast })
    }
}
