//! An FTP client that cuts what it sends as a test wants.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use pinhole_lab::Namespace;
use pinhole_lab::net::{CLIENT, PATIENCE};

use crate::world::{FILE, address, content};

/// How what is sent is cut into segments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cut {
    /// All at once.
    Whole,
    /// Each byte alone.
    Bytes,
}

/// A control connection.
pub(crate) struct Control {
    stream: BufReader<TcpStream>,
    cut: Cut,
    sent: usize,
}

impl Control {
    /// Connects to a server and signs in.
    pub(crate) fn sign_in(host: &Namespace, port: u16, cut: Cut) -> Self {
        let mut control = Self::connect(host, port, cut);
        for (command, code) in [("USER anonymous", 331), ("PASS nobody@example", 230), ("TYPE I", 200)] {
            control.ask(command, code);
        }
        control
    }

    /// Connects to a server and reads its greeting.
    pub(crate) fn connect(host: &Namespace, port: u16, cut: Cut) -> Self {
        let stream = host.connect(address(port), PATIENCE).expect("the client gets through");
        stream.set_nodelay(true).expect("the kernel can send at once");
        let mut control = Self { stream: BufReader::new(stream), cut, sent: 0 };
        control.expect(220);
        control
    }

    /// Sends a command and reads the reply, which must have a code.
    pub(crate) fn ask(&mut self, command: &str, code: u16) -> String {
        self.send(&format!("{command}\r\n"));
        self.expect(code)
    }

    /// Returns how many bytes were sent.
    pub(crate) const fn sent(&self) -> usize {
        self.sent
    }

    /// Sends text as it is.
    pub(crate) fn send(&mut self, text: &str) {
        self.sent += text.len();
        let stream = self.stream.get_mut();
        match self.cut {
            Cut::Whole => stream.write_all(text.as_bytes()).expect("the client sends"),
            Cut::Bytes => {
                for byte in text.bytes() {
                    stream.write_all(&[byte]).expect("the client sends");
                }
            }
        }
    }

    /// Reads a reply of one line.
    pub(crate) fn reply(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers");
        line
    }

    /// Reads until the connection breaks, and returns how it does.
    pub(crate) fn broken(&mut self) -> ErrorKind {
        let read = self.stream.read_to_end(&mut Vec::new());
        read.expect_err("the connection is still good, or was closed in peace").kind()
    }

    /// Reads a reply of one line, which must have a code.
    pub(crate) fn expect(&mut self, code: u16) -> String {
        let line = self.reply();
        assert!(line.starts_with(&format!("{code} ")), "expected {code}, got {line:?}");
        line
    }
}

/// Where the client waits for a data connection.
pub(crate) struct Data(TcpListener);

impl Data {
    pub(crate) fn listen(host: &Namespace) -> Self {
        let listener = host.listen(&format!("{CLIENT}:0")).expect("the address can be bound");
        listener.set_nonblocking(true).expect("a listener can be told not to wait");
        Self(listener)
    }

    pub(crate) fn port_command(&self) -> String {
        port_command(CLIENT, self.port())
    }

    pub(crate) fn eprt_command(&self) -> String {
        format!("EPRT |1|{CLIENT}|{}|", self.port())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("a listener has an address").port()
    }

    /// Accepts one connection and reads it to its end.
    pub(crate) fn receive(&self) -> Vec<u8> {
        let mut data = Vec::new();
        self.accept().read_to_end(&mut data).expect("the data connection ends");
        data
    }

    /// Accepts one connection.
    pub(crate) fn accept(&self) -> TcpStream {
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            match self.0.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "no data connection came");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("cannot accept: {error}"),
            }
        };
        stream.set_nonblocking(false).expect("a stream can be told to wait");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream
    }

    /// Whether nobody has connected.
    pub(crate) fn is_untouched(&self) -> bool {
        self.0.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// Downloads a server's file in active mode.
pub(crate) fn download(host: &Namespace, port: u16) {
    let mut control = Control::sign_in(host, port, Cut::Whole);
    let data = Data::listen(host);
    control.ask(&data.port_command(), 200);
    control.ask(&format!("RETR {FILE}"), 150);
    assert!(data.receive() == content(port), "the download differs");
    control.expect(226);
}

/// Returns the command that names an endpoint.
pub(crate) fn port_command(address: &str, port: u16) -> String {
    let [high, low] = port.to_be_bytes();
    format!("PORT {},{high},{low}", address.replace('.', ","))
}

/// Reads the endpoint that a `PORT` command names.
pub(crate) fn port_endpoint(command: &str) -> SocketAddrV4 {
    let numbers: Vec<u8> = command
        .strip_prefix("PORT ")
        .and_then(|numbers| numbers.split(',').map(|number| number.parse().ok()).collect())
        .unwrap_or_else(|| panic!("not a PORT command: {command}"));
    let [a, b, c, d, high, low] = numbers[..] else { panic!("not six numbers: {command}") };
    SocketAddrV4::new([a, b, c, d].into(), u16::from_be_bytes([high, low]))
}
