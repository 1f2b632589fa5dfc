//! Junos, in braces or as `set` commands: `security alg`, and applications that name the ALG of their ports.

use std::collections::BTreeMap;

use super::proposal::{Draft, ports};
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::service::Transport;

/// How deep braces may stand in each other.
const MAX_DEPTH: usize = 32;
/// What is on unless it is disabled; ike-esp-nat has to be enabled.
const ON: [AlgProtocol; 4] = [AlgProtocol::Ftp, AlgProtocol::Pptp, AlgProtocol::Sip, AlgProtocol::Tftp];

/// A statement with everything that it stands in.
#[derive(Debug)]
struct Statement {
    line: usize,
    words: Vec<String>,
}

/// An application, or a term of one.
#[derive(Debug, Default)]
struct Application {
    line: usize,
    alg: Option<String>,
    protocol: Option<String>,
    destination: Option<String>,
    /// A condition that a service cannot have.
    condition: bool,
}

pub(super) fn read(text: &str) -> Draft {
    let statements = statements(text);
    let about = |statement: &Statement| {
        let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
        matches!(words.as_slice(), ["security", "alg", ..])
            || matches!(words.as_slice(), ["applications", "application", ..])
    };
    let mut draft = if statements.iter().any(about) { Draft::with_default(&ON) } else { Draft::default() };
    let mut applications: BTreeMap<String, Application> = BTreeMap::new();
    for Statement { line, words } in &statements {
        let shown = words.join(" ");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["security", "alg", name, rest @ ..] => {
                let name = if *name == "ike-esp-nat" { "ike_esp" } else { name };
                match (AlgProtocol::parse(name), rest) {
                    (Some(protocol), ["disable"]) => draft.enable(protocol, false),
                    (Some(protocol), ["enable"] | []) => draft.enable(protocol, true),
                    (Some(_), _) => draft.skip(*line, &shown, "a policy has no such setting"),
                    (None, _) => draft.skip(*line, &shown, "there is no such ALG"),
                }
            }
            ["applications", "application", name, "term", term, rest @ ..] => {
                let application = applications.entry(format!("{name} {term}")).or_default();
                application.line = if application.line == 0 { *line } else { application.line };
                application.take(rest);
            }
            ["applications", "application", name, rest @ ..] => {
                let application = applications.entry((*name).to_owned()).or_default();
                application.line = if application.line == 0 { *line } else { application.line };
                application.take(rest);
            }
            _ => {}
        }
    }
    for (name, application) in applications {
        application.listen(&name, &mut draft);
    }
    draft
}

impl Application {
    fn take(&mut self, mut words: &[&str]) {
        while let [field, value, rest @ ..] = words {
            let value = Some((*value).to_owned());
            match *field {
                "application-protocol" | "alg" => self.alg = value,
                "protocol" => self.protocol = value,
                "destination-port" => self.destination = value,
                "source-port" => self.condition |= value.as_deref() != Some("0-65535"),
                "inactivity-timeout" | "description" => {}
                _ => self.condition = true,
            }
            words = rest;
        }
    }

    fn listen(self, name: &str, draft: &mut Draft) {
        // An application without an ALG is nothing but a name for ports.
        let Some(alg) = self.alg else { return };
        let transport = match self.protocol.as_deref() {
            Some("tcp" | "6") => Some(Transport::Tcp),
            Some("udp" | "17") => Some(Transport::Udp),
            Some(_) | None => None,
        };
        let destination = self.destination.as_deref().and_then(ports);
        let outcome = match (AlgProtocol::parse(&alg), transport, destination) {
            (None, _, _) => Err("there is no such ALG".to_owned()),
            _ if self.condition => Err("a service has no such condition".to_owned()),
            (_, None, _) => Err("the protocol is neither TCP nor UDP".to_owned()),
            (_, _, None) => Err("the destination port is no port or range".to_owned()),
            (Some(protocol), Some(transport), Some(ports)) => draft.listen(protocol, transport, ports),
        };
        if let Err(reason) = outcome {
            draft.skip(self.line, &format!("application {name} {alg}"), reason);
        }
    }
}

/// The statements of a configuration, whichever way it is written.
fn statements(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut stack: Vec<Vec<String>> = Vec::new();
    let mut inactive_below = None;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let trimmed = line.split(" ## ").next().unwrap_or_default().trim();
        if trimmed.starts_with('#') || trimmed.starts_with("/*") {
            continue;
        }
        if let Some(command) = trimmed.strip_prefix("set ") {
            statements.push(Statement { line: line_number, words: words(command) });
            continue;
        }
        if trimmed == "}" {
            stack.pop();
            if inactive_below.is_some_and(|depth| stack.len() <= depth) {
                inactive_below = None;
            }
            continue;
        }
        let inactive = trimmed.starts_with("inactive:");
        let trimmed = trimmed.trim_start_matches("inactive:").trim();
        if let Some(opening) = trimmed.strip_suffix('{') {
            if inactive && inactive_below.is_none() {
                inactive_below = Some(stack.len());
            }
            // Deeper than anything is in earnest; what stands there belongs to nothing known.
            stack.push(if stack.len() < MAX_DEPTH { words(opening) } else { Vec::new() });
        } else if let Some(statement) = trimmed.strip_suffix(';')
            && !inactive
            && inactive_below.is_none()
            && stack.len() <= MAX_DEPTH
        {
            let words = stack.iter().flatten().cloned().chain(words(statement)).collect();
            statements.push(Statement { line: line_number, words });
        }
    }
    statements
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}
