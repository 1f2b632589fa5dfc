use std::io::{self, PipeReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::*;
use crate::Scratch;
use crate::net::PATIENCE;

/// How often a directory is looked for until it is gone.
const INTERVAL: Duration = Duration::from_millis(10);

/// Makes a child of the test the one that holds processes.
const HOLDER: &str = "PINHOLE_LAB_TEST_HOLDER";

/// A shell with a child of its own, both of which have the pipe; says `up` when both are there.
fn shell(pipe: impl Into<Stdio>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 & echo up; wait"]).stdout(Stdio::piped()).stderr(pipe);
    command
}

/// Returns when every process that has the pipe has ended.
fn wait_for_end(mut pipe: PipeReader) {
    assert_eq!(pipe.read(&mut [0]).expect("a pipe can be read"), 0);
}

#[test]
fn a_whole_family_ends_with_its_value() {
    let (reader, writer) = io::pipe().unwrap();
    let mut process = Process::start(None, Family::Whole, shell(writer)).unwrap();
    assert_eq!(process.line().unwrap(), "up");
    assert_eq!(process.ended().unwrap(), None);
    drop(process);
    wait_for_end(reader);
}

#[test]
fn nothing_outlives_a_killed_holder() {
    if std::env::var_os(HOLDER).is_some() {
        hold();
    }
    let (reader, writer) = io::pipe().unwrap();
    let mut holder = Command::new(std::env::current_exe().unwrap());
    holder
        .args(["--exact", "process::tests::nothing_outlives_a_killed_holder", "--nocapture"])
        .env(HOLDER, "1")
        .stdout(Stdio::piped())
        .stderr(writer);
    let mut holder = Process::start(None, Family::Alone, holder).unwrap();
    // The test runner has something to say before.
    let directory = loop {
        if let Some(path) = holder.line().unwrap().strip_prefix("directory=") {
            break PathBuf::from(path);
        }
    };
    assert_eq!(holder.line().unwrap(), "up");
    assert!(directory.is_dir());
    holder.signal(Signal::SIGKILL).unwrap();
    assert!(!holder.wait().unwrap().success());
    wait_for_end(reader);
    let deadline = Instant::now() + PATIENCE;
    while directory.exists() {
        assert!(Instant::now() < deadline, "{} is left", directory.display());
        std::thread::sleep(INTERVAL);
    }
}

/// Holds a directory, and a process of each kind with this process's standard error, until it is killed.
fn hold() -> ! {
    let mut alone = Command::new("sleep");
    alone.arg("1000");
    let _alone = Process::start(None, Family::Alone, alone).expect("it starts");
    let directory = Scratch::new().expect("it is made");
    println!("directory={}", directory.path().display());
    let mut whole = Process::start(None, Family::Whole, shell(Stdio::inherit())).expect("it starts");
    println!("{}", whole.line().expect("it says so"));
    loop {
        std::thread::park();
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = Process::start(None, Family::Alone, Command::new("/nowhere/program")).unwrap_err();
    assert!(format!("{error:#}").starts_with("cannot start /nowhere/program: "), "{error:#}");
}

#[test]
fn a_directory_ends_with_its_value() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.path().to_owned();
    std::fs::write(path.join("file"), "something").unwrap();
    drop(scratch);
    assert!(!path.exists());
}
