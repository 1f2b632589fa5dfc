//! The sessions that control messages announced, while they last.

use std::collections::BTreeMap;

use crate::alg::{AlgProtocol, PinholeId};
use crate::conntrack::SessionId;
use crate::conntrack::expectation::Pinhole;

/// What announced a session that came through a pinhole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announcement {
    /// The ALG that opened the pinhole.
    pub alg: AlgProtocol,
    /// The control message's name.
    pub message: &'static str,
}

/// Announced sessions, by themselves and by what announced them.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    by_session: BTreeMap<SessionId, (Announcement, (SessionId, PinholeId))>,
    /// By control session and pinhole.
    by_origin: BTreeMap<(SessionId, PinholeId), SessionId>,
}

impl Announcements {
    /// A session has come through a pinhole.
    pub(super) fn insert(&mut self, pinhole: &Pinhole, id: SessionId) {
        let announcement = Announcement { alg: pinhole.alg, message: pinhole.message };
        let origin = (pinhole.master, pinhole.id);
        self.by_session.insert(id, (announcement, origin));
        self.by_origin.insert(origin, id);
    }

    /// A session has ended.
    pub(super) fn remove(&mut self, id: SessionId) {
        if let Some((_, origin)) = self.by_session.remove(&id) {
            self.by_origin.remove(&origin);
        }
    }

    pub(super) fn of(&self, id: SessionId) -> Option<Announcement> {
        self.by_session.get(&id).map(|(announcement, _)| *announcement)
    }

    /// Returns the session that came through a pinhole of a control session.
    pub(super) fn session_of(&self, master: SessionId, pinhole: PinholeId) -> Option<SessionId> {
        self.by_origin.get(&(master, pinhole)).copied()
    }

    /// Visits the sessions that a control session announced.
    pub(super) fn of_master(&self, master: SessionId) -> impl Iterator<Item = SessionId> {
        let range = (master, PinholeId(0))..=(master, PinholeId(u64::MAX));
        self.by_origin.range(range).map(|(_, id)| *id)
    }
}
