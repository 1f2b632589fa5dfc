//! `pinhole-gateway status|sessions|mappings|pinholes|subscribers|kill`: what the gateway of this host does now.

mod table;

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use pinhole_gateway::config::{message, parse_alg_name};
use pinhole_gateway::local::Client;
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use pinhole_proto::v1::inquiry::Question;
use serde_json::{Value, json};

use crate::cli::{HostArguments, say};

/// The most entries of one answer.
const PAGE: usize = 256;

/// Which gateway is asked, and how its answers are printed.
#[derive(Args, Debug)]
pub(crate) struct GatewayArguments {
    #[command(flatten)]
    host: HostArguments,
    /// Print a JSON object in each line instead of columns.
    #[arg(long)]
    json: bool,
}

/// Which entries are listed.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Only those with this address.
    #[arg(long)]
    address: Option<Ipv4Addr>,
    /// Only those with this port, or ICMP identifier.
    #[arg(long)]
    port: Option<NonZeroU16>,
    /// Only those of this protocol: tcp, udp, icmp.
    #[arg(long)]
    protocol: Option<String>,
    /// Only those that this ALG reads or has announced.
    #[arg(long)]
    alg: Option<String>,
    /// Only sessions of this state.
    #[arg(long)]
    state: Option<String>,
    /// The most entries.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    gateway: GatewayArguments,
}

/// What is to end.
#[derive(Args, Debug)]
#[group(id = "target", required = true, multiple = false, args = ["session", "pinhole", "mapping"])]
pub(crate) struct KillArguments {
    /// The session's id.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The pinhole's id.
    #[arg(long, value_name = "ID")]
    pinhole: Option<String>,
    /// The id of a mapping that an inside host asked for by name.
    #[arg(long, value_name = "ID")]
    mapping: Option<String>,
    #[command(flatten)]
    gateway: GatewayArguments,
}

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Sessions,
    Pinholes,
    Mappings,
    Subscribers,
}

impl Kind {
    fn question(self, listing: v1::Listing) -> Question {
        match self {
            Self::Sessions => Question::Sessions(listing),
            Self::Pinholes => Question::Pinholes(listing),
            Self::Mappings => Question::Mappings(listing),
            Self::Subscribers => Question::Subscribers(listing),
        }
    }

    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Sessions => {
                &["id", "protocol", "inside", "outside", "remote", "originator", "state", "out", "in", "alg"]
            }
            Self::Pinholes => &["id", "alg", "message", "peer", "outside", "inside", "left_ms"],
            Self::Mappings => {
                &["protocol", "inside", "outside", "remote", "holders", "block", "origin", "left_ms", "id"]
            }
            Self::Subscribers => {
                &["address", "outside", "sessions", "mappings", "ports", "blocks", "refused"]
            }
        }
    }
}

/// Lists what there is, page after page.
pub(crate) async fn list(kind: Kind, arguments: ListArguments) -> anyhow::Result<ExitCode> {
    let alg = arguments.alg.as_deref().map(parse_alg_name).transpose()?;
    let filter = v1::Listing {
        address: arguments.address.map(|address| address.to_string()).unwrap_or_default(),
        port: arguments.port.map_or(0, |port| port.get().into()),
        protocol: arguments.protocol.unwrap_or_default(),
        alg: alg.map_or(0, |alg| message::protocol_message(alg).into()),
        state: arguments.state.unwrap_or_default(),
        ..v1::Listing::default()
    };
    let mut client = connect(arguments.gateway.host).await?;
    let (mut items, mut from) = (Vec::new(), 0);
    while items.len() < arguments.limit {
        let limit = u32::try_from(arguments.limit.saturating_sub(items.len()).min(PAGE)).unwrap_or(u32::MAX);
        let listing = v1::Listing { from, limit, ..filter.clone() };
        let (page, next) = entries(client.ask(kind.question(listing)).await?)?;
        items.extend(page);
        let Some(next) = next else { break };
        from = next;
    }
    if arguments.gateway.json {
        items.iter().try_for_each(|item| say(&item.to_string()))?;
    } else {
        table::lines(&items, kind.columns()).iter().try_for_each(|line| say(line))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Has something ended. Fails when it is not there.
pub(crate) async fn kill(arguments: KillArguments) -> anyhow::Result<ExitCode> {
    let question = match (arguments.session, arguments.pinhole, arguments.mapping) {
        (Some(session), ..) => Question::EndSession(session),
        (None, Some(pinhole), _) => Question::ClosePinhole(pinhole),
        (None, None, Some(mapping)) => Question::EndMapping(mapping),
        (None, None, None) => anyhow::bail!("one of --session, --pinhole and --mapping is needed"),
    };
    match connect(arguments.gateway.host).await?.ask(question).await? {
        Outcome::Done(v1::Done {}) => Ok(ExitCode::SUCCESS),
        Outcome::Absent(v1::Absent {}) => anyhow::bail!("it is not there, or not any more"),
        Outcome::Refused(reason) => anyhow::bail!(reason),
        Outcome::Sessions(_) | Outcome::Pinholes(_) | Outcome::Mappings(_) | Outcome::Subscribers(_) => {
            anyhow::bail!("the gateway answers something else")
        }
    }
}

/// Says how the gateway is. Fails when it carries no traffic.
pub(crate) async fn status(arguments: GatewayArguments) -> anyhow::Result<ExitCode> {
    let json = arguments.json;
    let report = connect(arguments.host).await?.status().await?;
    let code = if report.running { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let value = status_value(&report);
    if json {
        say(&value.to_string())?;
    } else {
        table::pairs(&value).iter().try_for_each(|line| say(line))?;
    }
    Ok(code)
}

async fn connect(host: HostArguments) -> anyhow::Result<Client> {
    let (run_dir, namespace) = host.parts();
    Client::connect(&run_dir, namespace).await.context("is it running, under this --run-dir and --netns?")
}

fn entries(outcome: Outcome) -> anyhow::Result<(Vec<Value>, Option<u64>)> {
    Ok(match outcome {
        Outcome::Sessions(page) => (page.sessions.iter().map(session).collect(), page.next),
        Outcome::Pinholes(page) => (page.pinholes.iter().map(pinhole).collect(), page.next),
        Outcome::Mappings(page) => (page.mappings.iter().map(mapping).collect(), page.next),
        Outcome::Subscribers(page) => (page.subscribers.iter().map(subscriber).collect(), page.next),
        Outcome::Refused(reason) => anyhow::bail!(reason),
        Outcome::Done(_) | Outcome::Absent(_) => anyhow::bail!("the gateway answers something else"),
    })
}

fn session(session: &v1::Session) -> Value {
    json!({
        "id": session.id,
        "protocol": session.protocol,
        "inside": session.inside,
        "outside": session.outside,
        "remote": session.remote,
        "originator": session.originator,
        "state": session.state,
        "out": session.packets_out,
        "in": session.packets_in,
        "idle_left_ms": session.idle_left_ms,
        "alg": alg(session.alg),
        "announced_by": alg(session.announced_by),
        "announced_in": text(&session.announced_in),
        "master": text(&session.master),
    })
}

fn pinhole(pinhole: &v1::Pinhole) -> Value {
    json!({
        "id": pinhole.id,
        "alg": alg(pinhole.alg),
        "protocol": pinhole.protocol,
        "peer": pinhole.peer,
        "outside": pinhole.outside,
        "inside": pinhole.inside,
        "master": pinhole.master,
        "message": pinhole.message,
        "left_ms": pinhole.left_ms,
    })
}

fn mapping(mapping: &v1::Mapping) -> Value {
    json!({
        "protocol": mapping.protocol,
        "inside": mapping.inside,
        "outside": mapping.outside,
        "remote": mapping.remote,
        "holders": mapping.holders,
        "block": mapping.block.as_ref().map(|block| format!("{}-{}", block.first, block.last)),
        "origin": mapping.explicit.as_ref().map(|explicit| explicit.origin.as_str()),
        "left_ms": mapping.explicit.as_ref().map(|explicit| explicit.left_ms),
        "id": mapping.explicit.as_ref().map(|explicit| explicit.id.as_str()),
    })
}

fn subscriber(subscriber: &v1::Subscriber) -> Value {
    json!({
        "address": subscriber.address,
        "outside": text(&subscriber.outside),
        "sessions": subscriber.sessions,
        "mappings": subscriber.mappings,
        "ports": subscriber.ports,
        "blocks": subscriber.blocks,
        "refused": subscriber.refused,
    })
}

fn status_value(report: &v1::StatusReport) -> Value {
    let counters = report.counters.clone().unwrap_or_default();
    let drops: serde_json::Map<String, Value> =
        counters.drops_by_reason.into_iter().map(|(reason, count)| (reason, count.into())).collect();
    let exports: Vec<Value> = counters.exports.iter().map(export).collect();
    json!({
        "version": report.software_version,
        "running": report.running,
        "revision": text(&report.revision_id),
        "link": report.link,
        "fault": text(&report.fault),
        "sessions": counters.sessions,
        "pinholes": counters.pinholes,
        "forwarded": counters.packets_forwarded,
        "delivered": counters.packets_delivered,
        "dropped": counters.packets_dropped,
        "drops": drops,
        "exports": exports,
    })
}

fn export(export: &v1::ExportCounters) -> Value {
    json!({
        "name": export.name,
        "to": export.to,
        "sent": export.records_sent,
        "dropped": export.records_dropped,
        "waiting": export.records_waiting,
        "connected": export.connected,
        "fault": text(&export.fault),
    })
}

/// What is empty in a message is nothing.
fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn alg(number: i32) -> Option<&'static str> {
    message::parse_protocol(number).map(pinhole_gateway::config::alg_name)
}
