//! The demonstration from beginning to end. Needs Postgres, vsftpd and curl, and root or the capabilities of
//! `unshare -U --map-current-user --keep-caps`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::Signal;
use pinhole_lab::net::PATIENCE;
use pinhole_lab::process::Family;
use pinhole_lab::{Process, Scratch};

/// How often processes are looked at until they have ended.
const INTERVAL: Duration = Duration::from_millis(10);

fn demonstration(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole-demo"));
    command.args(["--once", "--directory"]).arg(directory).stdin(Stdio::null());
    command
}

#[test]
fn it_does_the_job_and_leaves_nothing() {
    let directory = Scratch::new().unwrap();
    let output = demonstration(directory.path()).output().unwrap();
    let (said, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complaint}");
    for (line, count) in [
        ("\napplied ", 3),
        ("\nrewritten   EPRT |1|10.0.0.2|", 2),
        ("\n            EPRT |1|203.0.113.1|", 2),
        ("\npinhole     opened for 203.0.113.2:", 2),
        (" to 203.0.113.1:", 2),
        ("\n            closed: ", 2),
        (" on the server\n", 2),
        (" on the client\n", 2),
        (" fails now, as it must", 1),
    ] {
        assert_eq!(said.matches(line).count(), count, "{line:?} in:\n{said}");
    }
    assert!(said.ends_with("\ndone\n"), "{said}");
    assert_eq!(complaint, "");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn nothing_survives_it_when_it_is_ended() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let directory = Scratch::new().unwrap();
        let mut command = demonstration(directory.path());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::start(None, Family::Alone, command).unwrap();
        while !process.line().unwrap().starts_with("applied ") {}
        let running = descendants(process.id());
        for name in ["pinhole", "postgres", "vsftpd"] {
            assert!(running.iter().any(|one| one.name == name), "{name} is not among {running:?}");
        }
        process.signal(signal).unwrap();
        assert!(!process.wait().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        while let Some(left) = running.iter().find(|one| Running::read(one.id).as_ref() == Some(one)) {
            assert!(Instant::now() < deadline, "{signal} leaves {left:?}");
            thread::sleep(INTERVAL);
        }
    }
}

/// A process that has not ended.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Running {
    id: u32,
    name: String,
    parent: u32,
    /// With the id it is no other's.
    started: u64,
}

impl Running {
    /// Looks at a process (proc_pid_stat(5)); `None` when it has ended.
    fn read(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (start, rest) = stat.rsplit_once(") ")?;
        let (_, name) = start.split_once('(')?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let (state, parent, started) =
            (fields.first()?, fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?);
        (*state != "Z").then(|| Self { id, name: name.to_owned(), parent, started })
    }
}

/// Returns everything that a process has started and that runs.
fn descendants(id: u32) -> Vec<Running> {
    let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<Running> = ids.filter_map(Running::read).collect();
    let mut found: Vec<Running> = Vec::new();
    let mut parents = vec![id];
    while let Some(parent) = parents.pop() {
        let children = all.iter().filter(|one| one.parent == parent);
        parents.extend(children.clone().map(|one| one.id));
        found.extend(children.cloned());
    }
    found
}
