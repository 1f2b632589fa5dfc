//! FTP (RFC 959, 2428, 4217): the dialogue of one control session.
//!
//! A client's PORT or EPRT names where the server's data connection shall go, a server's 227 or 229 where the
//! client's shall. Which announcement a reply belongs to is told by counting: each command has one final reply, in
//! order (RFC 959, section 5.4).

use std::collections::VecDeque;

use super::helper::{Step, View};
use super::stream::Replacement;
use crate::addr::{Endpoint, Realm};
use crate::alg::{
    Arbiter, CloseReason, Decision, Ends, OpaqueReason, PinholeId, PinholeRequest, Refusal, Report, Transport,
};
use crate::limits::{FTP_PINHOLE_LIFETIME, MAX_FTP_COMMAND, MAX_FTP_PENDING, MAX_FTP_REPLY};
use crate::tuple::Direction;

mod address;
mod command;
mod line;
mod reply;

use address::Announcement;
use command::Command;
use line::{Lines, Next};
use reply::Reply;

/// A command whose final reply has not come.
#[derive(Clone, Copy, Debug)]
enum Pending {
    /// PORT or EPRT, with the pinhole that it opened.
    Active(Option<PinholeId>),
    /// PASV.
    Passive,
    /// EPSV.
    ExtendedPassive,
    /// AUTH.
    Auth,
    /// QUIT.
    Quit,
    /// Any other.
    Other,
}

/// The helper of one control session.
#[derive(Debug, Default)]
pub(super) struct Ftp {
    commands: Lines,
    replies: Lines,
    /// Whether the server has said that it is ready.
    greeted: bool,
    pending: VecDeque<Pending>,
    /// Pinholes that may be unused, oldest first.
    announced: VecDeque<PinholeId>,
    /// After EPSV ALL only EPSV sets up data connections (RFC 2428, section 4).
    only_extended: bool,
    encrypted: bool,
}

impl Ftp {
    /// Looks at the bytes that follow what was taken before.
    pub(super) fn inspect(&mut self, view: &View<'_>, ends: &Ends, arbiter: &mut impl Arbiter) -> Step {
        if self.encrypted {
            return Step::Opaque(OpaqueReason::Encrypted);
        }
        match view.direction {
            Direction::Original => self.inspect_commands(view, ends, arbiter),
            Direction::Reply => self.inspect_replies(view, ends, arbiter),
        }
    }

    fn inspect_commands(&mut self, view: &View<'_>, ends: &Ends, arbiter: &mut impl Arbiter) -> Step {
        let hold = ends.originator.realm == Realm::Inside;
        let fresh = !self.commands.any();
        let holds = |text: &[u8]| hold && command::may_announce(text);
        let line = match self.commands.next(view.bytes, MAX_FTP_COMMAND, holds) {
            Next::TooLong => return Step::Opaque(OpaqueReason::TooLong),
            Next::Wait => return Step::Wait,
            Next::Part { length, text } => {
                if fresh && !command::may_be_known(&text) {
                    return Step::Opaque(OpaqueReason::NotTheProtocol);
                }
                return take(length, None);
            }
            Next::Line(line) => line,
        };
        let command = command::parse(&line.text);
        // Nor does FTP begin with a blank, whatever follows; an empty line may come before anything.
        let blank = command == Command::Empty && !line.text.is_empty();
        if fresh && (command == Command::Unknown || blank) {
            return Step::Opaque(OpaqueReason::NotTheProtocol);
        }
        if command == Command::Empty {
            // No server answers it.
            return take(line.length, None);
        }
        if self.pending.len() >= MAX_FTP_PENDING {
            // Replies could no longer be told apart, so nothing more may open.
            return Step::Opaque(OpaqueReason::Stream);
        }
        let (pending, replacement) = match command {
            Command::Active(announcement) => {
                let outcome = self.announce(&announcement, &line, view, ends, arbiter);
                if let Outcome::Opened { id, .. } = outcome {
                    self.announced.push_back(id);
                }
                (Pending::Active(outcome.id()), outcome.replacement())
            }
            Command::Malformed(message) => {
                arbiter.report(Report::Refused { message, reason: Refusal::Malformed });
                (Pending::Active(None), None)
            }
            Command::Passive => (Pending::Passive, None),
            Command::ExtendedPassive => (Pending::ExtendedPassive, None),
            Command::ExtendedPassiveAll => {
                self.only_extended = true;
                (Pending::Other, None)
            }
            Command::Auth => (Pending::Auth, None),
            Command::Quit => (Pending::Quit, None),
            Command::Other | Command::Unknown | Command::Empty => (Pending::Other, None),
        };
        self.pending.push_back(pending);
        take(line.length, replacement)
    }

    fn inspect_replies(&mut self, view: &View<'_>, ends: &Ends, arbiter: &mut impl Arbiter) -> Step {
        let hold = ends.responder.realm == Realm::Inside;
        let fresh = !self.replies.any();
        let holds = |text: &[u8]| hold && reply::may_announce(text);
        let line = match self.replies.next(view.bytes, MAX_FTP_REPLY, holds) {
            Next::TooLong => return Step::Opaque(OpaqueReason::TooLong),
            Next::Wait => return Step::Wait,
            Next::Part { length, text } => {
                if fresh && !reply::may_greet(&text) {
                    return Step::Opaque(OpaqueReason::NotTheProtocol);
                }
                return take(length, None);
            }
            Next::Line(line) => line,
        };
        if fresh && !reply::may_greet(&line.text) {
            return Step::Opaque(OpaqueReason::NotTheProtocol);
        }
        let Some(code) = self.replies.final_code(&line.text) else { return take(line.length, None) };
        if !self.greeted {
            // 120 is followed by 220; a refusal by the end (RFC 959, section 5.4).
            self.greeted = code != 120;
            return take(line.length, None);
        }
        let preliminary = (100..200).contains(&code);
        let answered = if preliminary { None } else { self.pending.pop_front() };
        let replacement = match answered {
            Some(Pending::Active(Some(id))) => {
                self.settle(id, (200..300).contains(&code), arbiter);
                None
            }
            Some(Pending::Passive) if code == 227 => self.announce_passive(&line, view, ends, arbiter),
            Some(Pending::ExtendedPassive) if code == 229 => {
                self.announce_passive(&line, view, ends, arbiter)
            }
            Some(Pending::Auth) if code == 234 => {
                self.encrypted = true;
                None
            }
            Some(Pending::Quit) if (200..300).contains(&code) => {
                self.close_announced(CloseReason::ControlEnded, arbiter);
                None
            }
            Some(
                Pending::Active(_)
                | Pending::Passive
                | Pending::ExtendedPassive
                | Pending::Auth
                | Pending::Quit
                | Pending::Other,
            )
            | None => {
                if let Some(message) = reply::unasked(code) {
                    arbiter.report(Report::Refused { message, reason: Refusal::OutOfTurn });
                }
                None
            }
        };
        take(line.length, replacement)
    }

    /// The server has answered a PORT or EPRT: with yes, those before it are over; with no, its own is.
    fn settle(&mut self, id: PinholeId, accepted: bool, arbiter: &mut impl Arbiter) {
        let Some(at) = self.announced.iter().position(|&known| known == id) else { return };
        if accepted {
            for earlier in self.announced.drain(..at) {
                arbiter.close(earlier, CloseReason::Replaced);
            }
        } else {
            self.announced.remove(at);
            arbiter.close(id, CloseReason::RefusedByPeer);
        }
    }

    fn close_announced(&mut self, reason: CloseReason, arbiter: &mut impl Arbiter) {
        for id in self.announced.drain(..) {
            arbiter.close(id, reason);
        }
    }

    fn announce_passive(
        &mut self,
        line: &line::Line,
        view: &View<'_>,
        ends: &Ends,
        arbiter: &mut impl Arbiter,
    ) -> Option<Replacement> {
        let own = ends.sender(view.direction).local.address;
        let announcement = match reply::parse(&line.text, own) {
            Reply::Passive(announcement) => announcement,
            Reply::Malformed(message) => {
                arbiter.report(Report::Refused { message, reason: Refusal::Malformed });
                return None;
            }
        };
        let outcome = self.announce(&announcement, line, view, ends, arbiter);
        if let Outcome::Opened { id, .. } = outcome {
            self.close_announced(CloseReason::Replaced, arbiter);
            self.announced.push_back(id);
        }
        outcome.replacement()
    }

    /// Asks for the pinhole of an announcement, and renders what is to stand in its place.
    fn announce(
        &mut self,
        announcement: &Announcement,
        line: &line::Line,
        view: &View<'_>,
        ends: &Ends,
        arbiter: &mut impl Arbiter,
    ) -> Outcome {
        let message = announcement.message;
        let refuse = |reason, arbiter: &mut _| {
            Arbiter::report(arbiter, Report::Refused { message, reason });
            Outcome::Nothing
        };
        let extended = announcement.is_extended_passive();
        if self.only_extended && !extended || view.direction == Direction::Original && !self.greeted {
            return refuse(Refusal::OutOfTurn, arbiter);
        }
        let decision = arbiter.admit(&PinholeRequest {
            transport: Transport::Tcp,
            direction: view.direction,
            named: announcement.named,
            peer: Endpoint::new(ends.receiver(view.direction).visible.address, 0),
            lifetime: FTP_PINHOLE_LIFETIME,
            message,
            offset: view.offset,
        });
        match decision {
            Decision::Admitted { id, visible } if visible == announcement.named => {
                Outcome::Opened { id, replacement: None }
            }
            Decision::Admitted { id, visible } => {
                let with = announcement.render(visible);
                let (before, after) = line.replaced(announcement.at, announcement.length, &with);
                arbiter.report(Report::Rewritten { message, before: &before, after: &after });
                let at = line.skipped + announcement.at;
                let replacement = Some(Replacement { at, length: announcement.length, with });
                Outcome::Opened { id, replacement }
            }
            Decision::Unneeded => Outcome::Nothing,
            Decision::Refused(reason) => refuse(reason, arbiter),
        }
    }
}

/// What became of an announcement.
enum Outcome {
    Opened { id: PinholeId, replacement: Option<Replacement> },
    Nothing,
}

impl Outcome {
    fn id(&self) -> Option<PinholeId> {
        match self {
            Self::Opened { id, .. } => Some(*id),
            Self::Nothing => None,
        }
    }

    fn replacement(self) -> Option<Replacement> {
        match self {
            Self::Opened { replacement, .. } => replacement,
            Self::Nothing => None,
        }
    }
}

fn take(length: usize, replacement: Option<Replacement>) -> Step {
    Step::Take { length, replacement }
}

#[cfg(test)]
mod tests;
