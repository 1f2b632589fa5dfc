//! Events exported to collectors: one task for each exporter, a bounded queue before it, and nothing that the datapath
//! waits for. Exporters send from the namespace of the process, as the control stream does.

mod exporter;
mod fields;
mod file;
mod frame;
mod ipfix;
mod outlet;
pub(crate) mod record;
mod sink;
mod text;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rand::rngs::StdRng;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::export::outlet::{Inner, Outlet};
use pinhole_dataplane::config::nat::export::ExportSettings;

pub(crate) use outlet::Outlets;

/// Starts exporters, and keeps those that are wanted still; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Exports {
    runtime: Handle,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The exporters whose outlets somebody still has.
    running: Vec<Weak<Inner>>,
    tasks: JoinSet<()>,
}

impl Exports {
    /// Has exporters run in the runtime of the caller.
    pub(crate) fn new() -> Self {
        Self { runtime: Handle::current(), state: Arc::default() }
    }

    /// Returns the runtime that exporters run in, for others that the supervisor starts.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns outlets to exporters with these settings. One that runs with the same settings already is that one; each
    /// ends when the last of its outlets is dropped and what waits is sent.
    pub(crate) fn outlets(&self, settings: &[ExportSettings]) -> Outlets {
        let mut state = self.state();
        state.running.retain(|running| running.strong_count() > 0);
        while state.tasks.try_join_next().is_some() {}
        let outlets = settings.iter().map(|settings| {
            let running = state.running.iter().filter_map(Weak::upgrade);
            let known = running.into_iter().find(|running| running.settings == *settings);
            known.map(Outlet::from_inner).unwrap_or_else(|| {
                let (outlet, inlet) = outlet::channel(settings);
                state.running.push(Arc::downgrade(outlet.inner()));
                state.tasks.spawn_on(exporter::run(inlet, rand::make_rng::<StdRng>()), &self.runtime);
                outlet
            })
        });
        Outlets::new(outlets.collect())
    }

    /// Waits until all exporters have ended, which they do within a bounded time after their outlets were dropped.
    pub(crate) async fn finish(&self) {
        let mut tasks = std::mem::take(&mut self.state().tasks);
        while tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
