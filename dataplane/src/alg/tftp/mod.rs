//! TFTP (RFC 1350): a request goes to the server's well-known port, and the answer comes from a port that the server has
//! chosen for this transfer, its transfer identifier (section 4). Nothing in a datagram is changed.

use std::collections::VecDeque;

use super::datagram::Message;
use crate::addr::Endpoint;
use crate::alg::{Arbiter, Decision, Ends, PinholeId, PinholeRequest, Refusal, Report, Transport};
use crate::limits::{MAX_TFTP_REQUEST, TFTP_ANSWER, TFTP_REQUESTS};
use crate::tuple::Direction;

mod request;

use request::{Kind, Malformed, Request};

/// The requests of one client port to one server that may still be answered.
#[derive(Debug, Default)]
pub(super) struct Tftp {
    /// Oldest first.
    waiting: VecDeque<Waiting>,
}

/// A request, as a client sends it again until it is answered.
#[derive(Debug)]
struct Waiting {
    bytes: Box<[u8]>,
    pinhole: PinholeId,
}

impl Tftp {
    pub(super) fn inspect(&mut self, message: &Message<'_>, ends: &Ends, arbiter: &mut impl Arbiter) {
        let request = match Request::parse(message.bytes) {
            Ok(request) => request,
            Err(Malformed::NoRequest) => return,
            Err(Malformed::Request(kind)) => {
                let (message, reason) = (kind.name(), Refusal::Malformed);
                return arbiter.report(Report::Refused { message, reason });
            }
        };
        let name = request.kind.name();
        if message.direction != Direction::Original {
            return arbiter.report(Report::Refused { message: name, reason: Refusal::OutOfTurn });
        }
        // Its answers go to a group (RFC 2090), which nobody may announce.
        if request.multicast || self.is_repeated(message.bytes, arbiter) {
            return;
        }
        let wanted = PinholeRequest {
            transport: Transport::Udp,
            direction: message.direction,
            named: ends.originator.local,
            peer: Endpoint::new(ends.responder.visible.address, 0),
            lifetime: TFTP_ANSWER,
            message: name,
            offset: message.offset,
        };
        match arbiter.admit(&wanted) {
            Decision::Admitted { id, .. } => self.remember(message.bytes, id),
            // The answer leaves from inside.
            Decision::Unneeded => {}
            Decision::Refused(reason) => arbiter.report(Report::Refused { message: name, reason }),
        }
    }

    /// Whether it is a request that is not answered yet; its pinhole then waits from now on. One that is sent again after
    /// its answer came is a new transfer to the server, which answers from another port.
    fn is_repeated(&mut self, bytes: &[u8], arbiter: &mut impl Arbiter) -> bool {
        let Some(at) = self.waiting.iter().position(|waiting| *waiting.bytes == *bytes) else { return false };
        let renewed = self.waiting.get(at).is_some_and(|waiting| arbiter.renew(waiting.pinhole, TFTP_ANSWER));
        if !renewed {
            self.waiting.remove(at);
        }
        renewed
    }

    fn remember(&mut self, bytes: &[u8], pinhole: PinholeId) {
        debug_assert!(bytes.len() <= MAX_TFTP_REQUEST, "the parser takes no longer ones");
        if self.waiting.len() >= TFTP_REQUESTS {
            // Its pinhole stays; sent again, it gets another.
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting { bytes: bytes.into(), pinhole });
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "RRQ",
            Self::Write => "WRQ",
        }
    }
}

#[cfg(test)]
mod tests;
