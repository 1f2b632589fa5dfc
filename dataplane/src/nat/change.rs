//! Changes of the configuration: which mappings outlive them, and what becomes of the ports.
//!
//! A change is in force at once, while mappings that it does not allow end one by one with their sessions. Until the last
//! one has, they are told from the others wherever a mapping is looked up.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::addr::Realm;
use crate::config::nat::{Allocation, BlockSize};
use crate::config::{PortRange, Rule, Snapshot};
use crate::nat::block::BlockState;
use crate::nat::filter::Filters;
use crate::nat::key::flow;
use crate::nat::{Mapping, MappingId, Nat, Source};
use crate::tuple::{Protocol, Tuple};

/// A change that has not reached every session yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// Ports are given out in another way, which can begin once all that have one have given it back.
    waits: bool,
    /// Who may send to whom is counted anew.
    recounts: bool,
}

impl Nat {
    /// Puts rules in force. Sessions and pinholes with mappings that they do not [allow](Self::allows) are to be ended, the
    /// others to be [kept](Self::keep); and then [`Self::finish_change`] is to be called until it is done.
    pub fn configure(&mut self, rules: &Arc<Snapshot>) {
        let new = rules.translation();
        let unfinished = self.change.take();
        let used = self.mappings.len() > self.free.len();
        let recounts =
            new.filtering != self.settings.filtering || unfinished.is_some_and(|change| change.recounts);
        if recounts {
            self.filters = Filters::new(new.filtering, self.capacity.sessions, self.hasher);
        }
        self.settings.filtering = new.filtering;
        self.settings.limits = new.limits;
        let waits = used && !self.gives_ports_like(rules);
        self.rules = Some(Arc::clone(rules));
        if !waits {
            let before = self.adopt(rules);
            if let Some(before) = before.filter(|_| unfinished.is_some()) {
                self.keep_mapped_ports(&before);
            }
        }
        self.change = Some(Change { waits, recounts });
        if !used {
            while !self.finish_change() {}
        }
    }

    /// Does a piece of what follows when no mapping is left that [`Self::allows`] not; whether that is all.
    pub fn finish_change(&mut self) -> bool {
        let Some(change) = self.change else { return true };
        if !self.prepare_count() {
            return false;
        }
        if let Some(address) = self.pool.retired() {
            self.drop_blocks_of(address);
            self.pool.forget_retired();
            return false;
        }
        if change.waits {
            self.change = Some(Change { waits: false, ..change });
            if let Some(rules) = self.rules.clone() {
                // Nobody is left who had a port before.
                drop(self.adopt(&rules));
            }
            return false;
        }
        self.change = None;
        true
    }

    /// Whether pooled ports wait for a change, and none is given out until then.
    pub(super) fn waits(&self) -> bool {
        self.change.is_some_and(|change| change.waits)
    }

    /// Whether a session with a mapping that a change allows is counted under it; `false` where that has to be tried again
    /// later.
    pub fn keep(&mut self, id: MappingId, originator: Realm, remote: Ipv4Addr) -> bool {
        if !self.recounts() {
            return true;
        }
        if !self.filters.is_ready() {
            return false;
        }
        match originator {
            Realm::Inside => self.filters.count(id.0, remote),
            Realm::Outside => {}
        }
        true
    }

    /// Whether a change has everybody counted anew to whom inside endpoints have sent.
    pub fn recounts(&self) -> bool {
        self.change.is_some_and(|change| change.recounts)
    }

    /// Makes some of the room that counting anew takes; whether there is enough.
    pub fn prepare_count(&mut self) -> bool {
        self.filters.prepare()
    }

    /// Whether sessions that open now are counted at once.
    pub fn counts(&self) -> bool {
        !self.recounts() || self.filters.is_ready()
    }

    /// Whether a mapping is what a configuration would make of its inside endpoint towards `remote`.
    pub fn allows(&self, rules: &Snapshot, id: MappingId, remote: (Ipv4Addr, u16)) -> bool {
        let Some(mapping) = self.mapping(id) else { return false };
        rules.is_inside(mapping.inside.0)
            && self.follows(rules, mapping, rules.rule(&flow(mapping.protocol, mapping.inside, remote)))
    }

    /// Returns the mapping that an outside endpoint belongs to, if the rules in force allow it towards `remote`.
    pub fn serving(
        &self,
        protocol: Protocol,
        outside: (Ipv4Addr, u16),
        remote: (Ipv4Addr, u16),
    ) -> Option<MappingId> {
        let id = self.lookup_outside(protocol, outside)?;
        let allowed = |rules: &Arc<Snapshot>| self.allows(rules, id, remote);
        (self.change.is_none() || self.rules.as_ref().is_some_and(allowed)).then_some(id)
    }

    /// Whether a mapping is what a rule wants.
    fn follows(&self, rules: &Snapshot, mapping: &Mapping, rule: Rule) -> bool {
        match (rule, mapping.source) {
            (Rule::Untranslated, Source::Configuration) => mapping.inside == mapping.outside,
            (Rule::Fixed(address, port), Source::Configuration) => mapping.outside == (address, port),
            (Rule::Pooled, Source::Pool) => self.keeps_port(rules, mapping),
            (Rule::Shared, Source::Shared) => self.keeps_address(rules, mapping),
            // A port of the pool is not the same thing as the same port by configuration: it is to be given back.
            (Rule::Untranslated | Rule::Fixed(..), Source::Pool | Source::Shared)
            | (Rule::Pooled, Source::Configuration | Source::Shared)
            | (Rule::Shared, Source::Configuration | Source::Pool)
            | (Rule::Refused(_), _) => false,
        }
    }

    /// Finds the mapping of a key and holds it once more, if it is of use for what a rule wants.
    pub(super) fn hold_known(&mut self, key: &Tuple, rule: Rule) -> Option<MappingId> {
        let id = self.lookup(key)?;
        if !self.is_of_use(id, rule) {
            return None;
        }
        self.hold(id);
        Some(id)
    }

    /// Whether a mapping that was found is what a rule wants. If not, it serves only those who hold it from now on: until
    /// they have ended.
    fn is_of_use(&mut self, id: MappingId, rule: Rule) -> bool {
        let (Some(_), Some(rules), Some(mapping)) = (self.change, self.rules.as_ref(), self.mapping(id))
        else {
            return true;
        };
        let follows = self.follows(rules, mapping, rule);
        if !follows {
            self.unlink(id);
        }
        follows
    }

    /// Makes way for a mapping with an outside endpoint that one has which the rules in force do not allow any more.
    pub(super) fn clear_outside(&mut self, protocol: Protocol, outside: (Ipv4Addr, u16)) {
        if self.change.is_some()
            && let Some(id) = self.lookup_outside(protocol, outside)
        {
            self.unlink(id);
        }
    }

    /// Whether a port of the pool stays the mapping's under a configuration.
    fn keeps_port(&self, rules: &Snapshot, mapping: &Mapping) -> bool {
        let (address, port) = mapping.outside;
        let there = match rules.deterministic() {
            None => rules.pool_address(address).is_some(),
            Some(relation) => relation
                .outside_of(mapping.inside.0)
                .is_some_and(|(own, ports)| own == address && ports.contains(port)),
        };
        there && self.gives_ports_like(rules) && rules.forward_to(mapping.protocol, mapping.outside).is_none()
    }

    /// Whether an address of the pool stays the mapping's under a configuration.
    fn keeps_address(&self, rules: &Snapshot, mapping: &Mapping) -> bool {
        let (address, _) = mapping.outside;
        let there = match rules.deterministic() {
            None => rules.pool_address(address).is_some(),
            Some(relation) => relation.outside_of(mapping.inside.0).is_some_and(|(own, _)| own == address),
        };
        there && self.gives_ports_like(rules)
    }

    /// Whether a configuration gives ports to whom and in the way that the pool does now.
    fn gives_ports_like(&self, rules: &Snapshot) -> bool {
        let new = rules.translation();
        new.allocation.scheme() == self.settings.allocation.scheme() && new.mapping == self.settings.mapping
    }

    /// Has ports given out by the rules in force. Returns those whose forwards had ports until now.
    fn adopt(&mut self, rules: &Arc<Snapshot>) -> Option<Arc<Snapshot>> {
        let settings = rules.translation().clone();
        if settings.allocation.scheme() != self.settings.allocation.scheme() {
            let all: Vec<Ipv4Addr> = self.pool.iter().map(|outside| outside.config.address).collect();
            for address in all {
                self.drop_blocks_of(address);
            }
        }
        let before = self.reserved.take();
        for (protocol, address, ports) in before.iter().flat_map(|before| before.forwarded()) {
            self.pool.unreserve(protocol, address, ports);
        }
        self.pool.configure(&rules.config().pool, settings.allocation);
        for (protocol, address, ports) in rules.forwarded() {
            self.pool.reserve(protocol, address, ports);
        }
        self.reserved = Some(Arc::clone(rules));
        self.settings = settings;
        before
    }

    /// Takes ports again that forwards had which did not last until those ended who had them before.
    fn keep_mapped_ports(&mut self, before: &Snapshot) {
        for (protocol, address, ports) in before.forwarded() {
            for port in ports.first()..=ports.last() {
                let known = self.lookup_outside(protocol, (address, port));
                let is_pooled = |mapping: &Mapping| mapping.source == Source::Pool;
                if known.and_then(|id| self.mapping(id)).is_some_and(is_pooled)
                    && let Some(taken) = PortRange::new(port, port)
                {
                    self.pool.reserve(protocol, address, taken);
                }
            }
        }
    }

    /// Takes the held blocks of an address from those who have given them back.
    fn drop_blocks_of(&mut self, address: Ipv4Addr) {
        let Some(blocks) = self.pool.outside(address).and_then(|outside| outside.blocks.as_ref()) else {
            return;
        };
        let held = (0_u16..).zip(blocks.iter()).filter(|(_, block)| block.state == BlockState::Held);
        let dropped: Vec<u16> = held.map(|(number, _)| number).collect();
        for number in dropped {
            self.free_block(address, number);
        }
    }
}

/// The way that ports are cut, which has to stay for mappings to outlive a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scheme {
    Whole,
    Blocks(BlockSize),
    /// Each mapping's range is compared by itself.
    Ranges,
    /// No port is taken.
    None,
}

impl Allocation {
    const fn scheme(self) -> Scheme {
        match self {
            Self::Random => Scheme::Whole,
            Self::Blocks(rule) => Scheme::Blocks(rule.size),
            Self::Deterministic(_) => Scheme::Ranges,
            Self::OneToOne | Self::Untranslated => Scheme::None,
        }
    }
}
