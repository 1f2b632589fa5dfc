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
