//! What others make of the gateway: coturn's `turnutils_natdiscovery` classifies it by RFC 5780.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use pinhole_lab::net::{PATIENCE, SERVER, STRANGER};
use pinhole_lab::process::{Family, Process};
use pinhole_lab::program::installed;
use pinhole_lab::{Daemon, Net, Scratch};

use crate::CONFIG;

const PROGRAM: &str = env!("CARGO_BIN_EXE_pinhole-gateway");
const PORT: &str = "3478";
const OTHER_PORT: &str = "3479";

/// Starts a STUN server with two addresses and two ports, as the discovery needs it, and waits until it answers.
fn stun(net: &Net, directory: &Path) -> Process {
    net.server.command(&format!("ip addr add {STRANGER}/24 dev out0")).unwrap();
    let mut command = Command::new(installed("turnserver").unwrap());
    command
        .args(["-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "--log-file", "stdout"])
        .args(["--listening-ip", SERVER, "--listening-ip", STRANGER])
        .args(["--listening-port", PORT, "--alt-listening-port", OTHER_PORT])
        .args(["--pidfile", "turnserver.pid", "--userdb", "turnserver.db"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = Process::start(Some(&net.server), Family::Whole, command).unwrap();
    // A binding request (RFC 8489); the server's own address needs no gateway.
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let socket = net.server.udp("203.0.113.2:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let deadline = Instant::now() + PATIENCE;
    for address in
        [SERVER, STRANGER].into_iter().flat_map(|ip| [PORT, OTHER_PORT].map(|port| format!("{ip}:{port}")))
    {
        loop {
            socket.send_to(&request, &address).unwrap();
            if socket.recv_from(&mut [0; 512]).is_ok() {
                break;
            }
            assert!(Instant::now() < deadline, "coturn does not answer at {address}");
        }
    }
    process
}

/// Returns what the discovery says of a gateway with such settings.
fn discover(nat: &str, more: &[&str]) -> String {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let _server = stun(&net, directory.path());
    let config = format!("{CONFIG}{nat}\n");
    let daemon = Daemon::start(&net.gateway, Path::new(PROGRAM), directory.path(), &config).unwrap();
    let mut command = Command::new(installed("turnutils_natdiscovery").unwrap());
    command.args(["-m", "-f", "-p", PORT]).args(more).arg(SERVER).stdin(Stdio::null());
    let output = net.client.run(move || command.output()).unwrap();
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn coturn_classifies_mapping_and_filtering_as_configured() {
    let kinds = [
        ("endpoint_independent", "Endpoint Independent"),
        ("address_dependent", "Address Dependent"),
        ("address_and_port_dependent", "Address and Port Dependent"),
    ];
    let [independent, address, both] = kinds;
    let cases = [
        (independent, independent),
        (independent, address),
        (independent, both),
        (address, address),
        (both, both),
    ];
    // At once, as the discovery waits for seconds for what does not come.
    std::thread::scope(|scope| {
        for (mapping, filtering) in cases {
            scope.spawn(move || {
                // Only such a filter lets a host's own packet in, as it would anybody's.
                let turns = filtering == independent;
                let more = if turns { &["-H"][..] } else { &[] };
                let nat = format!("mapping = \"{}\"\nfiltering = \"{}\"", mapping.0, filtering.0);
                let said = discover(&nat, more);
                let verdicts: Vec<&str> = said.lines().filter(|line| line.starts_with("NAT with ")).collect();
                let expected = [
                    format!("NAT with {} Mapping!", mapping.1),
                    format!("NAT with {} Filtering!", filtering.1),
                ];
                assert_eq!(verdicts, expected, "{mapping:?} {filtering:?}: {said}");
                assert!(!said.contains("ALG detected"), "{said}");
                assert_eq!(said.contains("successful hairpinning"), turns, "{said}");
            });
        }
    });
}
