//! A running `pinhole serve`, and a client of its API.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::PATIENCE;

/// Waits until whatever runs in a directory has ended, and removes it. Its input ends with the test.
const CARETAKER: &str = r#"
read -r _
for _ in $(seq 300); do
    [ -e "$1/postgres/data/postmaster.pid" ] || break
    sleep 0.1
done
rm -rf "$1"
"#;

/// A data directory, which is removed when the test ends and Postgres has ended, too.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _caretaker: std::process::Child,
}

impl DataDir {
    pub(crate) fn new() -> Self {
        let path = tempfile::Builder::new().prefix("pinhole-serve-").tempdir().unwrap().keep();
        // Postgres may run as another user, who has to get through.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let caretaker = std::process::Command::new("sh")
            .args(["-c", CARETAKER, "caretaker"])
            .arg(&path)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { path, _caretaker: caretaker }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The server process of its private Postgres.
    pub(crate) fn postgres(&self) -> Pid {
        let text = std::fs::read_to_string(self.path.join("postgres/data/postmaster.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
    }
}

/// A command of the program, without settings of the environment that the tests run in. It is killed with the test.
pub(crate) fn pinhole(arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_pinhole")]).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// A running controller.
#[derive(Debug)]
pub(crate) struct Controller {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    pub(crate) http: String,
    pub(crate) grpc: SocketAddr,
    /// What it announced before it was ready.
    pub(crate) login: Option<(String, String)>,
}

impl Controller {
    /// Starts one on free ports, without a gateway of its own, and waits until it is ready.
    pub(crate) async fn start(data: &DataDir, more: &[&str]) -> Self {
        let more: Vec<&str> = more.iter().copied().chain(["--no-embedded-gateway"]).collect();
        Self::with_gateway(data, &more).await
    }

    /// Starts one on free ports and waits until it is ready.
    pub(crate) async fn with_gateway(data: &DataDir, more: &[&str]) -> Self {
        let mut controller = Self::launch(data, "127.0.0.1:0", more);
        controller.ready().await;
        controller
    }

    /// Starts one without a gateway of its own that logs what a filter lets through.
    pub(crate) async fn start_verbose(data: &DataDir, filter: &str, more: &[&str]) -> Self {
        let more: Vec<&str> = more.iter().copied().chain(["--no-embedded-gateway"]).collect();
        let mut controller = Self::spawn(data, "127.0.0.1:0", &more, Some(filter));
        controller.ready().await;
        controller
    }

    /// Starts one, which may not get ready soon.
    pub(crate) fn launch(data: &DataDir, listen: &str, more: &[&str]) -> Self {
        Self::spawn(data, listen, more, None)
    }

    /// Starts one that logs what a filter lets through, which may not get ready soon.
    pub(crate) fn launch_verbose(data: &DataDir, listen: &str, filter: &str, more: &[&str]) -> Self {
        Self::spawn(data, listen, more, Some(filter))
    }

    fn spawn(data: &DataDir, listen: &str, more: &[&str], filter: Option<&str>) -> Self {
        let mut command = pinhole(&["serve", "--listen", listen, "--grpc-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(data.path()).args(more);
        if let Some(filter) = filter {
            command.env("PINHOLE_LOG", filter);
        }
        let log = data.path().join("log");
        let stderr = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut process = command.stderr(stderr).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let http = format!("http://{listen}");
        Self { process, lines, log, http, grpc: SocketAddr::from(([0, 0, 0, 0], 0)), login: None }
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) {
        loop {
            let line =
                timeout(PATIENCE, self.lines.next_line()).await.expect("it does not get ready").unwrap();
            let Some(line) = line else {
                panic!("it ended before it was ready: {}", std::fs::read_to_string(&self.log).unwrap());
            };
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["ready", http, grpc] => {
                    self.http = http.strip_prefix("http=").unwrap().to_owned();
                    self.grpc = grpc.strip_prefix("grpc=https://").unwrap().parse().unwrap();
                    return;
                }
                ["login", username, password] => {
                    let value = |word: &str, name| word.strip_prefix(name).unwrap().to_owned();
                    self.login = Some((value(username, "username="), value(password, "password=")));
                }
                _ => panic!("{line}"),
            }
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().unwrap().cast_signed())
    }

    /// Sends it a signal and waits for its end.
    pub(crate) async fn end(mut self, signal: Signal) -> ExitStatus {
        kill(self.pid(), signal).unwrap();
        timeout(PATIENCE, self.process.wait()).await.expect("it does not end").unwrap()
    }

    /// Asks without a token.
    pub(crate) async fn status(&self, path: &str) -> reqwest::Response {
        web().get(format!("{}{path}", self.http)).send().await.unwrap()
    }

    /// Sends a form without a token.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        web().post(format!("{}{path}", self.http)).form(fields).send().await.unwrap()
    }

    /// Signs in.
    pub(crate) async fn sign_in(&self, login: &(String, String)) -> Client {
        let form = [("grant_type", "password"), ("username", &login.0), ("password", &login.1)];
        let request = web().post(format!("{}/v1/auth/token", self.http)).form(&form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let tokens: Value = response.json().await.unwrap();
        Client { http: self.http.clone(), token: tokens["access_token"].as_str().unwrap().to_owned() }
    }
}

/// A client without a name.
pub(crate) fn web() -> reqwest::Client {
    pinhole::tls::client_builder().build().unwrap()
}

/// A signed-in user of the API.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: String,
    token: String,
}

impl Client {
    /// Its access token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The same user, whom a controller on the same database knows as well.
    pub(crate) fn on(&self, controller: &Controller) -> Self {
        Self { http: controller.http.clone(), token: self.token.clone() }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Response {
        let url = format!("{}/v1/tenants/provider/{path}", self.http);
        let request = web().request(method, url).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.send(Method::GET, path, None).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let response = self.send(Method::POST, path, Some(body)).await;
        assert!(response.status().is_success(), "{path}: {}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    /// Changes whatever version there is by a merge patch.
    pub(crate) async fn change(&self, path: &str, patch: &Value) {
        let url = format!("{}/v1/tenants/provider/{path}", self.http);
        let request = web().patch(url).bearer_auth(&self.token).header("if-match", "*");
        let response = request.json(patch).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}: {}", response.text().await.unwrap());
    }

    /// Reads a path until the answer is as wanted; an error is an answer that is not.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let look = async {
            loop {
                let response = self.send(Method::GET, path, None).await;
                last = response.json().await.unwrap();
                if wanted(&last) {
                    return last.clone();
                }
            }
        };
        match timeout(PATIENCE, look).await {
            Ok(answer) => answer,
            Err(_) => panic!("{path} never was as wanted, but {last}"),
        }
    }
}

/// Runs the program to its end and returns how it ended and what it said.
pub(crate) async fn run(mut command: Command) -> (ExitStatus, String, String) {
    let mut process = command.spawn().unwrap();
    let (mut stdout, mut stderr) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
    let (mut out, mut err) = (String::new(), String::new());
    let ended = async {
        let (status, ..) =
            tokio::join!(process.wait(), stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
        status.unwrap()
    };
    let status = timeout(PATIENCE, ended).await.expect("it does not end");
    (status, out, err)
}
