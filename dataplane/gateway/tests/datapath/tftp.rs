//! TFTP with real servers and clients: transfers that the filter alone would not let through.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use pinhole_lab::net::SERVER;
use pinhole_lab::{Daemon, Net, Scratch, TftpClient, TftpServer, Tftpd};

use crate::CONFIG;

const PROGRAM: &str = env!("CARGO_BIN_EXE_pinhole-gateway");
const OFF: &str = "[[alg]]\nprotocol = \"tftp\"\nenabled = false\n";

/// A client and a server that has a file.
struct World {
    net: Net,
    files: Scratch,
    /// Where the client is.
    home: Scratch,
    _server: Tftpd,
    daemon: Daemon,
    _run: Scratch,
}

impl World {
    fn new(server: TftpServer, more: &str) -> Self {
        let (net, files, home, run) =
            (Net::new().unwrap(), Scratch::new().unwrap(), Scratch::new().unwrap(), Scratch::new().unwrap());
        let _server = Tftpd::start(server, &net.server, SERVER, files.path()).unwrap();
        let config = format!("{CONFIG}{more}");
        let daemon = Daemon::start(&net.gateway, Path::new(PROGRAM), run.path(), &config).unwrap();
        Self { net, files, home, _server, daemon, _run: run }
    }

    /// Runs a client where it finds and leaves files; whether it says that all went well.
    fn client(&self, mut command: Command) -> bool {
        command.current_dir(self.home.path());
        let output = self.net.client.run(move || command.output()).unwrap();
        output.status.success()
    }

    fn reads(&self, client: TftpClient, content: &[u8]) -> bool {
        let (name, local) = ("image", self.home.path().join("image"));
        fs::write(self.files.path().join(name), content).unwrap();
        self.client(client.read(SERVER, name, &local).unwrap())
            && fs::read(local).is_ok_and(|read| read == content)
    }

    fn writes(&self, client: TftpClient, content: &[u8]) -> bool {
        let (name, local) = ("log", self.home.path().join("log"));
        fs::write(&local, content).unwrap();
        self.client(client.write(SERVER, &local, name).unwrap())
            && fs::read(self.files.path().join(name)).is_ok_and(|written| written == content)
    }

    fn end(self) {
        assert!(self.daemon.end(Signal::SIGTERM).unwrap().success());
    }
}

/// Not a whole number of blocks.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[test]
fn every_client_reads_from_and_writes_to_every_server() {
    for server in [TftpServer::Hpa, TftpServer::Atftpd] {
        let world = World::new(server, "");
        for client in TftpClient::ALL {
            assert!(world.reads(client, &content(100_001)), "{client:?} from {server:?}");
            assert!(world.writes(client, &content(70_001)), "{client:?} to {server:?}");
            fs::remove_file(world.files.path().join("log")).unwrap();
        }
        world.end();
    }
}

#[test]
fn without_the_alg_nothing_is_read() {
    let world = World::new(TftpServer::Hpa, OFF);
    assert!(!world.reads(TftpClient::Curl, &content(100)));
    world.end();
}

#[test]
fn blocks_are_numbered_anew_after_the_last_number_and_windows_are_large() {
    let world = World::new(TftpServer::Atftpd, "");
    // More blocks than a number of 16 bits counts.
    let content = content(64 * 66_000 + 1);
    fs::write(world.files.path().join("image"), &content).unwrap();
    let local = world.home.path().join("image");
    let mut command = TftpClient::Atftp.read(SERVER, "image", &local).unwrap();
    command.args(["--option", "blksize 64", "--option", "windowsize 64"]);
    assert!(world.client(command));
    assert!(fs::read(local).unwrap() == content, "the file differs");
    world.end();
}

#[test]
fn many_transfers_run_at_a_time() {
    let world = World::new(TftpServer::Hpa, "");
    let content = content(300_001);
    fs::write(world.files.path().join("image"), &content).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (world, content) = (&world, &content);
            scope.spawn(move || {
                let local = world.home.path().join(number.to_string());
                assert!(world.client(TftpClient::Curl.read(SERVER, "image", &local).unwrap()));
                assert!(fs::read(local).unwrap() == *content, "transfer {number} differs");
            });
        }
    });
    world.end();
}
