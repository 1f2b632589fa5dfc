//! Long answers are sent as gzip to those who take it.

use std::io::Read as _;

use axum::http::Method;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::{Answer, Api, World, service};

const GZIP: [(&str, &str); 1] = [("accept-encoding", "br;q=1.0, gzip;q=0.8")];

async fn get(api: &Api, path: &str, headers: &[(&str, &str)]) -> Answer {
    api.raw(Method::GET, path, headers, vec![]).await
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_takes_it() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for port in 1..=10 {
        service(&api, "acme", &format!("service-{port}"), &port.to_string()).await;
    }
    let path = "/v1/tenants/acme/services";
    let plain = get(&api, path, &[]).await;
    assert!(plain.headers.get("content-encoding").is_none());
    let listed = plain.expect(200);

    let answer = get(&api, path, &GZIP).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, "gzip"));
    assert_eq!(answer.header("vary"), "accept-encoding");
    assert!(answer.bytes.len() < plain.bytes.len() / 2, "{} of {}", answer.bytes.len(), plain.bytes.len());
    let mut text = String::new();
    GzDecoder::new(answer.bytes.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), listed);

    let refused = get(&api, path, &[("accept-encoding", "gzip;q=0")]).await;
    assert!(refused.headers.get("content-encoding").is_none());
    let short = get(&api, "/v1/auth/me", &GZIP).await;
    assert!(short.headers.get("content-encoding").is_none(), "{} bytes", short.bytes.len());
}
