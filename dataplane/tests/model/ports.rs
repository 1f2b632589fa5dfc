//! Which outside endpoints there are to choose from.

use std::net::Ipv4Addr;

use pinhole_dataplane::config::nat::{Allocation, Forward, PortBlocks};
use pinhole_dataplane::config::{PoolAddress, PortRange, ServiceTransport};
use pinhole_dataplane::engine::DropReason;
use pinhole_dataplane::tuple::Protocol;

use crate::flow::End;
use crate::reference::{MappingKey, Model, Outcome, Rule};
use crate::settings::pool_address;

impl Model {
    /// Returns what becomes of an inside endpoint that sends to another one.
    pub(crate) fn rule(&self, protocol: Protocol, inside: End, to: End) -> Rule {
        for forward in self.forwards(protocol) {
            if forward.inside == inside.0 && forward.inside_ports.contains(inside.1) {
                let port = forward.outside_ports.first() + (inside.1 - forward.inside_ports.first());
                return Rule::Fixed((forward.outside, port));
            }
        }
        let exempt = self.config.nat.exempt.iter().any(|exemption| {
            let port = exemption.ports.is_empty()
                || protocol != Protocol::IcmpEcho && exemption.ports.iter().any(|range| range.contains(to.1));
            exemption.destination.contains(to.0) && port
        });
        match self.config.nat.allocation {
            _ if exempt => Rule::Same,
            Allocation::Untranslated => Rule::Same,
            // The prefix and the pool begin at places that are counted alike.
            Allocation::OneToOne => Rule::Fixed((pool_address(inside.0.octets()[3]), inside.1)),
            Allocation::Random | Allocation::Blocks(_) | Allocation::Deterministic(_) => Rule::Pooled,
        }
    }

    fn forwards(&self, protocol: Protocol) -> impl Iterator<Item = &Forward> {
        self.config.nat.forwards.iter().filter(move |forward| match forward.transport {
            ServiceTransport::Tcp => protocol == Protocol::Tcp,
            ServiceTransport::Udp => protocol == Protocol::Udp,
            ServiceTransport::TcpUdp => matches!(protocol, Protocol::Tcp | Protocol::Udp),
        })
    }

    pub(crate) fn forward_to(&self, protocol: Protocol, outside: End) -> Option<End> {
        self.forwards(protocol).find_map(|forward| {
            let fits = forward.outside == outside.0 && forward.outside_ports.contains(outside.1);
            fits.then(|| {
                (forward.inside, forward.inside_ports.first() + (outside.1 - forward.outside_ports.first()))
            })
        })
    }

    /// Whether an outside endpoint is nobody's.
    fn is_free(&self, protocol: Protocol, outside: End) -> bool {
        let taken = self.mappings.iter().any(|(key, end)| key.0 == protocol && *end == outside);
        !taken && self.forward_to(protocol, outside).is_none()
    }

    fn free_in(&self, protocol: Protocol, address: Ipv4Addr, range: PortRange) -> Vec<u16> {
        (range.first()..=range.last()).filter(|port| self.is_free(protocol, (address, *port))).collect()
    }

    /// Returns the outside address that all mappings of a host have, while it has any or a block.
    fn paired(&self, host: Ipv4Addr) -> Option<Ipv4Addr> {
        let of_mapping = self.pooled.iter().find(|key| key.1.0 == host);
        let of_block =
            self.blocks.iter().find(|(_, block)| block.owner == host && block.is_surely_owned(self.now));
        of_mapping.map(|key| self.mappings[key].0).or(of_block.map(|(start, _)| start.0))
    }

    /// Whether the engine's choice for a new mapping, or its refusal, is one that it may make.
    pub(crate) fn check_choice(&self, mapping: MappingKey, chosen: Option<End>) -> Result<End, Outcome> {
        let host = mapping.1.0;
        let held = self.pooled.iter().filter(|key| key.1.0 == host).count();
        if self.config.nat.limits.ports.is_some_and(|most| held >= most.get() as usize) {
            return Err(Outcome::Drop(DropReason::SubscriberPorts));
        }
        let paired = self.paired(host);
        let candidates: Vec<PoolAddress> = self
            .config
            .pool
            .iter()
            .copied()
            .filter(|entry| paired.is_none_or(|own| own == entry.address))
            .collect();
        let room: Vec<bool> = candidates.iter().map(|entry| self.has_room(mapping, entry)).collect();
        let Some(outside) = chosen else {
            // Who has no address yet is tried at some of them, not at all.
            if room.iter().all(|room| *room) && !room.is_empty() {
                return Err(Outcome::Wrong(format!("there are ports for {mapping:?}, and it got none")));
            }
            return Err(Outcome::Drop(DropReason::NoPort));
        };
        let wrong = |what: &str| Err(Outcome::Wrong(format!("{mapping:?} got {outside:?}: {what}")));
        let Some(entry) = candidates.iter().find(|entry| entry.address == outside.0) else {
            return wrong("not the host's outside address");
        };
        if !self.is_free(mapping.0, outside) {
            return wrong("somebody else's");
        }
        if !self.usable(host, entry).iter().any(|range| range.contains(outside.1)) {
            return wrong("not among the host's ports");
        }
        let even = |port: u16| port.is_multiple_of(2);
        if mapping.0 == Protocol::Udp
            && even(outside.1) != even(mapping.1.1)
            && self.config.nat.allocation == Allocation::Random
            && self
                .free_in(mapping.0, entry.address, entry.ports)
                .iter()
                .any(|port| even(*port) == even(mapping.1.1))
        {
            return wrong("there was a port of the same parity");
        }
        Ok(outside)
    }

    /// Returns the ports of an address that a host may take, its blocks as the engine has told of them.
    fn usable(&self, host: Ipv4Addr, entry: &PoolAddress) -> Vec<PortRange> {
        match self.config.nat.allocation {
            Allocation::Random => vec![entry.ports],
            Allocation::Blocks(rule) => {
                let own = self
                    .blocks
                    .iter()
                    .filter(|(start, block)| start.0 == entry.address && block.owner == host);
                own.map(|(start, _)| block_at(rule, start.1)).collect()
            }
            Allocation::Deterministic(count) => {
                let per_address = u16::try_from(entry.ports.count()).unwrap() / count.get();
                let index = u16::from(host.octets()[3]);
                let place = usize::from(index / per_address);
                let first = entry.ports.first() + index % per_address * count.get();
                let here = self.config.pool.get(place).is_some_and(|own| own.address == entry.address);
                let range = PortRange::new(first, first + count.get() - 1).unwrap();
                if here { vec![range] } else { vec![] }
            }
            Allocation::OneToOne | Allocation::Untranslated => vec![],
        }
    }

    /// Whether a mapping has a port to take at an address, perhaps of a new block.
    fn has_room(&self, mapping: MappingKey, entry: &PoolAddress) -> bool {
        let host = mapping.1.0;
        let free = |range: &PortRange| !self.free_in(mapping.0, entry.address, *range).is_empty();
        if self.usable(host, entry).iter().any(free) {
            return true;
        }
        let Allocation::Blocks(rule) = self.config.nat.allocation else {
            // Where the formula says another address there is none here, and that is nobody's fault.
            return matches!(self.config.nat.allocation, Allocation::Deterministic(_))
                && self.usable(host, entry).is_empty();
        };
        let own = self.blocks.values().filter(|block| block.owner == host).count();
        let starts = (entry.ports.first()..=entry.ports.last()).step_by(usize::from(rule.size.ports()));
        let mut unowned = starts
            .filter(|start| entry.ports.contains(start + rule.size.ports() - 1))
            .filter(|start| !self.blocks.contains_key(&(entry.address, *start)));
        own < usize::from(rule.per_subscriber) && unowned.any(|start| free(&block_at(rule, start)))
    }
}

fn block_at(rule: PortBlocks, start: u16) -> PortRange {
    PortRange::new(start, start + rule.size.ports() - 1).unwrap()
}
