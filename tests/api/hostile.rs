//! Input that nobody sends by mistake. Whatever comes, the answer is the caller's fault and nothing is stored.

use axum::http::Method;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::World;

const SERVICES: &str = "/v1/tenants/acme/services";
const JSON: [(&str, &str); 2] = [("content-type", "application/json"), ("if-match", "*")];

#[tokio::test]
async fn documents_that_are_deep_wide_or_strange() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let wide: Value =
        (0..20_000).map(|n| (format!("field{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
    let tags = json!({"name": "s", "protocol": "tcp", "destination_port": "1", "tags": vec!["x"; 100_000]});
    for body in [
        deep,
        deep_object,
        wide.to_string(),
        tags.to_string(),
        "1e999999".to_owned(),
        "{\"name\": 123456789012345678901234567890}".to_owned(),
        "{\"name\": \"\\u0000\"}".to_owned(),
        "{\"name\": \"\\ud800\"}".to_owned(),
        "{\"name\": \"a\", \"name\": \"b\"}".to_owned(),
        "{\"__proto__\": {}, \"constructor\": 1}".to_owned(),
        "{\"name\": \"'; DROP TABLE objects; --\"}".to_owned(),
        "null".to_owned(),
    ] {
        for (method, path) in [
            (Method::POST, SERVICES),
            (Method::POST, "/v1/tenants/acme/alg-policies"),
            (Method::POST, "/v1/tenants/acme/appliances"),
            (Method::POST, "/v1/tenants/acme/publications"),
            (Method::POST, "/v1/tenants/acme/publications/preview"),
            (Method::PATCH, "/v1/tenants/acme/master-profiles/name:default-basic-mp"),
            (Method::PUT, "/v1/tenants/acme/master-profiles/name:default-basic-mp/permissions"),
            (Method::POST, "/v1/tenants/acme/users"),
        ] {
            let answer = api.raw(method.clone(), path, &JSON, body.clone().into_bytes()).await;
            assert!(answer.status.is_client_error(), "{method} {path} {body:.40}: {}", answer.status);
            assert!(answer.bytes.len() < 100_000, "{method} {path} {body:.40}: {} bytes", answer.bytes.len());
        }
    }
    assert_eq!(api.get(SERVICES).await.expect(200)["total"], 0);
}

#[tokio::test]
async fn paths_and_headers_that_are_strange() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let long = "a".repeat(10_000);
    for segment in [
        "%00",
        "%ff",
        "%2e%2e",
        "name:",
        "name:%00",
        "name:'%20OR%201=1",
        "name:name:a",
        "{id}",
        long.as_str(),
    ] {
        for path in [format!("{SERVICES}/{segment}"), format!("/v1/tenants/{segment}/services")] {
            let answer = api.get(&path).await;
            assert_eq!(answer.status.as_u16(), 404, "{path:.60}");
        }
    }
    for (name, value) in [
        ("if-none-match", "\""),
        ("if-none-match", "W/"),
        ("if-none-match", "\"\u{e9}\""),
        ("if-none-match", ",,,"),
        ("accept", "\u{0}x"),
    ] {
        if axum::http::HeaderValue::from_str(value).is_err() {
            continue;
        }
        let answer = api
            .send(
                Method::GET,
                "/v1/tenants/acme/master-profiles/name:Default-Basic-MP",
                &[(name, value)],
                None,
            )
            .await;
        assert!(answer.status.as_u16() < 500, "{name}: {value}");
    }
}

/// Documents built from words that mean something somewhere, so that decoding gets far.
fn document() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::{any, prop, prop_oneof};
    let leaf = prop_oneof![
        proptest::strategy::Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(vec![
            "tcp",
            "edit",
            "basic",
            "1-2",
            "name:x",
            "ftp",
            "enterprise_operator",
            "in0",
            "all_changed",
            "10.0.0.0/8",
            "0.0.0.0-255.255.255.255",
            "",
            "\u{0}"
        ])
        .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let names = vec![
        "name",
        "description",
        "tags",
        "protocol",
        "source_port",
        "destination_port",
        "protocols",
        "ftp",
        "sip",
        "services",
        "enabled",
        "options",
        "permissions",
        "role",
        "permission",
        "inherited",
        "kind",
        "alg_policy",
        "id",
        "profile",
        "username",
        "password",
        "email",
        "appliances",
        "revision",
        "site",
        "labels",
        "master_profile",
        "nat",
        "inside",
        "outside",
        "inside_prefixes",
        "pool",
        "mode",
        "other_protocols",
        "tcp_mss",
        "port_block",
        "deterministic",
        "forwards",
        "outside_port",
        "exempt_destinations",
        "size",
        "limits",
        "sessions_per_subscriber",
        "pcp",
        "export",
        "events",
        "x",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(proptest::sample::select(names.clone()), inner, 0..6).prop_map(
                |map| {
                    Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
                }
            ),
        ]
    })
}

#[tokio::test]
async fn random_documents_are_never_the_servers_fault() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let seed: [u8; 32] = match std::env::var("PINHOLE_TEST_SEED") {
        Ok(text) => {
            let mut seed = [0; 32];
            seed.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
            seed
        }
        Err(_) => {
            let mut seed = [b'0'; 32];
            let text = uuid::Uuid::new_v4().simple().to_string();
            seed.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
            seed
        }
    };
    let shown = String::from_utf8_lossy(&seed).into_owned();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let targets = [
        (Method::POST, SERVICES),
        (Method::POST, "/v1/tenants/acme/alg-policies"),
        (Method::POST, "/v1/tenants/acme/master-profiles"),
        (Method::POST, "/v1/tenants/acme/appliances"),
        (Method::POST, "/v1/tenants/acme/publications"),
        (Method::POST, "/v1/tenants/acme/publications/preview"),
        (Method::PATCH, "/v1/tenants/acme/master-profiles/name:default-basic-mp"),
        (Method::PUT, "/v1/tenants/acme/master-profiles/name:default-basic-mp/permissions"),
        (Method::POST, "/v1/tenants/acme/users?dry_run=true"),
        (Method::PATCH, "/v1/tenants/acme"),
    ];
    for (method, path) in targets.iter().cycle().take(400) {
        let body = document().new_tree(&mut runner).unwrap().current();
        let answer = api.raw(method.clone(), path, &JSON, body.to_string().into_bytes()).await;
        assert!(
            answer.status.as_u16() < 500,
            "PINHOLE_TEST_SEED={shown}: {method} {path} {body}: {}",
            answer.status
        );
    }
}
