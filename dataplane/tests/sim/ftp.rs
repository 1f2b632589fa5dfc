//! An FTP server and its client: who is told where the data goes connects there.

use std::net::Ipv4Addr;

use smoltcp::iface::SocketHandle;

use crate::apps::{App, Outbox, TRIES, TRY, content};
use crate::host::Stack;

const SECOND: u64 = 1_000_000;

/// Who connects for the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// The server, to where the client says.
    Active,
    /// The client, to where the server says.
    Passive,
}

/// A connection with lines in both directions.
struct Lines {
    handle: SocketHandle,
    outbox: Outbox,
    read: Vec<u8>,
}

impl Lines {
    fn new(handle: SocketHandle) -> Self {
        Self { handle, outbox: Outbox::default(), read: vec![] }
    }

    fn say(&mut self, line: &str) {
        self.outbox.put(format!("{line}\r\n").as_bytes());
    }

    /// Takes the next whole line that has come.
    fn hear(&mut self, stack: &mut Stack) -> Option<String> {
        self.read.extend(stack.read(self.handle));
        self.outbox.flush(stack.tcp(self.handle));
        let end = self.read.windows(2).position(|two| two == b"\r\n")?;
        let line = self.read.drain(..end + 2).collect::<Vec<u8>>();
        Some(String::from_utf8(line[..end].to_vec()).unwrap())
    }
}

/// Reads the six numbers of an address and a port.
fn endpoint(text: &str) -> (Ipv4Addr, u16) {
    let numbers =
        text.split(|letter: char| !letter.is_ascii_digit() && letter != ',').find(|word| word.contains(','));
    let numbers: Vec<u8> = numbers.unwrap().split(',').map(|number| number.parse().unwrap()).collect();
    let &[a, b, c, d, high, low] = &numbers[..] else { panic!("{text} names no endpoint") };
    (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

fn named(address: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = address.octets();
    let [high, low] = port.to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// The data of a transfer, from the server's end.
struct Sending {
    handle: SocketHandle,
    outbox: Option<Outbox>,
}

struct Visitor {
    lines: Lines,
    greeted: bool,
    data: Option<Sending>,
    /// Where the client wants the data.
    named: Option<(Ipv4Addr, u16)>,
}

/// The server.
pub(crate) struct FtpServer {
    visitors: Vec<Visitor>,
}

impl FtpServer {
    pub(crate) const fn new() -> Self {
        Self { visitors: Vec::new() }
    }
}

impl Visitor {
    fn serve(&mut self, stack: &mut Stack) {
        if !self.greeted && stack.tcp(self.lines.handle).may_send() {
            self.greeted = true;
            self.lines.say("220 at your service");
        }
        while let Some(line) = self.lines.hear(stack) {
            let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match command {
                "PORT" => {
                    self.named = Some(endpoint(rest));
                    self.lines.say("200 there, then");
                }
                "PASV" => {
                    let port = stack.port();
                    self.data = Some(Sending { handle: stack.listen(port), outbox: None });
                    let place = named(stack.address, port);
                    self.lines.say(&format!("227 Entering Passive Mode ({place})."));
                }
                "RETR" => {
                    let mut outbox = Outbox::default();
                    outbox.put(&content(rest.parse().unwrap()));
                    if let Some(to) = self.named.take() {
                        let port = stack.port();
                        self.data = Some(Sending { handle: stack.connect(to, port), outbox: None });
                    }
                    if let Some(data) = &mut self.data {
                        data.outbox = Some(outbox);
                    }
                    self.lines.say("150 here it comes");
                }
                "QUIT" => {
                    self.lines.say("221 bye");
                    self.lines.outbox.flush(stack.tcp(self.lines.handle));
                    stack.tcp(self.lines.handle).close();
                }
                other => panic!("the server is told {other:?}"),
            }
        }
        self.send(stack);
        self.lines.outbox.flush(stack.tcp(self.lines.handle));
    }

    fn send(&mut self, stack: &mut Stack) {
        let Some(Sending { handle, outbox: Some(outbox) }) = &mut self.data else { return };
        let socket = stack.tcp(*handle);
        if !socket.is_open() {
            stack.drop(*handle);
            self.data = None;
        } else if socket.may_send() && outbox.flush(socket) {
            socket.close();
            self.lines.say("226 that was it");
            // What is left to be acknowledged the stack sees to.
            self.data = None;
        }
    }
}

impl App for FtpServer {
    fn run(&mut self, stack: &mut Stack) {
        let waiting = self.visitors.iter().any(|visitor| stack.tcp(visitor.lines.handle).is_listening());
        if !waiting {
            let lines = Lines::new(stack.listen(21));
            self.visitors.push(Visitor { lines, greeted: false, data: None, named: None });
        }
        self.visitors.retain_mut(|visitor| {
            if stack.tcp(visitor.lines.handle).is_open() {
                visitor.serve(stack);
                return true;
            }
            stack.drop(visitor.lines.handle);
            if let Some(data) = visitor.data.take() {
                stack.drop(data.handle);
            }
            false
        });
    }

    fn due(&self) -> Option<u64> {
        None
    }

    fn name(&self) -> String {
        "an FTP server".to_owned()
    }
}

struct Visit {
    lines: Lines,
    data: Option<SocketHandle>,
    got: Vec<u8>,
}

/// The client, which wants one file.
pub(crate) struct FtpClient {
    server: (Ipv4Addr, u16),
    mode: Mode,
    count: usize,
    start: u64,
    visit: Option<Visit>,
    tries: u32,
    deadline: u64,
    done: bool,
}

impl FtpClient {
    pub(crate) const fn new(server: (Ipv4Addr, u16), mode: Mode, count: usize, start: u64) -> Self {
        Self { server, mode, count, start, visit: None, tries: 0, deadline: start, done: false }
    }

    fn begin(&mut self, stack: &mut Stack) {
        self.tries += 1;
        assert!(self.tries <= TRIES, "{} gets nowhere", self.name());
        let port = stack.port();
        let lines = Lines::new(stack.connect(self.server, port));
        self.visit = Some(Visit { lines, data: None, got: vec![] });
        self.deadline = stack.now + TRY;
    }

    /// Returns whether the visit goes on.
    fn go_on(&mut self, stack: &mut Stack) -> bool {
        let Some(visit) = &mut self.visit else { return false };
        while let Some(line) = visit.lines.hear(stack) {
            match (&line[..3], self.mode) {
                ("220", Mode::Active) => {
                    let port = stack.port();
                    visit.data = Some(stack.listen(port));
                    visit.lines.say(&format!("PORT {}", named(stack.address, port)));
                }
                ("220", Mode::Passive) => visit.lines.say("PASV"),
                ("227", Mode::Passive) => {
                    let to = endpoint(&line);
                    assert_eq!(to.0, self.server.0, "the server is where it was reached");
                    let port = stack.port();
                    visit.data = Some(stack.connect(to, port));
                    visit.lines.say(&format!("RETR {}", self.count));
                }
                ("200", Mode::Active) => visit.lines.say(&format!("RETR {}", self.count)),
                ("150" | "226" | "221", _) => {}
                other => panic!("the client is told {other:?}"),
            }
        }
        visit.lines.outbox.flush(stack.tcp(visit.lines.handle));
        if let Some(data) = visit.data {
            visit.got.extend(stack.read(data));
        }
        let expected = content(self.count);
        assert!(expected.starts_with(&visit.got), "other bytes have arrived than were sent");
        if visit.got.len() == expected.len() {
            self.done = true;
            visit.lines.say("QUIT");
            visit.lines.outbox.flush(stack.tcp(visit.lines.handle));
            stack.tcp(visit.lines.handle).close();
            if let Some(data) = visit.data {
                stack.tcp(data).close();
            }
        }
        !stack.is_over(visit.lines.handle) && stack.now < self.deadline
    }
}

impl App for FtpClient {
    fn run(&mut self, stack: &mut Stack) {
        if self.done || stack.now < self.start {
            return;
        }
        if self.visit.is_none() {
            return self.begin(stack);
        }
        if !self.go_on(stack) && !self.done {
            if let Some(visit) = self.visit.take() {
                stack.drop(visit.lines.handle);
                if let Some(data) = visit.data {
                    stack.drop(data);
                }
            }
            self.start = stack.now + SECOND;
        }
    }

    fn due(&self) -> Option<u64> {
        let next = if self.visit.is_some() { self.deadline } else { self.start };
        (!self.done).then_some(next)
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn tries(&self) -> u32 {
        self.tries
    }

    fn name(&self) -> String {
        format!("an FTP client of {:?} in {:?} mode that wants {} bytes", self.server, self.mode, self.count)
    }
}
