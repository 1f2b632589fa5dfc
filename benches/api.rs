//! The REST API against a bare axum and sqlx handler that reads the same rows over the same pool: requests per second
//! of wrk, turn by turn in one run.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints and may fail loudly"
)]

#[path = "../tests/api/support/cluster.rs"]
mod cluster;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use pinhole::access::seal::SecretKey;
use pinhole::app::{AppState, bootstrap};
use pinhole::clock::SystemClock;
use pinhole::store::{self, Store};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Executor as _, PgPool};
use uuid::Uuid;

use cluster::Cluster;

/// Turns of each side; the median ratio counts.
const TURNS: usize = 5;
/// The least that the API's rate may be of the bare handler's.
const TARGET: f64 = 0.6;
const WRK: [&str; 6] = ["-t", "1", "-c", "16", "-d", "3s"];
/// Policies of the tenant.
const POLICIES: usize = 100;

/// Serves a router on a free port.
async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// What the least program for the job would do.
fn bare(pool: PgPool) -> Router {
    async fn one(State(pool): State<PgPool>, Path(id): Path<Uuid>) -> Json<Value> {
        let row = sqlx::query_scalar("SELECT to_jsonb(o) FROM objects o WHERE id = $1").bind(id);
        Json(row.fetch_one(&pool).await.unwrap())
    }
    async fn page(State(pool): State<PgPool>) -> Json<Value> {
        let rows: Vec<Value> = sqlx::query_scalar(
            "SELECT to_jsonb(o) FROM objects o WHERE kind = 'alg_policy' ORDER BY name_key LIMIT 10",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        Json(Value::from(rows))
    }
    Router::new().route("/one/{id}", get(one)).route("/page", get(page)).with_state(pool)
}

/// Returns requests per second.
fn wrk(url: &str, token: &str) -> f64 {
    let output = Command::new("wrk")
        .args(WRK)
        .args(["-H", &format!("Authorization: Bearer {token}"), url])
        .output()
        .expect("wrk is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).expect("wrk prints a rate");
    line.trim().parse().unwrap()
}

/// Fills a tenant and returns an access token and the id of a policy.
async fn fill(base: &str, username: &str, password: &str) -> (String, String) {
    let client = pinhole::tls::client_builder().build().expect("TLS works");
    let form = [("grant_type", "password"), ("username", username), ("password", password)];
    let answer = client.post(format!("{base}/v1/auth/token")).form(&form).send().await.unwrap();
    let tokens: Value = answer.error_for_status().unwrap().json().await.unwrap();
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let post = async |path: &str, body: Value| -> String {
        let request =
            client.post(format!("{base}/v1/tenants/provider/{path}")).bearer_auth(&token).json(&body);
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        answer["id"].as_str().unwrap().to_owned()
    };
    let service = json!({ "name": "ftp-alt", "protocol": "tcp", "destination_port": "2121" });
    let service = post("services", service).await;
    let mut policy = String::new();
    for index in 0..POLICIES {
        let protocols = json!({ "ftp": { "services": [service] } });
        let body = json!({ "name": format!("policy-{index:03}"), "tags": ["bench"], "protocols": protocols });
        policy = post("alg-policies", body).await;
    }
    post("master-profiles", json!({ "name": "bench", "kind": "basic", "alg_policy": policy })).await;
    (token, policy)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let cluster = Cluster::start().await;
    let options = cluster.options("postgres");
    store::migrate(&options).await.unwrap();
    let store = Store::connect_lazily(options);
    let mut login = None;
    let secret_key = SecretKey::generate().unwrap();
    let started = bootstrap::start(&store, &SystemClock, &secret_key, |first| {
        login = Some((first.username.clone(), first.password.reveal().to_owned()));
        Ok(())
    });
    let started = started.await.unwrap();
    let (username, password) = login.expect("this is the first start");
    let pool = store.pool().clone();
    // The bare program has no tenants; it reads as one that sees all.
    let plain = sqlx::postgres::PgPoolOptions::new()
        .max_connections(pool.options().get_max_connections())
        .connect_lazy_with(cluster.options("postgres"));
    let state = AppState::new(store, Arc::new(SystemClock), started.keys, started.authority).unwrap();
    let api = format!("http://{}", serve(pinhole::http::router(state)).await);
    let bare = format!("http://{}", serve(bare(plain)).await);
    let (token, policy) = fill(&api, &username, &password).await;
    // As autovacuum does within a minute.
    let mut owner = cluster.options("postgres").connect().await.unwrap();
    owner.execute("VACUUM ANALYZE").await.unwrap();

    println!("requests per second");
    println!("{:>20} {:>10} {:>10} {:>8}", "", "bare", "api", "ratio");
    for (name, path, least) in [
        ("a policy", format!("alg-policies/{policy}"), format!("one/{policy}")),
        ("a page of 10", "alg-policies".to_owned(), "page".to_owned()),
    ] {
        let (api, bare) = (format!("{api}/v1/tenants/provider/{path}"), format!("{bare}/{least}"));
        let mut ratios = Vec::new();
        for _ in 0..TURNS {
            let (api, bare, token) = (api.clone(), bare.clone(), token.clone());
            let turn = move || (wrk(&bare, &token), wrk(&api, &token));
            let (least, whole) = tokio::task::spawn_blocking(turn).await.unwrap();
            println!("{name:>20} {least:>10.0} {whole:>10.0} {:>8.2}", whole / least);
            ratios.push(whole / least);
        }
        let ratio = median(ratios);
        let verdict = if ratio >= TARGET { "reached" } else { "missed" };
        println!("{name:>20} {ratio:>30.2} (median; the target, {TARGET}, is {verdict})");
    }
}
