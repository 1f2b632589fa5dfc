//! The daemon's command line, as its users type it.

use std::path::Path;
use std::process::{Command, Output};

use pinhole_lab::daemon::STANDALONE;

fn gateway(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinhole-gateway"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the daemon's binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the output is text")
}

#[test]
fn check_accepts_the_documented_file_with_one_line() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("gateway.toml"), STANDALONE).unwrap();
    let output = gateway(&["check", "--config", "gateway.toml"], directory.path());
    assert!(output.status.success(), "{output:?}");
    let expected =
        "gateway.toml: OK: 1 inside and 1 outside interfaces, 1 inside prefixes, 1 pool addresses\n";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn check_prints_every_error_with_file_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    let text = STANDALONE
        .replace("[\"in0\"]", "[]")
        .replace("10.0.0.0/24", "10.0.0.0/40")
        .replace("enabled = true", "enable = true")
        .replace("\"2121\"", "\"0\"");
    std::fs::write(directory.path().join("bad.toml"), text).unwrap();
    let output = gateway(&["check", "--config", "bad.toml"], directory.path());
    assert_eq!(output.status.code(), Some(1));
    let expected = "\
bad.toml:1:10: inside is empty
bad.toml:4:20: \"10.0.0.0/40\" is not an IPv4 prefix such as 10.0.0.0/24
bad.toml:8:1: unknown key \"enable\" in [[alg]]; known are protocol, enabled, services
bad.toml:9:70: \"0\" is not a port from 1 to 65535
";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn run_refuses_a_bad_file_before_it_touches_anything() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("bad.toml"), "inside = 3\n").unwrap();
    let run_dir = directory.path().join("run");
    let output =
        gateway(&["run", "--config", "bad.toml", "--run-dir", run_dir.to_str().unwrap()], directory.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("bad.toml:1:10: \"inside\" is an integer"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert!(!run_dir.exists());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["check", "run"] {
        let output = gateway(&[command, "--config", "absent.toml"], directory.path());
        assert_eq!(output.status.code(), Some(1));
        let said = stdout(&output) + &stderr(&output);
        assert!(said.contains("absent.toml") && said.contains("cannot be read"), "{said}");
    }
}

#[test]
fn run_wants_exactly_one_source() {
    let directory = tempfile::tempdir().unwrap();
    let cases: [&[&str]; 4] = [
        &["run"],
        &[
            "run",
            "--config",
            "a",
            "--controller",
            "https://127.0.0.1:1",
            "--join-token-file",
            "t",
            "--state-dir",
            "s",
        ],
        &["run", "--controller", "https://127.0.0.1:1"],
        &["run", "--controller", "https://127.0.0.1:1", "--join-token-file", "t"],
    ];
    for arguments in cases {
        let output = gateway(arguments, directory.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_controllers_address_must_be_a_url() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["run", "--controller", "127.0.0.1:1", "--join-token-file", "t", "--state-dir", "s"];
    let output = gateway(&arguments, directory.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is not a controller's URL"), "{}", stderr(&output));
}

const DETERMINISTIC: &str = r#"inside = ["in0"]
outside = ["out0"]
[nat]
inside_prefixes = ["10.0.0.0/24"]
pool = ["203.0.113.0/30"]
ports = "2024-65535"
deterministic = { ports_per_subscriber = 500 }
forwards = [{ protocol = "tcp", outside_address = "203.0.113.0", outside_port = "80", inside_address = "10.0.0.7" }]
"#;

#[test]
fn lookup_tells_whose_an_outside_port_is_and_which_ports_are_whose() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("gateway.toml"), DETERMINISTIC).unwrap();
    let lookup = |queries: &[&str]| {
        gateway(&[&["lookup", "--config", "gateway.toml"], queries].concat(), directory.path())
    };
    let output = lookup(&["203.0.113.0:2024", "203.0.113.2:2523", "10.0.0.255", "203.0.113.0:80"]);
    assert!(output.status.success(), "{output:?}");
    let expected = "\
10.0.0.0 203.0.113.0 2024-2523
10.0.0.254 203.0.113.2 2024-2523
10.0.0.255 203.0.113.2 2524-3023
10.0.0.7 203.0.113.0 80 forward
";
    assert_eq!(stdout(&output), expected);
    let output = lookup(&["203.0.113.0:1024", "10.0.0.3", "10.0.1.0", "203.0.113.3:65535"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "\
203.0.113.0:1024 is nobody's
10.0.0.3 203.0.113.0 3524-4023
10.0.1.0 is nobody's
203.0.113.3:65535 is nobody's
";
    assert_eq!(stdout(&output), expected);
    assert_eq!(lookup(&["203.0.113.0"]).status.code(), Some(1), "an address without a port is an inside one");
    assert_eq!(lookup(&["x"]).status.code(), Some(2));
}

#[test]
fn lookup_says_when_only_events_can_tell() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("gateway.toml"), STANDALONE).unwrap();
    let output = gateway(&["lookup", "--config", "gateway.toml", "10.0.0.1"], directory.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no deterministic mapping"), "{}", stderr(&output));
    let output = gateway(&["lookup", "--state-dir", "absent", "10.0.0.1"], directory.path());
    assert!(stderr(&output).contains("there is no directory absent"), "{}", stderr(&output));
    assert!(!directory.path().join("absent").exists());
}

#[test]
fn too_few_ports_for_everybody_are_refused_where_they_stand() {
    let directory = tempfile::tempdir().unwrap();
    let text = DETERMINISTIC.replace("2024-65535", "2024-4023");
    std::fs::write(directory.path().join("bad.toml"), text).unwrap();
    let output = gateway(&["check", "--config", "bad.toml"], directory.path());
    let expected = "bad.toml:6:9: the ports 2024-4023 are enough for 16 of 256 inside addresses\n";
    assert_eq!(stdout(&output), expected);
}
