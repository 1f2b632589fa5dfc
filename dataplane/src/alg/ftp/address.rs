//! How FTP spells endpoints: read, and written again in the same form.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::Endpoint;

/// The form of an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// `h1,h2,h3,h4,p1,p2` (RFC 959, section 4.1.2).
    Decimals,
    /// `address<d>port` (RFC 2428, section 2), with its delimiter.
    Fields(u8),
    /// The port alone (RFC 2428, section 3).
    Port,
}

/// An endpoint that a line announces, and where it stands in the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Announcement {
    /// The message's name.
    pub(super) message: &'static str,
    /// The endpoint.
    pub(super) named: Endpoint,
    /// How it is spelled.
    pub(super) form: Form,
    /// The first byte of the spelling.
    pub(super) at: usize,
    /// Its length.
    pub(super) length: usize,
}

impl Announcement {
    /// Whether it is a server's answer to EPSV.
    pub(super) fn is_extended_passive(&self) -> bool {
        self.form == Form::Port
    }

    /// Spells another endpoint in the same form.
    pub(super) fn render(&self, endpoint: Endpoint) -> Vec<u8> {
        let Endpoint { address, port } = endpoint;
        match (self.form, address) {
            (Form::Decimals, IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                let [high, low] = port.to_be_bytes();
                format!("{a},{b},{c},{d},{high},{low}").into_bytes()
            }
            // Nothing but IPv4 has this form, so nobody asks.
            (Form::Decimals, IpAddr::V6(_)) => Vec::new(),
            (Form::Fields(delimiter), _) => format!("{address}{}{port}", char::from(delimiter)).into_bytes(),
            (Form::Port, _) => port.to_string().into_bytes(),
        }
    }
}

/// Reads a decimal number without sign and leading zeros; returns it with the bytes after it.
fn decimal(text: &[u8], most: u16) -> Option<(u16, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    if number.is_empty() || number.len() > 1 && number.first() == Some(&b'0') {
        return None;
    }
    let number: u16 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (number <= most).then_some((number, rest))
}

/// Reads `h1,h2,h3,h4,p1,p2` at the start of a text; returns the endpoint and the length.
pub(super) fn decimals(text: &[u8]) -> Option<(Endpoint, usize)> {
    let mut rest = text;
    let mut bytes = [0_u8; 6];
    for (index, byte) in bytes.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b",")?;
        }
        let (number, after) = decimal(rest, 255)?;
        *byte = u8::try_from(number).ok()?;
        rest = after;
    }
    let [a, b, c, d, high, low] = bytes;
    let endpoint = Endpoint::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low]));
    Some((endpoint, text.len() - rest.len()))
}

/// Reads `<d>net<d>address<d>port<d>`, all of the text; returns the endpoint and where address and port stand.
pub(super) fn fields(text: &[u8]) -> Option<(Endpoint, Form, usize, usize)> {
    let delimiter = *text.first().filter(|byte| byte.is_ascii_graphic())?;
    let mut parts = text.split(|&byte| byte == delimiter);
    let parts = [
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next().unwrap_or(b""),
    ];
    let [b"", net, address, port, b"", b""] = parts else { return None };
    if text.iter().filter(|&&byte| byte == delimiter).count() != 4 {
        return None;
    }
    let spelled = std::str::from_utf8(address).ok()?;
    let parsed = match net {
        b"1" => IpAddr::V4(spelled.parse::<Ipv4Addr>().ok()?),
        b"2" => IpAddr::V6(spelled.parse::<Ipv6Addr>().ok()?),
        _ => return None,
    };
    let (number, b"") = decimal(port, u16::MAX)? else { return None };
    let at = 1 + net.len() + 1;
    let length = address.len() + 1 + port.len();
    Some((Endpoint::new(parsed, number), Form::Fields(delimiter), at, length))
}

/// Reads `<d><d><d>port<d>` at the start of a text; returns the port and where it stands.
pub(super) fn lone_port(text: &[u8]) -> Option<(u16, usize, usize)> {
    let delimiter = *text.first().filter(|byte| byte.is_ascii_graphic() && !byte.is_ascii_digit())?;
    let rest = text.strip_prefix(&[delimiter; 3])?;
    let (port, after) = decimal(rest, u16::MAX)?;
    (after.first() == Some(&delimiter)).then(|| (port, 3, rest.len() - after.len()))
}
