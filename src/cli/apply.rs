//! `pinhole apply` and `pinhole export`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use pinhole::desired::{self, Action, Current, Desired, Plan, Prune, Step};
use pinhole::domain::kind::Kind;
use serde_json::{Map, Value};

use super::client::Client;
use super::output::Format;
use super::{ApiSettings, CHANGES_FOUND};
use crate::print;

/// What stands for standard input.
const STDIN: &str = "-";

#[derive(Debug, Args)]
pub(crate) struct ApplySettings {
    /// YAML or JSON as `pinhole export` writes it; `-` is standard input.
    #[arg(long = "file", short, value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Show what would be done and do nothing; ends with status 2 when that is something.
    #[arg(long)]
    dry_run: bool,
    /// Delete what the files do not have, of the kinds of which they have a list.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    api: ApiSettings,
}

#[derive(Debug, Args)]
pub(crate) struct ExportSettings {
    #[command(flatten)]
    api: ApiSettings,
}

/// Brings a tenant to what files say.
pub(super) async fn apply(settings: &ApplySettings) -> anyhow::Result<ExitCode> {
    let desired = read(&settings.files)?;
    let (client, tenant) = settings.api.open(desired.tenant.as_deref()).await?;
    let current = current(&client, &tenant).await?;
    let prune = if settings.prune { Prune::Listed } else { Prune::Keep };
    let plan = desired::plan(&current, &desired, prune).map_err(|problems| told(&problems))?;
    print(&shown(&plan, settings.api.output)?)?;
    if settings.dry_run {
        let code = if plan.steps.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES_FOUND) };
        return Ok(code);
    }
    for (done, step) in plan.steps.iter().enumerate() {
        carry_out(&client, &tenant, step).await.with_context(|| {
            let total = plan.steps.len();
            format!("{} {} (done before it: {done} of {total})", step.kind.title(), step.name)
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what a tenant holds.
pub(super) async fn export(settings: &ExportSettings) -> anyhow::Result<()> {
    let (client, tenant) = settings.api.open(None).await?;
    let mut lists: BTreeMap<Kind, Vec<Value>> = BTreeMap::new();
    for object in current(&client, &tenant).await? {
        lists.entry(object.kind).or_default().push(desired::export(object.kind, &object.answer));
    }
    let lists: Map<String, Value> =
        lists.into_iter().map(|(kind, items)| (desired::key_of(kind), Value::Array(items))).collect();
    print(&match settings.api.output {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&lists)?),
        Format::Table => serde_yaml_ng::to_string(&lists)?,
    })?;
    Ok(())
}

fn read(files: &[PathBuf]) -> anyhow::Result<Desired> {
    let mut desired = Desired::default();
    let mut problems = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = if file == Path::new(STDIN) {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
            text
        } else {
            fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?
        };
        if let Err(found) = desired.add(&name, &text) {
            problems.extend(found);
        }
    }
    if problems.is_empty() { Ok(desired) } else { Err(told(&problems)) }
}

fn told(problems: &[desired::Problem]) -> anyhow::Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(lines.join("; "))
}

async fn current(client: &Client, tenant: &str) -> anyhow::Result<Vec<Current>> {
    let mut current = Vec::new();
    for kind in Kind::ALL {
        let answers = client.objects(tenant, kind).await?;
        current.extend(answers.into_iter().map(|answer| Current { kind, answer }));
    }
    Ok(current)
}

fn shown(plan: &Plan, format: Format) -> anyhow::Result<String> {
    let count = |action| plan.steps.iter().filter(|step| step.action == action).count();
    let (create, update, delete) = (count(Action::Create), count(Action::Update), count(Action::Delete));
    let unchanged = plan.unchanged;
    match format {
        Format::Table => {
            let mut text: String = plan.steps.iter().map(ToString::to_string).collect();
            writeln!(
                text,
                "{create} to create, {update} to update, {delete} to delete, {unchanged} unchanged"
            )?;
            Ok(text)
        }
        Format::Json => {
            let step = |step: &Step| {
                let differences: Vec<Value> = step
                    .differences
                    .iter()
                    .map(|difference| {
                        serde_json::json!({ "path": difference.pointer, "before": difference.before,
                                            "after": difference.after })
                    })
                    .collect();
                let action = match step.action {
                    Action::Create => "create",
                    Action::Update => "update",
                    Action::Delete => "delete",
                };
                serde_json::json!({ "action": action, "kind": step.kind.as_str(), "name": step.name,
                                    "changes": differences })
            };
            let steps: Vec<Value> = plan.steps.iter().map(step).collect();
            let plan = serde_json::json!({ "steps": steps, "unchanged": unchanged });
            Ok(format!("{}\n", serde_json::to_string_pretty(&plan)?))
        }
    }
}

async fn carry_out(client: &Client, tenant: &str, step: &Step) -> anyhow::Result<()> {
    let list = format!("/v1/tenants/{tenant}/{}", step.kind.plural());
    match (step.action, &step.existing) {
        (Action::Create, _) => client.post(&list, &step.document).await.map(drop),
        (Action::Update, Some((id, version))) => {
            client.put(&format!("{list}/{id}"), *version, &step.document).await.map(drop)
        }
        (Action::Delete, Some((id, version))) => client.delete(&format!("{list}/{id}"), Some(*version)).await,
        (Action::Update | Action::Delete, None) => {
            bail!("the controller answered an object without id or version")
        }
    }
}
