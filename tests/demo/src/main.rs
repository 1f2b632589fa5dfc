//! Shows Pinhole at work: an administrator's ALG policy lets an FTP client behind the gateway download in active mode.
//!
//! Everything runs for real and is gone at the end: a controller with its Postgres and its embedded gateway, an FTP
//! server and a client, on a network of namespaces. What is done with the controller is done over its REST API.

mod job;
mod site;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::site::Site;

/// How often the controller is looked at while the demonstration stays up.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Shows Pinhole at work on a small network of namespaces.
#[derive(Debug, Parser)]
struct Arguments {
    /// End after the job instead of staying up, and leave no data.
    #[arg(long)]
    once: bool,
    /// Where data and logs are kept.
    #[arg(long, value_name = "DIR", default_value = ".run")]
    directory: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let reason = format!("{error:#}").replace('\n', " ");
            let _ = writeln!(std::io::stderr().lock(), "pinhole-demo: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; there is nobody to tell when that fails.
pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

/// The signals that end the demonstration.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let mut site = Site::make(&arguments.directory, arguments.once)?;
    let outcome = tokio::select! {
        outcome = show(&mut site, arguments.once) => outcome,
        () = signals.any() => if arguments.once { Err(anyhow::anyhow!("interrupted")) } else { Ok(()) },
    };
    let closed = site.close();
    outcome.and(closed)
}

async fn show(site: &mut Site, once: bool) -> anyhow::Result<()> {
    site.start_controller()?;
    job::run(site).await?;
    if once {
        say("done");
        return Ok(());
    }
    say(&site.addresses()?);
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        let controller = site.controller()?;
        if let Some(status) = controller.ended()? {
            bail!("the controller has ended with {status}; its log is {}", controller.log().display());
        }
    }
}
