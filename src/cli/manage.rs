//! `pinhole tenant`, `pinhole user` and `pinhole policy`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::login::Hidden;
use super::{ApiSettings, output};

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// List the tenants that the caller can act on.
    List(ListSettings),
    /// Create an enterprise.
    Create(CreateSettings),
    /// Delete an enterprise that holds nothing any more.
    Delete(NameSettings),
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List the users of a tenant.
    List(ListSettings),
    /// Create a user, whose password is read from PINHOLE_NEW_PASSWORD.
    Create(UserSettings),
    /// Delete a user.
    Delete(NameSettings),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the ALG policies of a tenant.
    List(ListSettings),
    /// Show an ALG policy.
    Show(NameSettings),
    /// Delete an ALG policy that nothing refers to.
    Delete(NameSettings),
}

#[derive(Debug, Args)]
pub(crate) struct ListSettings {
    #[command(flatten)]
    api: ApiSettings,
}

#[derive(Debug, Args)]
pub(crate) struct NameSettings {
    /// Its name.
    name: String,
    #[command(flatten)]
    api: ApiSettings,
}

#[derive(Debug, Args)]
pub(crate) struct CreateSettings {
    /// Its name.
    name: String,
    /// A description.
    #[arg(long, default_value = "")]
    description: String,
    #[command(flatten)]
    api: ApiSettings,
}

#[derive(Debug, Args)]
pub(crate) struct UserSettings {
    /// The name to sign in with.
    name: String,
    /// The role, for example enterprise_operator.
    #[arg(long)]
    role: String,
    /// The e-mail address.
    #[arg(long)]
    email: Option<String>,
    #[arg(long, env = "PINHOLE_NEW_PASSWORD", hide = true, hide_env_values = true)]
    new_password: Hidden,
    #[command(flatten)]
    api: ApiSettings,
}

const TENANT_COLUMNS: [&str; 4] = ["name", "id", "kind", "description"];
const USER_COLUMNS: [&str; 4] = ["username", "id", "role", "email"];
const POLICY_COLUMNS: [&str; 5] = ["name", "id", "version", "my_permission", "description"];

/// Runs a command about tenants.
pub(super) async fn tenant(command: &TenantCommand) -> anyhow::Result<()> {
    match command {
        TenantCommand::List(ListSettings { api }) => {
            let client = Client::sign_in(&api.login).await?;
            output::list(api.output, &client.list("/v1/tenants").await?, &TENANT_COLUMNS)
        }
        TenantCommand::Create(CreateSettings { name, description, api }) => {
            let client = Client::sign_in(&api.login).await?;
            let body = json!({ "name": name, "description": description });
            output::one(api.output, &client.post("/v1/tenants", &body).await?, &TENANT_COLUMNS)
        }
        TenantCommand::Delete(NameSettings { name, api }) => {
            let client = Client::sign_in(&api.login).await?;
            client.delete(&format!("/v1/tenants/{}", segment(name)?), None).await
        }
    }
}

/// Runs a command about users.
pub(super) async fn user(command: &UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::List(ListSettings { api }) => {
            let (client, tenant) = api.open(None).await?;
            let users = client.list(&format!("/v1/tenants/{tenant}/users")).await?;
            output::list(api.output, &users, &USER_COLUMNS)
        }
        UserCommand::Create(UserSettings { name, role, email, new_password, api }) => {
            let (client, tenant) = api.open(None).await?;
            let mut body = json!({ "username": name, "role": role, "password": new_password.reveal() });
            if let (Some(fields), Some(email)) = (body.as_object_mut(), email) {
                fields.insert("email".to_owned(), Value::from(email.as_str()));
            }
            let user = client.post(&format!("/v1/tenants/{tenant}/users"), &body).await?;
            output::one(api.output, &user, &USER_COLUMNS)
        }
        UserCommand::Delete(NameSettings { name, api }) => {
            let (client, tenant) = api.open(None).await?;
            client.delete(&format!("/v1/tenants/{tenant}/users/name:{}", segment(name)?), None).await
        }
    }
}

/// Runs a command about ALG policies.
pub(super) async fn policy(command: &PolicyCommand) -> anyhow::Result<()> {
    let path = |tenant: &str, name: &str| -> anyhow::Result<String> {
        Ok(format!("/v1/tenants/{tenant}/alg-policies/name:{}", segment(name)?))
    };
    match command {
        PolicyCommand::List(ListSettings { api }) => {
            let (client, tenant) = api.open(None).await?;
            let policies = client.list(&format!("/v1/tenants/{tenant}/alg-policies")).await?;
            output::list(api.output, &policies, &POLICY_COLUMNS)
        }
        PolicyCommand::Show(NameSettings { name, api }) => {
            let (client, tenant) = api.open(None).await?;
            output::one(api.output, &client.get(&path(&tenant, name)?).await?, &POLICY_COLUMNS)
        }
        PolicyCommand::Delete(NameSettings { name, api }) => {
            let (client, tenant) = api.open(None).await?;
            client.delete(&path(&tenant, name)?, None).await
        }
    }
}

/// A name as a segment of a path; anything else is no name anyway.
pub(super) fn segment(name: &str) -> anyhow::Result<&str> {
    let good = !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    anyhow::ensure!(good, "{name:?} is no name");
    Ok(name)
}
