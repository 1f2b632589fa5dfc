//! Changes of the configuration: which mappings outlive them, and what becomes of the blocks.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::config::nat::{Allocation, BlockSize};
use crate::config::{Rule, Snapshot};
use crate::nat::block::BlockState;
use crate::nat::filter::Filters;
use crate::nat::key::flow;
use crate::nat::{Mapping, MappingId, Nat, Source};

impl Nat {
    /// Changes pool and rules. Mappings that [`Self::allows`] not under them must be released by then. Who may send to
    /// the others is forgotten: [`Self::recount_sent`] says it again.
    pub fn configure(&mut self, rules: &Arc<Snapshot>) {
        let settings = rules.translation().clone();
        if settings.allocation.scheme() != self.settings.allocation.scheme() {
            self.drop_blocks(|_| true);
        }
        let pool = &rules.config().pool;
        let kept: BTreeSet<Ipv4Addr> = pool.iter().map(|entry| entry.address).collect();
        self.drop_blocks(|address| !kept.contains(&address));
        if let Some(before) = &self.rules {
            for (protocol, address, ports) in before.forwarded() {
                self.pool.unreserve(protocol, address, ports);
            }
        }
        self.pool.configure(pool, settings.allocation);
        for (protocol, address, ports) in rules.forwarded() {
            self.pool.reserve(protocol, address, ports);
        }
        self.filters = Filters::new(settings.filtering, self.capacity.sessions, self.hasher);
        self.settings = settings;
        self.rules = Some(Arc::clone(rules));
    }

    /// Whether a mapping is what a configuration would make of its inside endpoint towards `remote`.
    pub fn allows(&self, rules: &Snapshot, id: MappingId, remote: (Ipv4Addr, u16)) -> bool {
        let Some(mapping) = self.mapping(id) else { return false };
        if !rules.is_inside(mapping.inside.0) {
            return false;
        }
        match rules.rule(&flow(mapping.protocol, mapping.inside, remote)) {
            Rule::Untranslated => mapping.inside == mapping.outside,
            Rule::Fixed(address, port) => mapping.outside == (address, port),
            Rule::Pooled => mapping.source == Source::Pool && self.keeps_port(rules, mapping),
            Rule::Shared => mapping.source == Source::Shared && self.keeps_address(rules, mapping),
            Rule::Refused(_) => false,
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
        there
            && rules.translation().allocation.scheme() == self.settings.allocation.scheme()
            && rules.translation().mapping == self.settings.mapping
            && rules.forward_to(mapping.protocol, mapping.outside).is_none()
    }

    /// Whether an address of the pool stays the mapping's under a configuration.
    fn keeps_address(&self, rules: &Snapshot, mapping: &Mapping) -> bool {
        let (address, _) = mapping.outside;
        let there = match rules.deterministic() {
            None => rules.pool_address(address).is_some(),
            Some(relation) => relation.outside_of(mapping.inside.0).is_some_and(|(own, _)| own == address),
        };
        there && rules.translation().allocation.scheme() == self.settings.allocation.scheme()
    }

    /// Takes the held blocks of some addresses from those who have given them back.
    fn drop_blocks(&mut self, goes: impl Fn(Ipv4Addr) -> bool) {
        let mut dropped = Vec::new();
        for outside in self.pool.iter().filter(|outside| goes(outside.config.address)) {
            let Some(blocks) = &outside.blocks else { continue };
            let held = (0_u16..)
                .zip(blocks.iter())
                .filter(|(_, block)| block.state == BlockState::Held)
                .map(|(number, _)| (outside.config.address, number));
            dropped.extend(held);
        }
        for (address, number) in dropped {
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
