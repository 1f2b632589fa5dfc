//! Two peers with a control stream between them.

use std::time::Duration;

use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::alg::control::{ControlStream, CraftedSegment, Rewritten, Segment, SegmentVerdict};
use pinhole_dataplane::time::Timestamp;
use pinhole_dataplane::tuple::Direction;

use crate::arbiter::{Recorder, Side, ends};
use crate::peer::{Habit, Peer, Time, Wire};
use crate::random::Random;

/// What the network does to each packet, in percent, and for how many milliseconds it may keep one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) loss: u64,
    pub(crate) repetition: u64,
    pub(crate) delay: Time,
}

#[derive(Debug)]
struct Flight {
    at: Time,
    order: u64,
    direction: Direction,
    beyond_gateway: bool,
    segment: Wire,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) client: Peer,
    pub(crate) server: Peer,
    pub(crate) control: ControlStream,
    pub(crate) arbiter: Recorder,
    random: Random,
    weather: Weather,
    flights: Vec<Flight>,
    order: u64,
    now: Time,
}

const LONGEST: Time = 3_600_000;

fn timestamp(now: Time) -> Timestamp {
    Timestamp::ZERO.saturating_add(Duration::from_millis(now))
}

impl Network {
    pub(crate) fn new(inside: Side, weather: Weather, habits: [Habit; 2], mut random: Random) -> Self {
        let [client, server] = habits;
        // Near the end, so that numbers wrap.
        let starts = [0_u32.wrapping_sub(random.between(1, 300) as u32), random.next() as u32];
        let mut network = Self {
            client: Peer::new("client", client, starts[0]),
            server: Peer::new("server", server, starts[1]),
            control: ControlStream::new(AlgProtocol::Ftp, ends(inside)),
            arbiter: Recorder::new(inside),
            random,
            weather,
            flights: Vec::new(),
            order: 0,
            now: 0,
        };
        network.shake_hands();
        network
    }

    fn shake_hands(&mut self) {
        let syn = self.client.syn();
        let there = self.through(Direction::Original, &syn).unwrap();
        self.server.learn(&there);
        let answer = self.server.syn();
        let back = self.through(Direction::Reply, &answer).unwrap();
        self.client.learn(&back);
    }

    /// Takes one segment through the control stream.
    fn through(&mut self, direction: Direction, wire: &Wire) -> Option<Wire> {
        let segment = Segment {
            seq: wire.seq,
            ack: wire.ack,
            window: wire.window,
            window_scale: None,
            syn: wire.syn,
            fin: wire.fin,
            rst: false,
            ack_flag: wire.ack_flag,
            push: false,
            urgent: None,
            timestamps: None,
            payload: &wire.payload,
        };
        let verdict =
            self.control.handle_segment(direction, &segment, &mut self.arbiter, timestamp(self.now));
        match verdict {
            SegmentVerdict::Forward(Rewritten { seq, ack, fin, payload, .. }) => {
                let map = |&(left, right): &(u32, u32)| self.control.map_sack(direction, left, right);
                let sack = wire.sack.iter().filter_map(map).collect();
                let payload = payload.unwrap_or_else(|| wire.payload.clone());
                Some(Wire { seq, ack, fin, payload, sack, ..wire.clone() })
            }
            SegmentVerdict::Held | SegmentVerdict::Dropped => None,
        }
    }

    fn launch(&mut self, direction: Direction, segment: Wire, beyond_gateway: bool) {
        if self.random.percent(self.weather.loss) {
            return;
        }
        let copies = 1 + u64::from(self.random.percent(self.weather.repetition));
        for _ in 0..copies {
            let at = self.now + self.random.between(0, self.weather.delay);
            self.order += 1;
            let order = self.order;
            self.flights.push(Flight { at, order, direction, beyond_gateway, segment: segment.clone() });
        }
    }

    fn launch_crafted(&mut self) {
        while let Some(crafted) = self.control.poll_crafted() {
            let CraftedSegment { direction, seq, ack, window, fin, payload, .. } = crafted;
            let wire = Wire { seq, ack, window, fin, ack_flag: true, payload, ..Wire::default() };
            self.launch(direction, wire, true);
        }
    }

    fn peers_send(&mut self) {
        for segment in self.client.poll(&mut self.random, self.now) {
            self.launch(Direction::Original, segment, false);
        }
        for segment in self.server.poll(&mut self.random, self.now) {
            self.launch(Direction::Reply, segment, false);
        }
    }

    /// Carries one packet or lets one timer end; `application` then has its turn. Returns whether the peers are done.
    pub(crate) fn step(&mut self, mut application: impl FnMut(&mut Peer, &mut Peer)) -> bool {
        application(&mut self.client, &mut self.server);
        self.peers_send();
        if self.client.is_done() && self.server.is_done() {
            return true;
        }
        let timers = [self.client.timer(), self.server.timer(), self.gateway_timer()];
        let packet = self.flights.iter().map(|flight| flight.at).min();
        let next = timers.into_iter().flatten().chain(packet).min();
        self.now = self.now.max(next.expect("somebody still has something to do"));
        assert!(self.now < LONGEST, "they do not get done: {self:#?}");
        if self.gateway_timer().is_some_and(|at| at <= self.now) {
            self.control.handle_timeout(&mut self.arbiter, timestamp(self.now));
            self.launch_crafted();
        }
        let due = self.flights.iter().enumerate().filter(|(_, flight)| flight.at <= self.now);
        if let Some(index) = due.min_by_key(|(_, flight)| (flight.at, flight.order)).map(|(index, _)| index) {
            let flight = self.flights.swap_remove(index);
            self.arrive(flight);
        }
        false
    }

    fn gateway_timer(&self) -> Option<Time> {
        let nanos = self.control.poll_timeout()?.as_nanos();
        Some(nanos.div_ceil(1_000_000))
    }

    fn arrive(&mut self, flight: Flight) {
        if !flight.beyond_gateway {
            if let Some(segment) = self.through(flight.direction, &flight.segment) {
                self.launch(flight.direction, segment, true);
            }
            self.launch_crafted();
            return;
        }
        match flight.direction {
            Direction::Original => self.server.receive(&flight.segment, self.now),
            Direction::Reply => self.client.receive(&flight.segment, self.now),
        }
    }
}
