//! The job, step by step, over the REST API.

use std::time::Instant;

use anyhow::ensure;
use pinhole_lab::Api;
use pinhole_lab::api::{INTERVAL, Object, PATIENCE};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::say;
use crate::site::{FILE, Site};

/// The name of the policy and of the profile.
const NAME: &str = "demonstration";
/// The controller's own appliance.
const APPLIANCE: &str = "embedded";
/// What curl answers when the server takes no address of the client (curl(1), exit codes).
const CURL_PORT_REFUSED: i32 = 30;

/// What gateways tell.
#[derive(Debug, Deserialize)]
struct Events {
    items: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Event {
    sequence: u64,
    #[serde(flatten)]
    what: What,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum What {
    AlgRewrite {
        before: String,
        after: String,
    },
    PinholeOpened {
        pinhole_id: u64,
        peer: String,
        outside: String,
        inside: String,
    },
    PinholeClosed {
        pinhole_id: u64,
        reason: String,
    },
    #[serde(other)]
    Other,
}

/// Does the whole job.
pub(crate) async fn run(site: &mut Site) -> anyhow::Result<()> {
    let controller = site.controller()?;
    let login = controller.first_login()?;
    let api = Api::sign_in(controller.http(), &login).await?;
    say(&format!("signed in   as {}", login.username));

    let policy = api
        .ensure(
            "alg-policies",
            NAME,
            &json!({ "description": "Lets FTP through in active mode", "protocols": { "ftp": { "enabled": true } } }),
        )
        .await?;
    say(&format!("policy      {NAME}, version {}: FTP on", policy.version));
    api.ensure("master-profiles", NAME, &json!({ "kind": "basic" })).await?;
    let profile = json!({ "profile": format!("name:{NAME}") });
    let _: Object = api.post(&format!("alg-policies/name:{NAME}/attach"), &profile).await?;
    say(&format!("attached    to the master profile {NAME}"));
    let appliance = api
        .patch(
            &format!("appliances/name:{APPLIANCE}"),
            &json!({
                "master_profile": format!("name:{NAME}"),
                "nat": {
                    "inside": ["in0"],
                    "outside": ["out0"],
                    "inside_prefixes": ["10.0.0.0/24"],
                    "pool": ["203.0.113.1"],
                },
            }),
        )
        .await?;
    say(&format!("assigned    to the appliance {APPLIANCE}, which translates 10.0.0.0/24 to 203.0.113.1"));

    publish(&api, &appliance).await?;
    download(&api, site).await?;
    set_ftp(&api, false).await?;
    publish(&api, &appliance).await?;
    download_in_vain(site)?;
    set_ftp(&api, true).await?;
    publish(&api, &appliance).await?;
    download(&api, site).await
}

async fn set_ftp(api: &Api, enabled: bool) -> anyhow::Result<()> {
    let body = json!({ "protocols": { "ftp": { "enabled": enabled } } });
    let policy = api.patch(&format!("alg-policies/name:{NAME}"), &body).await?;
    let word = if enabled { "on" } else { "off" };
    say(&format!("policy      {NAME}, version {}: FTP {word}", policy.version));
    Ok(())
}

/// Publishes to the appliance and waits until its gateway has applied it.
async fn publish(api: &Api, appliance: &Object) -> anyhow::Result<()> {
    say("published   and waiting for the gateway");
    api.publish(appliance).await?;
    say("applied     by the gateway");
    Ok(())
}

/// Downloads the file in active mode, and shows what the gateway did meanwhile.
async fn download(api: &Api, site: &Site) -> anyhow::Result<()> {
    let before = last_event(api).await?;
    let output = site.download()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the download failed: {}", complaint.trim_end());
    let (sent, received) = (checksum(&site.served()?), checksum(&output.stdout));
    say(&format!("download    {FILE} with curl in active mode: {} bytes", output.stdout.len()));
    ensure!(sent == received, "the file differs: {sent} on the server, {received} on the client");
    show_events(api, before).await?;
    say(&format!("checksum    {sent} on the server"));
    say(&format!("            {received} on the client"));
    Ok(())
}

/// Tries the same download, which must fail.
fn download_in_vain(site: &Site) -> anyhow::Result<()> {
    let output = site.download()?;
    let code = output.status.code();
    ensure!(code == Some(CURL_PORT_REFUSED), "without the ALG curl ended with {:?}", code);
    say(&format!("download    {FILE} fails now, as it must: the server refuses the client's inside address"));
    Ok(())
}

/// Returns the sequence number of the last event so far.
async fn last_event(api: &Api) -> anyhow::Result<u64> {
    let mut after = 0;
    while let Some(last) = events(api, after).await?.last() {
        after = last.sequence;
    }
    Ok(after)
}

async fn events(api: &Api, after: u64) -> anyhow::Result<Vec<Event>> {
    let Events { items } = api.get(&format!("appliances/name:{APPLIANCE}/events?after={after}")).await?;
    Ok(items)
}

/// Shows the rewritten command and its pinhole, as soon as that has closed.
async fn show_events(api: &Api, before: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let items = events(api, before).await?;
        if let Some(lines) = describe(&items) {
            say(&lines);
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the gateway did not tell of a pinhole that opened and closed");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Describes a download's events; `None` while some of them have not come.
fn describe(events: &[Event]) -> Option<String> {
    let rewrite = events.iter().find_map(|event| match &event.what {
        What::AlgRewrite { before, after } => Some(format!("rewritten   {before}\n            {after}")),
        What::PinholeOpened { .. } | What::PinholeClosed { .. } | What::Other => None,
    })?;
    let (id, opened) = events.iter().find_map(|event| match &event.what {
        What::PinholeOpened { pinhole_id, peer, outside, inside } => {
            Some((pinhole_id, format!("pinhole     opened for {peer} to {outside}, which is {inside}")))
        }
        What::AlgRewrite { .. } | What::PinholeClosed { .. } | What::Other => None,
    })?;
    let closed = events.iter().find_map(|event| match &event.what {
        What::PinholeClosed { pinhole_id, reason } if pinhole_id == id => {
            Some(format!("            closed: {reason}"))
        }
        What::AlgRewrite { .. } | What::PinholeOpened { .. } | What::PinholeClosed { .. } | What::Other => {
            None
        }
    })?;
    Some([rewrite, opened, closed].join("\n"))
}

fn checksum(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}
