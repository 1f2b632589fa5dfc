//! Hosts, gateways, and the paths between them, on virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::{Config, Snapshot};
use pinhole_dataplane::engine::{Engine, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::time::Timestamp;

use crate::host::Host;
use crate::intruder::{self, Seen};
use crate::packets::{SYN, flags, read};
use crate::random::Random;

const SECOND: u64 = 1_000_000;
/// The time by which everybody has to have what it wants.
const LATEST: u64 = 900 * SECOND;
/// What an ALG may make a packet longer by.
const ROOM: usize = 2_048;

/// How bad the outside is, in hundredths, and how long a packet is under way there at most, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) loss: u64,
    pub(crate) repetition: u64,
    pub(crate) delay: u64,
}

/// Where a host is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Place {
    /// Behind the gateway of this number.
    Inside(usize),
    Outside,
}

pub(crate) struct Site {
    pub(crate) config: Config,
    engine: Engine,
    /// When it forgets everything.
    restarts: Vec<u64>,
    restarts_planned: usize,
    starts: u8,
}

#[derive(Debug)]
enum Arrival {
    AtHost(usize),
    AtGateway(usize, Realm),
}

pub(crate) struct Network {
    pub(crate) hosts: Vec<(Place, Host)>,
    pub(crate) sites: Vec<Site>,
    weather: Weather,
    random: Random,
    now: u64,
    under_way: BTreeMap<(u64, u64), (Arrival, Vec<u8>)>,
    /// Packets sent, which also orders those that arrive at the same time.
    sent: u64,
    /// Packets that have crossed a gateway.
    pub(crate) crossed: u64,
    /// What stands for all that has happened.
    pub(crate) trace: u64,
    /// Whom each inside host has spoken to.
    spoken: BTreeSet<(usize, Ipv4Addr, Ipv4Addr)>,
    /// Inside hosts that anybody may speak to.
    pub(crate) public: BTreeSet<(usize, Ipv4Addr)>,
    seen: Vec<Seen>,
    next_intrusion: u64,
}

fn engine(config: &Config, seed: u8, now: u64) -> Engine {
    let limits = Limits { sessions: 512, subscribers: 16, pinholes: 32, ..Limits::default() };
    let mut engine = Engine::new(limits, &[seed; 32], at(now));
    engine.apply(Arc::new(Snapshot::new(config.clone()).unwrap()), at(now));
    engine
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_nanos(micros * 1_000)
}

impl Site {
    pub(crate) fn new(config: Config, restarts: Vec<u64>, seed: u8) -> Self {
        let engine = engine(&config, seed, 0);
        let restarts_planned = restarts.len();
        Self { config, engine, restarts, restarts_planned, starts: seed }
    }

    fn pool(&self) -> Ipv4Addr {
        self.config.pool[0].address
    }
}

impl Network {
    pub(crate) fn new(hosts: Vec<(Place, Host)>, sites: Vec<Site>, weather: Weather, random: Random) -> Self {
        Self {
            hosts,
            sites,
            weather,
            random,
            now: 0,
            under_way: BTreeMap::new(),
            sent: 0,
            crossed: 0,
            trace: 0,
            spoken: BTreeSet::new(),
            public: BTreeSet::new(),
            seen: vec![],
            next_intrusion: SECOND,
        }
    }

    /// Lets everybody get what it wants.
    pub(crate) fn run(&mut self) {
        // Servers listen before anybody comes.
        for host in 0..self.hosts.len() {
            self.poll(host);
        }
        while !self.hosts.iter().all(|(_, host)| host.apps.iter().all(|app| app.is_done())) {
            assert!(self.now < LATEST, "after {} s waits {:?}", self.now / SECOND, self.waiting());
            self.step(true);
        }
        // Only a gateway that has forgotten everything ends a connection; losses may make it slower than its client waits.
        let restarted = self.sites.iter().any(|site| site.restarts.len() < site.restarts_planned);
        let apps = self.hosts.iter().flat_map(|(_, host)| &host.apps);
        let again = apps.filter(|app| app.tries() > 1).map(|app| app.name()).collect::<Vec<_>>();
        assert!(restarted || self.weather.loss > 0 || again.is_empty(), "had to begin again: {again:?}");
    }

    fn waiting(&self) -> Vec<String> {
        let apps = self.hosts.iter().flat_map(|(_, host)| &host.apps);
        apps.filter(|app| !app.is_done()).map(|app| app.name()).collect()
    }

    /// Lets everything come to its end, after which no gateway knows of anything.
    pub(crate) fn end(&mut self) {
        let quiet = self.now + 200 * SECOND;
        while self.now < quiet && self.next(false).is_some_and(|next| next < quiet) {
            self.step(false);
        }
        for site in 0..self.sites.len() {
            // Blocks are held from when the engine looks at what was in them.
            for later in [20_000, 40_000] {
                self.now = quiet + later * SECOND;
                self.tend(site);
            }
            let engine = &self.sites[site].engine;
            assert_eq!((engine.session_count(), engine.pinhole_count()), (0, 0), "site {site} at its end");
            assert_eq!(
                (engine.mappings().count(), engine.subscriber_count()),
                (0, 0),
                "site {site} at its end"
            );
        }
    }

    fn next(&mut self, intrusions: bool) -> Option<u64> {
        let arrival = self.under_way.keys().next().map(|(time, _)| *time);
        let hosts = self.hosts.iter_mut().filter_map(|(_, host)| host.due()).min();
        let gateways = self.sites.iter().filter_map(|site| site.engine.poll_timeout());
        let gateways = gateways.map(|due| due.as_nanos().div_ceil(1_000)).min();
        let restarts = self.sites.iter().filter_map(|site| site.restarts.first().copied()).min();
        let intrusion = intrusions.then_some(self.next_intrusion);
        [arrival, hosts, gateways, restarts, intrusion]
            .into_iter()
            .flatten()
            .min()
            .map(|next| next.max(self.now))
    }

    fn step(&mut self, intrusions: bool) {
        let Some(next) = self.next(intrusions) else { return };
        // A host that is always due does not stop the clock.
        self.now = next.max(self.now);
        if let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= next) {
            let (arrival, packet) = entry.remove();
            self.arrive(arrival, packet);
        }
        for site in 0..self.sites.len() {
            self.tend(site);
        }
        if intrusions && self.now >= self.next_intrusion {
            self.intrude();
        }
        for host in 0..self.hosts.len() {
            if self.hosts[host].1.due().is_some_and(|due| due <= self.now) {
                self.poll(host);
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival, packet: Vec<u8>) {
        self.trace = packet.iter().fold(self.trace ^ self.now, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        match arrival {
            Arrival::AtHost(host) => {
                self.check_delivery(host, &packet);
                self.hosts[host].1.receive(packet);
                self.poll(host);
            }
            Arrival::AtGateway(site, realm) => self.cross(site, realm, packet),
        }
    }

    /// Nobody inside hears from whom it has not spoken to.
    fn check_delivery(&self, host: usize, packet: &[u8]) {
        let (place, host) = &self.hosts[host];
        let seen = read(packet);
        assert_eq!(seen.to.0, host.stack.address);
        // An error is from somebody on the way, about something that the host has sent.
        if let Place::Inside(site) = *place
            && packet[9] != 1
            && !self.public.contains(&(site, seen.to.0))
        {
            let spoken = self.spoken.contains(&(site, seen.to.0, seen.from.0));
            assert!(spoken, "{:?} of site {site} hears from {:?}", seen.to, seen.from);
        }
    }

    fn poll(&mut self, host: usize) {
        let now = self.now;
        let (place, stack) = (self.hosts[host].0, &mut self.hosts[host].1);
        for packet in stack.poll(now) {
            match place {
                Place::Outside => self.send_outside(packet),
                Place::Inside(site) => {
                    let seen = read(&packet);
                    self.spoken.insert((site, seen.from.0, seen.to.0));
                    let delay = self.random.between(100, 900);
                    self.send(delay, Arrival::AtGateway(site, Realm::Inside), packet);
                }
            }
        }
    }

    fn send(&mut self, delay: u64, to: Arrival, packet: Vec<u8>) {
        self.sent += 1;
        self.under_way.insert((self.now + delay, self.sent), (to, packet));
    }

    /// Over the bad path.
    fn send_outside(&mut self, packet: Vec<u8>) {
        let seen = read(&packet);
        let private = |address: Ipv4Addr| address.octets()[0] == 10;
        assert!(!private(seen.from.0) && !private(seen.to.0), "outside goes {seen:?}");
        // The stack of these hosts would give the copy of a SYN to its next listener, as if it were another client.
        let opens = packet[9] == 6 && flags(&packet) == SYN;
        let copies = 1 + u64::from(!opens && self.random.percent(self.weather.repetition));
        for _ in 0..copies {
            let lost = self.random.percent(self.weather.loss);
            let delay = self.random.between(1_000, 1_000 + self.weather.delay * 1_000);
            let site = self.sites.iter().position(|site| site.pool() == seen.to.0);
            let is_host =
                |(place, host): &(Place, Host)| *place == Place::Outside && host.stack.address == seen.to.0;
            let host = self.hosts.iter().position(is_host);
            match (site, host) {
                _ if lost => {}
                (Some(site), _) => self.send(delay, Arrival::AtGateway(site, Realm::Outside), packet.clone()),
                (None, Some(host)) => self.send(delay, Arrival::AtHost(host), packet.clone()),
                // Somebody who does not answer.
                (None, None) => {}
            }
        }
    }

    fn cross(&mut self, site: usize, realm: Realm, mut packet: Vec<u8>) {
        let length = packet.len();
        packet.resize(length + ROOM, 0);
        let mut lent = Packet::new(&mut packet, length);
        let verdict = self.sites[site].engine.process(&mut lent, realm, at(self.now));
        let packet = lent.bytes().to_vec();
        match verdict {
            Verdict::Forward => self.leave(site, realm.opposite(), packet),
            Verdict::Hairpin => self.leave(site, realm, packet),
            Verdict::DeliverIfListening => panic!("no gateway here is a host"),
            Verdict::Hold | Verdict::Drop(_) => {}
        }
        self.tend(site);
    }

    fn leave(&mut self, site: usize, to: Realm, packet: Vec<u8>) {
        self.crossed += 1;
        let seen = read(&packet);
        match to {
            Realm::Outside => {
                if packet[9] == 6 {
                    self.seen.push((seen.from, seen.to));
                }
                self.send_outside(packet);
            }
            Realm::Inside => {
                let is_host = |(place, host): &(Place, Host)| {
                    *place == Place::Inside(site) && host.stack.address == seen.to.0
                };
                let host = self.hosts.iter().position(is_host).expect("it is for somebody inside");
                let delay = self.random.between(100, 900);
                self.send(delay, Arrival::AtHost(host), packet);
            }
        }
    }

    /// Lets a gateway do what is due, and begin anew when it is to.
    fn tend(&mut self, site: usize) {
        let now = self.now;
        let own = &mut self.sites[site];
        if own.restarts.first().is_some_and(|restart| *restart <= now) {
            own.restarts.remove(0);
            own.starts = own.starts.wrapping_add(1);
            own.engine = engine(&own.config, own.starts, now);
        }
        let mut leaving = Vec::new();
        loop {
            while own.engine.poll_event().is_some() {}
            leaving.extend(std::iter::from_fn(|| own.engine.poll_transmit()));
            if own.engine.poll_timeout().is_none_or(|due| due > at(now)) {
                break;
            }
            own.engine.handle_timeout(at(now));
        }
        for transmit in leaving {
            self.leave(site, transmit.realm, transmit.bytes);
        }
    }

    fn intrude(&mut self) {
        self.next_intrusion = self.now + self.random.between(5_000, 100_000);
        let pools: Vec<Ipv4Addr> = self.sites.iter().map(Site::pool).collect();
        // Of what has gone out lately, which is likely to be open still.
        let lately = &self.seen[self.seen.len().saturating_sub(8)..];
        let seen = (!lately.is_empty()).then(|| *self.random.pick(lately));
        let packet = intruder::packet(&mut self.random, &pools, seen);
        self.send_outside(packet);
    }
}
