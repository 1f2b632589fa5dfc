//! The daemon asked on its own host, as its administrator does.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use pinhole_lab::net::{PATIENCE, SERVER};
use pinhole_lab::{Daemon, Net, Scratch};
use serde_json::Value;

use crate::CONFIG;
use crate::embedded::{connect, exchange};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pinhole-gateway");

fn ask(net: &Net, directory: &Path, arguments: &[&str]) -> Output {
    let run = || {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--run-dir", "run"]).current_dir(directory).output()
    };
    net.gateway.run(run).expect("the program runs")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = std::str::from_utf8(&output.stdout).expect("the output is text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn list(net: &Net, directory: &Path, arguments: &[&str]) -> Vec<Value> {
    lines(&ask(net, directory, &[arguments, &["--json"]].concat()))
}

#[test]
fn the_administrator_sees_what_goes_through_and_ends_it() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let daemon = Daemon::start(&net.gateway, Path::new(PROGRAM), directory.path(), CONFIG).unwrap();
    let listener = net.server.listen(&format!("{SERVER}:0")).unwrap();
    let (mut client, mut server, seen) = connect(&net, &listener);
    exchange(&mut client, &mut server);
    let (_other_client, _other_server, _) = connect(&net, &listener);
    let inside = client.local_addr().unwrap();

    let sessions = list(&net, directory.path(), &["sessions"]);
    assert_eq!(sessions.len(), 2);
    let port = inside.port().to_string();
    let [session] = &list(&net, directory.path(), &["sessions", "--port", &port])[..] else {
        panic!("not one")
    };
    assert_eq!(session["inside"], inside.to_string());
    assert_eq!(session["outside"], seen.to_string());
    assert_eq!((&session["state"], &session["alg"]), (&Value::from("established"), &Value::Null));
    for nothing in [["--address", "10.0.0.9"], ["--protocol", "udp"], ["--state", "closed"], ["--alg", "ftp"]]
    {
        assert_eq!(list(&net, directory.path(), &["sessions", nothing[0], nothing[1]]), [] as [Value; 0]);
    }
    assert_eq!(list(&net, directory.path(), &["sessions", "--limit", "1"]).len(), 1);
    let [mapping, _] = &list(&net, directory.path(), &["mappings"])[..] else { panic!("not two") };
    assert_eq!((&mapping["remote"], &mapping["holders"]), (&"0.0.0.0:0".into(), &1.into()));
    assert_eq!(list(&net, directory.path(), &["pinholes"]), [] as [Value; 0]);
    let [subscriber] = &list(&net, directory.path(), &["subscribers"])[..] else { panic!("not one") };
    assert_eq!((&subscriber["address"], &subscriber["sessions"]), (&"10.0.0.2".into(), &2.into()));
    assert_eq!((&subscriber["ports"], &subscriber["refused"]), (&2.into(), &0.into()));
    let [status] = &list(&net, directory.path(), &["status"])[..] else { panic!("not one") };
    assert_eq!((&status["running"], &status["link"]), (&true.into(), &"none".into()));
    assert_eq!((&status["sessions"], &status["fault"]), (&2.into(), &Value::Null));

    let table = ask(&net, directory.path(), &["sessions"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.starts_with("ID ") && text.lines().count() == 3, "{text}");

    let id = session["id"].as_str().unwrap();
    assert!(ask(&net, directory.path(), &["kill", "--session", id]).status.success());
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(client.read(&mut [0; 1]).is_err(), "the connection is still there");
    let again = ask(&net, directory.path(), &["kill", "--session", id]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("not there"));
    assert_eq!(list(&net, directory.path(), &["sessions"]).len(), 1);
    let refused = ask(&net, directory.path(), &["sessions", "--state", "new"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("\"new\" is no state"), "{refused:?}");
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
    let ended = ask(&net, directory.path(), &["status"]);
    assert!(!ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("no gateway answers at"), "{ended:?}");
}

#[test]
fn nobody_else_may_ask() {
    let (net, directory) = (Net::new().unwrap(), Scratch::new().unwrap());
    let daemon = Daemon::start(&net.gateway, Path::new(PROGRAM), directory.path(), CONFIG).unwrap();
    let entries = std::fs::read_dir(directory.path().join("run")).unwrap();
    let is_socket = |path: &std::path::PathBuf| path.extension().is_some_and(|is| is == "sock");
    let socket = entries.map(|entry| entry.unwrap().path()).find(is_socket).unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // A socket that is left by a kill is no obstacle.
    daemon.end(Signal::SIGKILL).unwrap();
    assert!(socket.exists());
    let daemon = Daemon::start(&net.gateway, Path::new(PROGRAM), directory.path(), CONFIG).unwrap();
    assert!(ask(&net, directory.path(), &["status"]).status.success());
    assert!(daemon.end(Signal::SIGTERM).unwrap().success());
    assert!(!socket.exists());
}
