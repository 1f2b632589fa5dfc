//! PCP messages (RFC 6887, sections 7 and 11 to 13): bytes to requests, answers to bytes. Total: no bytes make it panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pinhole_dataplane::addr::Ipv4Prefix;
use pinhole_dataplane::engine::LeaseFilter;
use pinhole_dataplane::limits::MAX_FILTERS_PER_LEASE;
use pinhole_dataplane::tuple::Protocol;

/// The version of RFC 6887.
pub(super) const VERSION: u8 = 2;
/// The longest message.
pub(super) const MAX_MESSAGE: usize = 1_100;
const HEADER_BYTES: usize = 24;
const MAP_BYTES: usize = 36;
const PEER_BYTES: usize = 56;
const RESPONSE: u8 = 0x80;

const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
const PEER: u8 = 2;

const THIRD_PARTY: u8 = 1;
const PREFER_FAILURE: u8 = 2;
const FILTER: u8 = 3;
/// Options with this bit may be left unread (section 7.3).
const OPTIONAL: u8 = 0x80;

/// What becomes of a request (section 7.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ResultCode {
    Success = 0,
    UnsupportedVersion = 1,
    NotAuthorized = 2,
    MalformedRequest = 3,
    UnsupportedOpcode = 4,
    UnsupportedOption = 5,
    MalformedOption = 6,
    NoResources = 8,
    UnsupportedProtocol = 9,
    UserExceededQuota = 10,
    CannotProvideExternal = 11,
    AddressMismatch = 12,
    ExcessiveRemotePeers = 13,
}

/// A request whose every field makes sense.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Request {
    /// In seconds.
    pub(super) lifetime: u32,
    pub(super) operation: Operation,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Operation {
    Announce,
    Map(Map),
    Peer { map: Map, peer: (Ipv4Addr, u16) },
}

/// What MAP and PEER have in common.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Map {
    pub(super) nonce: [u8; 12],
    pub(super) target: Target,
    /// Unspecified and 0 are any.
    pub(super) suggested: (Ipv4Addr, u16),
    /// Whose mapping it is, if not the sender's.
    pub(super) third_party: Option<Ipv4Addr>,
    pub(super) prefer_failure: bool,
    /// `None` when filters stay as they are.
    pub(super) filters: Option<Vec<LeaseFilter>>,
}

/// What is mapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    /// One inside port.
    Port(Protocol, u16),
    /// All ports of a transport, or of any: to be taken back only.
    All(Option<Protocol>),
}

/// What to do with a datagram of the right version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Parsed {
    /// It is no request that could be answered.
    Ignore,
    Refuse(ResultCode),
    Request(Request),
}

/// Whether the option THIRD_PARTY is known here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ThirdParty {
    Allowed,
    Refused,
}

/// Reads a datagram of version 2 that somebody sent.
pub(super) fn parse(bytes: &[u8], sender: Ipv4Addr, third_party: ThirdParty) -> Parsed {
    if bytes.len() < HEADER_BYTES || byte(bytes, 1) & RESPONSE != 0 {
        return Parsed::Ignore;
    }
    match parse_request(bytes, sender, third_party) {
        Ok(request) => Parsed::Request(request),
        Err(code) => Parsed::Refuse(code),
    }
}

fn parse_request(bytes: &[u8], sender: Ipv4Addr, third_party: ThirdParty) -> Result<Request, ResultCode> {
    if bytes.len() > MAX_MESSAGE || !bytes.len().is_multiple_of(4) {
        return Err(ResultCode::MalformedRequest);
    }
    if address(bytes, 8) != IpAddr::V4(sender) {
        return Err(ResultCode::AddressMismatch);
    }
    let lifetime = number(bytes, 4);
    let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let (operation_bytes, opcode) = match byte(bytes, 1) {
        ANNOUNCE => (0, ANNOUNCE),
        MAP => (MAP_BYTES, MAP),
        PEER => (PEER_BYTES, PEER),
        _ => return Err(ResultCode::UnsupportedOpcode),
    };
    let (fields, options) = body.split_at_checked(operation_bytes).ok_or(ResultCode::MalformedRequest)?;
    let options = Options::parse(options, opcode, sender, third_party)?;
    let operation = match opcode {
        MAP => Operation::Map(map(fields, lifetime, options)?),
        PEER => peer(fields, lifetime, options)?,
        _ => Operation::Announce,
    };
    Ok(Request { lifetime, operation })
}

fn map(fields: &[u8], lifetime: u32, options: Options) -> Result<Map, ResultCode> {
    let port = word(fields, 16);
    let target = match (byte(fields, 12), port) {
        (0, 0) => Target::All(None),
        (0, _) => return Err(ResultCode::MalformedRequest),
        (protocol, 0) => Target::All(Some(transport(protocol)?)),
        (protocol, port) => Target::Port(transport(protocol)?, port),
    };
    if lifetime > 0 && matches!(target, Target::All(_)) {
        return Err(ResultCode::UnsupportedProtocol);
    }
    // An address that is not IPv4 cannot be had, and is only a suggestion.
    let suggested = match address(fields, 20) {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    let mut nonce = [0; 12];
    if let Some(bytes) = fields.get(..12) {
        nonce.copy_from_slice(bytes);
    }
    Ok(Map {
        nonce,
        target,
        suggested: (suggested, word(fields, 18)),
        third_party: options.third_party,
        prefer_failure: options.prefer_failure,
        filters: options.filters,
    })
}

fn peer(fields: &[u8], lifetime: u32, options: Options) -> Result<Operation, ResultCode> {
    let port = word(fields, 36);
    let (IpAddr::V4(peer), true) = (address(fields, 40), port != 0) else {
        return Err(ResultCode::MalformedRequest);
    };
    let map = map(fields, lifetime, options)?;
    if peer.is_unspecified() || matches!(map.target, Target::All(_)) {
        return Err(ResultCode::MalformedRequest);
    }
    Ok(Operation::Peer { map, peer: (peer, port) })
}

fn transport(number: u8) -> Result<Protocol, ResultCode> {
    match number {
        6 => Ok(Protocol::Tcp),
        17 => Ok(Protocol::Udp),
        _ => Err(ResultCode::UnsupportedProtocol),
    }
}

#[derive(Default)]
struct Options {
    third_party: Option<Ipv4Addr>,
    prefer_failure: bool,
    filters: Option<Vec<LeaseFilter>>,
}

impl Options {
    fn parse(
        mut bytes: &[u8],
        opcode: u8,
        sender: Ipv4Addr,
        third_party: ThirdParty,
    ) -> Result<Self, ResultCode> {
        let mut options = Self::default();
        while !bytes.is_empty() {
            let length = usize::from(word(bytes, 2));
            let rest = bytes.get(4..).ok_or(ResultCode::MalformedOption)?;
            let data = rest.get(..length).ok_or(ResultCode::MalformedOption)?;
            options.take(byte(bytes, 0), data, opcode, sender, third_party)?;
            bytes = rest.get(length.next_multiple_of(4)..).ok_or(ResultCode::MalformedOption)?;
        }
        Ok(options)
    }

    fn take(
        &mut self,
        code: u8,
        data: &[u8],
        opcode: u8,
        sender: Ipv4Addr,
        third_party: ThirdParty,
    ) -> Result<(), ResultCode> {
        match (code, opcode) {
            (THIRD_PARTY, MAP | PEER) if third_party == ThirdParty::Allowed => {
                let other = (data.len() == 16).then(|| address(data, 0));
                match (other, self.third_party) {
                    // Who names itself made no malformed option, but a malformed request (section 13.1).
                    (Some(IpAddr::V4(other)), None) if other == sender => {
                        return Err(ResultCode::MalformedRequest);
                    }
                    (Some(IpAddr::V4(other)), None) => self.third_party = Some(other),
                    _ => return Err(ResultCode::MalformedOption),
                }
            }
            (PREFER_FAILURE, MAP) if data.is_empty() && !self.prefer_failure => self.prefer_failure = true,
            (PREFER_FAILURE, MAP) => return Err(ResultCode::MalformedOption),
            (FILTER, MAP) => self.take_filter(data)?,
            (code, _) if code & OPTIONAL != 0 => {}
            _ => return Err(ResultCode::UnsupportedOption),
        }
        Ok(())
    }

    fn take_filter(&mut self, data: &[u8]) -> Result<(), ResultCode> {
        let filters = self.filters.get_or_insert_default();
        let (bits, port) = (byte(data, 1), word(data, 2));
        match (data.len(), bits, address(data, 4)) {
            // Of length 0: all that were there are gone (section 13.3).
            (20, 0, _) => filters.clear(),
            (20, 96..=128, IpAddr::V4(peer)) => {
                let length = bits - 96;
                let mask = u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
                let network = Ipv4Addr::from_bits(peer.to_bits() & mask);
                let prefix = Ipv4Prefix::new(network, length).map_err(|_| ResultCode::MalformedOption)?;
                if filters.len() >= MAX_FILTERS_PER_LEASE {
                    return Err(ResultCode::ExcessiveRemotePeers);
                }
                filters.push(LeaseFilter { prefix, port });
            }
            _ => return Err(ResultCode::MalformedOption),
        }
        Ok(())
    }
}

/// Returns the answer to a request: the request itself, with what the server says in the place of what the client did
/// (section 8.2). `outside` is what a mapping was given.
pub(super) fn answer(
    request: &[u8],
    code: ResultCode,
    lifetime: u32,
    epoch: u32,
    outside: Option<(Ipv4Addr, u16)>,
) -> Vec<u8> {
    let mut bytes = request.get(..MAX_MESSAGE).unwrap_or(request).to_vec();
    bytes.resize(bytes.len().next_multiple_of(4).max(HEADER_BYTES), 0);
    write_header(&mut bytes, code, lifetime, epoch);
    if let Some((address, port)) = outside {
        put(&mut bytes, HEADER_BYTES + 18, &port.to_be_bytes());
        put(&mut bytes, HEADER_BYTES + 20, &address.to_ipv6_mapped().octets());
    }
    bytes
}

/// Returns what is told to one who speaks another version: a header, and nothing else (section 9).
pub(super) fn version_answer(request: &[u8], lifetime: u32, epoch: u32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    put(&mut bytes, 1, &[byte(request, 1)]);
    write_header(&mut bytes, ResultCode::UnsupportedVersion, lifetime, epoch);
    bytes
}

/// Returns what a server says that has lost its mappings (section 14.1).
pub(super) fn announcement(epoch: u32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    write_header(&mut bytes, ResultCode::Success, 0, epoch);
    bytes
}

fn write_header(bytes: &mut [u8], code: ResultCode, lifetime: u32, epoch: u32) {
    let opcode = byte(bytes, 1) | RESPONSE;
    put(bytes, 0, &[VERSION, opcode, 0, code as u8]);
    put(bytes, 4, &lifetime.to_be_bytes());
    put(bytes, 8, &epoch.to_be_bytes());
    put(bytes, 12, &[0; 12]);
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// What lies beyond the end is 0; who needs it there has checked the length.
fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([byte(bytes, at), byte(bytes, at + 1)])
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from(word(bytes, at)) << 16 | u32::from(word(bytes, at + 2))
}

/// Reads an address; IPv4 ones are in the mapped form.
fn address(bytes: &[u8], at: usize) -> IpAddr {
    let octets: [u8; 16] = std::array::from_fn(|index| byte(bytes, at + index));
    Ipv6Addr::from(octets).to_canonical()
}

#[cfg(test)]
mod tests;
