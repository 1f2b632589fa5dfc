//! Which network a seed stands for.

use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::config::nat::{Allocation, BlockSize, Dependence, Forward, PortBlocks, Translation};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, ServiceTransport};
use pinhole_dataplane::limits::Timeouts;

use crate::apps::{App, Ask, Echo, Fetch, Web};
use crate::ftp::{FtpClient, FtpServer, Mode};
use crate::host::Host;
use crate::network::{Network, Place, Site, Weather};
use crate::random::Random;

const SECOND: u64 = 1_000_000;
const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 51, 100, 5), Ipv4Addr::new(198, 51, 100, 6)];
/// In the second site, where anybody reaches it by the gateway's address.
const OWN_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

fn pool(site: usize) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, site as u8 + 1)
}

fn config(random: &mut Random, site: usize) -> Config {
    let ports = PortRange::new(1_024, 65_535).unwrap();
    let blocks =
        PortBlocks { size: BlockSize::new(64).unwrap(), per_subscriber: 8, hold: Duration::from_secs(10) };
    let forward = |port| Forward {
        transport: ServiceTransport::Tcp,
        outside: pool(site),
        outside_ports: PortRange::new(port, port).unwrap(),
        inside: OWN_SERVER,
        inside_ports: PortRange::new(port, port).unwrap(),
    };
    Config {
        inside_prefixes: vec!["10.0.0.0/24".parse().unwrap()],
        pool: vec![PoolAddress { address: pool(site), ports, host: false }],
        nat: Translation {
            allocation: *random.pick(&[Allocation::Random, Allocation::Blocks(blocks)]),
            mapping: *random.pick(&Dependence::ALL),
            // An independent filter would let the intruder in, as it should.
            filtering: *random.pick(&[Dependence::Address, Dependence::AddressAndPort]),
            forwards: if site == 1 { vec![forward(80), forward(21)] } else { vec![] },
            ..Translation::default()
        },
        ipv6: None,
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: true,
        mtu: 1_500,
    }
}

fn weather(random: &mut Random) -> Weather {
    match random.between(0, 3) {
        0 => Weather { loss: 0, repetition: 0, delay: 1 },
        1 => Weather { loss: 2, repetition: 2, delay: 30 },
        2 => Weather { loss: 0, repetition: 10, delay: 60 },
        _ => Weather { loss: 6, repetition: 3, delay: 20 },
    }
}

/// What one client wants, of the servers outside and of the one in the other site.
fn wishes(random: &mut Random, site: usize) -> Vec<Box<dyn App>> {
    let mut wishes: Vec<Box<dyn App>> = Vec::new();
    for _ in 0..random.between(1, 3) {
        let start = random.between(0, 20) * SECOND + random.between(0, SECOND);
        let server = if random.percent(30) && site == 0 { pool(1) } else { *random.pick(&SERVERS) };
        let count = *random.pick(&[0, 1, 700, 9_000, 40_000]) + random.index(50);
        let mode = *random.pick(&[Mode::Active, Mode::Passive]);
        wishes.push(match random.between(0, 3) {
            0 => Box::new(Ask::new((SERVERS[0], 7), random.between(3, 10), start)),
            1 => Box::new(Fetch::new((server, 80), count, start)),
            _ => Box::new(FtpClient::new((server, 21), mode, count, start)),
        });
    }
    wishes
}

fn servers() -> Vec<Box<dyn App>> {
    vec![Box::new(Web::new(80)), Box::new(FtpServer::new()), Box::new(Echo::new(7))]
}

/// Two sites with the same inside addresses, servers outside, and a server in the second site.
pub(crate) fn network(seed: u64) -> Network {
    let mut random = Random(seed);
    let mut hosts = Vec::new();
    for server in SERVERS {
        hosts.push((Place::Outside, Host::new(server, random.next(), servers())));
    }
    let mut sites = Vec::new();
    for site in 0..2 {
        for number in 0..random.between(1, 3) as u8 {
            let address = Ipv4Addr::new(10, 0, 0, 2 + number);
            let wishes = wishes(&mut random, site);
            hosts.push((Place::Inside(site), Host::new(address, random.next(), wishes)));
        }
        let restarts = if random.percent(30) { vec![random.between(1, 25) * SECOND] } else { vec![] };
        let config = config(&mut random, site);
        sites.push(Site::new(config, restarts, random.next() as u8));
    }
    hosts.push((Place::Inside(1), Host::new(OWN_SERVER, random.next(), servers())));
    let mut network = Network::new(hosts, sites, weather(&mut random), random);
    network.public.insert((1, OWN_SERVER));
    network
}
