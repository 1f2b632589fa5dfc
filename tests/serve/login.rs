//! `pinhole login`: the program, an issuer that other people have made, and a browser between them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;

use nix::sys::signal::Signal;
use pinhole_lab::Issuer;
use pinhole_lab::issuer::{CLIENT, ClaimsIn, SECRET};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::controller::{Controller, DataDir, pinhole, web};

/// Somebody's home directory on the host of a browser.
struct Home {
    directory: TempDir,
    server: String,
}

impl Home {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pinhole(arguments);
        command.env("HOME", self.directory.path()).env("PINHOLE_SERVER", &self.server);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    fn session(&self) -> PathBuf {
        self.directory.path().join(".local/state/pinhole/session.json")
    }

    /// What is kept, as if time had passed.
    fn age(&self) {
        let mut session: Value = serde_json::from_slice(&std::fs::read(self.session()).unwrap()).unwrap();
        session["expires_at"] = json!(0);
        std::fs::write(self.session(), session.to_string()).unwrap();
    }
}

/// Goes where the program says, signs in, and comes back to it.
async fn browse(issuer: &Issuer, start: &str, account: &str, secrets: &mut Vec<String>) -> reqwest::Response {
    let web = web();
    let begun = web.get(start).send().await.unwrap();
    assert_eq!(begun.status(), 303, "{}", begun.text().await.unwrap());
    let header = |name: &str| begun.headers()[name].to_str().unwrap().to_owned();
    let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
    let back = issuer.sign_in(&header("location"), account).await.unwrap();
    secrets.push(cookie.split_once('=').unwrap().1.to_owned());
    secrets.push(back.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned());
    let answer = web.get(back).header("cookie", cookie).send().await.unwrap();
    if answer.status() != 303 {
        return answer;
    }
    let on = answer.headers()["location"].to_str().unwrap();
    assert!(on.starts_with("http://127.0.0.1:"), "{on}");
    secrets.push(on.split_once("code=").unwrap().1.to_owned());
    web.get(on).send().await.unwrap()
}

/// A controller that trusts an issuer.
async fn scene(data: &DataDir) -> (Controller, Issuer, TempDir) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let issuer = Issuer::start(&format!("http://{listen}/v1/auth/oidc/callback"), ClaimsIn::IdToken).unwrap();
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("secret"), SECRET).unwrap();
    let file = files.path().join("oidc.toml");
    let text = format!(
        "issuer = '{}'\nclient_id = '{CLIENT}'\nclient_secret_file = 'secret'\nca_file = '{}'\n\
         scopes = ['profile', 'groups']\n\
         [[grant]]\nclaim = 'groups'\nvalue = 'root'\nrole = 'service_provider_administrator'\n",
        issuer.url(),
        issuer.ca_file().display(),
    );
    std::fs::write(&file, text).unwrap();
    let arguments = ["--oidc", file.to_str().unwrap(), "--no-embedded-gateway"];
    let mut controller = Controller::launch_verbose(data, &listen, "trace,sqlx=debug", &arguments);
    controller.ready().await;
    (controller, issuer, files)
}

#[tokio::test]
async fn a_person_signs_in_with_a_browser_stays_so_and_signs_out() {
    let data = DataDir::new();
    let (controller, issuer, _files) = scene(&data).await;
    let home = Home { directory: tempfile::tempdir().unwrap(), server: controller.http.clone() };
    let nobody = home.run(&["tenant", "list"]).await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8(nobody.stderr).unwrap().contains("`pinhole login`"));

    let mut login = home.command(&["login"]).spawn().unwrap();
    let mut lines = BufReader::new(login.stdout.take().unwrap()).lines();
    let start = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("it says nothing");
        if line.starts_with("http") {
            break line;
        }
    };
    let mut secrets = vec![SECRET.to_owned()];
    // Somebody without a place here is refused, and the program waits for another try.
    let refused = browse(&issuer, &start, "nobody", &mut secrets).await;
    assert_eq!(refused.status(), 403);
    let port = start.rsplit_once('=').unwrap().1;
    let nothing = web().get(format!("http://127.0.0.1:{port}/favicon.ico")).send().await.unwrap();
    assert_eq!(nothing.status(), 404);
    let page = browse(&issuer, &start, "root", &mut secrets).await;
    assert_eq!(page.status(), 200);
    assert!(timeout(PATIENCE, login.wait()).await.unwrap().unwrap().success());

    assert_eq!(std::fs::metadata(home.session()).unwrap().permissions().mode() & 0o777, 0o600);
    let list = ["user", "list", "--tenant", "provider"];
    let listed = String::from_utf8(home.run(&list).await.stdout).unwrap();
    assert!(listed.contains("root-example.com"), "{listed}");
    // Both need the one refresh token, and each leaves one for the next.
    home.age();
    let (one, two) = tokio::join!(home.run(&list), home.run(&list));
    assert!(one.status.success() && two.status.success(), "{one:?} {two:?}");
    home.age();
    assert!(home.run(&list).await.status.success());
    let elsewhere = home.command(&list).env("PINHOLE_SERVER", "http://127.0.0.1:1").output().await.unwrap();
    assert!(String::from_utf8(elsewhere.stderr).unwrap().contains("not at http://127.0.0.1:1"));

    let kept: Value = serde_json::from_slice(&std::fs::read(home.session()).unwrap()).unwrap();
    assert!(home.run(&["logout"]).await.status.success());
    assert!(!home.session().exists());
    assert_eq!(home.run(&list).await.status.code(), Some(1));
    let me = web().get(format!("{}/v1/auth/me", controller.http));
    let me = me.bearer_auth(kept["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(me.status(), 401, "the sign-in is only forgotten");
    assert!(controller.end(Signal::SIGTERM).await.success());

    secrets.extend(["access_token", "refresh_token"].map(|field| kept[field].as_str().unwrap().to_owned()));
    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(log.contains("TRACE") && log.contains("signed in with the issuer"), "it logs too little");
    for secret in &secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "a secret is in the log");
    }
}

#[tokio::test]
async fn settings_that_are_wrong_keep_it_from_starting() {
    let data = DataDir::new();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("oidc.toml");
    let good = "issuer = 'https://login.example.com'\nclient_id = 'x'\n\
                [[grant]]\nclaim = 'g'\nvalue = 'v'\nrole = 'service_provider_operator'\n";
    for (text, more, told) in [
        ("issuer = 1", "http://127.0.0.1:1", "PINHOLE_OIDC"),
        ("issuer = 'https://login.example.com'\nclient_id = 'x'\n", "http://127.0.0.1:1", "no grant"),
        (good, "http://pinhole.example.com", "PINHOLE_PUBLIC_URL"),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut command = pinhole(&["serve", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(data.path()).arg("--no-embedded-gateway").arg("--oidc").arg(&file);
        let (status, stdout, stderr) = crate::controller::run({
            command.args(["--public-url", more]);
            command
        })
        .await;
        assert_eq!((status.code(), stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains(told) && stderr.lines().count() == 1, "{told}: {stderr}");
    }
}
