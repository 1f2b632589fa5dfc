//! The rules for static forwards.

use std::net::Ipv4Addr;

use super::{Forward, NatError};
use crate::addr::Ipv4Prefix;

/// Returns what is wrong with forwards, each with the place of the forward in the list.
pub(crate) fn forward_problems(
    forwards: &[Forward],
    inside: &[Ipv4Prefix],
    in_pool: impl Fn(Ipv4Addr) -> bool,
) -> Vec<(usize, NatError)> {
    let mut problems = Vec::new();
    for (index, forward) in forwards.iter().enumerate() {
        if !in_pool(forward.outside) {
            problems.push((index, NatError::ForwardOutside(forward.outside)));
        }
        if !inside.iter().any(|prefix| prefix.contains(forward.inside)) {
            problems.push((index, NatError::ForwardInside(forward.inside)));
        }
        if forward.outside_ports.count() != forward.inside_ports.count() {
            let (outside, inside) = (forward.outside_ports, forward.inside_ports);
            problems.push((index, NatError::ForwardLength { outside, inside }));
        }
        let earlier = forwards.iter().take(index);
        let mut earlier = earlier.filter(|other| other.transport.overlaps(forward.transport));
        if earlier.any(|other| other.meets(forward)) {
            problems.push((index, NatError::ForwardOverlap));
        }
    }
    problems
}

impl Forward {
    /// Whether an endpoint of either side is in both.
    fn meets(&self, other: &Self) -> bool {
        let outside =
            self.outside == other.outside && self.outside_ports.intersection(other.outside_ports).is_some();
        let inside =
            self.inside == other.inside && self.inside_ports.intersection(other.inside_ports).is_some();
        outside || inside
    }
}
