//! The filters that hand packets to the gateway, at the tc hooks of interfaces.
//!
//! Where packets come in, those for the host itself pass, and all the rest goes into a TUN device. When that is
//! gone, because the process was killed, the kernel drops what would be redirected: the gateway fails closed.
//! Packets that the gateway writes come in on the TUN and are never redirected again.
//!
//! The kernel forwards what the gateway writes, and may find that a packet's time to live is over, that it is too
//! large or that nobody is there. Its ICMP errors about that are on their way to a pool address, or quote an inside
//! address on their way out; both are redirected, too, and translated like any other error.
//!
//! The kernel's `u32` classifier serves as it is the one that every kernel with tc has; a match with a class and
//! without an action ends the classification and lets the packet pass, which needs no `gact`.

use std::fmt::Write as _;

use pinhole_dataplane::addr::{Ipv4Prefix, Ipv6Prefix};

use crate::host::command::{CommandError, Program, run, run_batch};

/// The preferences of one generation of filters: this one for what passes, the next for what is redirected. Two
/// generations alternate, so that filters are replaced without a moment without any.
pub(crate) const PREFERENCES: [u16; 2] = [20_552, 20_554];

/// How far above a generation's preferences those of IPv6 are, since one preference is of one version of IP only.
const IPV6_PREFERENCE: u16 = 8;

/// Any class: its meaning here is that the packet passes.
const PASS_CLASS: &str = "1:1";
/// ICMP unreachable (3) and time exceeded (11), which differ in one bit, behind an IPv4 header without options.
const ICMP_ERROR: &str = "match ip protocol 1 0xff match u8 0x03 0xf7 at 20";
/// Where the packet that an ICMP error quotes has its destination: behind two IPv4 headers without their last four
/// bytes, and the ICMP header.
const QUOTED_DESTINATION: u8 = 20 + 8 + 16;

/// One filter on an interface.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Rule {
    /// What comes in for these addresses stays with the host.
    Pass(Ipv4Prefix),
    /// All else that comes in goes to a device.
    Redirect(&'static str),
    /// What comes in for these addresses of IPv6 stays with the host.
    PassIpv6(Ipv6Prefix),
    /// All else of IPv6 that comes in goes to a device.
    RedirectIpv6(&'static str),
    /// The kernel's own errors to these addresses go to a device.
    ErrorsTo(Ipv4Prefix, &'static str),
    /// The kernel's own errors about packets to these addresses go to a device.
    ErrorsAbout(Ipv4Prefix, &'static str),
}

impl Rule {
    /// Writes the rule as a line for tc.
    fn line(self, interface: &str, preference: u16) -> String {
        let redirected = preference.saturating_add(1);
        let (hook, protocol, preference) = match self {
            Self::Pass(_) => ("ingress", "ip", preference),
            Self::Redirect(_) => ("ingress", "ip", redirected),
            Self::ErrorsTo(..) | Self::ErrorsAbout(..) => ("egress", "ip", redirected),
            Self::PassIpv6(_) => ("ingress", "ipv6", preference.saturating_add(IPV6_PREFERENCE)),
            Self::RedirectIpv6(_) => ("ingress", "ipv6", redirected.saturating_add(IPV6_PREFERENCE)),
        };
        let rule = match self {
            Self::Pass(prefix) => format!("match ip dst {prefix} flowid {PASS_CLASS}"),
            Self::PassIpv6(prefix) => format!("match ip6 dst {prefix} flowid {PASS_CLASS}"),
            Self::Redirect(device) | Self::RedirectIpv6(device) => {
                format!("match u32 0 0 {}", redirect(device))
            }
            Self::ErrorsTo(prefix, device) => {
                format!("match ip dst {prefix} {ICMP_ERROR} {}", redirect(device))
            }
            Self::ErrorsAbout(prefix, device) => format!(
                "{ICMP_ERROR} match u32 {:#010x} {:#010x} at {QUOTED_DESTINATION} {}",
                prefix.first().to_bits(),
                !(prefix.first().to_bits() ^ prefix.last().to_bits()),
                redirect(device)
            ),
        };
        format!("filter add dev {interface} {hook} protocol {protocol} pref {preference} u32 {rule}")
    }
}

fn redirect(device: &str) -> String {
    format!("action mirred egress redirect dev {device}")
}

/// Whether an interface already had a place for filters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hook {
    /// It has.
    Present,
    /// It has none.
    Absent,
}

/// Looks for a hook, of ours or anybody's.
pub(crate) fn find_hook(interface: &str) -> Result<Hook, CommandError> {
    let shown = run(Program::Tc, &["qdisc", "show", "dev", interface])?;
    let present =
        shown.lines().any(|line| line.starts_with("qdisc clsact") || line.starts_with("qdisc ingress"));
    Ok(if present { Hook::Present } else { Hook::Absent })
}

/// Adds the hook.
pub(crate) fn add_hook(interface: &str) -> Result<(), CommandError> {
    run(Program::Tc, &["qdisc", "add", "dev", interface, "clsact"]).map(drop)
}

/// Removes the hook, unless filters of somebody else hang on it.
pub(crate) fn remove_hook(interface: &str) -> Result<(), CommandError> {
    for direction in ["ingress", "egress"] {
        let filters = run(Program::Tc, &["filter", "show", "dev", interface, direction])?;
        if !filters.trim().is_empty() {
            tracing::warn!(
                interface,
                "somebody else's filters are on the interface's clsact, which stays for them"
            );
            return Ok(());
        }
    }
    run(Program::Tc, &["qdisc", "del", "dev", interface, "clsact"]).map(drop)
}

/// Installs one generation of filters; what passes must come before what is redirected.
pub(crate) fn add_filters(interface: &str, preference: u16, rules: &[Rule]) -> Result<(), CommandError> {
    let lines: Vec<String> = rules.iter().map(|rule| rule.line(interface, preference)).collect();
    run_batch(Program::Tc, &lines)
}

/// Removes one generation of filters, as far as it is there.
pub(crate) fn remove_filters(interface: &str, preference: u16) -> Result<(), CommandError> {
    let mut lines = Vec::new();
    for hook in ["ingress", "egress"] {
        let shown = run(Program::Tc, &["filter", "show", "dev", interface, hook])?;
        for (protocol, preference) in [("ip", preference), ("ipv6", preference + IPV6_PREFERENCE)] {
            for preference in [preference.saturating_add(1), preference] {
                if shown.contains(&format!("pref {preference} ")) {
                    let line =
                        format!("filter del dev {interface} {hook} protocol {protocol} pref {preference}");
                    lines.push(line);
                }
            }
        }
    }
    run_batch(Program::Tc, &lines)
}

/// Says in one line what rules do, for the log.
pub(crate) fn describe(rules: &[Rule]) -> String {
    let mut text = String::new();
    for rule in rules {
        // Writing to a string cannot fail.
        let _ = match rule {
            Rule::Pass(_) | Rule::PassIpv6(_) => Ok(()),
            Rule::Redirect(device) => write!(text, "packets go to {device}; "),
            Rule::RedirectIpv6(device) => write!(text, "packets of IPv6 go to {device}; "),
            Rule::ErrorsTo(prefix, device) => write!(text, "errors to {prefix} go to {device}; "),
            Rule::ErrorsAbout(prefix, device) => write!(text, "errors about {prefix} go to {device}; "),
        };
    }
    text.trim_end_matches("; ").to_owned()
}
