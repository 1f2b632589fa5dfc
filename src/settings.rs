//! The program's settings: from its arguments, and from the environment where they are not given.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use pinhole::access::seal::SecretKey;
use pinhole::ids::TenantId;
use pinhole::telemetry::Format;
use sqlx::postgres::PgConnectOptions;

use crate::cli::ClientCommand;

/// Where root's data are kept.
const SYSTEM_DATA_DIR: &str = "/var/lib/pinhole";
/// Far more than a person or a tool needs, and less than what keeps everyone else waiting.
const DEFAULT_RATE_LIMIT: u32 = 60_000;
/// How often a gateway may be told to send heartbeats: what every gateway is able to do.
const HEARTBEAT_LEAST: Duration = Duration::from_millis(50);
const HEARTBEAT_MOST: Duration = Duration::from_secs(60);

/// How long certificates of gateways may be good: not so short that their renewals are all a gateway does, nor so long
/// that one that leaks is good for ever.
const CERTIFICATE_LEAST: Duration = Duration::from_secs(1);
const CERTIFICATE_MOST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Application Layer Gateway policies for the tenants of a service provider.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How log lines are written to standard error; PINHOLE_LOG filters them.
    #[arg(long, value_enum, default_value_t, global = true, env = "PINHOLE_LOG_FORMAT")]
    pub(crate) log_format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the controller until SIGTERM or SIGINT.
    ///
    /// Prints `ready http=URL grpc=URL` when everything listens and the database is migrated. On an installation's
    /// first start `login username=NAME password=PASSWORD` comes before that. A DATABASE_URL that does not answer
    /// is tried again until it does; `/readyz` answers 503 meanwhile.
    Serve(Box<ServeSettings>),
    /// Bring the database's schema up to date.
    Migrate(DatabaseSettings),
    /// The keys that sign access tokens.
    #[command(subcommand)]
    Keys(KeyCommand),
    /// Print the OpenAPI document of the REST API.
    Openapi,
    #[command(flatten)]
    Client(Box<ClientCommand>),
    /// Check the audit.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute every hash and name the entries that were changed, removed or reordered.
    ///
    /// Prints a line for each tenant's chain and ends with status 1 when one is not whole. Who can write to the database
    /// can also cut off a chain's end; keep the printed head elsewhere to notice that.
    Verify(VerifySettings),
}

#[derive(Debug, Args)]
pub(crate) struct VerifySettings {
    /// Only the chain of the tenant with this id.
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<TenantId>,
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make another key; tokens of those before stay good until they expire.
    ///
    /// Controllers that run take it up within minutes. A private Postgres can be used by one program at a time: while a
    /// controller runs on one, give DATABASE_URL.
    Rotate(KeySettings),
}

#[derive(Debug, Args)]
pub(crate) struct ServeSettings {
    /// Where the REST API listens; port 0 takes a free one.
    #[arg(long, env = "PINHOLE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where gateways connect; port 0 takes a free one.
    #[arg(long, env = "PINHOLE_GRPC_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:7443")]
    pub(crate) grpc_listen: SocketAddr,
    /// A proxy in front of the REST API whose X-Forwarded-For is believed; may be given several times.
    #[arg(
        long = "trusted-proxy",
        env = "PINHOLE_TRUSTED_PROXIES",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub(crate) trusted_proxies: Vec<IpAddr>,
    /// Requests that one access token may make in a minute, and ten times as many from one address; 0 is any number.
    #[arg(long, env = "PINHOLE_RATE_LIMIT", value_name = "REQUESTS", default_value_t = DEFAULT_RATE_LIMIT)]
    pub(crate) rate_limit: u32,
    /// The certificate that the REST API presents, PEM, with its chain. With it the API speaks TLS; without, put a proxy
    /// that does in front. Read again at SIGHUP, and every minute.
    #[arg(long, env = "PINHOLE_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The key of --tls-certificate, PEM.
    #[arg(long, env = "PINHOLE_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The URL at which browsers reach the REST API, without a path; an issuer sends them back there. The address of
    /// --listen if left out.
    #[arg(long, env = "PINHOLE_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// A file that names an OpenID Connect issuer to sign in with, and says whom it vouches for gets which role.
    #[arg(long, env = "PINHOLE_OIDC", value_name = "FILE")]
    pub(crate) oidc: Option<PathBuf>,
    /// The URL that gateways are told to connect to; the address of --grpc-listen if left out.
    #[arg(long, env = "PINHOLE_GRPC_URL", value_name = "URL")]
    pub(crate) grpc_url: Option<String>,
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
    /// How often gateways send heartbeats; after three that were missed one counts as unreachable.
    #[arg(long, env = "PINHOLE_HEARTBEAT_INTERVAL", value_name = "TIME", default_value = "5s", value_parser = parse_heartbeat)]
    pub(crate) heartbeat_interval: Duration,
    /// How long the certificates of gateways are good for; gateways renew them by themselves.
    #[arg(long, env = "PINHOLE_CERTIFICATE_LIFETIME", value_name = "TIME", default_value = "720h", value_parser = parse_certificate_lifetime)]
    pub(crate) certificate_lifetime: Duration,
    #[command(flatten)]
    pub(crate) secret_key: SecretKeySettings,
    #[command(flatten)]
    pub(crate) embedded: EmbeddedSettings,
    /// Where the first login is written on an installation's first start, instead of standard output.
    #[arg(long, env = "PINHOLE_FIRST_LOGIN_FILE", value_name = "FILE")]
    pub(crate) first_login_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct KeySettings {
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
    #[command(flatten)]
    pub(crate) secret_key: SecretKeySettings,
}

#[derive(Debug, Args)]
pub(crate) struct SecretKeySettings {
    /// The key that secrets in the database are sealed with, the base64 of 32 random bytes, the same for all
    /// controllers of an installation; kept in the data directory if left out.
    #[arg(long, env = "PINHOLE_SECRET_KEY", value_name = "KEY", hide_env_values = true)]
    secret_key: Option<Sensitive>,
}

impl SecretKeySettings {
    /// The secret key, if it was given.
    ///
    /// # Errors
    /// It is none. The error does not show it.
    pub(crate) fn given(&self) -> anyhow::Result<Option<SecretKey>> {
        let given = self.secret_key.as_ref().filter(|given| !given.0.is_empty());
        given.map(|given| given.0.parse().context("PINHOLE_SECRET_KEY")).transpose()
    }
}

#[derive(Debug, Args)]
pub(crate) struct EmbeddedSettings {
    /// Do not run a gateway in this process.
    #[arg(long, env = "PINHOLE_NO_EMBEDDED_GATEWAY")]
    pub(crate) no_embedded_gateway: bool,
    /// The network namespace that the embedded gateway carries packets in, for example /run/netns/blue; this
    /// process's own if left out.
    #[arg(long, env = "PINHOLE_GATEWAY_NETNS", value_name = "FILE")]
    pub(crate) gateway_netns: Option<PathBuf>,
    /// Where the embedded gateway remembers what it changed on this host.
    #[arg(long, env = "PINHOLE_GATEWAY_RUN_DIR", value_name = "DIR", default_value = pinhole_gateway::DEFAULT_RUN_DIR)]
    pub(crate) gateway_run_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseSettings {
    /// The Postgres to use, for example postgres://user@host/pinhole; a private one in the data directory if left
    /// out.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<Sensitive>,
    /// Where a private Postgres and the embedded gateway keep what they have to remember; /var/lib/pinhole for
    /// root, otherwise $XDG_DATA_HOME/pinhole or ~/.local/share/pinhole if left out.
    #[arg(long, env = "PINHOLE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DatabaseSettings {
    /// How to connect to the database, if there is one to connect to.
    ///
    /// # Errors
    /// The URL is none. The error does not show it, as there may be a password in it.
    pub(crate) fn url(&self) -> anyhow::Result<Option<PgConnectOptions>> {
        match &self.database_url {
            Some(url) if !url.0.is_empty() => {
                let options = PgConnectOptions::from_str(&url.0);
                options.map(Some).context("DATABASE_URL is not the URL of a Postgres")
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Where data are kept.
    ///
    /// # Errors
    /// There is no home directory to keep them in.
    pub(crate) fn data_dir(&self) -> anyhow::Result<PathBuf> {
        let environment = |name| std::env::var_os(name).map(PathBuf::from);
        let directory = self.data_dir.clone().or_else(|| {
            if nix::unistd::geteuid().is_root() {
                return Some(PathBuf::from(SYSTEM_DATA_DIR));
            }
            // The XDG base directory specification has relative paths ignored.
            let data_home = environment("XDG_DATA_HOME").filter(|path| path.is_absolute());
            let data_home = data_home.or_else(|| Some(environment("HOME")?.join(".local/share")));
            data_home.map(|data_home| data_home.join("pinhole"))
        });
        let directory = directory.context("there is no home directory; choose one with --data-dir")?;
        std::path::absolute(&directory)
            .with_context(|| format!("{} is no data directory", directory.display()))
    }
}

/// What is not to be shown: a secret, or the URL of a database, which may have a password in it.
#[derive(Clone)]
struct Sensitive(String);

impl FromStr for Sensitive {
    type Err = std::convert::Infallible;

    /// Takes anything: an error here would print the value.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sensitive(..)")
    }
}

/// Reads, for example, `5s` or `500ms`.
fn parse_heartbeat(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (HEARTBEAT_LEAST..=HEARTBEAT_MOST).contains(&duration) {
        Ok(duration)
    } else {
        Err("is to be from 50ms to 60s".to_owned())
    }
}

fn parse_certificate_lifetime(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (CERTIFICATE_LEAST..=CERTIFICATE_MOST).contains(&duration) {
        Ok(duration)
    } else {
        Err("is to be from 1s to 87600h".to_owned())
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) =
        text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 =
        digits.parse().map_err(|_| "is to be a number with ms, s, m or h, for example 5s".to_owned())?;
    let seconds = |unit: u64| Ok(Duration::from_secs(number.saturating_mul(unit)));
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        _ => Err("is to end with ms, s, m or h, for example 5s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn serve(arguments: &[&str]) -> ServeSettings {
        let words = ["pinhole", "serve"].iter().chain(arguments);
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Serve(settings) => *settings,
            other @ (Command::Migrate(_)
            | Command::Keys(_)
            | Command::Openapi
            | Command::Audit(_)
            | Command::Client(_)) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn heartbeats_have_units_and_bounds() {
        assert_eq!(parse_heartbeat("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_heartbeat("5s"), Ok(Duration::from_secs(5)));
        for wrong in ["", "5", "s", "5m", "1h", "5d", "-5s", "49ms", "61s", "99999999999999999999s", "5 s"] {
            assert!(parse_heartbeat(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_secret_key_is_not_shown() {
        let settings = serve(&["--secret-key", "abc-secret"]);
        let error = format!("{:#}", settings.secret_key.given().unwrap_err());
        assert!(error.contains("PINHOLE_SECRET_KEY") && !error.contains("abc-secret"), "{error}");
        assert!(!format!("{settings:?}").contains("abc-secret"));
        assert!(serve(&["--secret-key", ""]).secret_key.given().unwrap().is_none());
        assert_eq!(serve(&[]).certificate_lifetime, Duration::from_secs(30 * 24 * 60 * 60));
    }

    #[test]
    fn a_wrong_database_url_is_not_shown() {
        let settings = serve(&["--database-url", "postgres://me:hush@host:port/x"]);
        let error = format!("{:#}", settings.database.url().unwrap_err());
        assert!(error.contains("DATABASE_URL") && !error.contains("hush"), "{error}");
        assert!(!format!("{settings:?}").contains("hush"));
        assert!(serve(&["--database-url", ""]).database.url().unwrap().is_none());
    }

    #[test]
    fn the_data_directory_is_absolute() {
        let settings = serve(&["--data-dir", "here"]);
        let directory = settings.database.data_dir().unwrap();
        assert!(directory.is_absolute() && directory.ends_with("here"), "{directory:?}");
    }
}
