//! `pinhole publish`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use pinhole::domain::kind::Kind;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{ApiSettings, output};

/// The longest that anybody waits.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
const COLUMNS: [&str; 4] = ["name", "status", "revision", "reason"];

#[derive(Debug, Args)]
pub(crate) struct PublishSettings {
    /// The appliances, by name; those that were changed since they were published to if left out.
    appliances: Vec<String>,
    /// Wait, at most so many seconds, until every appliance has answered; ends with status 1 if one has not applied.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    #[command(flatten)]
    api: ApiSettings,
}

/// Publishes.
pub(super) async fn publish(settings: &PublishSettings) -> anyhow::Result<ExitCode> {
    let (client, tenant) = settings.api.open(None).await?;
    let appliances = if settings.appliances.is_empty() {
        json!("all_changed")
    } else {
        let known = client.objects(&tenant, Kind::Appliance).await?;
        let id = |name: &String| {
            let found = known.iter().find(|appliance| {
                let called = appliance.get("name").and_then(Value::as_str);
                called.is_some_and(|called| called.eq_ignore_ascii_case(name))
            });
            found
                .and_then(|found| found.get("id"))
                .cloned()
                .with_context(|| format!("there is no appliance {name:?}"))
        };
        Value::Array(settings.appliances.iter().map(id).collect::<anyhow::Result<_>>()?)
    };
    let all = format!("/v1/tenants/{tenant}/publications");
    let mut publication = client.post(&all, &json!({ "appliances": appliances })).await?;
    let id = publication.get("id").and_then(Value::as_str).context("a publication without an id")?;
    let path = format!("{all}/{id}");
    if let Some(seconds) = settings.wait
        && is(&publication, "running")
    {
        // A number that no clock reaches is as long as there is a clock.
        let limit = Duration::from_secs(seconds).min(LONGEST_WAIT);
        client.follow(&format!("{path}/events"), Instant::now() + limit).await?;
        publication = client.get(&path).await?;
    }
    let deliveries = publication.get("appliances").and_then(Value::as_array).cloned().unwrap_or_default();
    match settings.api.output {
        output::Format::Json => output::one(settings.api.output, &publication, &[])?,
        output::Format::Table => output::list(settings.api.output, &deliveries, &COLUMNS)?,
    }
    let done = settings.wait.is_none() || is(&publication, "succeeded");
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is(publication: &Value, state: &str) -> bool {
    publication.get("state").and_then(Value::as_str) == Some(state)
}
