//! What the configuration says about one flow's translation.

use std::net::Ipv4Addr;

use super::nat::{Allocation, Exemption, Mode, OtherProtocols, Translation, forward_problems};
use super::order::{Deterministic, SubscriberOrder};
use super::{Config, ConfigError, PortRange, ServiceTransport, Snapshot, error};
use crate::tuple::{Protocol, Tuple};
use crate::wire;

/// What becomes of an inside endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// It stays as it is.
    Untranslated,
    /// It is always this outside endpoint, which is nobody else's.
    Fixed(Ipv4Addr, u16),
    /// It gets a port of the pool.
    Pooled,
    /// It gets an address of the pool that it shares with others, and no port.
    Shared,
    /// It cannot be translated.
    Refused(Untranslatable),
}

/// Why a protocol is not translated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Untranslatable {
    /// It has no ports, and outside addresses are shared.
    NoPorts,
    /// It protects the addresses against every change (RFC 4302, section 3.3.3).
    Authenticated,
}

/// The configuration's relations, ordered so that they are found without looking at all of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Relations {
    /// By transport and outside endpoint.
    inward: Vec<Forwarded>,
    /// By transport and inside endpoint.
    outward: Vec<Forwarded>,
    /// Which inside address has which place; for 1:1 translation.
    order: SubscriberOrder,
    /// The pool's addresses in order; for 1:1 translation.
    pool: Vec<Ipv4Addr>,
    deterministic: Option<Deterministic>,
}

/// A static forward of one transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Forwarded {
    protocol: Protocol,
    outside: (Ipv4Addr, u16),
    inside: (Ipv4Addr, u16),
    /// How many ports beyond the first of each side.
    more: u16,
}

impl Relations {
    pub(super) fn new(config: &Config) -> Self {
        let mut inward: Vec<Forwarded> = config.nat.forwards.iter().flat_map(forwarded).collect();
        inward.sort_unstable_by_key(|forward| (forward.protocol, forward.outside));
        let mut outward = inward.clone();
        outward.sort_unstable_by_key(|forward| (forward.protocol, forward.inside));
        let mut pool: Vec<Ipv4Addr> = config.pool.iter().map(|entry| entry.address).collect();
        pool.sort_unstable();
        Self {
            inward,
            outward,
            order: SubscriberOrder::new(&config.inside_prefixes),
            pool,
            deterministic: deterministic(config),
        }
    }

    /// Returns the inside endpoint that an outside one is forwarded to.
    fn forward_to(&self, protocol: Protocol, outside: (Ipv4Addr, u16)) -> Option<(Ipv4Addr, u16)> {
        let after =
            self.inward.partition_point(|entry| (entry.protocol, entry.outside) <= (protocol, outside));
        let entry = self.inward.get(after.checked_sub(1)?)?;
        entry.counterpart(protocol, entry.outside, entry.inside, outside)
    }

    /// Returns the outside endpoint that is forwarded to an inside one.
    fn forward_from(&self, protocol: Protocol, inside: (Ipv4Addr, u16)) -> Option<(Ipv4Addr, u16)> {
        let after =
            self.outward.partition_point(|entry| (entry.protocol, entry.inside) <= (protocol, inside));
        let entry = self.outward.get(after.checked_sub(1)?)?;
        entry.counterpart(protocol, entry.inside, entry.outside, inside)
    }

    /// Returns the outside address of an inside one under 1:1 translation.
    fn twin_of(&self, inside: Ipv4Addr) -> Option<Ipv4Addr> {
        self.pool.get(usize::try_from(self.order.index_of(inside)?).ok()?).copied()
    }
}

impl Forwarded {
    fn counterpart(
        &self,
        protocol: Protocol,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
        endpoint: (Ipv4Addr, u16),
    ) -> Option<(Ipv4Addr, u16)> {
        let offset = endpoint.1.checked_sub(from.1).filter(|&offset| offset <= self.more)?;
        let fits = self.protocol == protocol && from.0 == endpoint.0;
        Some((to.0, to.1.checked_add(offset)?)).filter(|_| fits)
    }
}

fn forwarded(forward: &super::nat::Forward) -> impl Iterator<Item = Forwarded> {
    let protocols: &[Protocol] = match forward.transport {
        ServiceTransport::Tcp => &[Protocol::Tcp],
        ServiceTransport::Udp => &[Protocol::Udp],
        ServiceTransport::TcpUdp => &[Protocol::Tcp, Protocol::Udp],
    };
    let outside = (forward.outside, forward.outside_ports.first());
    let inside = (forward.inside, forward.inside_ports.first());
    let more = forward.outside_ports.last() - forward.outside_ports.first();
    protocols.iter().map(move |&protocol| Forwarded { protocol, outside, inside, more })
}

fn deterministic(config: &Config) -> Option<Deterministic> {
    let Allocation::Deterministic(ports) = config.nat.allocation else { return None };
    let order = SubscriberOrder::new(&config.inside_prefixes);
    let pool = config.pool.iter().map(|entry| entry.address).collect();
    Some(Deterministic::new(order, pool, config.pool.first()?.ports, ports.get()))
}

/// Checks what the addresses and ports of a configuration are to be for its rules.
pub(super) fn check(config: &Config, errors: &mut Vec<ConfigError>) {
    for (index, problem) in forward_problems(&config.nat.forwards, &config.inside_prefixes, |address| {
        config.pool.iter().any(|entry| entry.address == address)
    }) {
        errors.push(error(format!("nat.forwards[{index}]"), problem.to_string()));
    }
    match config.nat.allocation {
        Allocation::Random | Allocation::Untranslated => {}
        Allocation::Blocks(rule) => {
            for (index, entry) in config.pool.iter().enumerate().filter(|(_, e)| !rule.size.fits(e.ports)) {
                let (size, ports) = (rule.size.ports(), entry.ports);
                let detail = format!("ports {ports} hold no block of {size} ports");
                errors.push(error(format!("pool[{index}]"), detail));
            }
        }
        Allocation::Deterministic(_) => {
            let first = config.pool.first().map(|entry| entry.ports);
            if config.pool.iter().any(|entry| Some(entry.ports) != first) {
                errors.push(error("pool", "deterministic mapping needs the same ports of each address"));
            } else if let Some(relation) = deterministic(config)
                && relation.capacity() < relation.subscribers()
            {
                let (room, wanted) = (relation.capacity(), relation.subscribers());
                errors.push(error("pool", format!("has ports for {room} of {wanted} inside addresses")));
            }
        }
        Allocation::OneToOne => {
            let (there, wanted) = (config.pool.len(), SubscriberOrder::new(&config.inside_prefixes).count());
            if u64::try_from(there).is_ok_and(|there| there < wanted) {
                errors.push(error("pool", format!("has {there} addresses for {wanted} inside addresses")));
            }
            if let Some(entry) = config.pool.iter().find(|entry| entry.host) {
                let address = entry.address;
                errors.push(error("pool", format!("{address} is the host's own, and 1:1 leaves it no port")));
            }
        }
    }
}

impl Exemption {
    fn covers(&self, destination: Ipv4Addr, port: Option<u16>) -> bool {
        let any_port = self.ports.is_empty();
        self.destination.contains(destination)
            && (any_port || port.is_some_and(|port| self.ports.iter().any(|range| range.contains(port))))
    }
}

impl Snapshot {
    /// Returns how addresses and ports are given out.
    pub fn translation(&self) -> &Translation {
        &self.config().nat
    }

    /// Returns what becomes of the source of a packet from inside.
    pub fn rule(&self, tuple: &Tuple) -> Rule {
        let inside = (tuple.source, tuple.source_port);
        if let Some((address, port)) = self.relations.forward_from(tuple.protocol, inside) {
            return Rule::Fixed(address, port);
        }
        let port = match tuple.protocol {
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite => Some(tuple.destination_port),
            Protocol::IcmpEcho | Protocol::Gre | Protocol::Other => None,
        };
        let exempt = &self.translation().exempt;
        if exempt.iter().any(|exemption| exemption.covers(tuple.destination, port)) {
            return Rule::Untranslated;
        }
        match tuple.protocol {
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::IcmpEcho | Protocol::Gre => {}
            Protocol::Other => {
                if let Some(rule) = self.rule_of_unread(tuple) {
                    return rule;
                }
            }
        }
        match self.translation().allocation {
            Allocation::Untranslated => Rule::Untranslated,
            Allocation::OneToOne => match self.relations.twin_of(inside.0) {
                Some(address) => Rule::Fixed(address, inside.1),
                // No host of the inside prefixes, so nothing of it is ever forwarded.
                None => Rule::Untranslated,
            },
            Allocation::Random | Allocation::Blocks(_) | Allocation::Deterministic(_) => Rule::Pooled,
        }
    }

    /// Returns what becomes of the source of a packet whose transport is not read, where that is something else than of
    /// other packets.
    fn rule_of_unread(&self, tuple: &Tuple) -> Option<Rule> {
        let authenticated = tuple.source_port == u16::from(wire::PROTOCOL_AH);
        match (self.translation().allocation.mode(), self.translation().other_protocols) {
            (Mode::None, _) => None,
            (Mode::OneToOne | Mode::PortTranslation, _) if authenticated => {
                Some(Rule::Refused(Untranslatable::Authenticated))
            }
            (Mode::OneToOne, _) => None,
            (Mode::PortTranslation, OtherProtocols::Translate) => Some(Rule::Shared),
            (Mode::PortTranslation, OtherProtocols::Refuse) => Some(Rule::Refused(Untranslatable::NoPorts)),
        }
    }

    /// Returns the inside endpoint that a static forward leads an outside one to.
    pub fn forward_to(&self, protocol: Protocol, outside: (Ipv4Addr, u16)) -> Option<(Ipv4Addr, u16)> {
        self.relations.forward_to(protocol, outside)
    }

    /// Returns an outside address from which static forwards lead to an inside one.
    pub fn forwarded_address(&self, inside: Ipv4Addr) -> Option<Ipv4Addr> {
        let outward = &self.relations.outward;
        [Protocol::Tcp, Protocol::Udp].into_iter().find_map(|protocol| {
            let first =
                outward.partition_point(|entry| (entry.protocol, entry.inside) < (protocol, (inside, 0)));
            let entry = outward.get(first).filter(|entry| entry.protocol == protocol)?;
            (entry.inside.0 == inside).then_some(entry.outside.0)
        })
    }

    /// Returns the outside ports that static forwards take, each with its transport and address.
    pub fn forwarded(&self) -> impl Iterator<Item = (Protocol, Ipv4Addr, PortRange)> {
        self.relations.inward.iter().filter_map(|forward| {
            let (address, first) = forward.outside;
            Some((forward.protocol, address, PortRange::new(first, first.checked_add(forward.more)?)?))
        })
    }

    /// Returns the deterministic mapping, if ports are given out by it.
    pub fn deterministic(&self) -> Option<&Deterministic> {
        self.relations.deterministic.as_ref()
    }
}
