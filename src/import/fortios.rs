//! FortiOS: `config system session-helper` lists every helper that is on, each with its port.

use super::proposal::{Draft, ports};
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::service::Transport;

/// An entry of the list, as far as it was read.
#[derive(Debug, Default)]
struct Entry {
    name: Option<(usize, String)>,
    protocol: Option<String>,
    port: Option<String>,
}

pub(super) fn read(text: &str) -> Draft {
    let mut draft = Draft::default();
    let mut entry = None;
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        match (inside, words.as_slice()) {
            (false, ["config", "system", "session-helper"]) => inside = true,
            // Other settings about the helpers, which stand elsewhere.
            (false, ["set", name, ..]) if name.contains("-helper") || name.contains("alg-mode") => {
                draft.skip(number, line, "a policy has no such setting");
            }
            (false, _) | (true, []) => {}
            (true, ["edit", _]) => entry = Some(Entry::default()),
            (true, ["set", "name", name]) => {
                if let Some(entry) = &mut entry {
                    entry.name = Some((number, name.trim_matches('"').to_owned()));
                }
            }
            (true, ["set", "protocol", protocol]) => {
                if let Some(entry) = &mut entry {
                    entry.protocol = Some((*protocol).to_owned());
                }
            }
            (true, ["set", "port", port]) => {
                if let Some(entry) = &mut entry {
                    entry.port = Some((*port).to_owned());
                }
            }
            (true, ["next"]) => take(entry.take(), &mut draft),
            (true, ["end"]) => {
                take(entry.take(), &mut draft);
                inside = false;
            }
            (true, _) => draft.skip(number, line, "it is not understood"),
        }
    }
    take(entry.take(), &mut draft);
    draft
}

fn take(entry: Option<Entry>, draft: &mut Draft) {
    let Some(Entry { name: Some((line, name)), protocol, port }) = entry else { return };
    let transport = match protocol.as_deref() {
        Some("6") => Some(Transport::Tcp),
        Some("17") => Some(Transport::Udp),
        Some(_) | None => None,
    };
    let outcome = match (AlgProtocol::parse(&name), transport, port.as_deref().and_then(ports)) {
        (None, _, _) => Err("there is no such ALG".to_owned()),
        (_, None, _) => Err("the protocol is neither 6 (TCP) nor 17 (UDP)".to_owned()),
        (_, _, None) => Err("the port is no port".to_owned()),
        (Some(protocol), Some(transport), Some(ports)) => {
            draft.listen(protocol, transport, ports).map(|()| draft.enable(protocol, true))
        }
    };
    if let Err(reason) = outcome {
        draft.skip(line, &format!("set name {name}"), reason);
    }
}
