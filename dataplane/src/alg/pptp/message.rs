//! Bytes to a [`Message`] (RFC 2637, section 2): all have a length of their own, and are told apart by a number.

/// What follows the length: the message type that is used (the other one, for management, is defined by nobody), and the
/// magic cookie.
const FIXED: [u8; 6] = [0, 1, 0x1a, 0x2b, 0x3c, 0x4d];
/// Bytes until the control type has been read.
const HEADER: usize = 12;
/// Offset of the call id that comes first.
const FIRST: usize = 12;
/// Offset of the peer's call id, where it is the second one.
const SECOND: usize = 14;
/// Offset of a start's result.
const START_RESULT: usize = 14;
/// Offset of a call's result.
const CALL_RESULT: usize = 16;
/// The result of what has succeeded, for starts and calls alike.
const SUCCESS: u8 = 1;

/// A call id and where it is in its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CallId {
    pub(super) at: usize,
    pub(super) id: u16,
}

/// A control message, as far as it is about calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    /// A reply that starts the control connection, or does not.
    Started { well: bool },
    /// Everything is over.
    Stopped,
    /// A call is wanted, to or from outside.
    CallRequest { own: CallId },
    /// It is there, or not.
    CallReply { own: CallId, peer: CallId, well: bool },
    /// The sender's call is to be cleared.
    CallClear { own: CallId },
    /// The sender's call is over.
    CallOver { own: CallId },
    /// Something about the receiver's call.
    OfPeersCall { peer: CallId },
    /// No call is named.
    Other,
}

/// A whole message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Message {
    /// As the RFC spells it.
    pub(super) name: &'static str,
    /// In bytes.
    pub(super) length: usize,
    pub(super) body: Body,
}

/// Why there is no message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unread {
    /// More bytes may make one.
    Short,
    /// None can.
    NotTheProtocol,
}

/// Reads the message that bytes begin with.
pub(super) fn parse(bytes: &[u8]) -> Result<Message, Unread> {
    if bytes.iter().skip(2).zip(&FIXED).any(|(byte, fixed)| byte != fixed) {
        return Err(Unread::NotTheProtocol);
    }
    let kind = bytes.get(8..HEADER).and_then(|kind| kind.first_chunk::<2>()).ok_or(Unread::Short)?;
    let (name, length) = kind_of(u16::from_be_bytes(*kind)).ok_or(Unread::NotTheProtocol)?;
    if bytes.first_chunk::<2>().map(|said| usize::from(u16::from_be_bytes(*said))) != Some(length) {
        return Err(Unread::NotTheProtocol);
    }
    let message = bytes.get(..length).ok_or(Unread::Short)?;
    let [_, kind] = *kind;
    Ok(Message { name, length, body: body(kind, message).ok_or(Unread::NotTheProtocol)? })
}

/// Returns the name and length of a control type (RFC 2637, sections 2.1 to 2.15).
const fn kind_of(kind: u16) -> Option<(&'static str, usize)> {
    Some(match kind {
        1 => ("Start-Control-Connection-Request", 156),
        2 => ("Start-Control-Connection-Reply", 156),
        3 => ("Stop-Control-Connection-Request", 16),
        4 => ("Stop-Control-Connection-Reply", 16),
        5 => ("Echo-Request", 16),
        6 => ("Echo-Reply", 20),
        7 => ("Outgoing-Call-Request", 168),
        8 => ("Outgoing-Call-Reply", 32),
        9 => ("Incoming-Call-Request", 220),
        10 => ("Incoming-Call-Reply", 24),
        11 => ("Incoming-Call-Connected", 28),
        12 => ("Call-Clear-Request", 16),
        13 => ("Call-Disconnect-Notify", 148),
        14 => ("WAN-Error-Notify", 40),
        15 => ("Set-Link-Info", 24),
        _ => return None,
    })
}

fn body(kind: u8, message: &[u8]) -> Option<Body> {
    let call = |at: usize| {
        let id = message.get(at..)?.first_chunk::<2>()?;
        Some(CallId { at, id: u16::from_be_bytes(*id) })
    };
    let well = |at: usize| message.get(at) == Some(&SUCCESS);
    Some(match kind {
        2 => Body::Started { well: well(START_RESULT) },
        4 => Body::Stopped,
        7 | 9 => Body::CallRequest { own: call(FIRST)? },
        8 | 10 => Body::CallReply { own: call(FIRST)?, peer: call(SECOND)?, well: well(CALL_RESULT) },
        11 | 14 | 15 => Body::OfPeersCall { peer: call(FIRST)? },
        12 => Body::CallClear { own: call(FIRST)? },
        13 => Body::CallOver { own: call(FIRST)? },
        _ => Body::Other,
    })
}
