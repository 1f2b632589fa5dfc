//! Requests as clients write them, byte by byte, to a server before a real engine.

use std::sync::Arc;

use pinhole_dataplane::config::nat::{SubscriberLimits, Translation};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::Engine;
use pinhole_dataplane::limits::{Limits, Timeouts};

use super::*;
use crate::datapath::worker::lease;

mod pmp;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const POOL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);
const EPOCH: u32 = 77;
const UDP: u8 = 17;
const TCP: u8 = 6;

const SETTINGS: PcpSettings =
    PcpSettings { nat_pmp: true, third_party: false, min_lifetime: 120, max_lifetime: 86_400 };

struct World {
    server: Server,
    engine: Engine,
    now: Timestamp,
}

fn world_with(settings: PcpSettings, nat: Translation) -> World {
    let ports = PortRange::new(1_024, 65_535).unwrap();
    let config = Config {
        inside_prefixes: vec!["10.0.0.0/24".parse().unwrap()],
        pool: vec![PoolAddress { address: POOL, ports, host: false }],
        nat,
        ipv6: None,
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: false,
        mtu: 1_500,
    };
    let now = Timestamp::from_nanos(1);
    let mut engine = Engine::new(Limits { sessions: 64, ..Limits::default() }, &[3; 32], now);
    engine.apply(Arc::new(Snapshot::new(config).unwrap()), now);
    World { server: Server::new(settings, vec!["10.0.0.0/24".parse().unwrap()]), engine, now }
}

fn world() -> World {
    world_with(SETTINGS, Translation::default())
}

impl World {
    fn from(&mut self, sender: Ipv4Addr, request: &[u8]) -> Option<Vec<u8>> {
        // Not the throttle's test.
        self.now = self.now.saturating_add(Duration::from_secs(1));
        let from = SocketAddrV4::new(sender, 50_000);
        match self.server.receive(request, from, self.now, EPOCH) {
            Step::Ignore => None,
            Step::Answer(answer) => Some(answer),
            Step::Ask(pending) => {
                conclude(&pending, &lease::run(&mut self.engine, &pending.errand, self.now), EPOCH)
            }
        }
    }

    fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.from(CLIENT, request).expect("an answer")
    }

    /// Returns the result code, and checks what every answer has.
    fn code(&mut self, request: &[u8]) -> u8 {
        let answer = self.ask(request);
        assert_eq!((answer[0], answer[1] & 0x80, answer[2]), (2, 0x80, 0));
        assert_eq!((&answer[8..12], &answer[12..24]), (&EPOCH.to_be_bytes()[..], &[0; 12][..]));
        assert!(answer.len() >= 24 && answer.len() <= 1_100 && answer.len().is_multiple_of(4));
        answer[3]
    }
}

fn header(opcode: u8, lifetime: u32, client: Ipv4Addr) -> Vec<u8> {
    let mut bytes = vec![2, opcode, 0, 0];
    bytes.extend(lifetime.to_be_bytes());
    bytes.extend(client.to_ipv6_mapped().octets());
    bytes
}

fn fields(nonce: u8, protocol: u8, port: u16, suggested: (Ipv4Addr, u16)) -> Vec<u8> {
    let mut bytes = vec![nonce; 12];
    bytes.extend([protocol, 0, 0, 0]);
    bytes.extend(port.to_be_bytes());
    bytes.extend(suggested.1.to_be_bytes());
    bytes.extend(suggested.0.to_ipv6_mapped().octets());
    bytes
}

const ANY: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 0);

fn map(lifetime: u32, protocol: u8, port: u16, suggested: (Ipv4Addr, u16)) -> Vec<u8> {
    [header(1, lifetime, CLIENT), fields(9, protocol, port, suggested)].concat()
}

fn peer(lifetime: u32, port: u16, suggested: (Ipv4Addr, u16), remote: (Ipv4Addr, u16)) -> Vec<u8> {
    let mut bytes = [header(2, lifetime, CLIENT), fields(9, UDP, port, suggested)].concat();
    bytes.extend(remote.1.to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(remote.0.to_ipv6_mapped().octets());
    bytes
}

fn option(code: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![code, 0];
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn filter(prefix_bits: u8, port: u16, address: Ipv4Addr) -> Vec<u8> {
    let mut data = vec![0, prefix_bits];
    data.extend(port.to_be_bytes());
    data.extend(address.to_ipv6_mapped().octets());
    option(3, &data)
}

fn with(request: Vec<u8>, options: &[Vec<u8>]) -> Vec<u8> {
    [request, options.concat()].concat()
}

fn lifetime(answer: &[u8]) -> u32 {
    u32::from_be_bytes(answer[4..8].try_into().unwrap())
}

/// The outside endpoint of an answer to MAP or PEER.
fn outside(answer: &[u8]) -> (Ipv4Addr, u16) {
    let octets: [u8; 16] = answer[44..60].try_into().unwrap();
    let address = std::net::Ipv6Addr::from(octets).to_ipv4_mapped().expect("an IPv4 address");
    (address, u16::from_be_bytes([answer[42], answer[43]]))
}

#[test]
fn rfc6887_7_2_a_map_answer_repeats_the_request_and_says_what_was_given() {
    let mut world = world();
    let request = map(3_600, UDP, 6_000, ANY);
    let answer = world.ask(&request);
    assert_eq!((answer.len(), &answer[..4], lifetime(&answer)), (60, &[2, 0x81, 0, 0][..], 3_600));
    assert_eq!(answer[8..12], EPOCH.to_be_bytes());
    // Nonce, protocol and inside port.
    assert_eq!(answer[24..42], request[24..42]);
    let (address, port) = outside(&answer);
    assert!(address == POOL && port >= 1_024);
    assert_eq!(world.engine.lease_count(), 1);
    // The same again is the same mapping.
    assert_eq!(outside(&world.ask(&request)), (POOL, port));
}

#[test]
fn rfc6887_8_2_what_is_no_request_gets_no_answer() {
    let mut world = world();
    let good = map(3_600, UDP, 6_000, ANY);
    let response = [&[2, 0x81], &good[2..]].concat();
    for ignored in [&[][..], &[2], &good[..23], &response] {
        assert_eq!(world.from(CLIENT, ignored), None, "{ignored:?}");
    }
    // Nor does who is no subscriber, though the request is good.
    assert_eq!(world.from(PEER, &good), None);
    assert_eq!(world.engine.lease_count(), 0);
}

#[test]
fn rfc6887_8_2_a_request_of_a_wrong_length_is_malformed() {
    let mut world = world();
    let good = map(3_600, UDP, 6_000, ANY);
    let long = with(good.clone(), &vec![option(200, &[0; 252]); 5]);
    assert!(long.len() > 1_100);
    for malformed in [&good[..59], &good[..56], &good[..24], &long] {
        assert_eq!(world.code(malformed), 3);
    }
    assert_eq!(lifetime(&world.ask(&long)), 1_800);
}

#[test]
fn rfc6887_8_2_the_clients_address_is_the_packets_source() {
    let mut world = world();
    assert_eq!(world.from(NEIGHBOUR, &map(3_600, UDP, 6_000, ANY)).map(|answer| answer[3]), Some(12));
    let mut unmapped = map(3_600, UDP, 6_000, ANY);
    unmapped[8..20].fill(0);
    assert_eq!(world.code(&unmapped), 12);
    assert_eq!(world.engine.lease_count(), 0);
}

#[test]
fn rfc6887_9_another_version_is_told_this_one() {
    let mut world = world_with(PcpSettings { nat_pmp: false, ..SETTINGS }, Translation::default());
    for version in [0, 1, 3, 255] {
        let answer = world.ask(&[version, 1]);
        assert_eq!((answer.len(), answer[0], answer[1], answer[3]), (24, 2, 0x81, 1));
    }
}

#[test]
fn rfc6887_8_2_unknown_opcodes_and_options_are_told_apart() {
    let mut world = world();
    assert_eq!(world.code(&header(3, 0, CLIENT)), 4);
    let good = || map(3_600, UDP, 6_000, ANY);
    assert_eq!(world.code(&with(good(), &[option(4, &[])])), 5);
    assert_eq!(world.code(&with(good(), &[option(1, &NEIGHBOUR.to_ipv6_mapped().octets())])), 5);
    assert_eq!(world.engine.lease_count(), 0);
    // Optional ones are left unread.
    assert_eq!(world.code(&with(good(), &[option(200, &[1, 2, 3])])), 0);
    // An option that goes beyond the end.
    for cut in [&[3, 0, 0, 20, 0, 0, 0, 0][..], &[2, 0, 0, 4], &[200, 0, 0, 5, 0, 0, 0, 0]] {
        assert_eq!(world.code(&with(good(), &[cut.to_vec()])), 6);
    }
}

#[test]
fn rfc6887_14_1_announce_is_answered_with_the_epoch() {
    let mut world = world();
    let answer = world.ask(&header(0, 0, CLIENT));
    assert_eq!((answer.len(), answer[1], answer[3], lifetime(&answer)), (24, 0x80, 0, 0));
    assert_eq!(answer[8..12], EPOCH.to_be_bytes());
    assert_eq!(world.code(&with(header(0, 0, CLIENT), &[option(2, &[])])), 5);
}

#[test]
fn rfc6887_15_lifetimes_are_bounded() {
    let mut world = world();
    for (asked, given) in [(1, 120), (120, 120), (86_400, 86_400), (u32::MAX, 86_400)] {
        assert_eq!(lifetime(&world.ask(&map(asked, TCP, 80, ANY))), given);
    }
    let next = world.engine.poll_timeout().unwrap();
    assert_eq!(next.saturating_since(world.now), Duration::from_secs(86_400));
}

#[test]
fn rfc6887_15_1_a_lifetime_of_zero_gives_mappings_back() {
    let mut world = world();
    for port in [1, 2, 3] {
        assert_eq!(world.code(&map(600, UDP, port, ANY)), 0);
    }
    assert_eq!(world.code(&map(600, TCP, 1, ANY)), 0);
    let answer = world.ask(&map(0, UDP, 1, (POOL, 99)));
    assert_eq!((answer[3], lifetime(&answer), outside(&answer)), (0, 0, (POOL, 99)));
    assert_eq!(world.engine.lease_count(), 3);
    // Again is as good; port 0 is all of a transport, protocol 0 all.
    assert_eq!(world.code(&map(0, UDP, 1, ANY)), 0);
    assert_eq!(world.code(&map(0, UDP, 0, ANY)), 0);
    assert_eq!(world.engine.lease_count(), 1);
    assert_eq!(world.code(&map(0, 0, 0, ANY)), 0);
    assert_eq!(world.engine.lease_count(), 0);
}

#[test]
fn rfc6887_11_3_what_cannot_be_mapped_is_refused() {
    let mut world = world();
    for (protocol, port, code) in [(1, 1, 9), (0, 0, 9), (UDP, 0, 9), (132, 5, 9), (0, 5, 3)] {
        assert_eq!(world.code(&map(600, protocol, port, ANY)), code, "protocol {protocol}, port {port}");
    }
    assert_eq!(world.engine.lease_count(), 0);
}

#[test]
fn rfc6887_11_3_another_nonce_changes_nothing() {
    let mut world = world();
    let given = outside(&world.ask(&map(600, UDP, 1, ANY)));
    let stranger = |lifetime| [header(1, lifetime, CLIENT), fields(8, UDP, 1, ANY)].concat();
    for lifetime_asked in [0, 700] {
        let answer = world.ask(&stranger(lifetime_asked));
        assert_eq!(answer[3], 2);
        assert!((590..600).contains(&lifetime(&answer)), "how long it lasts still");
    }
    // All of another's at once is none of this one's.
    let all = [header(1, 0, CLIENT), fields(8, UDP, 0, ANY)].concat();
    assert_eq!((world.code(&all), world.engine.lease_count()), (0, 1));
    assert_eq!(outside(&world.ask(&map(600, UDP, 1, ANY))), given);
}

#[test]
fn rfc6887_11_the_suggested_endpoint_is_given_where_it_is_free() {
    let mut world = world();
    assert_eq!(outside(&world.ask(&map(600, UDP, 1, (POOL, 7_777)))), (POOL, 7_777));
    assert_ne!(outside(&world.ask(&map(600, UDP, 2, (POOL, 7_777)))), (POOL, 7_777));
    assert_eq!(outside(&world.ask(&map(600, UDP, 3, (PEER, 7_778)))).0, POOL);
}

#[test]
fn rfc6887_13_2_prefer_failure_is_obeyed_and_checked() {
    let mut world = world();
    let prefer = |port, suggested| with(map(600, UDP, port, suggested), &[option(2, &[])]);
    assert_eq!(outside(&world.ask(&prefer(1, (POOL, 7_777)))), (POOL, 7_777));
    let refused = world.ask(&prefer(2, (POOL, 7_777)));
    assert_eq!((refused[3], lifetime(&refused)), (11, 30));
    assert_eq!(world.code(&prefer(2, (PEER, 7_778))), 11);
    assert_eq!(world.code(&with(map(600, UDP, 3, ANY), &[option(2, &[]), option(2, &[])])), 6);
    assert_eq!(world.code(&with(map(600, UDP, 3, ANY), &[option(2, &[0; 4])])), 6);
    assert_eq!(world.code(&with(peer(600, 3, ANY, (PEER, 53)), &[option(2, &[])])), 5);
}

#[test]
fn rfc6887_13_3_filters_are_read_and_bounded() {
    let mut world = world();
    let mut filters_of = |options: &[Vec<u8>]| {
        let answer = world.ask(&with(map(600, UDP, 1, ANY), options));
        let lease = world.engine.leases_after(pinhole_dataplane::engine::LeaseId(0)).next();
        let filters = lease.map(|lease| lease.filters.clone()).unwrap_or_default();
        let texts = filters.iter().map(|filter| format!("{} {}", filter.prefix, filter.port));
        (answer[3], texts.collect::<Vec<String>>())
    };
    let two = [filter(128, 53, PEER), filter(120, 0, PEER)];
    let expected = vec!["198.51.100.5/32 53".to_owned(), "198.51.100.0/24 0".to_owned()];
    assert_eq!(filters_of(&two), (0, expected.clone()));
    assert_eq!(filters_of(&[]), (0, expected.clone()));
    let replaced = [filter(128, 1, PEER), filter(0, 0, PEER), filter(96, 7, PEER)];
    assert_eq!(filters_of(&replaced), (0, vec!["0.0.0.0/0 7".to_owned()]));
    assert_eq!(filters_of(&vec![filter(128, 1, PEER); 9]).0, 13);
    for wrong in [filter(95, 0, PEER), filter(129, 0, PEER), option(3, &[0; 16])] {
        assert_eq!(filters_of(&[wrong]).0, 6);
    }
    assert_eq!(filters_of(&[filter(0, 0, PEER)]), (0, vec![]));
}

#[test]
fn rfc6887_13_1_third_party_needs_the_configurations_word() {
    let of = |host: Ipv4Addr| vec![option(1, &host.to_ipv6_mapped().octets())];
    let mut world = world_with(PcpSettings { third_party: true, ..SETTINGS }, Translation::default());
    assert_eq!(world.code(&with(map(600, UDP, 5, ANY), &of(NEIGHBOUR))), 0);
    let lease = world.engine.leases_after(pinhole_dataplane::engine::LeaseId(0)).next().unwrap();
    assert_eq!(lease.key.inside, (NEIGHBOUR, 5));
    // One's own address, and nobody's.
    assert_eq!(world.code(&with(map(600, UDP, 5, ANY), &of(CLIENT))), 3);
    assert_eq!(world.code(&with(map(600, UDP, 5, ANY), &[option(1, &[0; 4])])), 6);
    assert_eq!(world.code(&with(map(600, UDP, 5, ANY), &of(PEER))), 2);
}

#[test]
fn rfc6887_12_peer_keeps_a_mapping_and_names_the_other_end() {
    let mut world = world();
    let request = peer(600, 6_000, (POOL, 7_777), (PEER, 53));
    let answer = world.ask(&request);
    assert_eq!((answer.len(), answer[1], answer[3]), (80, 0x82, 0));
    assert_eq!((outside(&answer), &answer[60..]), ((POOL, 7_777), &request[60..]));
    // The same inside endpoint towards another end has the same mapping; a new one is as wished or not at all.
    assert_eq!(outside(&world.ask(&peer(600, 6_000, (POOL, 9), (PEER, 54)))), (POOL, 7_777));
    assert_eq!(world.code(&peer(600, 6_001, (POOL, 7_777), (PEER, 53))), 11);
    for malformed in [
        peer(600, 0, ANY, (PEER, 53)),
        peer(600, 1, ANY, (PEER, 0)),
        peer(600, 1, ANY, (Ipv4Addr::UNSPECIFIED, 53)),
    ] {
        let code = world.code(&malformed);
        assert!([3, 9].contains(&code), "{code}");
    }
    assert_eq!(world.code(&peer(0, 6_000, ANY, (PEER, 53))), 0);
    assert_eq!(world.engine.lease_count(), 1);
}

#[test]
fn rfc6888_req_9_a_quota_is_told_as_such() {
    let limits = SubscriberLimits { ports: std::num::NonZeroU32::new(1), ..SubscriberLimits::default() };
    let mut world = world_with(SETTINGS, Translation { limits, ..Translation::default() });
    assert_eq!(world.code(&map(600, UDP, 1, ANY)), 0);
    let refused = world.ask(&map(600, UDP, 2, ANY));
    assert_eq!((refused[3], lifetime(&refused)), (10, 30));
    let pmp = world.ask(&[0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 2, 0]);
    assert_eq!(pmp[..4], [0, 130, 0, 4]);
}

#[test]
fn who_asks_too_often_is_not_heard() {
    let mut world = world();
    let from = SocketAddrV4::new(CLIENT, 50_000);
    let answered = (0..100)
        .filter(|_| {
            let step = world.server.receive(&header(0, 0, CLIENT), from, world.now, EPOCH);
            !matches!(step, Step::Ignore)
        })
        .count();
    assert_eq!(answered, 40);
}
