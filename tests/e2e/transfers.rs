//! curl and lftp against vsftpd in every mode, both ways, on the usual port and on the configured one.

use std::fs;

use pinhole_lab::daemon::STANDALONE;
use pinhole_lab::net::{GATEWAY_OUTSIDE, SERVER};

use crate::world::{FILE, PORTS, World, content};

/// How both clients are kept from waiting for ever, in seconds.
const LIMIT: &str = "30";
/// The commands that a client in active mode sends.
const ACTIVE: [&str; 2] = ["PORT", "EPRT"];
/// The commands that a client in passive mode sends.
const PASSIVE: [&str; 2] = ["PASV", "EPSV"];

/// Downloads and uploads with curl on every port, and returns the world to look at.
fn curl(options: &[&str], verb: &str) -> World {
    let world = World::new();
    for port in PORTS {
        let (url, upload) =
            (format!("ftp://{SERVER}:{port}/{FILE}"), format!("ftp://{SERVER}:{port}/upload/new"));
        let common = ["--silent", "--show-error", "--max-time", LIMIT];
        let download = [&common, options, &["--output", "downloaded", &url]].concat();
        let output = world.client("curl", &download);
        assert!(output.status.success(), "{output:?}");
        assert!(world.file("downloaded") == content(port), "port {port}: the download differs");

        let output =
            world.client("curl", &[&common, options, &["--upload-file", "downloaded", &upload]].concat());
        assert!(output.status.success(), "{output:?}");
        check_upload(&world, port);
        check_commands(&world, port, verb);
    }
    world
}

/// Downloads and uploads with lftp on every port, and returns the world to look at.
fn lftp(settings: &str, verb: &str) -> World {
    let world = World::new();
    for port in PORTS {
        world.write("to-upload", &content(port));
        let script = format!(
            "set net:timeout {LIMIT}; set net:max-retries 1; set xfer:clobber yes; {settings}; \
             open ftp://{SERVER}:{port}; get {FILE} -o downloaded; put to-upload -o upload/new"
        );
        let output = world.client("lftp", &["--norc", "-c", &script]);
        assert!(output.status.success(), "{output:?}");
        assert!(world.file("downloaded") == content(port), "port {port}: the download differs");
        check_upload(&world, port);
        check_commands(&world, port, verb);
    }
    world
}

fn check_upload(world: &World, port: u16) {
    let uploaded = fs::read(world.server(port).files().join("upload/new")).expect("the upload is there");
    assert!(uploaded == content(port), "port {port}: the upload differs");
}

/// Checks that data went in the mode that the test is about, and that the server was told of no inside address.
fn check_commands(world: &World, port: u16, verb: &str) {
    let commands = world.received(port, &[ACTIVE, PASSIVE].concat());
    assert_eq!(commands.len(), 2, "{commands:?}");
    let own = [GATEWAY_OUTSIDE.to_owned(), GATEWAY_OUTSIDE.replace('.', ",")];
    for command in &commands {
        assert!(command.starts_with(verb), "{commands:?}");
        let names_gateway = own.iter().any(|address| command.contains(address.as_str()));
        assert_eq!(names_gateway, ACTIVE.contains(&verb), "{command}");
    }
}

/// Checks that each transfer had one pinhole, and that none is left.
fn check_pinholes(world: &World) {
    world.wait_until_closed(2 * PORTS.len());
    assert_eq!(world.events("PinholeOpened").len(), 2 * PORTS.len());
}

#[test]
fn curl_in_active_mode_with_eprt() {
    check_pinholes(&curl(&["--ftp-port", "-"], "EPRT"));
}

#[test]
fn curl_in_active_mode_with_port() {
    check_pinholes(&curl(&["--ftp-port", "-", "--disable-eprt"], "PORT"));
}

#[test]
fn curl_in_passive_mode_with_epsv() {
    let world = curl(&[], "EPSV");
    assert_eq!(world.events("PinholeOpened"), [""; 0]);
}

#[test]
fn curl_in_passive_mode_with_pasv() {
    let world = curl(&["--disable-epsv"], "PASV");
    assert_eq!(world.events("PinholeOpened"), [""; 0]);
}

#[test]
fn lftp_in_active_mode() {
    check_pinholes(&lftp("set ftp:passive-mode off", "PORT"));
}

#[test]
fn lftp_in_passive_mode_with_pasv() {
    lftp("set ftp:passive-mode on", "PASV");
}

#[test]
fn lftp_in_passive_mode_with_epsv() {
    lftp("set ftp:passive-mode on; set ftp:prefer-epsv on", "EPSV");
}

#[test]
fn without_the_alg_active_mode_fails_and_passive_mode_works() {
    let world = World::with(&STANDALONE.replace("enabled = true", "enabled = false"));
    for port in PORTS {
        let url = format!("ftp://{SERVER}:{port}/{FILE}");
        let common = ["--silent", "--show-error", "--max-time", LIMIT, "--output", "downloaded"];
        let output = world.client("curl", &[&common[..], &["--ftp-port", "-", &url]].concat());
        // 30: the server took neither EPRT nor PORT, which name an address that is not its peer's.
        assert_eq!(output.status.code(), Some(30), "{output:?}");
        let output = world.client("curl", &[&common[..], &[&url]].concat());
        assert!(output.status.success(), "{output:?}");
        assert!(world.file("downloaded") == content(port), "port {port}: the download differs");
    }
    assert_eq!(world.events("AlgRewrite"), [""; 0]);
}
