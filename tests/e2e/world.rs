//! A client, a gateway that runs from the documented file, and FTP servers on the usual port and on another.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use std::{fs, thread};

use pinhole_lab::daemon::STANDALONE;
use pinhole_lab::net::{PATIENCE, SERVER};
use pinhole_lab::{Daemon, Net, Scratch, Vsftpd, program};

/// The ports of the FTP servers: FTP's own, and that of the configuration's service `ftp-alt`.
pub(crate) const PORTS: [u16; 2] = [21, 2121];
/// The file to download.
pub(crate) const FILE: &str = "pub/file";
/// Its size: many segments, also large ones.
const FILE_BYTES: u32 = 3 << 20;
/// How often something is looked at again that takes its time.
const INTERVAL: Duration = Duration::from_millis(10);

/// All of it, running.
pub(crate) struct World {
    pub(crate) net: Net,
    gateway: Option<Daemon>,
    servers: [Vsftpd; 2],
    directory: Scratch,
    config: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(STANDALONE)
    }

    pub(crate) fn with(config: &str) -> Self {
        let mut world = Self::without_gateway(config);
        world.start_gateway();
        world
    }

    /// All but the gateway; the configuration is for one that is started later.
    pub(crate) fn without_gateway(config: &str) -> Self {
        let net = Net::new().expect("the hosts are made");
        let directory = Scratch::new().expect("a directory can be made");
        let servers = PORTS.map(|port| {
            let own = directory.path().join(format!("ftp-{port}"));
            fs::create_dir(&own).expect("a directory can be made");
            let server = Vsftpd::start(&net.server, address(port), &own).expect("the FTP server starts");
            fs::write(server.files().join(FILE), content(port)).expect("a file can be written");
            server
        });
        Self { net, gateway: None, servers, directory, config: config.to_owned() }
    }

    pub(crate) fn start_gateway(&mut self) {
        let gateway =
            Daemon::start(&self.net.gateway, &gateway_program(), self.directory.path(), &self.config);
        self.gateway = Some(gateway.expect("the gateway starts"));
    }

    /// Starts a gateway under a controller instead.
    pub(crate) fn join_gateway(&mut self, controller: &str, token: &str) {
        let directory = self.directory.path();
        let gateway = Daemon::join(&self.net.gateway, &gateway_program(), directory, controller, token);
        self.gateway = Some(gateway.expect("the gateway starts"));
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let gateway = self.gateway.as_mut().expect("the gateway runs");
        gateway.wait_until_ready().expect("the gateway starts");
    }

    pub(crate) fn take_gateway(&mut self) -> Daemon {
        self.gateway.take().expect("the gateway runs")
    }

    pub(crate) fn server(&self, port: u16) -> &Vsftpd {
        let mut servers = PORTS.iter().zip(&self.servers);
        servers.find(|(known, _)| **known == port).expect("there is a server on the port").1
    }

    /// Returns what the server has received of `verbs`, in order.
    pub(crate) fn received(&self, port: u16, verbs: &[&str]) -> Vec<String> {
        let mut commands = self.server(port).commands().expect("the server keeps a log");
        commands.retain(|command| verbs.iter().any(|verb| command.split(' ').next() == Some(verb)));
        commands
    }

    /// Runs a program on the client's host.
    pub(crate) fn client(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory.path());
        // Nothing of the user's own settings.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", "/nowhere");
        self.net.client.run(|| command.output()).unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    /// Reads a file of the directory that programs on the client's host run in.
    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.directory.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.directory.path().join(name), content).expect("a file can be written");
    }

    /// Returns the lines of the gateway's log about events of a kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<String> {
        let log = self.gateway.as_ref().expect("the gateway runs").log().expect("it keeps a log");
        let start = format!("event={kind}(");
        log.lines().filter(|line| line.contains(&start)).map(str::to_owned).collect()
    }

    /// Waits until the gateway's log has a text.
    pub(crate) fn wait_until_logged(&self, text: &str) {
        wait_until(&format!("`{text}` in the log"), || {
            self.gateway.as_ref().expect("the gateway runs").log().expect("it keeps a log").contains(text)
        });
    }

    /// Waits until the gateway has told of at least `count` events of a kind.
    pub(crate) fn wait_for_events(&self, kind: &str, count: usize) {
        wait_until(&format!("{count} events {kind}"), || self.events(kind).len() >= count);
    }

    /// Waits until every pinhole that opened, of which there are at least `count`, has closed.
    pub(crate) fn wait_until_closed(&self, count: usize) {
        let ids = |kind: &str| {
            let mut ids = BTreeMap::new();
            for event in self.events(kind) {
                let (_, rest) = event.split_once("pinhole_id: ").expect("an event of a pinhole names it");
                let id = rest.chars().take_while(char::is_ascii_digit).collect::<String>();
                *ids.entry(id).or_insert(0) += 1;
            }
            ids
        };
        wait_until(&format!("{count} pinholes to close"), || {
            let opened = ids("PinholeOpened");
            opened.len() >= count && opened == ids("PinholeClosed")
        });
    }
}

fn gateway_program() -> PathBuf {
    program("pinhole-gateway").expect("`cargo test --workspace` builds it")
}

/// Returns where a server listens.
pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::new(SERVER.parse().expect("an address"), port)
}

/// Returns the content of the file to download from a server: no two stretches of it are equal.
pub(crate) fn content(port: u16) -> Vec<u8> {
    (0..FILE_BYTES / 4).flat_map(|index| (index ^ (u32::from(port) << 20)).to_be_bytes()).collect()
}

/// Waits for a condition that nobody tells of.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(INTERVAL);
    }
}
