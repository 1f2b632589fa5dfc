//! A gateway of its own under a controller: what it is given, and what happens when one of the two is killed.

use std::time::Instant;

use nix::sys::signal::Signal;
use pinhole_lab::api::{INTERVAL, Object, PATIENCE};
use pinhole_lab::net::SILENCE;
use pinhole_lab::{Api, Controller, Scratch};
use serde::Deserialize;
use serde_json::json;

use crate::ftp::download;
use crate::world::{World, address};

/// The name of the appliance.
const NAME: &str = "edge";

#[derive(Deserialize)]
struct JoinToken {
    token: String,
}

#[derive(Deserialize)]
struct Appliance {
    state: State,
}

/// What the controller knows of a gateway.
#[derive(Debug, Deserialize)]
struct State {
    connected: bool,
    running_revision: Option<String>,
    published_revision: Option<String>,
    last_error: Option<String>,
}

/// Starts a controller with the data of a directory, to which gateways connect at an address.
pub(crate) fn controller(directory: &Scratch, grpc: &str) -> Controller {
    controller_with(directory, grpc, "24h")
}

fn controller_with(directory: &Scratch, grpc: &str, certificate_lifetime: &str) -> Controller {
    let started = Controller::start(&directory.path().join("data"), |command| {
        command.args(["--listen", "127.0.0.1:0", "--grpc-listen", grpc, "--no-embedded-gateway"]);
        command.args(["--heartbeat-interval", "200ms"]);
        command.args(["--certificate-lifetime", certificate_lifetime]);
    });
    started.expect("the controller starts")
}

pub(crate) async fn sign_in(controller: &Controller) -> Api {
    let login = controller.first_login().expect("there is a first login");
    Api::sign_in(controller.http(), &login).await.expect("the first login is good")
}

/// Waits until the controller knows that the gateway runs what was published to it, or knows that it is away.
async fn wait_for(api: &Api, connected: bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Appliance { state } = api.get(&format!("appliances/name:{NAME}")).await.expect("it can be read");
        let current =
            state.published_revision.is_some() && state.running_revision == state.published_revision;
        if state.connected == connected && (current || !connected) {
            assert_eq!(state.last_error, None);
            return;
        }
        assert!(Instant::now() < deadline, "connected is not {connected}: {state:?}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Makes an appliance with all ALGs on, and returns it and its token.
pub(crate) async fn enrol(api: &Api) -> (Object, String) {
    let nat = json!({
        "inside": ["in0"],
        "outside": ["out0"],
        "inside_prefixes": ["10.0.0.0/24"],
        "pool": ["203.0.113.1"],
    });
    let appliance = api.ensure("appliances", NAME, &json!({ "nat": nat })).await.expect("it can be made");
    let path = format!("appliances/name:{NAME}/join-token");
    let JoinToken { token } = api.post(&path, &json!({})).await.expect("it can join");
    (appliance, token)
}

#[tokio::test]
async fn each_of_the_two_goes_on_without_the_other() {
    let (directory, mut world) = (Scratch::new().unwrap(), World::without_gateway(""));
    let controller = self::controller(&directory, "127.0.0.1:0");
    let api = sign_in(&controller).await;
    let (appliance, token) = enrol(&api).await;
    world.join_gateway(controller.grpc(), &token);
    assert!(world.net.client.connect(address(21), SILENCE).is_err(), "something carries packets already");
    api.publish(&appliance).await.unwrap();
    world.wait_until_ready();
    download(&world.net.client, 21);

    // What the gateway cannot apply it refuses, and goes on with what it had.
    let interface = |name: &str| json!({ "nat": { "outside": [name] } });
    let path = format!("appliances/name:{NAME}");
    let changed = api.patch(&path, &interface("out9")).await.unwrap();
    let refusal = api.publish(&changed).await.unwrap_err().to_string();
    assert!(refusal.contains("out9"), "{refusal}");
    download(&world.net.client, 21);
    let changed = api.patch(&path, &interface("out0")).await.unwrap();
    api.publish(&changed).await.unwrap();

    // The gateway is killed, and comes back with what it had.
    world.take_gateway().end(Signal::SIGKILL).unwrap();
    wait_for(&api, false).await;
    let grpc = controller.grpc().to_owned();
    controller.kill().unwrap();
    world.join_gateway(&grpc, &token);
    world.wait_until_ready();
    download(&world.net.client, 21);

    // The controller comes back, and finds out what runs.
    let controller = self::controller(&directory, grpc.trim_start_matches("https://"));
    let api = sign_in(&controller).await;
    wait_for(&api, true).await;
    download(&world.net.client, 21);
    controller.end().unwrap();
    download(&world.net.client, 21);
}

#[tokio::test]
async fn a_certificate_is_renewed_and_a_revoked_gateway_carries_on_alone() {
    let (directory, mut world) = (Scratch::new().unwrap(), World::without_gateway(""));
    // Renewed after six seconds, with three to spare.
    let controller = controller_with(&directory, "127.0.0.1:0", "9s");
    let api = sign_in(&controller).await;
    let (appliance, token) = enrol(&api).await;
    world.join_gateway(controller.grpc(), &token);
    api.publish(&appliance).await.unwrap();
    world.wait_until_ready();
    world.wait_until_logged("was renewed");
    wait_for(&api, true).await;
    download(&world.net.client, 21);

    api.delete(&format!("appliances/name:{NAME}/certificates")).await.unwrap();
    wait_for(&api, false).await;
    world.wait_until_logged("the controller refuses this gateway");
    download(&world.net.client, 21);
    controller.end().unwrap();
}
