//! The Linux kernel as a path: a namespace that masquerades between two TUN devices.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pinhole_dataplane::addr::Realm;
use pinhole_gateway::datapath::tun::header::{HEADER_BYTES, VirtioNetHeader};
use pinhole_gateway::datapath::tun::{MAX_PACKET_BYTES, TunDevice};
use pinhole_lab::Namespace;
use pinhole_lab::net::PATIENCE;

use crate::packets::udp;
use crate::story::Path;

/// A firewall that lets in what sessions expect, and masquerading: what nearly every Linux gateway does.
const RULES: &str = "
table ip test {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname in0 oifname out0 ct state new accept
    }
    chain input { type filter hook input priority filter; policy drop; }
    chain postrouting { type nat hook postrouting priority srcnat; oifname out0 masquerade; }
}
";

/// Whoever sends and receives the packet that tells that the one before it is done with.
const MARKER: [(Ipv4Addr, u16); 2] = [(Ipv4Addr::new(10, 0, 0, 250), 9), (Ipv4Addr::new(192, 0, 2, 250), 9)];

pub(crate) struct Kernel {
    inside: TunDevice,
    outside: TunDevice,
    _namespace: Namespace,
}

impl Kernel {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let namespace = Namespace::new()?;
        let [inside, outside] = ["in0", "out0"].map(|name| namespace.run(move || TunDevice::create(name, 1)));
        let (inside, outside) = (inside?, outside?);
        for line in [
            "ip addr add 10.0.0.1/24 dev in0",
            "ip addr add 203.0.113.1/24 dev out0",
            "ip link set in0 up",
            "ip link set out0 up",
            "ip route add default dev out0",
        ] {
            namespace.command(line)?;
        }
        namespace.set_sysctl("ipv4/ip_forward", "1")?;
        for device in ["all", "in0", "out0"] {
            namespace.set_sysctl(&format!("ipv4/conf/{device}/rp_filter"), "1")?;
        }
        let directory = pinhole_lab::Scratch::new()?;
        let rules = directory.path().join("rules");
        std::fs::write(&rules, RULES)?;
        namespace.command(&format!("nft -f {}", rules.display()))?;
        let mut kernel = Self { inside, outside, _namespace: namespace };
        // What the kernel has to say about its new links comes first.
        kernel.send(Realm::Inside, &udp(MARKER[0], MARKER[1], b""));
        Ok(kernel)
    }

    fn device(&self, realm: Realm) -> &TunDevice {
        match realm {
            Realm::Inside => &self.inside,
            Realm::Outside => &self.outside,
        }
    }

    /// Reads the IPv4 packets that wait.
    fn read(&self, realm: Realm) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; HEADER_BYTES + MAX_PACKET_BYTES];
        let queue = &self.device(realm).queues()[0];
        let mut packets = Vec::new();
        while let Some(length) = queue.read(&mut buffer).unwrap() {
            let (_, packet) = VirtioNetHeader::decode(&buffer[..length]).unwrap();
            if packet[0] >> 4 == 4 {
                packets.push(packet.to_vec());
            }
        }
        packets
    }

    fn wait(&self) -> io::Result<()> {
        let mut files = [&self.inside, &self.outside]
            .map(|device| PollFd::new(device.queues()[0].as_fd(), PollFlags::POLLIN));
        poll(&mut files, PollTimeout::from(100_u16)).map(drop).map_err(io::Error::from)
    }
}

impl Path for Kernel {
    fn send(&mut self, from: Realm, packet: &[u8]) -> Vec<(Realm, Vec<u8>)> {
        // What the kernel refuses at its door it has dropped.
        let _ = self.device(from).queues()[0].write(VirtioNetHeader::PLAIN, packet);
        let marker = udp(MARKER[0], MARKER[1], b"done");
        self.inside.queues()[0].write(VirtioNetHeader::PLAIN, &marker).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let mut left = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "the kernel does not pass the marker");
            left.extend(self.read(Realm::Inside).into_iter().map(|packet| (Realm::Inside, packet)));
            let mut done = false;
            for packet in self.read(Realm::Outside) {
                let is_marker = packet[16..20] == MARKER[1].0.octets();
                done |= is_marker;
                if !is_marker {
                    left.push((Realm::Outside, packet));
                }
            }
            if done {
                return left;
            }
            self.wait().unwrap();
        }
    }
}
