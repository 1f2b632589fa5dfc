//! What a gateway is asked about what it does now.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use super::alg_protocol::AlgProtocol;
use super::parameters;

/// The entries of a page when the caller does not say.
pub const DEFAULT_LIMIT: u32 = 100;
/// The most entries of a page, which is what a gateway answers at once.
pub const MAX_LIMIT: u32 = 256;
/// The highest place to go on at, which every client can take and give back.
pub const MAX_CURSOR: u64 = 999_999_999_999_999_999;
/// The longest name of a session or a pinhole.
const MAX_ID_BYTES: usize = 64;

/// The name that a gateway has given a session or a pinhole; means nothing but to that gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveId(String);

impl LiveId {
    /// Reads a name: 1 to 64 letters, digits and hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(good);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A protocol that gateways translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP echo, whose identifier stands in the place of ports.
    Icmp,
    /// UDP-Lite.
    UdpLite,
    /// GRE of a PPTP call, whose call id stands in the place of the destination port.
    Gre,
    /// Another one, whose IP protocol number stands in the place of ports.
    Other,
}

impl SessionProtocol {
    const ALL: [Self; 6] = [Self::Tcp, Self::Udp, Self::Icmp, Self::UdpLite, Self::Gre, Self::Other];

    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::UdpLite => "udp_lite",
            Self::Gre => "gre",
            Self::Other => "other",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == word)
    }
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Without a state machine, as UDP: the responder has not answered.
    Unreplied,
    /// Without a state machine: it has.
    Replied,
    /// TCP: the originator's SYN was seen.
    SynSent,
    /// TCP: both SYNs were seen.
    SynReceived,
    /// TCP: data may flow both ways.
    Established,
    /// TCP: one side has sent its FIN.
    Closing,
    /// TCP: it is over.
    Closed,
}

impl SessionState {
    const ALL: [Self; 7] = [
        Self::Unreplied,
        Self::Replied,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::Closing,
        Self::Closed,
    ];

    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreplied => "unreplied",
            Self::Replied => "replied",
            Self::SynSent => "syn_sent",
            Self::SynReceived => "syn_received",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Sessions, which have a state and perhaps an ALG.
    Sessions,
    /// Pinholes, which have an ALG.
    Pinholes,
    /// Mappings.
    Mappings,
}

/// Which entries of a gateway are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Where to go on.
    pub cursor: u64,
    /// The most entries.
    pub limit: u32,
    /// One of an entry's addresses.
    pub address: Option<Ipv4Addr>,
    /// One of an entry's ports.
    pub port: Option<NonZeroU16>,
    /// Its protocol.
    pub protocol: Option<SessionProtocol>,
    /// The ALG that reads or announced it.
    pub alg: Option<AlgProtocol>,
    /// How far it has come.
    pub state: Option<SessionState>,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            cursor: 0,
            limit: DEFAULT_LIMIT,
            address: None,
            port: None,
            protocol: None,
            alg: None,
            state: None,
        }
    }
}

impl Listing {
    /// Reads the parameters of a list.
    ///
    /// # Errors
    /// The first parameter that does not parse or does not exist, and what is wrong with it.
    pub fn parse<'a>(
        listed: Listed,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, (String, String)> {
        let mut listing = Self::default();
        parameters::read(parameters, &[], |name, value| {
            match (name, listed) {
                ("cursor", _) => {
                    let cursor = digits(value).and_then(|digits| digits.parse().ok());
                    let cursor = cursor.filter(|cursor| *cursor <= MAX_CURSOR);
                    listing.cursor =
                        cursor.ok_or_else(|| "is to be a next_cursor that was answered".to_owned())?;
                }
                ("limit", _) => {
                    let limit = digits(value).and_then(|digits| digits.parse().ok());
                    let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    listing.limit = limit.ok_or_else(|| "is to be a number from 1 to 256".to_owned())?;
                }
                ("address", _) => {
                    let address = value.parse().map_err(|_| "is to be an IPv4 address".to_owned())?;
                    listing.address = Some(address);
                }
                ("port", _) => {
                    let port = digits(value).and_then(|digits| digits.parse().ok());
                    listing.port = Some(port.ok_or_else(|| "is to be a port from 1 to 65535".to_owned())?);
                }
                ("protocol", _) => {
                    let protocol = SessionProtocol::parse(value);
                    listing.protocol = Some(
                        protocol
                            .ok_or_else(|| "is to be tcp, udp, icmp, udp_lite, gre or other".to_owned())?,
                    );
                }
                ("alg", Listed::Sessions | Listed::Pinholes) => {
                    let alg = AlgProtocol::ALL.into_iter().find(|alg| alg.as_str() == value);
                    listing.alg =
                        Some(alg.ok_or_else(|| "is to be ftp, ike_esp, pptp, sip or tftp".to_owned())?);
                }
                ("state", Listed::Sessions) => {
                    let state = SessionState::parse(value);
                    listing.state = Some(state.ok_or_else(|| "is no state of a session".to_owned())?);
                }
                _ => return Err(parameters::UNKNOWN.to_owned()),
            }
            Ok(())
        })?;
        Ok(listing)
    }
}

/// A number's text, without a sign.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

#[cfg(test)]
mod tests;
