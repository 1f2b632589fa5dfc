//! Why there is no mapping.

use crate::config::Untranslatable;

/// Why no mapping could be obtained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NatError {
    /// The subscriber's outside address, or its part of it, has no such port left.
    NoPort,
    /// The subscriber has as many ports as it may have.
    PortLimit,
    /// As many mappings exist as the engine has room for.
    Full,
    /// As many subscribers have something as the engine has room for.
    SubscribersFull,
    /// There is no pool, or it is about to be given out in another way.
    NoPool,
    /// The protocol cannot be translated as configured.
    Refused(Untranslatable),
}
