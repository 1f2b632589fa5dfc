//! The five protocols that need a gateway's help, and the traffic that they use by themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::service::Transport;

/// A protocol with an ALG.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlgProtocol {
    /// File Transfer Protocol, RFC 959.
    Ftp,
    /// IPsec: key exchange on UDP 500 and 4500, traffic in ESP.
    IkeEsp,
    /// Point-to-Point Tunneling Protocol, RFC 2637.
    Pptp,
    /// Session Initiation Protocol, RFC 3261.
    Sip,
    /// Trivial File Transfer Protocol, RFC 1350.
    Tftp,
}

impl AlgProtocol {
    /// Every protocol, in the order of answers.
    pub const ALL: [Self; 5] = [Self::Ftp, Self::IkeEsp, Self::Pptp, Self::Sip, Self::Tftp];

    /// The word that stands for the protocol in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::IkeEsp => "ike_esp",
            Self::Pptp => "pptp",
            Self::Sip => "sip",
            Self::Tftp => "tftp",
        }
    }

    /// What people call the protocol.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Ftp => "FTP",
            Self::IkeEsp => "IKE-ESP",
            Self::Pptp => "PPTP",
            Self::Sip => "SIP",
            Self::Tftp => "TFTP",
        }
    }

    /// The protocol's control ports, whose traffic its ALG inspects without any service.
    #[must_use]
    pub fn well_known_ports(self) -> &'static [u16] {
        match self {
            Self::Ftp => &[21],
            // The second carries both behind a NAT, RFC 3948.
            Self::IkeEsp => &[500, 4500],
            Self::Pptp => &[1723],
            Self::Sip => &[5060],
            Self::Tftp => &[69],
        }
    }

    /// Whether the protocol's control messages can travel over a transport.
    #[must_use]
    pub fn uses(self, transport: Transport) -> bool {
        match self {
            Self::Ftp | Self::Pptp => transport == Transport::Tcp,
            Self::IkeEsp | Self::Tftp => transport == Transport::Udp,
            Self::Sip => true,
        }
    }

    /// The protocol that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == word)
    }
}

impl fmt::Display for AlgProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}
