//! Ten thousand gateways on one controller: what a connection costs in memory, how long a publication takes to all of
//! them and to one, how fast they come, and what they cost when nothing happens.
//!
//! The controller is `pinhole serve` with its private Postgres, as anybody starts it. The gateways are played by this
//! program in a second process: real TCP, TLS 1.3 with a certificate each, HTTP/2 and gRPC over the loopback. Everything
//! shares the machine's cores.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints and may fail loudly"
)]

#[path = "../tests/serve/bulk.rs"]
mod bulk;
#[path = "../tests/serve/controller.rs"]
#[expect(dead_code, reason = "what only the tests say")]
mod controller;

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use pinhole::app::bootstrap;
use pinhole::clock::SystemClock;
use pinhole::store::Store;
use pinhole_lab::Fleet;
use pinhole_lab::fleet::Credentials;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions as _, PgConnection};
use uuid::Uuid;

use controller::{Client, Controller, DataDir};

/// Far above what anything here takes; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(300);
/// Gateways, if the limit of open files allows.
const GATEWAYS: usize = 10_000;
/// Open files that a process needs for other things.
const OTHER_FILES: u64 = 500;
/// Publications to all, and publications to one.
const ROUNDS: usize = 7;
const SINGLES: usize = 300;
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// What the first argument of the process is that plays the gateways.
const PLAY: &str = "play-gateways";

/// Raises the limit of open files as far as it goes and says how far that is.
fn raise_open_files() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    hard
}

/// Plays the gateways until the input ends.
#[tokio::main]
async fn play(controller: SocketAddr, credentials: &Path) {
    raise_open_files();
    let credentials: Credentials = serde_json::from_slice(&fs::read(credentials).unwrap()).unwrap();
    let count = credentials.certificates.len();
    let fleet = Fleet::start(vec![controller], credentials, 1, None);
    fleet.until(|tally| tally.connected == count).await;
    println!("connected");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await.unwrap().unwrap();
}

/// The process that plays the gateways. It ends with this one.
struct Gateways {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Gateways {
    fn start(controller: SocketAddr, credentials: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([PLAY, &controller.to_string()])
            .arg(credentials)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn connected(&mut self) {
        assert_eq!(self.lines.next().unwrap().unwrap(), "connected");
    }

    fn stop(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

/// Resident memory of a process, in bytes.
fn memory(process: Pid) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

/// Processor time of a process so far.
fn processor_time(process: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name before may have spaces in it; user and system time are the fields 14 and 15, in hundredths.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(10 * ticks)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A controller, its database and who asks it.
struct Bench {
    controller: Controller,
    client: Client,
    owner: PgConnection,
    news: PgListener,
}

impl Bench {
    async fn start(data: &DataDir) -> (Self, PgConnectOptions) {
        let controller = Controller::start(data, &[]).await;
        let client = controller.sign_in(&controller.login.clone().unwrap()).await;
        let socket = data.path().join("postgres");
        let options = PgConnectOptions::new().username("pinhole").database("pinhole").socket(socket);
        let owner = options.connect().await.unwrap();
        let pool = sqlx::PgPool::connect_with(options.clone()).await.unwrap();
        let mut news = PgListener::connect_with(&pool).await.unwrap();
        news.listen("pinhole_publications").await.unwrap();
        (Self { controller, client, owner, news }, options)
    }

    /// Publishes and waits for the end; says when the request was answered and when all had applied it.
    async fn publish(&mut self, order: &Value) -> (Duration, Duration) {
        let start = Instant::now();
        let made = self.client.post("publications", order).await;
        let answered = start.elapsed();
        let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
        loop {
            let state: String = sqlx::query_scalar("SELECT state FROM publications WHERE id = $1")
                .bind(id)
                .fetch_one(&mut self.owner)
                .await
                .unwrap();
            match state.as_str() {
                "running" => drop(self.news.recv().await.unwrap()),
                state => {
                    assert_eq!(state, "succeeded");
                    return (answered, start.elapsed());
                }
            }
        }
    }

    async fn rows_written(&mut self) -> i64 {
        sqlx::query_scalar("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'appliance_states'")
            .fetch_one(&mut self.owner)
            .await
            .unwrap()
    }
}

async fn bench() {
    let hard = raise_open_files();
    let count = usize::try_from(hard.saturating_sub(OTHER_FILES)).unwrap().min(GATEWAYS);
    println!("{count} gateways; a process may open {hard} files");
    let data = DataDir::new();
    let (mut bench, options) = Bench::start(&data).await;
    let process = bench.controller.pid();

    let policy = bench.client.post("alg-policies", &json!({ "name": "bench" })).await;
    let policy = format!("alg-policies/{}", policy["id"].as_str().unwrap());
    let profile = json!({ "name": "bench", "kind": "basic", "alg_policy": "name:bench" });
    bench.client.post("master-profiles", &profile).await;
    let nat = json!({ "inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                      "pool": ["203.0.113.1"] });
    let template = json!({ "name": "template", "nat": nat, "master_profile": "name:bench" });
    bench.client.post("appliances", &template).await;
    let secret_key = fs::read_to_string(data.path().join("secret-key")).unwrap().trim().parse().unwrap();
    let store = Store::connect_lazily(options);
    let started = bootstrap::start(&store, &SystemClock, &secret_key, |_| Ok(())).await.unwrap();
    let start = Instant::now();
    let (appliances, credentials) = bulk::enrol(&mut bench.owner, &started.authority, count).await;
    println!("enrolled by SQL, with one key for all, in {:.1} s", start.elapsed().as_secs_f64());
    store.pool().close().await;
    let file = data.path().join("credentials.json");
    fs::write(&file, serde_json::to_vec(&credentials).unwrap()).unwrap();
    sqlx::query("VACUUM ANALYZE").execute(&mut bench.owner).await.unwrap();

    let before = memory(process);
    let start = Instant::now();
    let mut gateways = Gateways::start(bench.controller.grpc, &file);
    gateways.connected();
    println!("connected, each with a handshake, in {:.1} s", start.elapsed().as_secs_f64());
    println!("memory: {:.1} KiB a connection", per_connection(before, process, count));

    let (rows, time) = (bench.rows_written().await, processor_time(process));
    tokio::time::sleep(IDLE).await;
    let share = (processor_time(process) - time).as_secs_f64() / IDLE.as_secs_f64();
    let rows = bench.rows_written().await - rows;
    println!("idle, heartbeats every 5 s: {:.0} % of a core, {rows} rows written in {IDLE:?}", 100.0 * share);

    let order = json!({ "appliances": { "labels": { "fleet": "yes" } } });
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let protocols = json!({ "protocols": { "sip": { "enabled": round % 2 == 1 } } });
        bench.client.change(&policy, &protocols).await;
        let (answered, applied) = bench.publish(&order).await;
        println!("to all: answered after {answered:.0?}, applied by all after {applied:.0?}");
        answers.push(answered);
        times.push(applied);
    }
    println!(
        "to all: answered after {:.0?}, applied after {:.0?} (medians)",
        median(&mut answers),
        median(&mut times)
    );
    println!("memory: {:.1} KiB a connection", per_connection(before, process, count));

    let mut times = Vec::new();
    for index in 0..SINGLES {
        let appliance = appliances[index * 37 % count];
        times.push(bench.publish(&json!({ "appliances": [appliance] })).await.1);
    }
    let median = median(&mut times);
    println!("to one of them: median {median:.1?}, 99th percentile {:.1?}", times[SINGLES * 99 / 100]);

    gateways.stop();
    let start = Instant::now();
    let mut gateways = Gateways::start(bench.controller.grpc, &file);
    gateways.connected();
    println!("all gone and back in {:.1} s", start.elapsed().as_secs_f64());
    println!("memory: {:.1} KiB a connection", per_connection(before, process, count));
    gateways.stop();
    assert!(bench.controller.end(Signal::SIGTERM).await.success());
}

fn per_connection(before: f64, process: Pid, count: usize) -> f64 {
    (memory(process) - before) / 1024.0 / count as f64
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [play, controller, credentials] if play == PLAY => {
            self::play(controller.parse().unwrap(), Path::new(credentials))
        }
        _ => tokio::runtime::Runtime::new().unwrap().block_on(bench()),
    }
}
