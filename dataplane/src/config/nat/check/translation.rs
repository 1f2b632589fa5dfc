//! The rules for how endpoints are given out.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use super::Checker;
use crate::addr::{AddressRange, Ipv4Prefix};
use crate::config::nat::{
    Allocation, BlockSize, Dependence, DeterministicDraft, Exemption, Forward, LimitsDraft, Located, Mode,
    Mss, NatError, NatList, PortBlockDraft, PortBlocks, SubscriberLimits, Translation, TranslationDraft,
    TranslationNumber, forward_problems,
};
use crate::config::order::SubscriberOrder;
use crate::limits::{FIRST_UNPRIVILEGED_PORT, MAX_EXEMPTIONS, MAX_FORWARDS};

/// The addresses that there are to give out, and for whom.
pub(super) struct Room<'a, L> {
    /// Where the pool stands, if it could be read.
    pub(super) at: Option<L>,
    pub(super) prefixes: &'a [Located<Ipv4Prefix, L>],
    pub(super) pool: &'a [Located<AddressRange, L>],
}

impl<L> Room<'_, L> {
    fn prefixes(&self) -> Vec<Ipv4Prefix> {
        self.prefixes.iter().map(|prefix| prefix.value).collect()
    }

    fn addresses(&self) -> u64 {
        self.pool.iter().map(|range| range.value.count()).fold(0, u64::saturating_add)
    }
}

impl<L: Clone> Checker<L> {
    pub(super) fn translation(&mut self, draft: TranslationDraft<L>, room: &Room<'_, L>) -> Translation {
        let allocation = self.allocation(&draft);
        self.check_room(allocation, room);
        Translation {
            allocation,
            mapping: draft.mapping.unwrap_or(Dependence::Independent),
            filtering: draft.filtering.unwrap_or(Dependence::AddressAndPort),
            forwards: self.forwards(draft.forwards, draft.mode, room),
            exempt: self.exempt(draft.exempt),
            other_protocols: draft.other_protocols.unwrap_or_default(),
            tcp_mss: self
                .number(draft.tcp_mss.as_ref(), TranslationNumber::TcpMss)
                .and_then(|bytes| Mss::new(u16::try_from(bytes).ok()?)),
            limits: self.limits(&draft.limits),
        }
    }

    fn allocation(&mut self, draft: &TranslationDraft<L>) -> Allocation {
        let (blocks, deterministic) = (draft.port_block.as_ref(), draft.deterministic.as_ref());
        if let (Some(_), Some(deterministic)) = (blocks, deterministic) {
            let error = NatError::Exclusive { first: "deterministic", second: "port_block" };
            self.report(&deterministic.at, error);
        }
        let blocks =
            blocks.map(|draft| (&draft.at, "port_block", Allocation::Blocks(self.port_blocks(draft))));
        let ports = deterministic
            .map(|draft| (&draft.at, "deterministic", Allocation::Deterministic(self.ports(draft))));
        let other = match draft.mode {
            Mode::PortTranslation => {
                return blocks.or(ports).map_or(Allocation::Random, |(_, _, allocation)| allocation);
            }
            Mode::OneToOne => Allocation::OneToOne,
            Mode::None => Allocation::Untranslated,
        };
        for (at, first, _) in blocks.into_iter().chain(ports) {
            self.report(at, NatError::Exclusive { first, second: mode_text(draft.mode) });
        }
        other
    }

    fn ports(&mut self, draft: &DeterministicDraft<L>) -> NonZeroU16 {
        let ports = self.number(draft.ports_per_subscriber.as_ref(), TranslationNumber::DeterministicPorts);
        let ports = ports.and_then(|ports| NonZeroU16::new(u16::try_from(ports).ok()?));
        ports.unwrap_or(Allocation::DETERMINISTIC_PORTS)
    }

    /// Reports a pool that is too small for what each inside address has of it for itself.
    fn check_room(&mut self, allocation: Allocation, room: &Room<'_, L>) {
        let per_address = match allocation {
            Allocation::Random | Allocation::Blocks(_) | Allocation::Untranslated => return,
            Allocation::Deterministic(ports) => {
                (u16::MAX - FIRST_UNPRIVILEGED_PORT).saturating_add(1) / ports.get()
            }
            Allocation::OneToOne => 1,
        };
        let wanted = SubscriberOrder::new(&room.prefixes()).count();
        let has = room.addresses().saturating_mul(per_address.into());
        if let Some(at) = &room.at
            && has < wanted
        {
            self.report(at, NatError::PoolRoom { room: has, wanted });
        }
    }

    fn forwards(&mut self, drafts: Vec<Located<Forward, L>>, mode: Mode, room: &Room<'_, L>) -> Vec<Forward> {
        let count = drafts.len();
        if let Some(extra) = drafts.get(MAX_FORWARDS) {
            let (list, most) = (NatList::Forwards, MAX_FORWARDS);
            self.report(&extra.at, NatError::TooMany { list, given: count, most });
            return Vec::new();
        }
        if let (Some(first), Mode::OneToOne | Mode::None) = (drafts.first(), mode) {
            let error = NatError::Exclusive { first: "a static forward", second: mode_text(mode) };
            self.report(&first.at, error);
            return Vec::new();
        }
        let forwards: Vec<Forward> = drafts.iter().map(|draft| draft.value).collect();
        // Without a pool that could be read nothing is in it, which is not what is wrong.
        let in_pool =
            |address| room.pool.is_empty() || room.pool.iter().any(|range| range.value.contains(address));
        for (index, error) in forward_problems(&forwards, &room.prefixes(), in_pool) {
            if let Some(draft) = drafts.get(index) {
                self.report(&draft.at, error);
            }
        }
        forwards
    }

    fn exempt(&mut self, drafts: Vec<Located<Exemption, L>>) -> Vec<Exemption> {
        let count = drafts.len();
        if let Some(extra) = drafts.get(MAX_EXEMPTIONS) {
            let (list, most) = (NatList::Exempt, MAX_EXEMPTIONS);
            self.report(&extra.at, NatError::TooMany { list, given: count, most });
            return Vec::new();
        }
        drafts.into_iter().map(|draft| draft.value).collect()
    }

    fn port_blocks(&mut self, draft: &PortBlockDraft<L>) -> PortBlocks {
        let default = PortBlocks::default();
        let size = draft.size.as_ref().and_then(|size| {
            let valid = u16::try_from(size.value).ok().and_then(BlockSize::new);
            if valid.is_none() {
                self.report(&size.at, NatError::BlockSize(size.value));
            }
            valid
        });
        let per_subscriber =
            self.number(draft.per_subscriber.as_ref(), TranslationNumber::BlocksPerSubscriber);
        let hold = self.number(draft.hold_seconds.as_ref(), TranslationNumber::HoldSeconds);
        PortBlocks {
            size: size.unwrap_or(default.size),
            per_subscriber: per_subscriber
                .and_then(|number| u16::try_from(number).ok())
                .unwrap_or(default.per_subscriber),
            hold: hold.map_or(default.hold, |seconds| Duration::from_secs(seconds.into())),
        }
    }

    fn limits(&mut self, draft: &LimitsDraft<L>) -> SubscriberLimits {
        let mut limit = |number: &Option<Located<i64, L>>, which| {
            self.number(number.as_ref(), which).and_then(NonZeroU32::new)
        };
        SubscriberLimits {
            ports: limit(&draft.ports, TranslationNumber::PortsPerSubscriber),
            sessions: limit(&draft.sessions, TranslationNumber::SessionsPerSubscriber),
            new_sessions_per_second: limit(
                &draft.new_sessions_per_second,
                TranslationNumber::NewSessionsPerSecond,
            ),
        }
    }

    /// Returns a number that is given and in its range.
    fn number(&mut self, number: Option<&Located<i64, L>>, which: TranslationNumber) -> Option<u32> {
        let number = number?;
        let valid =
            u32::try_from(number.value).ok().filter(|value| (which.least()..=which.most()).contains(value));
        if valid.is_none() {
            self.report(&number.at, NatError::Number { which, given: number.value });
        }
        valid
    }
}

const fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::PortTranslation => "the mode port_translation",
        Mode::OneToOne => "the mode one_to_one",
        Mode::None => "the mode none",
    }
}
