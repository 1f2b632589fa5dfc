//! Configurations, good and bad.

use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use pinhole_dataplane::addr::Ipv4Prefix;
use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::config::nat::{
    Allocation, BlockSize, Dependence, Exemption, Forward, OtherProtocols, PortBlocks, SubscriberLimits,
    Translation,
};
use pinhole_dataplane::config::{AlgConfig, Config, PoolAddress, PortRange, ServiceTransport};
use pinhole_dataplane::limits::Timeouts;

use crate::input::Input;

/// Inside hosts that send.
pub(crate) const HOSTS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(10, 0, 0, 2),
    Ipv4Addr::new(10, 0, 0, 3),
    Ipv4Addr::new(10, 0, 0, 200),
];
pub(crate) const REMOTES: [Ipv4Addr; 3] =
    [Ipv4Addr::new(198, 51, 100, 5), Ipv4Addr::new(198, 51, 100, 66), Ipv4Addr::new(192, 0, 2, 9)];

pub(crate) const fn pool(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, number)
}

pub(crate) fn is_inside(address: Ipv4Addr) -> bool {
    address.octets()[..3] == [10, 0, 0]
}

/// The inside prefix that is everybody's: a configuration may have less of it, and others.
const INSIDE: &str = "10.0.0.0/24";

/// A configuration that is good, and has all of the inside.
pub(crate) fn good(input: &mut Input<'_>) -> Config {
    let ports = PortRange::new(1_024, 1_024 + input.pick(&[9, 127, 255, 2_000])).unwrap();
    let addresses = input.byte() % 3 + 1;
    let allocation = match input.byte() % 4 {
        0 | 1 => Allocation::Random,
        2 if ports.count() >= 64 => Allocation::Blocks(blocks(input)),
        _ => Allocation::Random,
    };
    Config {
        inside_prefixes: vec![INSIDE.parse().unwrap()],
        pool: (0..addresses).map(|n| PoolAddress { address: pool(n), ports, host: false }).collect(),
        nat: Translation {
            allocation,
            mapping: input.pick(&Dependence::ALL),
            filtering: input.pick(&Dependence::ALL),
            forwards: vec![],
            exempt: vec![],
            other_protocols: input.pick(&OtherProtocols::ALL),
            // Not of the input, which would mean something else then.
            tcp_mss: None,
            limits: limits(input),
        },
        ipv6: None,
        host_addresses: vec![],
        algs: algs(input),
        timeouts: timeouts(input),
        decrement_ttl: input.bool(),
        mtu: input.pick(&[1_500, 68, 576, u16::MAX]),
    }
}

/// A configuration that may be anything.
pub(crate) fn any(input: &mut Input<'_>) -> Config {
    let mut config = good(input);
    if input.bool() {
        config.inside_prefixes = (0..input.byte() % 4).filter_map(|_| prefix(input)).collect();
    }
    if input.bool() {
        config.pool = (0..input.byte() % 5)
            .map(|_| PoolAddress {
                address: if input.bool() {
                    pool(input.byte() % 8)
                } else {
                    Ipv4Addr::from_bits(input.long())
                },
                ports: range(input).unwrap_or(PortRange::new(1_024, 2_047).unwrap()),
                host: input.byte() == 1,
            })
            .collect();
    }
    config.nat.allocation = match input.byte() % 6 {
        0 => Allocation::Random,
        1 => Allocation::Blocks(blocks(input)),
        2 => Allocation::Deterministic(NonZeroU16::new(input.short() % 600).unwrap_or(NonZeroU16::MIN)),
        3 => Allocation::OneToOne,
        4 => Allocation::Untranslated,
        _ => config.nat.allocation,
    };
    config.nat.forwards = (0..input.byte() % 4).filter_map(|_| forward(input)).collect();
    config.nat.exempt = (0..input.byte() % 3)
        .filter_map(|_| {
            let ports = (0..input.byte() % 3).filter_map(|_| range(input)).collect();
            Some(Exemption { destination: prefix(input)?, ports })
        })
        .collect();
    config.host_addresses = (0..input.byte() % 3).map(|_| pool(input.byte() % 8)).collect();
    config
}

fn prefix(input: &mut Input<'_>) -> Option<Ipv4Prefix> {
    let address = match input.byte() % 3 {
        0 => Ipv4Addr::new(10, 0, 0, input.byte()),
        1 => input.pick(&REMOTES),
        _ => Ipv4Addr::from_bits(input.long()),
    };
    let length = input.pick(&[24, 25, 30, 32, 0, 8, 33]);
    let host_bits = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    Ipv4Prefix::new(Ipv4Addr::from_bits(address.to_bits() & !host_bits), length).ok()
}

fn range(input: &mut Input<'_>) -> Option<PortRange> {
    let first = input.pick(&[1_024, 1_025, 2_000, 80, 65_535, 0]);
    PortRange::new(first, first.saturating_add(input.short() % 1_500))
}

fn forward(input: &mut Input<'_>) -> Option<Forward> {
    let (outside_ports, inside_ports) = (range(input)?, range(input)?);
    let transport = input.pick(&[ServiceTransport::Tcp, ServiceTransport::Udp, ServiceTransport::TcpUdp]);
    Some(Forward {
        transport,
        outside: pool(input.byte() % 4),
        outside_ports,
        inside: input.pick(&HOSTS),
        inside_ports,
    })
}

fn blocks(input: &mut Input<'_>) -> PortBlocks {
    PortBlocks {
        size: BlockSize::new(input.pick(&[64, 128, 1_024])).unwrap(),
        per_subscriber: input.pick(&[1, 2, 64]),
        hold: Duration::from_secs(input.pick(&[0, 1, 120])),
    }
}

fn limits(input: &mut Input<'_>) -> SubscriberLimits {
    let mut most = || NonZeroU32::new(input.pick(&[0, 0, 1, 3, 20]));
    SubscriberLimits { ports: most(), sessions: most(), new_sessions_per_second: most() }
}

fn algs(input: &mut Input<'_>) -> Vec<AlgConfig> {
    let off = AlgConfig { protocol: AlgProtocol::Ftp, enabled: false, services: vec![] };
    if input.byte() == 1 { vec![off] } else { vec![] }
}

fn timeouts(input: &mut Input<'_>) -> Timeouts {
    if input.bool() {
        return Timeouts::default();
    }
    let mut seconds = || Duration::from_secs(input.pick(&[1, 10, 60, 0, 100_000]));
    Timeouts {
        tcp_established: seconds(),
        tcp_transitory: seconds(),
        udp: seconds(),
        udp_one_way: seconds(),
        icmp: seconds(),
    }
}
