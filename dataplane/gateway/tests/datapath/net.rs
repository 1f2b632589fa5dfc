//! Three namespaces in a row: client - gateway - server. They end with the test, also when it is killed, as nothing
//! but this process holds them.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use pinhole_gateway::NetworkNamespace;

/// How long a packet may take that does come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for one that must not come.
pub(crate) const SILENCE: Duration = Duration::from_millis(300);

pub(crate) const GATEWAY_INSIDE: &str = "10.0.0.1";
pub(crate) const GATEWAY_OUTSIDE: &str = "203.0.113.1";
pub(crate) const SERVER: &str = "203.0.113.2";

/// A network namespace.
pub(crate) struct Namespace(File);

impl Namespace {
    fn new() -> Self {
        std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("namespaces need root, or `unshare -Ur`");
            Self(File::open("/proc/thread-self/ns/net").expect("a namespace has a file"))
        })
        .join()
        .expect("the namespace is made")
    }

    /// Does something in the namespace; sockets and processes that it makes stay there.
    pub(crate) fn run<R: Send>(&self, act: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("a namespace can be entered");
                act()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a command and returns what it printed.
    pub(crate) fn command(&self, line: &str) -> String {
        let output = self.run(|| start(line).output()).expect("the command is installed");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("the output is text")
    }

    pub(crate) fn listen(&self, address: &str) -> TcpListener {
        self.run(|| TcpListener::bind(address)).expect("the address can be bound")
    }

    pub(crate) fn connect(&self, address: SocketAddr, patience: Duration) -> std::io::Result<TcpStream> {
        let stream = self.run(|| TcpStream::connect_timeout(&address, patience))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    pub(crate) fn udp(&self, address: &str) -> UdpSocket {
        let socket = self.run(|| UdpSocket::bind(address)).expect("the address can be bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        socket
    }

    /// Returns the namespace for a gateway to enter.
    pub(crate) fn handle(&self) -> NetworkNamespace {
        NetworkNamespace::Descriptor(self.0.try_clone().expect("a file can be shared").into())
    }

    /// A name of the namespace that `ip` understands.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    pub(crate) fn sysctl(&self, path: &str) -> String {
        self.run(|| std::fs::read_to_string(format!("/proc/sys/net/{path}"))).expect("the setting exists")
    }

    pub(crate) fn set_sysctl(&self, path: &str, value: &str) {
        self.run(|| std::fs::write(format!("/proc/sys/net/{path}"), value))
            .expect("the setting can be written");
    }
}

/// Reads a command line without quotes.
fn start(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a command has a name"));
    command.args(words);
    command
}

/// The three namespaces with their links up.
pub(crate) struct Net {
    pub(crate) client: Namespace,
    pub(crate) gateway: Namespace,
    pub(crate) server: Namespace,
}

impl Net {
    pub(crate) fn new() -> Self {
        let net = Self { client: Namespace::new(), gateway: Namespace::new(), server: Namespace::new() };
        for namespace in [&net.client, &net.gateway, &net.server] {
            namespace.command("ip link set lo up");
        }
        net.connect_inside();
        net.gateway
            .command(&format!("ip link add out0 type veth peer name out0 netns {}", net.server.path()));
        net.gateway.command("ip addr add 203.0.113.1/24 dev out0");
        net.gateway.command("ip link set out0 up");
        net.server.command("ip addr add 203.0.113.2/24 dev out0");
        net.server.command("ip link set out0 up");
        // The server's network would even send to the inside, if only the gateway let it.
        net.server.command("ip route add 10.0.0.0/24 via 203.0.113.1");
        net
    }

    pub(crate) fn connect_inside(&self) {
        self.gateway
            .command(&format!("ip link add in0 type veth peer name in0 netns {}", self.client.path()));
        self.gateway.command("ip addr add 10.0.0.1/24 dev in0");
        self.gateway.command("ip link set in0 up");
        self.client.command("ip addr add 10.0.0.2/24 dev in0");
        self.client.command("ip link set in0 up");
        self.client.command("ip route add default via 10.0.0.1");
    }

    /// Everything on the gateway's host that the gateway may change, to compare before and after.
    pub(crate) fn host_state(&self) -> String {
        let mut state = String::new();
        for path in [
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
        ] {
            state += &format!("{path} = {}", self.gateway.sysctl(path));
        }
        for command in [
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
        ] {
            // A listing of filters fails where there is no place for any.
            let output = self.gateway.run(|| start(command).output()).expect("the command is installed");
            state += &format!("{command}:\n{}", String::from_utf8_lossy(&output.stdout));
        }
        state
    }
}
