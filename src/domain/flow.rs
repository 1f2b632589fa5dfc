//! A flow that somebody asks about.

use std::num::NonZeroU16;

use super::service::Transport;

/// Transport and ports of a flow's first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// TCP or UDP.
    pub transport: Transport,
    /// The client's port; `None` is one that no service names.
    pub source_port: Option<NonZeroU16>,
    /// The server's port.
    pub destination_port: NonZeroU16,
}

impl Flow {
    /// Reads the parameters `protocol`, `destination_port` and, if it is given, `source_port`.
    ///
    /// # Errors
    /// The first parameter that does not parse, does not exist or is missing, and what is wrong with it.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, (String, String)> {
        let (mut transport, mut source, mut destination) = (None, None, None);
        for (name, value) in parameters {
            let fail = |detail: &str| (name.to_owned(), detail.to_owned());
            let repeated = match name {
                "protocol" => transport.replace(parse_transport(value).map_err(fail)?).is_some(),
                "source_port" => source.replace(parse_port(value).map_err(fail)?).is_some(),
                "destination_port" => destination.replace(parse_port(value).map_err(fail)?).is_some(),
                _ => return Err(fail("there is no such parameter")),
            };
            if repeated {
                return Err(fail("is given twice"));
            }
        }
        let missing = |name: &str| (name.to_owned(), "is required".to_owned());
        Ok(Self {
            transport: transport.ok_or_else(|| missing("protocol"))?,
            source_port: source,
            destination_port: destination.ok_or_else(|| missing("destination_port"))?,
        })
    }
}

fn parse_transport(word: &str) -> Result<Transport, &'static str> {
    match word {
        "tcp" => Ok(Transport::Tcp),
        "udp" => Ok(Transport::Udp),
        _ => Err("is to be tcp or udp"),
    }
}

fn parse_port(text: &str) -> Result<NonZeroU16, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or("is to be a port from 1 to 65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Flow, String> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Flow::parse(pairs).map_err(|(name, detail)| format!("{name} {detail}"))
    }

    #[test]
    fn a_flow_needs_a_transport_and_a_destination() {
        let flow = parse("protocol=udp&destination_port=69").unwrap();
        assert_eq!(
            (flow.transport, flow.source_port, flow.destination_port.get()),
            (Transport::Udp, None, 69)
        );
        let flow = parse("source_port=65535&destination_port=1&protocol=tcp").unwrap();
        assert_eq!(flow.source_port.map(NonZeroU16::get), Some(65535));
        for (query, error) in [
            ("", "protocol is required"),
            ("protocol=tcp", "destination_port is required"),
            ("protocol=TCP", "protocol is to be tcp or udp"),
            ("protocol=tcp&destination_port=0", "destination_port is to be a port from 1 to 65535"),
            ("protocol=tcp&destination_port=65536", "destination_port is to be a port from 1 to 65535"),
            ("protocol=tcp&destination_port=+1", "destination_port is to be a port from 1 to 65535"),
            ("protocol=tcp&destination_port=", "destination_port is to be a port from 1 to 65535"),
            ("protocol=tcp&protocol=tcp", "protocol is given twice"),
            ("port=1", "port there is no such parameter"),
        ] {
            assert_eq!(parse(query), Err(error.to_owned()), "{query}");
        }
    }
}
