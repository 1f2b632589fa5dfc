//! What the model, the scripts and the driver call things by.

use std::net::Ipv4Addr;

use pinhole_dataplane::tuple::Protocol;

/// An address and a port, or an identifier in the port's place.
pub(crate) type End = (Ipv4Addr, u16);

/// What of a packet says whether it may begin something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A SYN without ACK.
    Syn,
    /// Any other segment, which fits its connection if there is one.
    Segment,
    Datagram,
    /// An echo request.
    Ask,
    /// An echo reply.
    Answer,
}

/// A packet's ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) kind: Kind,
}

impl Flow {
    /// Returns the other end as sessions know it: an echo has no port there.
    pub(crate) fn remote(protocol: Protocol, end: End) -> End {
        if protocol == Protocol::IcmpEcho { (end.0, 0) } else { end }
    }
}
