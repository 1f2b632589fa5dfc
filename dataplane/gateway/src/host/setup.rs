//! Brings the host to a plan and back.

use std::collections::{BTreeMap, BTreeSet};

use nix::net::if_::if_nametoindex;

use crate::config::InterfaceName;
use crate::config::prefix::Ipv4Prefix;
use crate::datapath::OUTSIDE_TUN;
use crate::host::command::{CommandError, Program, run};
use crate::host::journal::{Change, Journal, JournalError};
use crate::host::plan::{InterfacePlan, Plan};
use crate::host::sysctl::{self, SysctlError};
use crate::host::traffic::{self, Hook, PREFERENCES};

/// Why the host could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A kernel setting could not be changed.
    #[error(transparent)]
    Setting(#[from] SysctlError),
    /// The journal could not be written, so nothing was changed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An interface has gone meanwhile.
    #[error("there is no interface {0}")]
    NoInterface(InterfaceName),
}

/// Filters that are on an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Filters {
    index: u32,
    preference: u16,
    /// `None` for those of an earlier process.
    plan: Option<InterfacePlan>,
}

/// What the gateway has changed on the host.
#[derive(Debug)]
pub(crate) struct HostSetup {
    journal: Journal,
    routes: BTreeSet<Ipv4Prefix>,
    filters: BTreeMap<InterfaceName, Filters>,
}

impl HostSetup {
    /// Takes over what an earlier process may have left: it stays, so that nothing passes around the gateway
    /// meanwhile, until the next [`Self::trim`].
    pub(crate) fn new(journal: Journal) -> Self {
        let mut filters = BTreeMap::new();
        for change in journal.changes() {
            if let Change::Filters { interface, index, preference } = change
                && let Ok(name) = interface.parse::<InterfaceName>()
            {
                filters.insert(name, Filters { index: *index, preference: *preference, plan: None });
            }
        }
        Self { journal, routes: BTreeSet::new(), filters }
    }

    /// Returns the journal.
    pub(crate) const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns what of a plan is there, as a plan to come back to.
    pub(crate) fn present(&self) -> Plan {
        let settings = self.journal.changes().iter().filter_map(|change| match change {
            Change::Sysctl { path, ours, .. } => ours.last().map(|value| (path.clone(), value.clone())),
            Change::IngressHook { .. } | Change::Filters { .. } => None,
        });
        let interfaces = self
            .filters
            .iter()
            .filter_map(|(name, filters)| filters.plan.clone().map(|plan| (name.clone(), plan)));
        Plan { settings: settings.collect(), routes: self.routes.clone(), interfaces: interfaces.collect() }
    }

    /// Adds and changes what the plan has, and leaves in place what it has not. On failure some of it is done.
    pub(crate) fn extend(&mut self, plan: &Plan) -> Result<(), HostError> {
        self.forget_vanished()?;
        for (path, value) in &plan.settings {
            self.set(path, value)?;
        }
        for route in &plan.routes {
            if !self.routes.contains(route) {
                run(Program::Ip, &["route", "replace", "local", &route.to_string(), "dev", OUTSIDE_TUN])?;
                self.routes.insert(*route);
            }
        }
        for (name, interface) in &plan.interfaces {
            self.redirect(name, interface)?;
        }
        Ok(())
    }

    /// Undoes what the plan has not, last change first. Goes on after failures and returns the first.
    pub(crate) fn trim(&mut self, plan: &Plan) -> Result<(), HostError> {
        let mut outcome = Ok(());
        let mut note = |result: Result<(), HostError>| {
            if let Err(error) = result
                && outcome.is_ok()
            {
                outcome = Err(error);
            }
        };
        note(self.forget_vanished());
        let changes: Vec<Change> = self.journal.changes().to_vec();
        for change in changes.iter().rev() {
            if !self.wants(plan, change) {
                note(self.undo(change));
            }
        }
        let unwanted: Vec<Ipv4Prefix> = self.routes.difference(&plan.routes).copied().collect();
        for route in unwanted {
            self.routes.remove(&route);
            let arguments = ["route", "del", "local", &route.to_string(), "dev", OUTSIDE_TUN];
            note(run(Program::Ip, &arguments).map(drop).map_err(HostError::from));
        }
        outcome
    }

    /// Whether a change is part of a plan.
    fn wants(&self, plan: &Plan, change: &Change) -> bool {
        match change {
            Change::Sysctl { path, .. } => plan.settings.contains_key(path),
            Change::IngressHook { interface, .. } => {
                plan.interfaces.keys().any(|name| name.as_str() == interface)
            }
            Change::Filters { interface, preference, .. } => plan.interfaces.keys().any(|name| {
                name.as_str() == interface
                    && self.filters.get(name).is_some_and(|filters| filters.preference == *preference)
            }),
        }
    }

    /// Strikes out what was done to interfaces that are gone, and with them what was done.
    fn forget_vanished(&mut self) -> Result<(), HostError> {
        let changes: Vec<Change> = self.journal.changes().to_vec();
        for change in &changes {
            match change {
                Change::IngressHook { interface, index } | Change::Filters { interface, index, .. } => {
                    if if_nametoindex(interface.as_str()) != Ok(*index) {
                        self.journal.strike(change)?;
                    }
                }
                Change::Sysctl { .. } => {}
            }
        }
        self.filters.retain(|name, filters| if_nametoindex(name.as_str()) == Ok(filters.index));
        Ok(())
    }

    fn set(&mut self, path: &str, value: &str) -> Result<(), HostError> {
        let current = sysctl::read(path)?;
        if current != value {
            self.journal.record_sysctl(path, &current, value)?;
            sysctl::write(path, value)?;
            tracing::info!(setting = path, from = current, to = value, "changed a kernel setting");
        }
        Ok(())
    }

    /// Hands an interface's packets to the gateway. New filters are in place before older ones go.
    fn redirect(&mut self, name: &InterfaceName, plan: &InterfacePlan) -> Result<(), HostError> {
        let index = if_nametoindex(name.as_str()).map_err(|_| HostError::NoInterface(name.clone()))?;
        let older = self.filters.get(name).cloned();
        if older.as_ref().is_some_and(|older| older.plan.as_ref() == Some(plan)) {
            return Ok(());
        }
        let interface = name.as_str().to_owned();
        if traffic::find_hook(name)? == Hook::Absent {
            self.journal.record(Change::IngressHook { interface: interface.clone(), index })?;
            traffic::add_hook(name)?;
        }
        let taken = older.as_ref().map(|older| older.preference);
        let [first, second] = PREFERENCES;
        let preference = if taken == Some(first) { second } else { first };
        let change = Change::Filters { interface: interface.clone(), index, preference };
        self.journal.record(change.clone())?;
        let installed = traffic::remove_filters(name, preference)
            .and_then(|()| traffic::add_filters(name, preference, plan.side, plan.pass.iter().copied()));
        if let Err(error) = installed {
            self.undo(&change)?;
            return Err(error.into());
        }
        self.filters.insert(name.clone(), Filters { index, preference, plan: Some(plan.clone()) });
        if let Some(older) = older {
            self.undo(&Change::Filters { interface, index, preference: older.preference })?;
        }
        tracing::info!(interface = name.as_str(), side = ?plan.side, "packets of this interface go to the gateway");
        Ok(())
    }

    /// Undoes one change and strikes it out of the journal.
    fn undo(&mut self, change: &Change) -> Result<(), HostError> {
        match change {
            Change::Sysctl { path, previous, ours } => restore(path, previous, ours)?,
            Change::IngressHook { interface, .. } => {
                if let Ok(name) = interface.parse() {
                    traffic::remove_hook(&name)?;
                }
            }
            Change::Filters { interface, preference, .. } => {
                if let Ok(name) = interface.parse::<InterfaceName>() {
                    traffic::remove_filters(&name, *preference)?;
                    if self.filters.get(&name).is_some_and(|filters| filters.preference == *preference) {
                        self.filters.remove(&name);
                    }
                }
            }
        }
        Ok(self.journal.strike(change)?)
    }
}

/// Gives a setting its previous value back, unless somebody else has changed it meanwhile.
fn restore(path: &str, previous: &str, ours: &[String]) -> Result<(), SysctlError> {
    match sysctl::read(path) {
        Ok(current) if ours.contains(&current) => sysctl::write(path, previous),
        Ok(current) => {
            if current != previous {
                tracing::warn!(
                    setting = path,
                    current,
                    "somebody else has changed this kernel setting: it stays"
                );
            }
            Ok(())
        }
        Err(error) if error.is_missing() => Ok(()),
        Err(error) => Err(error),
    }
}
