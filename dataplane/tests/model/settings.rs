//! Random configurations, small enough that everything in them runs out.

use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use pinhole_dataplane::config::nat::{
    Allocation, BlockSize, Dependence, Exemption, Forward, OtherProtocols, PortBlocks, SubscriberLimits,
    Translation,
};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, ServiceTransport};
use pinhole_dataplane::limits::Timeouts;

use crate::random::Random;

/// Hosts of the inside prefix 10.0.0.0/29 that send; all have places in it.
pub(crate) const HOSTS: u8 = 6;
pub(crate) const INSIDE: &str = "10.0.0.0/29";
/// Addresses of the prefix.
pub(crate) const INSIDE_COUNT: u16 = 8;

pub(crate) fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number % HOSTS + 1)
}

pub(crate) fn pool_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, number + 1)
}

/// Remote hosts; the last one is exempt from translation where anybody is.
pub(crate) fn remote(number: u8) -> Ipv4Addr {
    [[198, 51, 100, 5], [198, 51, 100, 66], [192, 0, 2, 9]][usize::from(number % 3)].into()
}

pub(crate) fn random(random: &mut Random) -> Config {
    let allocation = match random.between(0, 9) {
        0..=3 => Allocation::Random,
        4..=6 => {
            let size = BlockSize::new(64).unwrap();
            let hold = Duration::from_secs(*random.pick(&[0, 30, 120]));
            Allocation::Blocks(PortBlocks { size, per_subscriber: *random.pick(&[1, 2, 4]), hold })
        }
        7 => Allocation::Deterministic(NonZeroU16::new(*random.pick(&[3, 8])).unwrap()),
        8 => Allocation::OneToOne,
        _ => Allocation::Untranslated,
    };
    let (addresses, count) = match allocation {
        Allocation::Random => (random.between(1, 3) as u8, *random.pick(&[6, 12, 64, 300])),
        Allocation::Blocks(_) => (random.between(1, 3) as u8, *random.pick(&[64, 128, 320])),
        Allocation::Deterministic(_) => (2, 40),
        Allocation::OneToOne => (8, 100),
        Allocation::Untranslated => (0, 1),
    };
    let ports = PortRange::new(1_024, 1_023 + count).unwrap();
    let pool = (0..addresses).map(|n| PoolAddress { address: pool_address(n), ports, host: false }).collect();
    let most = |random: &mut Random, values: &[u32]| NonZeroU32::new(*random.pick(values));
    let timeouts = if random.percent(50) {
        Timeouts::default()
    } else {
        Timeouts {
            tcp_established: Duration::from_secs(200),
            tcp_transitory: Duration::from_secs(40),
            udp: Duration::from_secs(60),
            udp_one_way: Duration::from_secs(20),
            icmp: Duration::from_secs(15),
        }
    };
    Config {
        inside_prefixes: vec![INSIDE.parse().unwrap()],
        pool,
        nat: Translation {
            allocation,
            mapping: *random.pick(&Dependence::ALL),
            filtering: *random.pick(&Dependence::ALL),
            forwards: if may_forward(allocation) { forwards(random.next() as u8) } else { vec![] },
            exempt: if random.percent(20) { exempt(random.percent(50)) } else { vec![] },
            // What has no ports is not modelled.
            other_protocols: OtherProtocols::default(),
            tcp_mss: None,
            limits: SubscriberLimits {
                ports: most(random, &[0, 0, 0, 3, 10]),
                sessions: most(random, &[0, 0, 0, 4, 12]),
                new_sessions_per_second: most(random, &[0, 0, 0, 1, 5]),
            },
        },
        ipv6: None,
        host_addresses: vec![],
        algs: vec![],
        timeouts,
        decrement_ttl: true,
        mtu: 1_500,
    }
}

/// Makes a configuration one under which many sessions fit.
pub(crate) fn make_room(config: &mut Config) {
    let ports = PortRange::new(1_024, 1_323).unwrap();
    config.pool = (0..3).map(|n| PoolAddress { address: pool_address(n), ports, host: false }).collect();
    config.nat.allocation = Allocation::Random;
    config.nat.limits = SubscriberLimits::default();
    config.timeouts = Timeouts::default();
}

/// One of the lists of static forwards that there are here; many of them are empty.
pub(crate) fn forwards(kind: u8) -> Vec<Forward> {
    let forward = |outside: (u16, u16), inside: u16, to: u8, transport| Forward {
        transport,
        outside: pool_address(0),
        outside_ports: PortRange::new(outside.0, outside.1).unwrap(),
        inside: host(to),
        inside_ports: PortRange::new(inside, inside + (outside.1 - outside.0)).unwrap(),
    };
    let transport = |at: u8| {
        [ServiceTransport::Tcp, ServiceTransport::Udp, ServiceTransport::TcpUdp][usize::from(at % 3)]
    };
    if kind % 8 < 4 {
        return vec![];
    }
    let mut all = vec![forward((80, 80), 2_000, 0, transport(kind / 8))];
    // The second one takes ports that mappings would take, too, and the third one all of a block.
    match kind % 3 {
        0 => all.push(forward((1_025, 1_026), 2_001, 1, transport(kind / 24))),
        1 => all.push(forward((1_024, 1_087), 2_001, 1, transport(kind / 24))),
        _ => {}
    }
    all
}

/// Whether an allocation leaves ports for static forwards.
pub(crate) const fn may_forward(allocation: Allocation) -> bool {
    matches!(allocation, Allocation::Random | Allocation::Blocks(_))
}

pub(crate) fn exempt(any_port: bool) -> Vec<Exemption> {
    let ports = if any_port { vec![] } else { vec![PortRange::new(50, 60).unwrap()] };
    vec![Exemption { destination: "192.0.2.0/24".parse().unwrap(), ports }]
}
