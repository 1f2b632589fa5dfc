//! Services: transport and ports that an administrator gave a name, for an ALG to listen on.

use serde::Serialize;
use serde_json::{Value, json};

use super::input::{self, Code, Fields, Report};
use super::port::PortSet;

/// A transport protocol that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Udp];
}

/// The transports of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceProtocol {
    /// TCP only.
    Tcp,
    /// UDP only.
    Udp,
    /// TCP and UDP.
    TcpUdp,
}

impl ServiceProtocol {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::TcpUdp];

    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::TcpUdp => "tcp_udp",
        }
    }

    /// Whether it includes a transport.
    #[must_use]
    pub fn includes(self, transport: Transport) -> bool {
        match self {
            Self::Tcp => transport == Transport::Tcp,
            Self::Udp => transport == Transport::Udp,
            Self::TcpUdp => true,
        }
    }

    /// Decodes it from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let word = input::string(value, report)?;
        let protocol = Self::ALL.into_iter().find(|protocol| protocol.as_str() == word);
        if protocol.is_none() {
            report.error(Code::UnknownValue, "is to be \"tcp\", \"udp\" or \"tcp_udp\"");
        }
        protocol
    }
}

/// A service. At least one of the two port sets is there; the other may be any port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its transports.
    pub protocol: ServiceProtocol,
    /// The client's ports, or any.
    pub source_port: Option<PortSet>,
    /// The server's ports, or any.
    pub destination_port: Option<PortSet>,
}

impl Service {
    /// Reads the fields that a service has besides those of every object.
    pub fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<Self> {
        let protocol = fields.required("protocol", report, ServiceProtocol::decode);
        let source_port = fields.nullable("source_port", report, PortSet::decode);
        let destination_port = fields.nullable("destination_port", report, PortSet::decode);
        let (source_port, destination_port) = (source_port?, destination_port?);
        if source_port.is_none() && destination_port.is_none() {
            report.within("destination_port", |report| {
                report.error(Code::Required, "a source port or a destination port is required");
            });
            return None;
        }
        Some(Self { protocol: protocol?, source_port, destination_port })
    }

    /// The fields that [`Service::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Value {
        json!({
            "protocol": self.protocol,
            "source_port": self.source_port,
            "destination_port": self.destination_port,
        })
    }
}
