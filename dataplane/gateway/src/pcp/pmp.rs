//! NAT-PMP messages (RFC 6886), version 0 of the same port.

use std::net::Ipv4Addr;

use pinhole_dataplane::tuple::Protocol;

const RESPONSE: u8 = 0x80;
const ADDRESS: u8 = 0;
const MAP_UDP: u8 = 1;
const MAP_TCP: u8 = 2;
const MAP_BYTES: usize = 12;

/// What becomes of a request (section 3.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ResultCode {
    Success = 0,
    NotAuthorized = 2,
    OutOfResources = 4,
    UnsupportedOpcode = 5,
}

/// A request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Request {
    /// What is the outside address?
    Address,
    /// A mapping for a time, in seconds; 0 ends it, and with port 0 all of the transport.
    Map { protocol: Protocol, inside_port: u16, suggested_port: u16, lifetime: u32 },
}

/// What to do with a datagram of version 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Parsed {
    /// It is no request that could be answered.
    Ignore,
    Refuse(ResultCode),
    Request(Request),
}

/// Reads a datagram of version 0.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    match bytes {
        [0, ADDRESS] | [0, ADDRESS, ..] => Parsed::Request(Request::Address),
        [0, opcode @ (MAP_UDP | MAP_TCP), _, _, a, b, c, d, e, f, g, h, ..] if bytes.len() >= MAP_BYTES => {
            Parsed::Request(Request::Map {
                protocol: if *opcode == MAP_UDP { Protocol::Udp } else { Protocol::Tcp },
                inside_port: u16::from_be_bytes([*a, *b]),
                suggested_port: u16::from_be_bytes([*c, *d]),
                lifetime: u32::from_be_bytes([*e, *f, *g, *h]),
            })
        }
        [0, opcode, ..] if *opcode < RESPONSE && *opcode > MAP_TCP => {
            Parsed::Refuse(ResultCode::UnsupportedOpcode)
        }
        _ => Parsed::Ignore,
    }
}

/// Returns the answer to a request for the address.
pub(super) fn address_answer(epoch: u32, address: Ipv4Addr) -> Vec<u8> {
    let mut bytes = head(ADDRESS, ResultCode::Success, epoch);
    bytes.extend(address.octets());
    bytes
}

/// Returns the answer to a request for a mapping. Port and lifetime are 0 when there is none any more.
pub(super) fn map_answer(
    protocol: Protocol,
    epoch: u32,
    inside_port: u16,
    outside_port: u16,
    lifetime: u32,
) -> Vec<u8> {
    let opcode = if protocol == Protocol::Udp { MAP_UDP } else { MAP_TCP };
    let mut bytes = head(opcode, ResultCode::Success, epoch);
    bytes.extend(inside_port.to_be_bytes());
    bytes.extend(outside_port.to_be_bytes());
    bytes.extend(lifetime.to_be_bytes());
    bytes
}

/// Returns the answer that a request is refused: as long as the request's own answer would be, with zeros.
pub(super) fn refusal(request: &[u8], code: ResultCode, epoch: u32) -> Vec<u8> {
    let opcode = request.get(1).copied().unwrap_or(0);
    let mut bytes = head(opcode, code, epoch);
    match opcode {
        ADDRESS => bytes.extend([0; 4]),
        MAP_UDP | MAP_TCP => {
            bytes.extend(request.get(4..6).unwrap_or(&[0; 2]));
            bytes.extend([0; 6]);
        }
        _ => {}
    }
    bytes
}

fn head(opcode: u8, code: ResultCode, epoch: u32) -> Vec<u8> {
    let mut bytes = vec![0, opcode | RESPONSE, 0, code as u8];
    bytes.extend(epoch.to_be_bytes());
    bytes
}
