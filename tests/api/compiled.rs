//! What saved objects compile to: golden files, read as a gateway reads them.

use std::fmt::Write as _;

use pinhole::compiler::{Hidden, describe};
use pinhole_gateway::config::message;
use pinhole_proto::v1::GatewayConfig;
use prost::Message as _;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use crate::support::{World, create, snapshot};

/// Publishes an appliance and writes what was frozen to a golden file.
async fn golden(name: &str, services: &[Value], protocols: Value, nat: Value) {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for service in services {
        create(&api, "acme", "services", service).await;
    }
    let policy =
        create(&api, "acme", "alg-policies", &json!({"name": "branch-alg", "protocols": protocols})).await;
    let attach = json!({"profile": "name:Default-Basic-MP"});
    api.post(&format!("/v1/tenants/acme/alg-policies/{policy}/attach"), &attach).await.expect(200);
    let appliance = json!({"name": "edge-1", "master_profile": "name:Default-Basic-MP", "nat": nat});
    create(&api, "acme", "appliances", &appliance).await;
    let order = json!({"appliances": ["name:edge-1"]});
    api.post("/v1/tenants/acme/publications", &order).await.expect(202);

    let mut owner = world.owner.connect().await.unwrap();
    let bytes: Vec<u8> =
        sqlx::query_scalar("SELECT config FROM revisions").fetch_one(&mut owner).await.unwrap();
    let config = GatewayConfig::decode(bytes.as_slice()).unwrap();
    assert_eq!(config.encode_to_vec(), bytes, "not the canonical encoding");
    let parsed = message::parse(&config).unwrap();
    assert_eq!(parsed.algs.len(), config.algs.len());

    let mut text = String::new();
    for (path, value) in describe(&config, &Hidden::default()) {
        writeln!(text, "{path} = {}", value.to_string().replace(&policy, "<policy>")).unwrap();
    }
    for alg in config.algs.iter().filter(|alg| alg.services.len() > 1) {
        let names: Vec<&str> = alg.services.iter().map(|service| service.name.as_str()).collect();
        writeln!(text, "services of {:?} in order: {}", alg.protocol(), names.join(", ")).unwrap();
    }
    snapshot::compare(&format!("tests/snapshots/compiled/{name}.txt"), &text);
}

fn nat() -> Value {
    json!({"inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"], "pool": ["203.0.113.1"]})
}

fn service(name: &str, protocol: &str, source: Option<&str>, destination: Option<&str>) -> Value {
    json!({"name": name, "protocol": protocol, "source_port": source, "destination_port": destination})
}

#[tokio::test]
async fn a_policy_that_says_nothing() {
    golden("defaults", &[], json!({}), nat()).await;
}

#[tokio::test]
async fn services_on_ftp_and_sip() {
    let services = [
        service("Zulu", "tcp_udp", None, Some("5070,5062-5064")),
        service("ftp-alt", "tcp", None, Some("2121")),
        service("Charlie", "tcp", None, Some("2122")),
        service("bravo", "tcp_udp", None, Some("2123")),
        service("alpha", "tcp", Some("20"), Some("1024-65535")),
    ];
    let protocols = json!({
        "ftp": {"services": ["name:ftp-alt", "name:bravo", "name:Charlie"]},
        "sip": {"services": ["name:zulu"]},
        "tftp": {"enabled": false, "services": ["name:alpha"]},
    });
    golden("services", &services, protocols, nat()).await;
}

#[tokio::test]
async fn many_interfaces_and_addresses() {
    let nat = json!({
        "inside": ["vlan20", "in0", "vlan10"],
        "outside": ["wan1", "wan0"],
        "inside_prefixes": ["192.168.0.0/16", "10.0.0.0/8", "100.64.0.0/10"],
        "pool": ["203.0.113.64/26", "198.51.100.7", "203.0.113.1-203.0.113.9"],
    });
    let off = json!({"enabled": false});
    let protocols = json!({"ftp": off, "ike_esp": off, "pptp": off, "sip": off, "tftp": off});
    golden("interfaces", &[], protocols, nat).await;
}

#[tokio::test]
async fn translation_with_all_its_rules() {
    let nat = json!({
        "inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"], "pool": ["203.0.113.0/28"],
        "mapping": "address_dependent", "filtering": "address_dependent", "other_protocols": "translate", "tcp_mss": 1452,
        "port_block": {"size": 256},
        "forwards": [
            {"protocol": "tcp_udp", "outside_address": "203.0.113.1", "outside_port": "8000-8009",
             "inside_address": "10.0.0.9", "inside_port": "80-89"},
            {"protocol": "tcp", "outside_address": "203.0.113.1", "outside_port": "443", "inside_address": "10.0.0.8"},
        ],
        "exempt_destinations": [{"prefix": "192.0.2.0/24"}, {"prefix": "10.0.0.0/8", "port": "53,5000-5009"}],
        "limits": {"ports_per_subscriber": 1024, "sessions_per_subscriber": 4096, "new_sessions_per_second": 100},
    });
    golden("translation", &[], json!({}), nat).await;
}
