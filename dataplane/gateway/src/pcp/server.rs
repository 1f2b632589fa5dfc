//! The server without I/O: a datagram in, and out an answer or a question for the datapath, whose outcome makes the answer.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use pinhole_dataplane::addr::Ipv4Prefix;
use pinhole_dataplane::engine::{Lease, LeaseError, LeaseKey, LeaseRequest, Owner};
use pinhole_dataplane::nat::{Otherwise, Wish};
use pinhole_dataplane::time::Timestamp;
use pinhole_dataplane::tuple::Protocol;

use crate::pcp::pmp;
use crate::pcp::throttle::Throttle;
use crate::pcp::wire::{self, Map, Operation, ResultCode, Target, ThirdParty};
use pinhole_dataplane::config::nat::pcp::PcpSettings;

/// How long a client waits before it asks again for what will not be given soon (RFC 6887, section 7.4).
const LONG_ERROR_SECONDS: u32 = 1_800;
/// How long it waits for what may be given soon.
const SHORT_ERROR_SECONDS: u32 = 30;

/// What the datapath is asked.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    /// Give or renew a lease.
    Give(LeaseRequest),
    /// Take one back.
    Release(LeaseKey, Owner),
    /// Take all back of a host, of one transport or any.
    ReleaseAll(Ipv4Addr, Option<Protocol>, Owner),
    /// Tell the outside address of a host.
    Address(Ipv4Addr),
}

/// What the datapath answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Given(Lease),
    Released,
    Address(Option<Ipv4Addr>),
    Refused(LeaseError),
}

/// What to do with a datagram.
#[derive(Debug)]
pub(super) enum Step {
    Ignore,
    Answer(Vec<u8>),
    /// Ask, and give the outcome to [`conclude`].
    Ask(Pending),
}

/// A request that waits for the datapath.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) errand: Errand,
    request: Vec<u8>,
    speaks: Speaks,
    /// What was granted of the time that was asked for, in seconds.
    lifetime: u32,
}

/// The protocol of a request.
#[derive(Clone, Copy, Debug)]
enum Speaks {
    Pcp,
    PmpAddress,
    PmpMap { protocol: Protocol, inside_port: u16 },
}

/// The server's state.
#[derive(Debug)]
pub(super) struct Server {
    settings: PcpSettings,
    subscribers: Vec<Ipv4Prefix>,
    throttle: Throttle,
}

impl Server {
    pub(super) fn new(settings: PcpSettings, subscribers: Vec<Ipv4Prefix>) -> Self {
        Self { settings, subscribers, throttle: Throttle::default() }
    }

    /// Takes a datagram at a time, so many seconds after mappings were lost. Who is no subscriber gets no answer, nor does
    /// who asks too often.
    pub(super) fn receive(&mut self, bytes: &[u8], from: SocketAddrV4, now: Timestamp, epoch: u32) -> Step {
        let sender = *from.ip();
        let is_subscriber = self.subscribers.iter().any(|prefix| prefix.contains(sender));
        let [version, opcode, ..] = bytes else { return Step::Ignore };
        // Answers are nothing to answer, whatever their version.
        if !is_subscriber || from.port() == 0 || *opcode >= 0x80 || !self.throttle.admit(sender, now) {
            return Step::Ignore;
        }
        match *version {
            wire::VERSION => self.receive_pcp(bytes, sender, epoch),
            0 if self.settings.nat_pmp => self.receive_pmp(bytes, sender, epoch),
            _ => Step::Answer(wire::version_answer(bytes, LONG_ERROR_SECONDS, epoch)),
        }
    }

    fn receive_pcp(&self, bytes: &[u8], sender: Ipv4Addr, epoch: u32) -> Step {
        let third_party = if self.settings.third_party { ThirdParty::Allowed } else { ThirdParty::Refused };
        let request = match wire::parse(bytes, sender, third_party) {
            wire::Parsed::Ignore => return Step::Ignore,
            wire::Parsed::Refuse(code) => {
                return Step::Answer(wire::answer(bytes, code, error_lifetime(code), epoch, None));
            }
            wire::Parsed::Request(request) => request,
        };
        let (map, peer) = match request.operation {
            Operation::Announce => {
                return Step::Answer(wire::answer(bytes, ResultCode::Success, 0, epoch, None));
            }
            Operation::Map(map) => (map, None),
            Operation::Peer { map, peer } => (map, Some(peer)),
        };
        let lifetime = self.granted(request.lifetime);
        let errand = errand(map, peer, sender, lifetime);
        Step::Ask(Pending { errand, request: bytes.to_vec(), speaks: Speaks::Pcp, lifetime })
    }

    fn receive_pmp(&self, bytes: &[u8], sender: Ipv4Addr, epoch: u32) -> Step {
        let request = match pmp::parse(bytes) {
            pmp::Parsed::Ignore => return Step::Ignore,
            pmp::Parsed::Refuse(code) => return Step::Answer(pmp::refusal(bytes, code, epoch)),
            pmp::Parsed::Request(request) => request,
        };
        let (errand, speaks, lifetime) = match request {
            pmp::Request::Address => (Errand::Address(sender), Speaks::PmpAddress, 0),
            pmp::Request::Map { protocol, inside_port, suggested_port, lifetime } => {
                let speaks = Speaks::PmpMap { protocol, inside_port };
                let key = LeaseKey { protocol, inside: (sender, inside_port), peer: None };
                let lifetime = self.granted(lifetime);
                let errand = match (lifetime, inside_port) {
                    (0, 0) => Errand::ReleaseAll(sender, Some(protocol), Owner::Host),
                    (0, _) => Errand::Release(key, Owner::Host),
                    (_, 0) => {
                        return Step::Answer(pmp::refusal(bytes, pmp::ResultCode::NotAuthorized, epoch));
                    }
                    _ => Errand::Give(LeaseRequest {
                        key,
                        owner: Owner::Host,
                        wish: Wish { port: given(suggested_port), ..Wish::default() },
                        lifetime: Duration::from_secs(lifetime.into()),
                        filters: None,
                    }),
                };
                (errand, speaks, lifetime)
            }
        };
        Step::Ask(Pending { errand, request: bytes.to_vec(), speaks, lifetime })
    }

    /// Returns how long a mapping is given that is asked for so long, in seconds.
    fn granted(&self, seconds: u32) -> u32 {
        match seconds {
            0 => 0,
            _ => seconds.clamp(self.settings.min_lifetime, self.settings.max_lifetime),
        }
    }
}

/// Returns the answer to a request, now that its outcome is known.
pub(super) fn conclude(pending: &Pending, outcome: &Outcome, epoch: u32) -> Option<Vec<u8>> {
    let request = &pending.request;
    Some(match pending.speaks {
        Speaks::Pcp => {
            let (code, lifetime, outside) = match outcome {
                Outcome::Given(lease) => (ResultCode::Success, pending.lifetime, Some(lease.outside)),
                Outcome::Released | Outcome::Address(_) => (ResultCode::Success, 0, None),
                Outcome::Refused(LeaseError::NotOwner(left)) => {
                    let left = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
                    (ResultCode::NotAuthorized, left, None)
                }
                Outcome::Refused(error) => {
                    let code = pcp_code(*error);
                    (code, error_lifetime(code), None)
                }
            };
            wire::answer(request, code, lifetime, epoch, outside)
        }
        Speaks::PmpAddress => match outcome {
            Outcome::Address(Some(address)) => pmp::address_answer(epoch, *address),
            Outcome::Address(None) | Outcome::Given(_) | Outcome::Released | Outcome::Refused(_) => {
                pmp::refusal(request, pmp::ResultCode::OutOfResources, epoch)
            }
        },
        Speaks::PmpMap { protocol, inside_port } => match outcome {
            Outcome::Given(lease) => {
                pmp::map_answer(protocol, epoch, inside_port, lease.outside.1, pending.lifetime)
            }
            Outcome::Released => pmp::map_answer(protocol, epoch, inside_port, 0, 0),
            Outcome::Refused(error) => pmp::refusal(request, pmp_code(*error), epoch),
            Outcome::Address(_) => return None,
        },
    })
}

fn errand(map: Map, peer: Option<(Ipv4Addr, u16)>, sender: Ipv4Addr, lifetime: u32) -> Errand {
    let host = map.third_party.unwrap_or(sender);
    let owner = Owner::Nonce(map.nonce);
    let (protocol, port) = match map.target {
        Target::All(protocol) => return Errand::ReleaseAll(host, protocol, owner),
        Target::Port(protocol, port) => (protocol, port),
    };
    let key = LeaseKey { protocol, inside: (host, port), peer };
    if lifetime == 0 {
        return Errand::Release(key, owner);
    }
    let (address, port) = map.suggested;
    let otherwise = match (peer, map.prefer_failure) {
        (_, true) => Otherwise::Nothing,
        (Some(_), false) => Otherwise::KnownOnly,
        (None, false) => Otherwise::Another,
    };
    let address = (!address.is_unspecified()).then_some(address);
    let wish = Wish { address, port: given(port), otherwise };
    let lifetime = Duration::from_secs(lifetime.into());
    Errand::Give(LeaseRequest { key, owner, wish, lifetime, filters: map.filters })
}

const fn given(port: u16) -> Option<u16> {
    if port == 0 { None } else { Some(port) }
}

const fn pcp_code(error: LeaseError) -> ResultCode {
    match error {
        LeaseError::NotOwner(_) | LeaseError::NotInside => ResultCode::NotAuthorized,
        LeaseError::Quota => ResultCode::UserExceededQuota,
        LeaseError::NoResources => ResultCode::NoResources,
        LeaseError::Taken => ResultCode::CannotProvideExternal,
        LeaseError::Filters => ResultCode::ExcessiveRemotePeers,
        LeaseError::Unsupported => ResultCode::UnsupportedOpcode,
    }
}

const fn pmp_code(error: LeaseError) -> pmp::ResultCode {
    match error {
        LeaseError::NotOwner(_) | LeaseError::NotInside | LeaseError::Unsupported => {
            pmp::ResultCode::NotAuthorized
        }
        LeaseError::Quota | LeaseError::NoResources | LeaseError::Taken | LeaseError::Filters => {
            pmp::ResultCode::OutOfResources
        }
    }
}

const fn error_lifetime(code: ResultCode) -> u32 {
    match code {
        ResultCode::NoResources | ResultCode::UserExceededQuota | ResultCode::CannotProvideExternal => {
            SHORT_ERROR_SECONDS
        }
        ResultCode::Success
        | ResultCode::UnsupportedVersion
        | ResultCode::NotAuthorized
        | ResultCode::MalformedRequest
        | ResultCode::UnsupportedOpcode
        | ResultCode::UnsupportedOption
        | ResultCode::MalformedOption
        | ResultCode::UnsupportedProtocol
        | ResultCode::AddressMismatch
        | ResultCode::ExcessiveRemotePeers => LONG_ERROR_SECONDS,
    }
}

#[cfg(test)]
mod tests;
