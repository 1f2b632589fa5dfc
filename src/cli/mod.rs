//! The commands that are clients of the REST API, and of nothing else.

mod appliance;
mod apply;
mod browser;
mod client;
mod events;
mod import;
mod login;
mod manage;
mod output;
mod publish;
mod session;
mod shell;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(crate) use self::appliance::ApplianceCommand;
pub(crate) use self::apply::{ApplySettings, ExportSettings};
pub(crate) use self::browser::BrowserSettings;
use self::client::Client;
pub(crate) use self::import::ImportSettings;
use self::login::LoginSettings;
pub(crate) use self::manage::{PolicyCommand, TenantCommand, UserCommand};
use self::output::Format;
pub(crate) use self::publish::PublishSettings;
pub(crate) use self::shell::{CompletionSettings, ManSettings};

/// What a dry run that found changes ends with.
const CHANGES_FOUND: u8 = 2;

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Sign in with the installation's issuer, in a browser on this host.
    ///
    /// The sign-in is kept in $XDG_STATE_HOME/pinhole, for commands that are told no other user.
    Login(BrowserSettings),
    /// End the sign-in that `pinhole login` has kept.
    Logout(BrowserSettings),
    /// Bring a tenant to what files say.
    ///
    /// Prints what will be different, then does it. Ends with status 0 when the tenant is as the files say, with 1 on an
    /// error, and with 2 when a dry run found something to do. A second run finds nothing to do.
    Apply(ApplySettings),
    /// Print what a tenant holds, as `apply` reads it.
    Export(ExportSettings),
    /// Propose a policy from another system's configuration, as `apply` reads it.
    ///
    /// The proposal goes to standard output; each line about ALGs that was not taken over goes to standard error with the
    /// reason.
    Import(ImportSettings),
    /// Tenants.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Users of a tenant.
    #[command(subcommand)]
    User(UserCommand),
    /// ALG policies of a tenant.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// What the gateway of an appliance does now.
    #[command(subcommand)]
    Appliance(ApplianceCommand),
    /// Publish what is saved to appliances.
    Publish(PublishSettings),
    /// Print a shell's completion script.
    Completion(CompletionSettings),
    /// Write the manual pages.
    Man(ManSettings),
}

/// Which API, as whom.
#[derive(Debug, Args)]
pub(crate) struct ApiSettings {
    #[command(flatten)]
    login: LoginSettings,
    /// The tenant, by name or id; the caller's own if left out.
    #[arg(long, short, env = "PINHOLE_TENANT", value_name = "TENANT")]
    tenant: Option<String>,
    /// How answers are printed.
    #[arg(long, short, value_enum, default_value_t, env = "PINHOLE_OUTPUT")]
    output: Format,
}

impl ApiSettings {
    /// Signs in, and finds out which tenant is meant.
    async fn open(&self, named: Option<&str>) -> anyhow::Result<(Client, String)> {
        let client = Client::sign_in(&self.login).await?;
        let tenant = match self.tenant.as_deref().or(named) {
            Some(tenant) => tenant.to_owned(),
            None => client.own_tenant().await?,
        };
        anyhow::ensure!(
            !tenant.is_empty()
                && tenant.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-:".contains(letter)),
            "{tenant:?} names no tenant"
        );
        Ok((client, tenant))
    }
}

/// Runs a command.
pub(crate) async fn run(command: &ClientCommand) -> anyhow::Result<ExitCode> {
    match command {
        ClientCommand::Login(settings) => browser::login(settings).await?,
        ClientCommand::Logout(settings) => browser::logout(settings).await?,
        ClientCommand::Apply(settings) => return apply::apply(settings).await,
        ClientCommand::Export(settings) => apply::export(settings).await?,
        ClientCommand::Import(settings) => import::import(settings)?,
        ClientCommand::Tenant(command) => manage::tenant(command).await?,
        ClientCommand::User(command) => manage::user(command).await?,
        ClientCommand::Policy(command) => manage::policy(command).await?,
        ClientCommand::Appliance(command) => appliance::appliance(command).await?,
        ClientCommand::Publish(settings) => return publish::publish(settings).await,
        ClientCommand::Completion(settings) => shell::completion(settings)?,
        ClientCommand::Man(settings) => shell::man(settings)?,
    }
    Ok(ExitCode::SUCCESS)
}
