//! Throughput through the gateway against kernel nftables masquerade: the same three hosts and veths, the same
//! iperf3, turn by turn in one run. Needs root, or `unshare -U --map-current-user --keep-caps`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::Signal;
use pinhole_lab::net::SERVER;
use pinhole_lab::process::Family;
use pinhole_lab::{Daemon, Net, Process};
use serde_json::Value;

/// Turns of each side.
const TURNS: usize = 5;
/// Seconds of one measurement.
const SECONDS: &str = "4";
/// Payload of a small packet, in bytes.
const SMALL: &str = "64";

const MASQUERADE: &str = "table ip bench {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname \"out0\" masquerade
    }
}
";

const GATEWAY: &str = r#"inside = ["in0"]
outside = ["out0"]
[nat]
inside_prefixes = ["10.0.0.0/24"]
pool = ["203.0.113.1"]
"#;

/// What one turn reached.
#[derive(Clone, Copy)]
struct Rates {
    /// One TCP stream, in Gbit/s.
    tcp: f64,
    /// Small UDP packets that arrived, in thousands per second.
    udp: f64,
}

fn server(net: &Net) -> anyhow::Result<Process> {
    let mut command = Command::new("iperf3");
    command.args(["-s", "--forceflush"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Process::start(Some(&net.server), Family::Alone, command)?;
    while !server.line()?.contains("Server listening") {}
    Ok(server)
}

fn iperf(net: &Net, arguments: &[&str]) -> anyhow::Result<Value> {
    let mut command = Command::new("iperf3");
    command.args(["-J", "-t", SECONDS, "-c", SERVER]).args(arguments);
    let output = net.client.run(|| command.output()).context("iperf3 cannot be started")?;
    let answer: Value = serde_json::from_slice(&output.stdout).context("iperf3 did not answer in JSON")?;
    if let Some(error) = answer.get("error") {
        bail!("iperf3: {error}");
    }
    Ok(answer)
}

fn number(answer: &Value, path: &str) -> anyhow::Result<f64> {
    answer.pointer(path).and_then(Value::as_f64).with_context(|| format!("iperf3's answer has no {path}"))
}

fn measure(net: &Net) -> anyhow::Result<Rates> {
    let _server = server(net)?;
    let tcp = number(&iperf(net, &[])?, "/end/sum_received/bits_per_second")? / 1e9;
    let answer = iperf(net, &["-u", "-b", "0", "-l", SMALL])?;
    let arrived = number(&answer, "/end/sum/packets")? - number(&answer, "/end/sum/lost_packets")?;
    Ok(Rates { tcp, udp: arrived / number(&answer, "/end/sum/seconds")? / 1e3 })
}

fn kernel(net: &Net, directory: &Path) -> anyhow::Result<Rates> {
    let rules = directory.join("masquerade.nft");
    fs::write(&rules, MASQUERADE)?;
    net.gateway.command(&format!("nft -f {}", rules.display()))?;
    net.gateway.set_sysctl("ipv4/ip_forward", "1")?;
    let rates = measure(net);
    net.gateway.set_sysctl("ipv4/ip_forward", "0")?;
    net.gateway.command("nft delete table ip bench")?;
    rates
}

fn gateway(net: &Net, directory: &Path) -> anyhow::Result<Rates> {
    let program = Path::new(env!("CARGO_BIN_EXE_pinhole-gateway"));
    let daemon = Daemon::start(&net.gateway, program, directory, GATEWAY)?;
    let rates = measure(net);
    ensure!(daemon.end(Signal::SIGTERM)?.success(), "the gateway did not end well");
    rates
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> anyhow::Result<()> {
    let net = Net::new()?;
    let directory = tempfile::tempdir()?;
    println!("one TCP stream in Gbit/s, UDP packets of {SMALL} bytes that arrive in thousands per second");
    println!(
        "{:>4} {:>12} {:>12} {:>12} {:>12}",
        "turn", "kernel TCP", "gateway TCP", "kernel UDP", "gateway UDP"
    );
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        let there = kernel(&net, directory.path())?;
        let here = gateway(&net, directory.path())?;
        println!("{turn:>4} {:>12.2} {:>12.2} {:>12.1} {:>12.1}", there.tcp, here.tcp, there.udp, here.udp);
        tcp.push(here.tcp / there.tcp);
        udp.push(here.udp / there.udp);
    }
    println!(
        "gateway to kernel masquerade, median of {TURNS}: TCP {:.2}, small UDP {:.2}",
        median(tcp),
        median(udp)
    );
    Ok(())
}
