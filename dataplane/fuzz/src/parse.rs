//! Any bytes as a packet.

use pinhole_dataplane::parse::{Plain, parse, peek};
use pinhole_dataplane::tuple::Protocol;

use crate::packet;

pub(crate) fn run(bytes: &[u8]) {
    check(bytes);
    // With right lengths and checksums it gets further.
    let mut completed = bytes.to_vec();
    packet::complete(&mut completed);
    check(&completed);
}

fn check(bytes: &[u8]) {
    let plain = peek(bytes);
    match parse(bytes) {
        Ok(parsed) => {
            assert!(parsed.transport_at() <= parsed.payload_at() && parsed.payload_at() <= parsed.end());
            assert!(parsed.end() <= bytes.len());
            assert!(!plain.is_some() || plain.key == parsed.key, "{plain:?} {parsed:?}");
        }
        // What passes by the short way would pass by the long one.
        Err(reason) => {
            let passes = plain.key.protocol != Protocol::Tcp || Plain::segment(bytes).is_some();
            assert!(!plain.is_some() || !passes, "{reason:?} {plain:?}");
        }
    }
}
