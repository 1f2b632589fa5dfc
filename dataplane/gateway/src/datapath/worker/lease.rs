//! What inside hosts ask of the engine about mappings of their own.

use pinhole_dataplane::engine::Engine;
use pinhole_dataplane::time::Timestamp;

use crate::pcp::{Errand, Outcome};

/// Has the engine do something.
pub(crate) fn run(engine: &mut Engine, errand: &Errand, now: Timestamp) -> Outcome {
    match errand {
        Errand::Give(request) => engine.lease(request, now).map_or_else(Outcome::Refused, Outcome::Given),
        Errand::Release(key, owner) => match engine.release_lease(key, *owner, now) {
            Ok(()) => Outcome::Released,
            Err(error) => Outcome::Refused(error),
        },
        Errand::ReleaseAll(host, protocol, owner) => {
            engine.release_leases(*host, *protocol, *owner, now);
            Outcome::Released
        }
        Errand::Address(host) => Outcome::Address(engine.outside_address_of(*host)),
    }
}
