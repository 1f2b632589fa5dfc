//! The push over real gRPC streams: gateways are played by the tests, everything else is the controller's.

mod attach;
mod availability;
mod cancel;
mod deliver;
mod enrol;
mod events;
mod hostile;
mod limits;
pub(crate) mod live;
mod peer;
mod replica;
mod replicas;
mod watch;

use std::time::Duration;

use pinhole_gateway::trust::{Identity, JoinToken, enrol};
use serde_json::{Value, json};

use self::peer::Peer;
use self::replica::Replica;
use crate::support::{Answer, Api, World, appliance};

/// Far above what anything here takes; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// An interval that does not come while a test runs.
const NEVER: Duration = Duration::from_secs(60 * 60);

/// A world with one appliance, a controller for gateways, and the identity of the appliance's gateway.
struct Fixture {
    world: World,
    api: Api,
    replica: Replica,
    appliance: String,
    identity: Identity,
}

impl Fixture {
    /// One where only notices wake the reconciler, and gateways may be silent.
    async fn new() -> Self {
        Self::with(NEVER, NEVER).await
    }

    async fn with(heartbeat_interval: Duration, poll_interval: Duration) -> Self {
        let world = World::new().await;
        let replica = Replica::of(&world.state, heartbeat_interval, poll_interval).await;
        let api = world.api("acme-admin");
        let appliance = appliance(&api, "acme", "edge").await;
        let identity = enrolled(&replica, &api, &appliance).await;
        Self { world, api, replica, appliance, identity }
    }

    /// A gateway that has said hello and been welcomed.
    async fn gateway(&self, instance: &str) -> Peer {
        Peer::welcomed(self.replica.address, &self.identity, instance, None).await
    }

    /// Publishes to the appliance and answers the publication's path.
    async fn publish(&self) -> String {
        publish(&self.api, &self.appliance).await
    }

    /// Makes the next publication one of another revision.
    async fn change(&self, pool: &str) {
        let nat = json!({ "inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                          "pool": [pool] });
        let path = format!("/v1/tenants/acme/appliances/{}", self.appliance);
        self.api.patch(&path, &json!({ "nat": nat })).await.expect(200);
    }

    /// The appliance's state, once it is as wanted.
    async fn state(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/tenants/acme/appliances/{}", self.appliance);
        until(&self.api, &path, |answer| wanted(&answer["state"])).await["state"].clone()
    }

    /// The delivery to the appliance in a publication, once it has a status.
    async fn delivery(&self, publication: &str, status: &str) -> Value {
        let is = |answer: &Value| answer["appliances"][0]["status"] == status;
        until(&self.api, publication, is).await["appliances"][0].clone()
    }

    /// Waits until a publication has ended that way.
    async fn ended(&self, publication: &str, state: &str) -> Value {
        until(&self.api, publication, |answer| answer["state"] == state).await
    }
}

async fn publish(api: &Api, appliance: &str) -> String {
    let answer = api.post("/v1/tenants/acme/publications", &json!({ "appliances": [appliance] })).await;
    answer.expect(202);
    answer.header("location").to_owned()
}

async fn token(api: &Api, appliance: &str) -> String {
    let joined = api.post(&format!("/v1/tenants/acme/appliances/{appliance}/join-token"), &json!({})).await;
    joined.expect(201)["token"].as_str().unwrap().to_owned()
}

/// What the gateway of an appliance gets in with.
async fn enrolled(replica: &Replica, api: &Api, appliance: &str) -> Identity {
    let token = JoinToken::parse(&token(api, appliance).await).unwrap();
    enrol(&replica.url(), &token).await.unwrap()
}

/// Reads a path until the answer is as wanted. The reading itself takes the time that there is between two looks.
async fn until(api: &Api, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = None;
    let look = async {
        loop {
            let answer: Answer = api.get(path).await;
            if answer.status.is_success() && wanted(&answer.json()) {
                return answer.json();
            }
            last = Some(answer);
        }
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(answer) => answer,
        Err(_) => panic!("{path} never was as wanted, but {:?}", last.map(|last| last.json())),
    }
}
