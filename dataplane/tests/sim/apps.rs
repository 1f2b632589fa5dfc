//! What runs on hosts: a web server and its client, an echo server and its client.

use std::net::Ipv4Addr;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;
use smoltcp::wire::IpEndpoint;

use crate::host::Stack;

/// Something that uses a stack.
pub(crate) trait App {
    /// Does what there is to do now.
    fn run(&mut self, stack: &mut Stack);

    /// Returns when it wants to be run although nothing has come.
    fn due(&self) -> Option<u64>;

    /// Whether it has got what it wanted; a server wants nothing.
    fn is_done(&self) -> bool {
        true
    }

    /// How often it has begun; a server never does.
    fn tries(&self) -> u32 {
        0
    }

    fn name(&self) -> String;
}

const SECOND: u64 = 1_000_000;
/// A client tries again when it has waited for so long.
pub(crate) const TRY: u64 = 40 * SECOND;
/// Tries of a client.
pub(crate) const TRIES: u32 = 12;

/// The bytes that a server sends when it is asked for so many.
pub(crate) fn content(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at.wrapping_mul(31) ^ at >> 7 ^ count) as u8).collect()
}

/// Bytes that go out as the stack has room for them.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Vec<u8>);

impl Outbox {
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Sends; whether all is with the stack.
    pub(crate) fn flush(&mut self, socket: &mut tcp::Socket<'_>) -> bool {
        if socket.can_send() && !self.0.is_empty() {
            let sent = socket.send_slice(&self.0).unwrap_or(0);
            self.0.drain(..sent);
        }
        self.0.is_empty()
    }
}

/// Answers `GET n` with n bytes.
pub(crate) struct Web {
    port: u16,
    connections: Vec<(SocketHandle, Vec<u8>, Outbox, bool)>,
}

impl Web {
    pub(crate) const fn new(port: u16) -> Self {
        Self { port, connections: Vec::new() }
    }
}

impl App for Web {
    fn run(&mut self, stack: &mut Stack) {
        // One waits for the next client at any time.
        let waiting = self.connections.iter().any(|(handle, ..)| stack.tcp(*handle).is_listening());
        if !waiting {
            let handle = stack.listen(self.port);
            self.connections.push((handle, vec![], Outbox::default(), false));
        }
        self.connections.retain_mut(|(handle, asked, outbox, answered)| {
            asked.extend(stack.read(*handle));
            if let Some(text) = asked.strip_suffix(b"\n").filter(|_| !*answered) {
                let count = std::str::from_utf8(text).unwrap().strip_prefix("GET ").unwrap().parse().unwrap();
                outbox.put(&content(count));
                *answered = true;
            }
            let socket = stack.tcp(*handle);
            if outbox.flush(socket) && *answered {
                socket.close();
            }
            if socket.is_open() {
                return true;
            }
            stack.drop(*handle);
            false
        });
    }

    fn due(&self) -> Option<u64> {
        None
    }

    fn name(&self) -> String {
        format!("a web server at port {}", self.port)
    }
}

/// Asks a web server for bytes, until it has them all.
pub(crate) struct Fetch {
    pub(crate) server: (Ipv4Addr, u16),
    pub(crate) count: usize,
    pub(crate) start: u64,
    connection: Option<(SocketHandle, Outbox, Vec<u8>)>,
    tries: u32,
    deadline: u64,
    done: bool,
}

impl Fetch {
    pub(crate) const fn new(server: (Ipv4Addr, u16), count: usize, start: u64) -> Self {
        Self { server, count, start, connection: None, tries: 0, deadline: start, done: false }
    }
}

impl App for Fetch {
    fn run(&mut self, stack: &mut Stack) {
        if self.done || stack.now < self.start {
            return;
        }
        let Some((handle, outbox, got)) = &mut self.connection else {
            self.tries += 1;
            assert!(self.tries <= TRIES, "{} gets nowhere", self.name());
            let port = stack.port();
            let mut outbox = Outbox::default();
            outbox.put(format!("GET {}\n", self.count).as_bytes());
            self.connection = Some((stack.connect(self.server, port), outbox, vec![]));
            self.deadline = stack.now + TRY;
            return;
        };
        outbox.flush(stack.tcp(*handle));
        got.extend(stack.read(*handle));
        let expected = content(self.count);
        assert!(expected.starts_with(got), "other bytes have arrived than were sent");
        if got.len() == expected.len() {
            stack.tcp(*handle).close();
            self.done = true;
        } else if stack.is_over(*handle) || stack.now >= self.deadline {
            stack.drop(*handle);
            self.connection = None;
            self.start = stack.now + SECOND;
        }
    }

    fn due(&self) -> Option<u64> {
        let next = if self.connection.is_some() { self.deadline } else { self.start };
        (!self.done).then_some(next)
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn tries(&self) -> u32 {
        self.tries
    }

    fn name(&self) -> String {
        format!("a client of {:?} that wants {} bytes", self.server, self.count)
    }
}

/// Sends datagrams back.
pub(crate) struct Echo {
    port: u16,
    socket: Option<SocketHandle>,
}

impl Echo {
    pub(crate) const fn new(port: u16) -> Self {
        Self { port, socket: None }
    }
}

impl App for Echo {
    fn run(&mut self, stack: &mut Stack) {
        let handle = *self.socket.get_or_insert_with(|| stack.bind(self.port));
        let socket = stack.udp(handle);
        while let Ok((data, from)) = socket.recv().map(|(data, from)| (data.to_vec(), from.endpoint)) {
            let _ = socket.send_slice(&data, from);
        }
    }

    fn due(&self) -> Option<u64> {
        None
    }

    fn name(&self) -> String {
        format!("an echo server at port {}", self.port)
    }
}

/// Sends numbered datagrams to an echo server, until some have come back.
pub(crate) struct Ask {
    server: (Ipv4Addr, u16),
    socket: Option<SocketHandle>,
    next: u64,
    sent: u64,
    wanted: u64,
    back: u64,
}

impl Ask {
    pub(crate) const fn new(server: (Ipv4Addr, u16), wanted: u64, start: u64) -> Self {
        Self { server, socket: None, next: start, sent: 0, wanted, back: 0 }
    }
}

impl App for Ask {
    fn run(&mut self, stack: &mut Stack) {
        if self.is_done() {
            return;
        }
        let port = if self.socket.is_none() { stack.port() } else { 0 };
        let handle = *self.socket.get_or_insert_with(|| stack.bind(port));
        let now = stack.now;
        let socket = stack.udp(handle);
        while let Ok((data, from)) = socket.recv().map(|(data, from)| (data.to_vec(), from.endpoint)) {
            assert_eq!(from, IpEndpoint::from(self.server), "an answer from somebody else");
            let number = u64::from_be_bytes(data[..8].try_into().unwrap());
            assert!(number < self.sent && data[8..] == content(number as usize % 900), "another answer");
            self.back += 1;
        }
        if now >= self.next {
            assert!(self.sent < 1_000, "{} gets nowhere", self.name());
            let data = [&self.sent.to_be_bytes()[..], &content(self.sent as usize % 900)].concat();
            let _ = socket.send_slice(&data, self.server);
            self.sent += 1;
            self.next = now + SECOND;
        }
    }

    fn due(&self) -> Option<u64> {
        (!self.is_done()).then_some(self.next)
    }

    fn is_done(&self) -> bool {
        self.back >= self.wanted
    }

    fn name(&self) -> String {
        format!("an asker of {:?} that wants {} answers", self.server, self.wanted)
    }
}
