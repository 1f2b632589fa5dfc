//! A connection to Postgres that breaks at any statement: what was to be changed is wholly as before or wholly as meant,
//! and the same request, made again, ends with one effect.

mod cut;
mod state;

use axum::http::Method;
use pinhole::app::AppState;
use pinhole::store::Store;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use self::cut::{Cut, Relay};
use self::state::State;
use crate::support::{Answer, Api, World, appliance, create, service};

/// More statements than any change takes.
const MOST_STATEMENTS: usize = 100;

/// A change, as a client asks for it.
struct Change {
    name: &'static str,
    user: &'static str,
    method: Method,
    path: String,
    body: Value,
}

fn change(name: &'static str, user: &'static str, method: Method, path: &str, body: Value) -> Change {
    Change { name, user, method, path: path.to_owned(), body }
}

impl Change {
    async fn ask(&self, api: &Api) -> Answer {
        let mut headers = vec![("if-match", "*")];
        if self.method == Method::POST {
            headers.push(("idempotency-key", "once"));
        }
        let body = (!self.body.is_null()).then_some(&self.body);
        api.send(self.method.clone(), &self.path, &headers, body).await
    }

    /// Asks as long as the attempt before is still under way: its connection is gone, and Postgres notices soon.
    async fn ask_again(&self, api: &Api) -> Answer {
        for _ in 0..10_000 {
            let answer = self.ask(api).await;
            if answer.status != 409 || answer.json()["type"] != "/problems/key-in-use" {
                return answer;
            }
            tokio::task::yield_now().await;
        }
        panic!("{}: the attempt before never ends", self.name);
    }
}

/// The body of an answer, if it has one.
fn body(answer: &Answer) -> Value {
    if answer.bytes.is_empty() { Value::Null } else { answer.json() }
}

/// Two services (one in two versions), a policy, profiles, appliances, a publication under way, a user.
async fn furnish(world: &World) -> String {
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let s = service(&api, "acme", "s", "2121").await;
    service(&api, "acme", "t", "2122").await;
    api.patch("/v1/tenants/acme/services/name:s", &json!({"description": "second"})).await.expect(200);
    for name in ["p", "q"] {
        let policy = json!({"name": name, "protocols": {"ftp": {"services": [s]}}});
        create(&api, "acme", "alg-policies", &policy).await;
    }
    let profile = json!({"name": "mp", "kind": "basic", "alg_policy": "name:p"});
    create(&api, "acme", "master-profiles", &profile).await;
    for name in ["edge", "old"] {
        appliance(&api, "acme", name).await;
    }
    service(&root, "provider", "common", "2123").await;
    let user = json!({"username": "u", "password": crate::support::PASSWORD, "role": "enterprise_operator"});
    root.post("/v1/tenants/acme/users", &user).await.expect(201);
    service(&world.api("globex-admin"), "globex", "theirs", "1").await;
    let publication = api.post("/v1/tenants/acme/publications", &json!({"appliances": ["name:old"]})).await;
    publication.expect(202);
    publication.id()
}

/// A world whose connections can be broken, and what is to become of it.
struct Broken<'a> {
    world: World,
    relay: Relay,
    /// The pool and the API behind the relay.
    store: Store,
    api: Api,
    running: JoinHandle<()>,
    change: &'a Change,
    before: State,
    meant: &'a State,
}

impl<'a> Broken<'a> {
    /// A copy of a world.
    async fn of(world: &World, change: &'a Change, meant: &'a State) -> Self {
        let world = world.copy().await;
        let relay = Relay::to(&world);
        let running = tokio::spawn(relay.run());
        let store = Store::connect_lazily(relay.options(&world));
        let state = AppState { store: store.clone(), ..world.state.clone() };
        let api = world.api(change.user).on(pinhole::http::router(state));
        let before = State::of(&world).await;
        Self { world, relay, store, api, running, change, before, meant }
    }

    /// Breaks the connection once, and holds what is left against what was before and what was meant. Says whether
    /// there was such a place, and whether nothing has changed yet.
    async fn at(&self, cut: Cut) -> (bool, bool) {
        // What makes a connection is not the change's, and is tried again by itself.
        drop(self.store.pool().acquire().await.unwrap());
        self.relay.arm(cut);
        let answer = self.change.ask_again(&self.api).await;
        let reached = self.relay.disarm();
        let what = format!("{} at {cut:?}", self.change.name);
        let after = State::of(&self.world).await;
        if answer.status.is_success() && body(&answer)["items"][0]["reason"] != "unavailable" {
            // At the end, or the pool found that the connection was gone and took another.
            assert!(after.means(self.meant), "{what}:\n{}", after.difference(self.meant));
        } else {
            // A copy reports what was not to be had, and goes on with the next enterprise.
            if !answer.status.is_success() {
                assert!(matches!(answer.status.as_u16(), 500 | 503), "{what}: {}", answer.json());
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
            // Of copies the report is kept by itself, after the last of them.
            let whole = after == self.before
                || after.means(self.meant)
                || after.without_keys().means(&self.meant.without_keys());
            assert!(whole, "{what} left a half:\n{}", after.difference(&self.before));
        }
        (reached, after == self.before)
    }

    /// Asks again and ends with what was meant, once.
    async fn mend(self) {
        let Self { world, running, change, meant, .. } = self;
        running.abort();
        let again = change.ask_again(&world.api(change.user)).await;
        match again.status.as_u16() {
            // The change is made, so there is nothing any more that it could be made to.
            401 | 404 => assert_ne!(change.method, Method::POST, "{}: {}", change.name, again.json()),
            // A secret, which is answered once.
            409 => drop(again.problem(409, "answer-not-kept")),
            status => assert!(matches!(status, 200..=204), "{}: {}", change.name, again.json()),
        }
        let last = State::of(&world).await;
        assert!(last.means(meant), "{}, asked again:\n{}", change.name, last.difference(meant));
        for verdict in pinhole::app::audit::verify(&world.state.store, None).await.unwrap() {
            assert_eq!(verdict.flaws, [], "{}", change.name);
        }
        world.remove().await;
    }
}

/// Breaks the connection of each change at each of its statements in turn, as often as it takes until it gets through,
/// and after each of its commits.
async fn break_everywhere(world: &World, changes: &[Change]) {
    world.state.store.pool().close().await;
    for change in changes {
        let copy = world.copy().await;
        let answer = change.ask(&copy.api(change.user)).await;
        assert!(answer.status.is_success(), "{}: {}", change.name, answer.json());
        let meant = State::of(&copy).await;
        copy.remove().await;

        let mut broken = Broken::of(world, change, &meant).await;
        let mut cuts = 0;
        while let (true, unchanged) = broken.at(Cut::Before(cuts + 1)).await {
            cuts += 1;
            assert!(cuts < MOST_STATEMENTS, "{} takes too many statements", change.name);
            if !unchanged {
                broken.mend().await;
                broken = Broken::of(world, change, &meant).await;
            }
        }
        broken.mend().await;
        assert!(cuts >= 4, "{}: {cuts} cuts", change.name);

        for commit in 1..MOST_STATEMENTS {
            let broken = Broken::of(world, change, &meant).await;
            let (reached, _) = broken.at(Cut::AfterCommit(commit)).await;
            broken.mend().await;
            if !reached {
                break;
            }
        }
    }
}

const ACME: &str = "/v1/tenants/acme";

#[tokio::test]
async fn what_is_created_is_there_once_or_not_at_all() {
    let world = World::new().await;
    furnish(&world).await;
    let tcp = json!({"name": "new", "protocol": "tcp", "destination_port": "1"});
    let policy = json!({"name": "new", "protocols": {"ftp": {"services": ["name:s", "name:t"]}}});
    let changes = [
        change("a service", "acme-admin", Method::POST, &format!("{ACME}/services"), tcp),
        change("a policy", "root", Method::POST, &format!("{ACME}/alg-policies"), policy),
        change(
            "an appliance",
            "acme-admin",
            Method::POST,
            &format!("{ACME}/appliances"),
            json!({"name": "new"}),
        ),
        change(
            "a clone",
            "acme-admin",
            Method::POST,
            &format!("{ACME}/alg-policies/name:p/clone"),
            json!({"name": "new"}),
        ),
        change(
            "a copy",
            "root",
            Method::POST,
            "/v1/tenants/provider/services/name:common/copy",
            json!({"tenants": ["acme"]}),
        ),
    ];
    break_everywhere(&world, &changes).await;
}

#[tokio::test]
async fn what_is_changed_is_wholly_old_or_wholly_new() {
    let world = World::new().await;
    furnish(&world).await;
    let tcp = json!({"name": "s", "protocol": "udp", "destination_port": "7", "tags": ["x"]});
    let services = format!("{ACME}/services/name:s");
    let changes = [
        change("replace", "acme-admin", Method::PUT, &services, tcp),
        change(
            "patch",
            "root",
            Method::PATCH,
            &format!("{ACME}/alg-policies/name:p"),
            json!({"protocols": {"ftp": {"services": ["name:t"]}}}),
        ),
        change("restore", "acme-admin", Method::POST, &format!("{services}/versions/1/restore"), Value::Null),
        change(
            "attach",
            "acme-admin",
            Method::POST,
            &format!("{ACME}/alg-policies/name:q/attach"),
            json!({"profile": "name:mp"}),
        ),
        change(
            "permissions",
            "acme-admin",
            Method::PUT,
            &format!("{services}/permissions"),
            json!({"enterprise_operator": "hide"}),
        ),
        change(
            "defaults",
            "root",
            Method::PUT,
            "/v1/tenants/provider/permission-defaults",
            json!({"enterprises": {"service": {"enterprise_operator": "hide"}}}),
        ),
    ];
    break_everywhere(&world, &changes).await;
}

#[tokio::test]
async fn what_is_deleted_is_gone_or_all_there() {
    let world = World::new().await;
    furnish(&world).await;
    let changes = [
        change("a service", "acme-admin", Method::DELETE, &format!("{ACME}/services/name:t"), Value::Null),
        change(
            "an appliance",
            "acme-admin",
            Method::DELETE,
            &format!("{ACME}/appliances/name:old"),
            Value::Null,
        ),
        change("a user", "root", Method::DELETE, &format!("{ACME}/users/name:u"), Value::Null),
        change("a tenant", "root", Method::DELETE, "/v1/tenants/globex?cascade=true", Value::Null),
    ];
    break_everywhere(&world, &changes).await;
}

#[tokio::test]
async fn what_is_published_or_issued_is_so_once_or_not_at_all() {
    let world = World::new().await;
    let publication = furnish(&world).await;
    let publications = format!("{ACME}/publications");
    let changes = [
        change("publish", "acme-admin", Method::POST, &publications, json!({"appliances": ["name:edge"]})),
        change(
            "cancel",
            "acme-admin",
            Method::POST,
            &format!("{publications}/{publication}/cancel"),
            Value::Null,
        ),
        change(
            "join token",
            "acme-admin",
            Method::POST,
            &format!("{ACME}/appliances/name:edge/join-token"),
            Value::Null,
        ),
    ];
    break_everywhere(&world, &changes).await;
}

#[tokio::test]
async fn who_may_do_what_is_wholly_old_or_wholly_new() {
    let world = World::new().await;
    furnish(&world).await;
    let users = format!("{ACME}/users");
    let user = json!({"username": "new", "invite": true, "role": "enterprise_operator"});
    let account = json!({"name": "new", "role": "enterprise_operator"});
    let changes = [
        change("a user", "root", Method::POST, &users, user),
        change("disable", "root", Method::PATCH, &format!("{users}/name:u"), json!({"enabled": false})),
        change("an account", "acme-admin", Method::POST, &format!("{ACME}/service-accounts"), account),
        change("a tenant", "root", Method::POST, "/v1/tenants", json!({"name": "initech"})),
        change("suspend", "root", Method::POST, "/v1/tenants/globex/suspend", Value::Null),
    ];
    break_everywhere(&world, &changes).await;
}
