//! Policies from other systems' configurations. Pure: text in, a proposal out, and every line about ALGs that is not in it
//! named with the reason.

mod fortios;
mod junos;
mod nftables;
mod proposal;

pub use self::proposal::{Proposal, Skipped};

/// A system whose configurations are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux nftables: `ct helper` objects and the rules that set them.
    Nftables,
    /// Fortinet FortiOS: `config system session-helper`.
    Fortios,
    /// Juniper Junos: `security alg` and the applications with an `application-protocol`.
    Junos,
}

/// Reads a configuration and proposes a policy of the given name.
///
/// # Errors
/// There is nothing about ALGs in it.
pub fn read(system: System, text: &str, name: &str) -> Result<Proposal, &'static str> {
    let draft = match system {
        System::Nftables => nftables::read(text),
        System::Fortios => fortios::read(text),
        System::Junos => junos::read(text),
    };
    draft.finish(name)
}

#[cfg(test)]
mod tests;
