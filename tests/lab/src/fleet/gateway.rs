//! One gateway's life.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::bail;
use pinhole_proto::v1;
use pinhole_proto::v1::controller_message::Message as FromController;
use pinhole_proto::v1::gateway_message::Message as ToController;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Shared, Wire};

/// The shortest and the longest pause before a controller is tried again.
const LEAST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(5);
/// The bytes that a controller may send before they are read: what HTTP/2 begins with.
const WINDOW: u32 = 65_535;

/// Is a gateway for ever.
pub(super) async fn live(shared: Arc<Shared>, index: usize) {
    let mut random = StdRng::seed_from_u64(shared.seed.wrapping_add(u64::try_from(index).unwrap_or(0)));
    let mut running = None;
    let mut ceiling = LEAST * 2;
    for address in shared.controllers.iter().cycle().skip(index % shared.controllers.len().max(1)) {
        let mut session = Session { shared: &shared, index, running: running.clone(), welcome: false };
        // Whatever ended it, there is another controller.
        let _ = session.serve(*address, &mut random).await;
        running = session.running.clone();
        ceiling = if session.welcome { LEAST * 2 } else { (ceiling * 2).min(MOST) };
        drop(session);
        sleep(random.random_range(LEAST..=ceiling)).await;
    }
}

/// A gateway by one controller.
struct Session<'a> {
    shared: &'a Shared,
    index: usize,
    running: Option<v1::RunningConfig>,
    welcome: bool,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if self.welcome {
            self.shared.tally.send_modify(|tally| tally.connected = tally.connected.saturating_sub(1));
        }
    }
}

impl Session<'_> {
    /// Attaches, and does what it is told until the stream ends.
    async fn serve(&mut self, address: std::net::SocketAddr, random: &mut StdRng) -> anyhow::Result<()> {
        let dial = self.shared.dials.acquire().await?;
        let config = self.shared.credentials.config(self.index)?;
        let hello = v1::Hello {
            software_version: "fleet".to_owned(),
            instance_id: format!("fleet-{}", self.index),
            running: self.running.clone(),
            capabilities: Vec::new(),
        };
        let mut wire = Wire::attach(address, config, WINDOW, ToController::Hello(hello)).await?;
        let FromController::Welcome(welcome) = wire.receive().await? else { bail!("no welcome") };
        drop(dial);
        self.welcome = true;
        self.shared.tally.send_modify(|tally| {
            tally.connected = tally.connected.saturating_add(1);
            tally.welcomes = tally.welcomes.saturating_add(1);
        });
        let interval = Duration::from_millis(welcome.heartbeat_interval_ms.into());
        // Not all at the same moment.
        let mut due = Instant::now() + interval.mul_f64(random.random_range(0.0..1.0));
        loop {
            tokio::select! {
                message = wire.receive() => match message? {
                    FromController::Config(config) => self.apply(&mut wire, config).await?,
                    FromController::Welcome(_) => bail!("a second welcome"),
                    FromController::Inquiry(_) => bail!("a question, though it has no such capability"),
                },
                () = sleep_until(due) => {
                    let running = self.running.clone();
                    wire.send(ToController::Heartbeat(v1::Heartbeat { running, counters: None }))?;
                    due += interval;
                }
            }
        }
    }

    async fn apply(&mut self, wire: &mut Wire, config: v1::Config) -> anyhow::Result<()> {
        let running = v1::RunningConfig { revision_id: config.revision_id, hash: config.hash };
        self.running = Some(running.clone());
        if let Some(slot) =
            self.shared.running.lock().unwrap_or_else(PoisonError::into_inner).get_mut(self.index)
        {
            *slot = Some(running.revision_id.clone());
        }
        // Closed is free.
        if let Ok(permit) = self.shared.answers.acquire().await {
            permit.forget();
        }
        wire.send(ToController::Ack(v1::Ack { nonce: config.nonce, running: Some(running) }))?;
        self.shared.tally.send_modify(|tally| tally.answers = tally.answers.saturating_add(1));
        Ok(())
    }
}
