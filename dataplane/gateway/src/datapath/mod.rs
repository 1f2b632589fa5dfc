//! Packets in and out: the TUN devices, the worker that feeds the engine, and what the host is asked.

pub(crate) mod compile;
pub mod delivery;
pub mod local;
pub(crate) mod look;
pub(crate) mod report;
pub mod tun;
pub(crate) mod wake;
pub(crate) mod worker;

pub use pinhole_dataplane::config::interface::{INSIDE_TUN, OUTSIDE_TUN};

/// Queues of each device. One worker serves them all; the kernel spreads flows over them.
pub(crate) const QUEUES: usize = 2;
/// The devices' MTU: large segments are never cut on their way to the gateway.
pub(crate) const TUN_MTU: usize = tun::MAX_PACKET_BYTES;
/// Packets that wait in each queue while the worker is busy.
pub(crate) const TUN_QUEUE_PACKETS: usize = 1024;
