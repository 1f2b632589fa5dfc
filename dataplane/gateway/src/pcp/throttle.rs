//! How often one may ask: a bound on what a host can have the datapath do, and on what is remembered of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::time::Timestamp;

/// Requests that a host may send in a second, over some time.
const PER_SECOND: u32 = 20;
/// Requests that it may send at once.
const BURST: u32 = 40;
/// Hosts that are remembered; they are forgotten when they may send a burst again.
const HOSTS: usize = 4_096;

/// A token bucket for each host, told by when it will be full again.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    full_at: BTreeMap<Ipv4Addr, Timestamp>,
}

impl Throttle {
    /// Whether one more request of a host is answered now.
    pub(super) fn admit(&mut self, host: Ipv4Addr, now: Timestamp) -> bool {
        let token = Duration::from_secs(1) / PER_SECOND;
        if self.full_at.len() >= HOSTS && !self.full_at.contains_key(&host) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= HOSTS {
                return false;
            }
        }
        let full_at = self.full_at.entry(host).or_insert(now);
        let after = (*full_at).max(now).saturating_add(token);
        if after.saturating_since(now) > token * BURST {
            return false;
        }
        *full_at = after;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_host_has_a_burst_and_a_rate_and_others_have_their_own() {
        let (mut throttle, now) = (Throttle::default(), Timestamp::from_nanos(5));
        let mut admitted = |host: u8, now| {
            let host = Ipv4Addr::new(10, 0, 0, host);
            (0..100).filter(|_| throttle.admit(host, now)).count()
        };
        assert_eq!((admitted(2, now), admitted(3, now)), (40, 40));
        assert_eq!(admitted(2, now.saturating_add(SECOND)), 20);
        assert_eq!(admitted(2, now.saturating_add(SECOND * 60)), 40);
    }

    #[test]
    fn no_more_hosts_are_remembered_than_there_is_room_for() {
        let (mut throttle, now) = (Throttle::default(), Timestamp::ZERO);
        let host = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number);
        assert_eq!((0..5_000).filter(|number| throttle.admit(host(*number), now)).count(), HOSTS);
        let later = now.saturating_add(SECOND);
        assert!(throttle.admit(host(5_000), later));
        assert!(throttle.full_at.len() < 10);
    }
}
