//! Three hosts in a row: client - gateway - server.

use std::time::Duration;

use crate::namespace::{Namespace, split};

/// How long a packet may take that does come.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for one that must not come.
pub const SILENCE: Duration = Duration::from_millis(300);

/// The client, behind the gateway.
pub const CLIENT: &str = "10.0.0.2";
/// The gateway's address on `in0`.
pub const GATEWAY_INSIDE: &str = "10.0.0.1";
/// The gateway's address on `out0`.
pub const GATEWAY_OUTSIDE: &str = "203.0.113.1";
/// The server, before the gateway.
pub const SERVER: &str = "203.0.113.2";
/// Another host of the server's network, see [`Net::add_stranger`].
pub const STRANGER: &str = "203.0.113.3";

/// The client's address of IPv6, see [`Net::add_ipv6`].
pub const CLIENT_IPV6: &str = "2001:db8:1:1::2";
/// The gateway's address of IPv6 on `out0`.
pub const GATEWAY_OUTSIDE_IPV6: &str = "2001:2:0:1::1";
/// The server's address of IPv6: one of benchmarks (RFC 5180), as firewalls do not forward those of documentation.
pub const SERVER_IPV6: &str = "2001:2:0:1::2";

/// What a gateway may change on its host, beside links, addresses, routes and filters.
const GATEWAY_SETTINGS: [&str; 15] = [
    "ipv4/ip_forward",
    "ipv4/ip_local_reserved_ports",
    "ipv4/conf/all/forwarding",
    "ipv4/conf/all/rp_filter",
    "ipv4/conf/all/accept_local",
    "ipv4/conf/default/rp_filter",
    "ipv4/conf/default/forwarding",
    "ipv4/conf/in0/forwarding",
    "ipv4/conf/in0/rp_filter",
    "ipv4/conf/out0/forwarding",
    "ipv4/conf/out0/rp_filter",
    "ipv6/conf/all/forwarding",
    "ipv6/conf/in0/forwarding",
    "ipv6/conf/out0/forwarding",
    "ipv6/conf/out0/accept_ra",
];

/// What shows the rest.
const GATEWAY_LISTINGS: [&str; 10] = [
    "ip -brief link",
    "ip -4 -brief address",
    "ip -4 route show table all",
    "ip rule",
    "ip neigh show proxy",
    "tc qdisc show",
    "tc filter show dev in0 ingress",
    "tc filter show dev out0 ingress",
    "tc filter show dev out0 egress",
    "tc filter show dev lo egress",
];

/// The three hosts with their links up. The client's only link and the gateway's inside are called `in0`, the
/// server's and the gateway's outside `out0`.
#[derive(Debug)]
pub struct Net {
    /// The client's host.
    pub client: Namespace,
    /// The gateway's host; without a gateway it forwards nothing.
    pub gateway: Namespace,
    /// The server's host.
    pub server: Namespace,
}

impl Net {
    /// Makes the hosts and connects them.
    ///
    /// # Errors
    /// Those of [`Namespace::new`].
    pub fn new() -> anyhow::Result<Self> {
        let net = Self { client: Namespace::new()?, gateway: Namespace::new()?, server: Namespace::new()? };
        net.connect_inside()?;
        link(&net.gateway, &net.server, "out0")?;
        net.gateway.command("ip addr add 203.0.113.1/24 dev out0")?;
        net.server.command("ip addr add 203.0.113.2/24 dev out0")?;
        // The server's network would even send to the inside, if only the gateway let it.
        net.server.command("ip route add 10.0.0.0/24 via 203.0.113.1")?;
        Ok(net)
    }

    /// Connects the client, which [`Net::new`] did already, again after its link was removed.
    ///
    /// # Errors
    /// When the link is there.
    pub fn connect_inside(&self) -> anyhow::Result<()> {
        link(&self.gateway, &self.client, "in0")?;
        self.gateway.command("ip addr add 10.0.0.1/24 dev in0")?;
        self.client.command("ip addr add 10.0.0.2/24 dev in0")?;
        self.client.command("ip route add default via 10.0.0.1")?;
        Ok(())
    }

    /// Gives all hosts addresses of IPv6, beside those that they have.
    ///
    /// # Errors
    /// When they have them, or the kernel has no IPv6.
    pub fn add_ipv6(&self) -> anyhow::Result<()> {
        for (host, address, device) in [
            (&self.client, CLIENT_IPV6, "in0"),
            (&self.gateway, "2001:db8:1:1::1", "in0"),
            (&self.gateway, GATEWAY_OUTSIDE_IPV6, "out0"),
            (&self.server, SERVER_IPV6, "out0"),
        ] {
            // Nobody else can have it, and nothing waits for the answer that nobody gives.
            host.command(&format!("ip addr add {address}/64 dev {device} nodad"))?;
        }
        self.client.command("ip -6 route add default via 2001:db8:1:1::1")?;
        self.server.command(&format!("ip -6 route add 2001:db8:1::/48 via {GATEWAY_OUTSIDE_IPV6}"))?;
        Ok(())
    }

    /// Adds a host to the server's network, whose address is [`STRANGER`].
    ///
    /// # Errors
    /// When it is there, or the kernel has no macvlan devices.
    pub fn add_stranger(&self) -> anyhow::Result<Namespace> {
        let stranger = Namespace::new()?;
        let path = stranger.path();
        let path = path.display();
        self.server
            .command(&format!("ip link add link out0 name out0 netns {path} type macvlan mode bridge"))?;
        stranger.command(&format!("ip addr add {STRANGER}/24 dev out0"))?;
        stranger.command("ip link set out0 up")?;
        Ok(stranger)
    }

    /// Returns everything on the gateway's host that a gateway may change, to compare before and after.
    ///
    /// # Errors
    /// When a setting is gone or a command is not installed.
    pub fn host_state(&self) -> anyhow::Result<String> {
        let mut state = String::new();
        for path in GATEWAY_SETTINGS {
            state += &format!("{path} = {}", self.gateway.sysctl(path)?);
        }
        for command in GATEWAY_LISTINGS {
            // A listing of filters fails where there is no place for any.
            let output = self.gateway.run(|| split(command).output())?;
            state += &format!("{command}:\n{}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(state)
    }
}

/// Connects two hosts with a link that has the same name at both ends.
fn link(here: &Namespace, there: &Namespace, name: &str) -> anyhow::Result<()> {
    let path = there.path();
    here.command(&format!("ip link add {name} type veth peer name {name} netns {}", path.display()))?;
    here.command(&format!("ip link set {name} up"))?;
    there.command(&format!("ip link set {name} up"))?;
    Ok(())
}
