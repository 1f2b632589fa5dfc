//! The filters that hand an interface's IPv4 packets to the gateway, at the interface's tc ingress.
//!
//! What is for the host itself passes; all the rest goes into a TUN device. When that is gone, because the
//! process was killed, the kernel drops what would be redirected: the gateway fails closed. Packets that the
//! gateway writes come in on the TUN and are never redirected again.
//!
//! The kernel's `u32` classifier serves as it is the one that every kernel with tc has; a match with a class and
//! without an action ends the classification and lets the packet pass, which needs no `gact`.

use crate::config::InterfaceName;
use crate::config::prefix::Ipv4Prefix;
use crate::datapath::{INSIDE_TUN, OUTSIDE_TUN};
use crate::host::command::{CommandError, Program, run};

/// The preferences of one generation of filters: this one for what passes, the next for the redirect. Two
/// generations alternate, so that filters are replaced without a moment without any.
pub(crate) const PREFERENCES: [u16; 2] = [20_552, 20_554];

/// Any class: its meaning here is that the packet passes.
const PASS_CLASS: &str = "1:1";

/// Whose packets an interface carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// Subscribers.
    Inside,
    /// The Internet.
    Outside,
}

impl Side {
    const fn tun(self) -> &'static str {
        match self {
            Self::Inside => INSIDE_TUN,
            Self::Outside => OUTSIDE_TUN,
        }
    }
}

/// Whether an interface already had a place for ingress filters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hook {
    /// It has.
    Present,
    /// It has none.
    Absent,
}

/// Looks for an ingress hook, of ours or anybody's.
pub(crate) fn find_hook(interface: &InterfaceName) -> Result<Hook, CommandError> {
    let shown = run(Program::Tc, &["qdisc", "show", "dev", interface.as_str()])?;
    let present =
        shown.lines().any(|line| line.starts_with("qdisc clsact") || line.starts_with("qdisc ingress"));
    Ok(if present { Hook::Present } else { Hook::Absent })
}

/// Adds the hook.
pub(crate) fn add_hook(interface: &InterfaceName) -> Result<(), CommandError> {
    run(Program::Tc, &["qdisc", "add", "dev", interface.as_str(), "clsact"]).map(drop)
}

/// Removes the hook, unless filters of somebody else hang on it.
pub(crate) fn remove_hook(interface: &InterfaceName) -> Result<(), CommandError> {
    for direction in ["ingress", "egress"] {
        let filters = run(Program::Tc, &["filter", "show", "dev", interface.as_str(), direction])?;
        if !filters.trim().is_empty() {
            tracing::warn!(
                interface = interface.as_str(),
                "somebody else's filters are on the interface's clsact, which stays for them"
            );
            return Ok(());
        }
    }
    run(Program::Tc, &["qdisc", "del", "dev", interface.as_str(), "clsact"]).map(drop)
}

/// Installs one generation of filters: `pass` for the host, the rest to the gateway.
pub(crate) fn add_filters(
    interface: &InterfaceName,
    preference: u16,
    side: Side,
    pass: impl Iterator<Item = Ipv4Prefix>,
) -> Result<(), CommandError> {
    let pass_preference = preference.to_string();
    let base = ["filter", "add", "dev", interface.as_str(), "ingress", "protocol", "ip", "pref"];
    for prefix in pass {
        let prefix = prefix.to_string();
        let rule = [pass_preference.as_str(), "u32", "match", "ip", "dst", &prefix, "flowid", PASS_CLASS];
        run(Program::Tc, &[base.as_slice(), rule.as_slice()].concat())?;
    }
    let redirect_preference = preference.saturating_add(1).to_string();
    let redirect =
        ["u32", "match", "u32", "0", "0", "action", "mirred", "egress", "redirect", "dev", side.tun()];
    run(Program::Tc, &[base.as_slice(), &[redirect_preference.as_str()], redirect.as_slice()].concat())
        .map(drop)
}

/// Removes one generation of filters, as far as it is there.
pub(crate) fn remove_filters(interface: &InterfaceName, preference: u16) -> Result<(), CommandError> {
    let shown = run(Program::Tc, &["filter", "show", "dev", interface.as_str(), "ingress"])?;
    for preference in [preference, preference.saturating_add(1)] {
        let preference = preference.to_string();
        if shown.contains(&format!("pref {preference} ")) {
            run(
                Program::Tc,
                &[
                    "filter",
                    "del",
                    "dev",
                    interface.as_str(),
                    "ingress",
                    "protocol",
                    "ip",
                    "pref",
                    &preference,
                ],
            )?;
        }
    }
    Ok(())
}
