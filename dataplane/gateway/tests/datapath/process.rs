//! The gateway as a daemon that can be killed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use pinhole_lab::net::{PATIENCE, SILENCE};
use pinhole_lab::{Daemon, Net, Scratch};

use crate::CONFIG;

const PROGRAM: &str = env!("CARGO_BIN_EXE_pinhole-gateway");

fn start(net: &Net, directory: &Path) -> Daemon {
    Daemon::start(&net.gateway, Path::new(PROGRAM), directory, CONFIG).expect("the daemon starts")
}

/// Whether the client reaches the server, in a time.
fn gets_through(net: &Net, patience: Duration) -> bool {
    let listener = net.server.listen("203.0.113.2:0").expect("the address can be bound");
    net.client.connect(listener.local_addr().expect("a listener has an address"), patience).is_ok()
}

#[test]
fn a_termination_restores_the_host() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let before = net.host_state().unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let daemon = start(&net, directory.path());
        assert!(gets_through(&net, PATIENCE));
        assert!(daemon.end(signal).unwrap().success());
        assert_eq!(net.host_state().unwrap(), before);
    }
}

#[test]
fn a_kill_fails_closed_and_the_next_start_cleans_up() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    net.gateway.set_sysctl("ipv4/ip_forward", "1").unwrap();
    net.gateway.set_sysctl("ipv4/conf/all/rp_filter", "2").unwrap();
    let before = net.host_state().unwrap();
    start(&net, directory.path()).end(Signal::SIGKILL).unwrap();
    // The host would forward, and the server's network knows the way to the inside.
    assert!(!gets_through(&net, SILENCE));
    let inside = net.client.listen("10.0.0.2:0").unwrap();
    assert!(net.server.connect(inside.local_addr().unwrap(), SILENCE).is_err());
    // Whoever administers the host still gets there.
    let hosts = net.gateway.listen("10.0.0.1:0").unwrap();
    assert!(net.client.connect(hosts.local_addr().unwrap(), PATIENCE).is_ok());

    start(&net, directory.path()).end(Signal::SIGKILL).unwrap();
    let daemon = start(&net, directory.path());
    assert!(gets_through(&net, PATIENCE));
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
    assert_eq!(net.host_state().unwrap(), before);
}

#[test]
fn cleanup_undoes_what_a_kill_left() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let before = net.host_state().unwrap();
    start(&net, directory.path()).end(Signal::SIGKILL).unwrap();
    assert_ne!(net.host_state().unwrap(), before);
    for undone in ["undone: 7 changes\n", "undone: 0 changes\n"] {
        let output = net.gateway.run(|| {
            Command::new(PROGRAM)
                .args(["cleanup", "--run-dir", "run"])
                .current_dir(directory.path())
                .output()
                .unwrap()
        });
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), undone);
        assert_eq!(net.host_state().unwrap(), before);
    }
}

#[test]
fn cleanup_does_not_touch_a_gateway_that_runs() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let daemon = start(&net, directory.path());
    let output = net.gateway.run(|| {
        Command::new(PROGRAM)
            .args(["cleanup", "--run-dir", "run"])
            .current_dir(directory.path())
            .output()
            .unwrap()
    });
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("already uses this network namespace"));
    assert!(gets_through(&net, PATIENCE));
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
}
