//! A host: a TCP/IP stack, the wire it is on, and what runs on it.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::apps::App;

/// Bytes that a connection keeps of each direction.
const BUFFER: usize = 4_096;
/// After this time without an acknowledgement a connection is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The packets between a stack and the network.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    received: VecDeque<Vec<u8>>,
    pub(crate) sent: Vec<Vec<u8>>,
}

pub(crate) struct Incoming(Vec<u8>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub(crate) struct Outgoing<'a>(&'a mut Vec<Vec<u8>>);

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut packet = vec![0; length];
        let written = write(&mut packet);
        self.0.push(packet);
        written
    }
}

impl Device for Wire {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.received.pop_front()?;
        Some((Incoming(packet), Outgoing(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1_500;
        capabilities
    }
}

/// The stack, which apps use.
pub(crate) struct Stack {
    pub(crate) address: Ipv4Addr,
    interface: Interface,
    sockets: SocketSet<'static>,
    /// Microseconds since the network began.
    pub(crate) now: u64,
    next_port: u16,
}

pub(crate) struct Host {
    pub(crate) stack: Stack,
    wire: Wire,
    pub(crate) apps: Vec<Box<dyn App>>,
}

fn instant(micros: u64) -> Instant {
    Instant::from_micros(i64::try_from(micros).unwrap())
}

impl Host {
    pub(crate) fn new(address: Ipv4Addr, seed: u64, apps: Vec<Box<dyn App>>) -> Self {
        let mut wire = Wire::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut wire, instant(0));
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(address.into(), 24)).unwrap());
        interface.routes_mut().add_default_ipv4_route(address).unwrap();
        let sockets = SocketSet::new(vec![]);
        let next_port = 40_000 + u16::try_from(seed % 5_000).unwrap();
        Self { stack: Stack { address, interface, sockets, now: 0, next_port }, wire, apps }
    }

    pub(crate) fn receive(&mut self, packet: Vec<u8>) {
        self.wire.received.push_back(packet);
    }

    /// Lets the stack and the apps do what there is to do, and returns what they send.
    pub(crate) fn poll(&mut self, now: u64) -> Vec<Vec<u8>> {
        self.stack.now = now;
        // What an app sends the stack may send at once.
        for _ in 0..3 {
            self.stack.interface.poll(instant(now), &mut self.wire, &mut self.stack.sockets);
            for app in &mut self.apps {
                app.run(&mut self.stack);
            }
        }
        self.stack.interface.poll(instant(now), &mut self.wire, &mut self.stack.sockets);
        std::mem::take(&mut self.wire.sent)
    }

    /// Returns when it has something to do next.
    pub(crate) fn due(&mut self) -> Option<u64> {
        let now = instant(self.stack.now);
        let stack = self.stack.interface.poll_at(now, &self.stack.sockets);
        let stack = stack.map(|at| u64::try_from(at.total_micros()).unwrap_or(0));
        let apps = self.apps.iter().filter_map(|app| app.due());
        apps.chain(stack).min()
    }
}

impl Stack {
    pub(crate) fn port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    pub(crate) fn open(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_timeout(Some(PATIENCE));
        self.sockets.add(socket)
    }

    pub(crate) fn connect(&mut self, to: (Ipv4Addr, u16), from_port: u16) -> SocketHandle {
        let handle = self.open();
        let context = self.interface.context();
        self.sockets.get_mut::<tcp::Socket<'_>>(handle).connect(context, to, from_port).unwrap();
        handle
    }

    pub(crate) fn listen(&mut self, port: u16) -> SocketHandle {
        let handle = self.open();
        self.tcp(handle).listen(port).unwrap();
        handle
    }

    pub(crate) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Takes what has arrived.
    pub(crate) fn read(&mut self, handle: SocketHandle) -> Vec<u8> {
        let socket = self.tcp(handle);
        let mut read = Vec::new();
        while socket.can_recv() {
            let Ok(piece) = socket.recv(|data| (data.len(), data.to_vec())) else { break };
            read.extend(piece);
        }
        read
    }

    /// Whether nothing more comes of a connection.
    pub(crate) fn is_over(&mut self, handle: SocketHandle) -> bool {
        let socket = self.tcp(handle);
        !socket.may_recv()
            && !matches!(socket.state(), tcp::State::SynSent | tcp::State::SynReceived | tcp::State::Listen)
    }

    /// Ends a connection at once and forgets it.
    pub(crate) fn drop(&mut self, handle: SocketHandle) {
        self.tcp(handle).abort();
        // The reset is still to be sent, so the socket goes by itself; what listens or is closed sends none.
        self.sockets.remove(handle);
    }

    pub(crate) fn bind(&mut self, port: u16) -> SocketHandle {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; BUFFER]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).unwrap();
        self.sockets.add(socket)
    }

    pub(crate) fn udp(&mut self, handle: SocketHandle) -> &mut udp::Socket<'static> {
        self.sockets.get_mut(handle)
    }
}
