//! The gateway as a daemon that can be killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::CONFIG;
use crate::net::{Net, PATIENCE, SILENCE};

/// A daemon; killed when the test ends before it.
struct Daemon(Child);

impl Daemon {
    /// Starts one and waits until it says that traffic flows.
    fn start(net: &Net, directory: &Path) -> Self {
        std::fs::write(directory.join("gateway.toml"), CONFIG).expect("a file can be written");
        let mut child = net
            .gateway
            .run(|| {
                Command::new(env!("CARGO_BIN_EXE_pinhole-gateway"))
                    .args(["run", "--config", "gateway.toml", "--run-dir", "run"])
                    .current_dir(directory)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
            })
            .expect("the daemon starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("its output is text");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn signal(mut self, signal: Signal) -> std::process::ExitStatus {
        let pid = i32::try_from(self.0.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), signal).expect("the daemon lives");
        self.0.wait().expect("the daemon is a child")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn gets_through(net: &Net) -> bool {
    let listener = net.server.listen("203.0.113.2:0");
    net.client.connect(listener.local_addr().expect("a listener has an address"), SILENCE).is_ok()
}

#[test]
fn a_termination_restores_the_host() {
    let (net, directory) = (Net::new(), tempfile::tempdir().unwrap());
    let before = net.host_state();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let daemon = Daemon::start(&net, directory.path());
        assert!(gets_through(&net));
        assert!(daemon.signal(signal).success());
        assert_eq!(net.host_state(), before);
    }
}

#[test]
fn a_kill_fails_closed_and_the_next_start_cleans_up() {
    let (net, directory) = (Net::new(), tempfile::tempdir().unwrap());
    net.gateway.set_sysctl("ipv4/ip_forward", "1");
    net.gateway.set_sysctl("ipv4/conf/all/rp_filter", "2");
    let before = net.host_state();
    Daemon::start(&net, directory.path()).signal(Signal::SIGKILL);
    // The host would forward, and the server's network knows the way to the inside.
    assert!(!gets_through(&net));
    let inside = net.client.listen("10.0.0.2:0");
    assert!(net.server.connect(inside.local_addr().unwrap(), SILENCE).is_err());
    // Whoever administers the host still gets there.
    let hosts = net.gateway.listen("10.0.0.1:0");
    assert!(net.client.connect(hosts.local_addr().unwrap(), PATIENCE).is_ok());

    Daemon::start(&net, directory.path()).signal(Signal::SIGKILL);
    let daemon = Daemon::start(&net, directory.path());
    assert!(gets_through(&net));
    assert!(daemon.signal(Signal::SIGTERM).success());
    assert_eq!(net.host_state(), before);
}

#[test]
fn cleanup_undoes_what_a_kill_left() {
    let (net, directory) = (Net::new(), tempfile::tempdir().unwrap());
    let before = net.host_state();
    Daemon::start(&net, directory.path()).signal(Signal::SIGKILL);
    assert_ne!(net.host_state(), before);
    for undone in ["undone: 7 changes\n", "undone: 0 changes\n"] {
        let output = net.gateway.run(|| {
            Command::new(env!("CARGO_BIN_EXE_pinhole-gateway"))
                .args(["cleanup", "--run-dir", "run"])
                .current_dir(directory.path())
                .output()
                .unwrap()
        });
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), undone);
        assert_eq!(net.host_state(), before);
    }
}

#[test]
fn cleanup_does_not_touch_a_gateway_that_runs() {
    let (net, directory) = (Net::new(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&net, directory.path());
    let output = net.gateway.run(|| {
        Command::new(env!("CARGO_BIN_EXE_pinhole-gateway"))
            .args(["cleanup", "--run-dir", "run"])
            .current_dir(directory.path())
            .output()
            .unwrap()
    });
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("already uses this network namespace"));
    assert!(gets_through(&net));
    assert!(daemon.signal(Signal::SIGTERM).success());
}
