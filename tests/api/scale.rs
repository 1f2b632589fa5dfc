//! Ten thousand policies in a tenant, a thousand tenants: every query finds what it looks for by an index.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::Method;
use pinhole::app::AppState;
use pinhole::store::Store;
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::{Api, World};

const POLICIES: &str = "/v1/tenants/acme/alg-policies";

/// Tables that grow with what tenants configure.
const BIG: [&str; 4] = ["objects", "object_links", "object_versions", "appliance_states"];

/// Fills the database: 1,000 services and appliances and 10,000 policies in `acme`, each policy with a service, and 1,000
/// more tenants with 60 objects each.
const FILL: &str = r#"
INSERT INTO tenants (id, parent_id, name, description, created_at, updated_at)
SELECT gen_random_uuid(), (SELECT id FROM tenants WHERE parent_id IS NULL), 'tenant-' || n, 'customer ' || n, now(), now()
FROM generate_series(1, 1000) n;

INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at, updated_at)
SELECT gen_random_uuid(), t.id, kind.word, kind.name || n, '', '{}', kind.spec, '{}', 1, now(), now()
FROM tenants t, generate_series(1, 20) n, (VALUES
    ('master_profile', 'gold-', '{"kind": "basic", "alg_policy": null}'::jsonb),
    ('appliance', 'edge-', '{"site": "", "labels": {}, "master_profile": null, "nat": {}}'),
    ('service', 'ftp-alt-', '{"protocol": "tcp", "source_port": null, "destination_port": "2121"}')) kind (word, name, spec)
WHERE t.name LIKE 'tenant-%';
INSERT INTO object_links (tenant_id, from_id, slot, to_id)
SELECT a.tenant_id, a.id, 'alg_policy', b.id FROM objects a JOIN objects b USING (tenant_id)
WHERE a.kind = 'master_profile' AND b.kind = 'service' AND b.name = 'ftp-alt-' || split_part(a.name, '-', 2);

INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at, updated_at)
SELECT gen_random_uuid(), t.id, 'service', 'service-' || n, 'port ' || n, '{}',
       jsonb_build_object('protocol', 'tcp', 'source_port', null, 'destination_port', (n + 10000)::text), '{}', 1, now(), now()
FROM tenants t, generate_series(1, 1000) n WHERE t.name = 'acme';

INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at, updated_at)
SELECT gen_random_uuid(), t.id, 'appliance', 'edge-' || n, '', '{}',
       jsonb_build_object('site', 'rack ' || n, 'labels', jsonb_build_object('region', 'r' || n % 10), 'master_profile', null,
           'nat', '{"inside": [], "outside": [], "inside_prefixes": [], "pool": []}'::jsonb), '{}', 1, now(), now()
FROM tenants t, generate_series(1, 1000) n WHERE t.name = 'acme';

INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at, updated_at)
SELECT gen_random_uuid(), t.id, 'alg_policy', 'branch-' || n, 'Branch number ' || n || ' ' || repeat('of the north ', 8),
       ARRAY['voice', 'floor-' || n % 100],
       jsonb_build_object('protocols', jsonb_build_object(
           'ftp', jsonb_build_object('enabled', true, 'services', jsonb_build_array(s.id), 'options', '{}'::jsonb),
           'ike_esp', '{"enabled": true, "services": [], "options": {}}'::jsonb,
           'pptp', '{"enabled": true, "services": [], "options": {}}'::jsonb,
           'sip', '{"enabled": true, "services": [], "options": {}}'::jsonb,
           'tftp', '{"enabled": true, "services": [], "options": {}}'::jsonb)),
       CASE n % 50 WHEN 0 THEN '{"enterprise_operator": "hide"}'::jsonb ELSE '{}' END, 1, now(), now() - n * interval '1 s'
FROM tenants t, generate_series(1, 10000) n, objects s
WHERE t.name = 'acme' AND s.tenant_id = t.id AND s.name = 'service-' || (n % 1000 + 1);

INSERT INTO object_links (tenant_id, from_id, slot, to_id)
SELECT tenant_id, id, 'ftp', (spec #>> '{protocols,ftp,services,0}')::uuid FROM objects WHERE kind = 'alg_policy';
INSERT INTO object_versions (tenant_id, object_id, version, name, description, tags, spec, permissions, saved_at)
SELECT tenant_id, id, version, name, description, tags, spec, permissions, updated_at FROM objects WHERE created_by IS NULL
ON CONFLICT DO NOTHING;
INSERT INTO appliance_states (appliance_id, tenant_id) SELECT id, tenant_id FROM objects WHERE kind = 'appliance';
"#;

/// How often each list is timed. The figures are printed and not held against anything: they are the machine's, too.
const ROUNDS: usize = if cfg!(debug_assertions) { 5 } else { 200 };

/// Searches and lists, and what each finds.
const LISTS: [(&str, i64); 12] = [
    ("", 10_000),
    ("?page=500", 10_000),
    ("?sort=-updated_at", 10_000),
    ("?sort=-name&per_page=100", 10_000),
    ("?q=branch", 10_000),
    ("?q=NORTH", 10_000),
    ("?q=branch-7777", 1),
    ("?q=service-77", 110),
    ("?q=floor-42", 100),
    ("?q=nothing%20like%20it", 0),
    ("?tag=floor-42", 100),
    ("?tag=voice&q=number%2099&sort=updated_at", 111),
];

#[tokio::test]
async fn no_query_reads_a_big_table_through() {
    let world = World::new().await;
    let mut owner = world.owner.connect().await.unwrap();
    owner.execute(sqlx::raw_sql(FILL)).await.unwrap();
    owner.execute("VACUUM ANALYZE").await.unwrap();
    for (list, total) in LISTS {
        let answer = world.api("acme-admin").get(&format!("{POLICIES}{list}")).await.expect(200);
        assert_eq!(answer["total"], total, "{list}");
    }
    let mut took = Vec::new();
    for (list, _) in LISTS {
        took.push((time(&world.api("acme-admin"), &format!("{POLICIES}{list}")).await, list));
    }
    took.sort();
    let report: Vec<String> =
        took.iter().map(|((p99, median), list)| format!("{p99:?} {median:?} {list}")).collect();
    println!("p99 and median of {ROUNDS} requests, by this build:\n{}", report.join("\n"));

    let plans = Plans::default();
    let _collecting = tracing::subscriber::set_default(tracing_subscriber::registry().with(plans.clone()));
    explain_from_now_on(&world).await;
    let store = Store::connect_lazily(world.owner.clone());
    let clock = Arc::<pinhole::clock::ShiftedClock>::clone(&world.clock);
    let state = AppState::new(store, clock, world.state.keys.clone(), world.state.authority.clone()).unwrap();
    let router = pinhole::http::router(state);
    let (api, operator) =
        (world.api("acme-admin").on(router.clone()), world.api("acme-operator").on(router.clone()));
    every_kind_of_query(&api, &operator, &world.api("root").on(router)).await;

    let plans = plans.0.lock().unwrap();
    assert!(plans.len() > 100, "only {} plans were collected", plans.len());
    let through: Vec<&String> = plans
        .iter()
        .filter(|plan| BIG.iter().any(|table| plan.contains(&format!("Seq Scan on {table}"))))
        .collect();
    assert!(through.is_empty(), "{} plans read a table through:\n{}", through.len(), through[0]);
}

/// How long a request takes: the 99th percentile and the median of some.
async fn time(api: &Api, path: &str) -> (Duration, Duration) {
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let answer = api.get(path).await;
        took.push(start.elapsed());
        answer.expect(200);
    }
    took.sort();
    (took[ROUNDS * 99 / 100], took[ROUNDS / 2])
}

/// Lists, searches, look-ups by id and name, changes, and what they look up.
async fn every_kind_of_query(api: &Api, operator: &Api, root: &Api) {
    for (list, _) in LISTS {
        api.get(&format!("{POLICIES}{list}")).await.expect(200);
        operator.get(&format!("{POLICIES}{list}")).await.expect(200);
    }
    for path in [
        "/v1/tenants/acme/services?q=77",
        "/v1/tenants/acme/master-profiles",
        "/v1/tenants/acme/sub-profiles?q=x",
        "/v1/tenants/acme/appliances?q=edge-7",
        "/v1/tenants/acme/appliances?label=region:r7",
        "/v1/tenants/acme/services/name:service-7",
        "/v1/tenants/acme/alg-policies/name:branch-77/versions",
        "/v1/tenants/acme/alg-policies/name:branch-77/versions/1",
        "/v1/tenants/acme/alg-policies/name:branch-77/versions/1/diff?against=1",
        "/v1/tenants/acme/publications",
    ] {
        api.get(path).await.expect(200);
    }
    for path in [
        "/v1/tenants",
        "/v1/tenants?q=77",
        "/v1/tenants/tenant-77/services",
        "/v1/tenants/tenant-77/alg-policies?q=x",
    ] {
        root.get(path).await.expect(200);
    }
    let path = format!("{POLICIES}/name:branch-77");
    api.patch(&path, &json!({"description": "changed"})).await.expect(200);
    api.put(&format!("{path}/permissions"), &json!({"enterprise_operator": "edit"})).await.expect(200);
    let restore = format!("{path}/versions/1/restore");
    api.send(Method::POST, &restore, &[("if-match", "*")], None).await.expect(200);
    api.post(&format!("{path}/clone"), &json!({"name": "clone"})).await.expect(201);
    api.post(&format!("{path}/attach"), &json!({"profile": "name:Default-Basic-MP"})).await.expect(200);
    api.post(&format!("{path}/detach"), &json!({"profile": "name:Default-Basic-MP"})).await.expect(200);
    api.patch("/v1/tenants/acme/services/name:service-7", &json!({"destination_port": "7"}))
        .await
        .expect(200);
    api.delete("/v1/tenants/acme/services/name:service-7").await.problem(409, "in-use");
    api.delete(&path).await.expect(204);
    let nat = json!({"inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"], "pool": ["203.0.113.1"]});
    api.patch("/v1/tenants/acme/appliances/name:edge-7", &json!({"nat": nat})).await.expect(200);
    let order = json!({"appliances": ["name:edge-7"]});
    api.post("/v1/tenants/acme/publications", &order).await.expect(202);
    api.post("/v1/tenants/acme/publications/preview", &order).await.expect(200);
    api.get("/v1/tenants/acme/appliances/name:edge-7").await.expect(200);
}

/// Has connections to come tell the plan of every statement, in notices.
async fn explain_from_now_on(world: &World) {
    let mut owner = world.owner.connect().await.unwrap();
    let database: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut owner).await.unwrap();
    for (name, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_level", "notice"),
    ] {
        let set = format!("ALTER DATABASE {database} SET {name} = '{value}'");
        owner.execute(sqlx::raw_sql(AssertSqlSafe(set))).await.unwrap();
    }
}

/// The plans that connections told.
#[derive(Debug, Clone, Default)]
struct Plans(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Plans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut self.clone());
        }
    }
}

impl Visit for Plans {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}
