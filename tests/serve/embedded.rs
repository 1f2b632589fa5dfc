//! The gateway inside the controller.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;
use pinhole_lab::Namespace;
use serde_json::json;

use crate::controller::{Controller, DataDir};

/// Where a gateway leaves traces: its devices, and filters on the others.
fn traces(host: &Namespace) -> Vec<String> {
    let links = host.command("ip -oneline link show").unwrap();
    let names = links.lines().map(|line| line.split(':').nth(1).unwrap().trim().to_owned());
    names.chain([host.command("tc qdisc show").unwrap()]).collect()
}

#[tokio::test]
async fn it_is_an_appliance_like_any_other() {
    let (data, host) = (DataDir::new(), Namespace::new().unwrap());
    host.command("ip link add in0 type veth peer name out0").unwrap();
    host.command("ip address add 203.0.113.1/24 dev out0").unwrap();
    host.command("ip link set in0 up").unwrap();
    host.command("ip link set out0 up").unwrap();
    let before = traces(&host);
    let (netns, run_dir) = (host.path(), data.path().join("run"));
    let arguments = [
        "--gateway-netns",
        netns.to_str().unwrap(),
        "--gateway-run-dir",
        run_dir.to_str().unwrap(),
        "--heartbeat-interval",
        "200ms",
    ];
    let controller = Controller::with_gateway(&data, &arguments).await;
    let client = controller.sign_in(&controller.login.clone().unwrap()).await;
    let path = "appliances/name:embedded";
    let embedded = client.until(path, |embedded| embedded["state"]["connected"] == true).await;
    for file in ["secret-key", "gateway/join-token", "gateway/identity.json"] {
        let metadata = std::fs::metadata(data.path().join(file)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file}");
    }

    let nat = json!({ "inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                      "pool": ["203.0.113.1"] });
    let patch = json!({ "nat": nat });
    client.change(path, &patch).await;
    let made = client.post("publications", &json!({ "appliances": [embedded["id"]] })).await;
    let publication = format!("publications/{}", made["id"].as_str().unwrap());
    client.until(&publication, |publication| publication["state"] == "succeeded").await;
    client.until(&format!("{path}/counters"), |read| read["counters"]["sessions"] == 0).await;

    // One that its host cannot take, and one that it can.
    let wrong = json!({ "nat": { "inside": ["in7"] } });
    client.change(path, &wrong).await;
    let made = client.post("publications", &json!({ "appliances": ["name:embedded"] })).await;
    let publication = format!("publications/{}", made["id"].as_str().unwrap());
    let failed = client.until(&publication, |publication| publication["state"] == "failed").await;
    let reason = failed["appliances"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("in7"), "{reason}");

    assert!(controller.end(Signal::SIGTERM).await.success());
    assert_eq!(traces(&host), before, "the host is not as it was");
    let controller = Controller::with_gateway(&data, &arguments).await;
    let again = client.on(&controller).until(path, |embedded| embedded["state"]["connected"] == true).await;
    assert_eq!(again["id"], embedded["id"]);
    assert!(controller.end(Signal::SIGTERM).await.success());
}

#[tokio::test]
async fn a_gateway_that_cannot_start_is_a_warning() {
    let data = DataDir::new();
    let controller =
        Controller::with_gateway(&data, &["--gateway-netns", "/nonexistent/netns", "--log-format", "json"])
            .await;
    let client = controller.sign_in(&controller.login.clone().unwrap()).await;
    let embedded = client.get("appliances/name:embedded").await;
    assert_eq!(embedded["state"]["connected"], false);
    assert!(controller.end(Signal::SIGTERM).await.success());
    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    let told: Vec<&str> =
        log.lines().filter(|line| line.contains("the embedded gateway does not run")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("/nonexistent/netns") && told[0].contains("WARN"), "{log}");
}
