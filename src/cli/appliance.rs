//! `pinhole appliance`: what the gateway of an appliance does now, and what it is to end.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::manage::segment;
use super::{ApiSettings, output};
use crate::cli::client::Client;

/// The most entries of one answer.
const PAGE: usize = 256;

const SESSION_COLUMNS: [&str; 8] =
    ["id", "protocol", "inside", "outside", "remote", "originator", "state", "alg"];
const PINHOLE_COLUMNS: [&str; 7] = ["id", "alg", "message", "peer", "outside", "inside", "expires_in_ms"];
const MAPPING_COLUMNS: [&str; 5] = ["protocol", "inside", "outside", "remote", "holders"];

#[derive(Debug, Subcommand)]
pub(crate) enum ApplianceCommand {
    /// List the sessions that go through an appliance now.
    Sessions(LiveSettings),
    /// List the pinholes that are open now.
    Pinholes(LiveSettings),
    /// List the inside endpoints and what stands for them outside now.
    Mappings(LiveSettings),
    /// End a session, or close a pinhole.
    Kill(KillSettings),
}

#[derive(Debug, Args)]
pub(crate) struct LiveSettings {
    /// The appliance's name.
    appliance: String,
    /// Only those with this address.
    #[arg(long)]
    address: Option<std::net::Ipv4Addr>,
    /// Only those with this port.
    #[arg(long)]
    port: Option<std::num::NonZeroU16>,
    /// The most entries.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    api: ApiSettings,
}

#[derive(Debug, Args)]
#[group(id = "target", required = true, multiple = false, args = ["session", "pinhole"])]
pub(crate) struct KillSettings {
    /// The appliance's name.
    appliance: String,
    /// The session's id.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The pinhole's id.
    #[arg(long, value_name = "ID")]
    pinhole: Option<String>,
    #[command(flatten)]
    api: ApiSettings,
}

/// Runs a command about an appliance.
pub(super) async fn appliance(command: &ApplianceCommand) -> anyhow::Result<()> {
    match command {
        ApplianceCommand::Sessions(settings) => list(settings, "sessions", &SESSION_COLUMNS).await,
        ApplianceCommand::Pinholes(settings) => list(settings, "pinholes", &PINHOLE_COLUMNS).await,
        ApplianceCommand::Mappings(settings) => list(settings, "mappings", &MAPPING_COLUMNS).await,
        ApplianceCommand::Kill(settings) => kill(settings).await,
    }
}

async fn list(settings: &LiveSettings, what: &str, columns: &[&str]) -> anyhow::Result<()> {
    let (client, path) = open(&settings.api, &settings.appliance).await?;
    let mut filter = String::new();
    if let Some(address) = settings.address {
        filter.push_str(&format!("&address={address}"));
    }
    if let Some(port) = settings.port {
        filter.push_str(&format!("&port={port}"));
    }
    let (mut items, mut cursor) = (Vec::new(), "0".to_owned());
    while items.len() < settings.limit {
        let limit = settings.limit.saturating_sub(items.len()).min(PAGE);
        let page = client.get(&format!("{path}/{what}?limit={limit}&cursor={cursor}{filter}")).await?;
        let found = page.get("items").and_then(Value::as_array);
        items.extend(found.into_iter().flatten().cloned());
        let Some(next) = page.get("next_cursor").and_then(Value::as_str) else { break };
        segment(next)?.clone_into(&mut cursor);
    }
    output::list(settings.api.output, &items, columns)
}

async fn kill(settings: &KillSettings) -> anyhow::Result<()> {
    let (client, path) = open(&settings.api, &settings.appliance).await?;
    if let Some(session) = &settings.session {
        client.delete(&format!("{path}/sessions/{}", segment(session)?), None).await?;
    }
    if let Some(pinhole) = &settings.pinhole {
        client.delete(&format!("{path}/pinholes/{}", segment(pinhole)?), None).await?;
    }
    Ok(())
}

async fn open(api: &ApiSettings, appliance: &str) -> anyhow::Result<(Client, String)> {
    let appliance = segment(appliance)?;
    let (client, tenant) = api.open(None).await?;
    Ok((client, format!("/v1/tenants/{tenant}/appliances/name:{appliance}")))
}
