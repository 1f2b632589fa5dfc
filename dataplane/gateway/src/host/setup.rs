//! Brings the host to a plan and back.

use std::collections::{BTreeMap, BTreeSet};

use nix::net::if_::if_nametoindex;
use pinhole_dataplane::addr::Ipv4Prefix;

use crate::datapath::OUTSIDE_TUN;
use crate::host::command::{CommandError, Program, run};
use crate::host::journal::{Change, Journal, JournalError};
use crate::host::plan::{self, Plan};
use crate::host::sysctl::{self, SysctlError};
use crate::host::traffic::{self, Hook, PREFERENCES, Rule};

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
    NoInterface(String),
}

/// Filters that are on an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Filters {
    index: u32,
    preference: u16,
    /// `None` for those of an earlier process.
    rules: Option<Vec<Rule>>,
}

/// What the gateway has changed on the host.
#[derive(Debug)]
pub(crate) struct HostSetup {
    journal: Journal,
    routes: BTreeSet<Ipv4Prefix>,
    filters: BTreeMap<String, Filters>,
}

impl HostSetup {
    /// Takes over what an earlier process may have left: it stays, so that nothing passes around the gateway
    /// meanwhile, until the next [`Self::trim`].
    pub(crate) fn new(journal: Journal) -> Self {
        let mut filters = BTreeMap::new();
        for change in journal.changes() {
            if let Change::Filters { interface, index, preference } = change {
                let known = Filters { index: *index, preference: *preference, rules: None };
                filters.insert(interface.clone(), known);
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
            Change::Hook { .. } | Change::Filters { .. } => None,
        });
        let interfaces = self
            .filters
            .iter()
            .filter_map(|(name, filters)| filters.rules.clone().map(|rules| (name.clone(), rules)));
        let (opening, settings) = settings.partition(|(path, _)| plan::opens(path));
        Plan { settings, routes: self.routes.clone(), interfaces: interfaces.collect(), opening }
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
        for (interface, rules) in &plan.interfaces {
            self.filter(interface, rules)?;
        }
        for (path, value) in &plan.opening {
            self.set(path, value)?;
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
        let opens = |change: &&Change| matches!(change, Change::Sysctl { path, .. } if plan::opens(path));
        // Nothing is let through any more before a filter goes.
        let (first, then): (Vec<&Change>, Vec<&Change>) = changes.iter().rev().partition(opens);
        for change in first.into_iter().chain(then) {
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
            Change::Sysctl { path, .. } => {
                plan.settings.contains_key(path) || plan.opening.contains_key(path)
            }
            Change::Hook { interface, .. } => plan.interfaces.contains_key(interface),
            Change::Filters { interface, preference, .. } => {
                plan.interfaces.contains_key(interface)
                    && self.filters.get(interface).is_some_and(|filters| filters.preference == *preference)
            }
        }
    }

    /// Strikes out what was done to interfaces that are gone, and with them what was done.
    fn forget_vanished(&mut self) -> Result<(), HostError> {
        let changes: Vec<Change> = self.journal.changes().to_vec();
        for change in &changes {
            match change {
                Change::Hook { interface, index } | Change::Filters { interface, index, .. } => {
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

    /// Gives an interface its filters. New ones are in place before older ones go.
    fn filter(&mut self, interface: &str, rules: &[Rule]) -> Result<(), HostError> {
        let index = if_nametoindex(interface).map_err(|_| HostError::NoInterface(interface.to_owned()))?;
        let older = self.filters.get(interface).cloned();
        if older.as_ref().is_some_and(|older| older.rules.as_deref() == Some(rules)) {
            return Ok(());
        }
        let name = interface.to_owned();
        if traffic::find_hook(interface)? == Hook::Absent {
            self.journal.record(Change::Hook { interface: name.clone(), index })?;
            traffic::add_hook(interface)?;
        }
        let taken = older.as_ref().map(|older| older.preference);
        let [first, second] = PREFERENCES;
        let preference = if taken == Some(first) { second } else { first };
        let change = Change::Filters { interface: name.clone(), index, preference };
        self.journal.record(change.clone())?;
        let installed = traffic::remove_filters(interface, preference)
            .and_then(|()| traffic::add_filters(interface, preference, rules));
        if let Err(error) = installed {
            self.undo(&change)?;
            return Err(error.into());
        }
        self.filters.insert(name.clone(), Filters { index, preference, rules: Some(rules.to_vec()) });
        if let Some(older) = older {
            self.undo(&Change::Filters { interface: name, index, preference: older.preference })?;
        }
        tracing::info!(interface, rules = traffic::describe(rules), "set the filters of an interface");
        Ok(())
    }

    /// Undoes one change and strikes it out of the journal.
    fn undo(&mut self, change: &Change) -> Result<(), HostError> {
        match change {
            Change::Sysctl { path, previous, ours } => restore(path, previous, ours)?,
            Change::Hook { interface, .. } => traffic::remove_hook(interface)?,
            Change::Filters { interface, preference, .. } => {
                traffic::remove_filters(interface, *preference)?;
                if self.filters.get(interface).is_some_and(|filters| filters.preference == *preference) {
                    self.filters.remove(interface);
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
