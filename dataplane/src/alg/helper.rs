//! What the streams and the helpers of the protocols say to each other.

use super::ftp::Ftp;
use super::pptp::Pptp;
use super::stream::Replacement;
use crate::alg::{AlgProtocol, Arbiter, Ends, OpaqueReason};
use crate::tuple::Direction;

/// What a helper makes of the bytes that follow what it has taken before.
#[derive(Debug)]
pub(super) enum Step {
    /// The first `length` bytes go on, with at most one span of them replaced.
    Take {
        /// How many bytes.
        length: usize,
        /// What is replaced of them.
        replacement: Option<Replacement>,
    },
    /// They may be the start of a message that has to be changed: they are held until there are more.
    Wait,
    /// The session is not to be read from these bytes on.
    Opaque(OpaqueReason),
}

/// Bytes of one direction that a helper is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// Whose bytes these are.
    pub(super) direction: Direction,
    /// The bytes after what was taken before; never none.
    pub(super) bytes: &'a [u8],
    /// Bytes of the stream before them.
    pub(super) offset: u64,
}

/// The helpers of the protocols whose control sessions are streams.
#[derive(Debug)]
pub(super) enum Helper {
    /// FTP.
    Ftp(Box<Ftp>),
    /// PPTP.
    Pptp(Box<Pptp>),
}

impl Helper {
    /// Makes the helper of a new session, `None` for a protocol that has no messages in streams.
    pub(super) fn new(protocol: AlgProtocol) -> Option<Self> {
        match protocol {
            AlgProtocol::Ftp => Some(Self::Ftp(Box::default())),
            AlgProtocol::Pptp => Some(Self::Pptp(Box::default())),
            AlgProtocol::IkeEsp | AlgProtocol::Sip | AlgProtocol::Tftp => None,
        }
    }

    /// Looks at the bytes that follow what was taken before.
    pub(super) fn inspect(&mut self, view: &View<'_>, ends: &Ends, arbiter: &mut impl Arbiter) -> Step {
        match self {
            Self::Ftp(ftp) => ftp.inspect(view, ends, arbiter),
            Self::Pptp(pptp) => pptp.inspect(view, ends, arbiter),
        }
    }
}
