//! Reading one object: by the same rules as lists, and by nobody whose sign-in has ended.

use axum::http::Method;
use pinhole::store::Store;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};

use crate::support::{Api, PASSWORD, World, appliance, create, service};

const ROLES: [(&str, &str); 4] = [
    ("acme-admin", "enterprise_administrator"),
    ("acme-operator", "enterprise_operator"),
    ("root", "service_provider_administrator"),
    ("root-operator", "service_provider_operator"),
];

/// Every object of `acme`, read alone, is what its list says of it.
async fn lists_and_reads_agree(api: &Api) {
    for kind in ["services", "alg-policies", "sub-profiles", "master-profiles", "appliances"] {
        let path = format!("/v1/tenants/acme/{kind}");
        let list = api.get(&format!("{path}?per_page=100")).await.expect(200);
        for item in list["items"].as_array().unwrap() {
            let (id, name) = (item["id"].as_str().unwrap(), item["name"].as_str().unwrap());
            assert_eq!(&api.get(&format!("{path}/{id}")).await.expect(200), item);
            assert_eq!(&api.get(&format!("{path}/name:{name}")).await.expect(200), item);
        }
    }
}

#[tokio::test]
async fn an_object_is_the_same_read_alone_and_in_a_list() {
    let world = World::new().await;
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let mut services = Vec::new();
    for index in 0..ROLES.len() {
        services.push(service(&root, "acme", &format!("hidden-{index}"), "7").await);
    }
    let protocols = json!({"ftp": {"services": services}, "sip": {"enabled": false}});
    let policy = create(&root, "acme", "alg-policies", &json!({"name": "p", "protocols": protocols})).await;
    let sub = json!({"name": "sub", "kind": "system", "alg_policy": policy,
                     "permissions": [{"role": "enterprise_operator", "permission": "hide"}]});
    let sub = create(&root, "acme", "sub-profiles", &sub).await;
    let standard = json!({"name": "standard", "kind": "standard", "sub_profiles": {"system": sub}});
    let standard = create(&root, "acme", "master-profiles", &standard).await;
    let edge = appliance(&root, "acme", "edge").await;
    let attach = json!({"master_profile": standard});
    root.patch(&format!("/v1/tenants/acme/appliances/{edge}"), &attach).await.expect(200);
    for (service, (_, role)) in services.iter().zip(ROLES) {
        let mut hide = json!({});
        hide[role] = json!("hide");
        api.put(&format!("/v1/tenants/acme/services/{service}/permissions"), &hide).await.expect(200);
    }
    // Nobody says anything, the provider does for its enterprises, the enterprise does over it.
    let of_provider = json!({"enterprises": {"service": {"enterprise_operator": "hide"},
                                             "alg_policy": {"service_provider_operator": "edit"}}});
    let of_acme = json!({"defaults": {"service": {"enterprise_operator": "read"},
                                      "master_profile": {"service_provider_operator": "hide"}}});
    let defaults = |tenant: &str| format!("/v1/tenants/{tenant}/permission-defaults");
    for change in [None, Some(("provider", of_provider)), Some(("acme", of_acme))] {
        if let Some((tenant, body)) = change {
            root.put(&defaults(tenant), &body).await.expect(200);
        }
        for (user, _) in ROLES {
            lists_and_reads_agree(&world.api(user)).await;
        }
    }
    let hidden = format!("/v1/tenants/acme/services/{}", services[1]);
    world.api("acme-operator").get(&hidden).await.problem(404, "not-found");
    api.get(&hidden).await.expect(200);
}

#[tokio::test]
async fn of_many_users_the_first_are_named_and_all_that_show_are_counted() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let policy = create(&api, "acme", "alg-policies", &json!({"name": "p"})).await;
    let mut owner = world.owner.connect().await.unwrap();
    let fill = format!(
        "INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at, updated_at)
         SELECT gen_random_uuid(), '{tenant}', 'master_profile', 'mp-' || lpad(n::text, 3, '0'), '', '{{}}',
                '{{\"kind\": \"basic\", \"alg_policy\": \"{policy}\"}}',
                CASE WHEN n <= 150 THEN '{{\"enterprise_operator\": \"hide\"}}'::jsonb ELSE '{{}}' END, 1, now(), now()
         FROM generate_series(1, 160) n;
         INSERT INTO object_links (tenant_id, from_id, slot, to_id)
         SELECT tenant_id, id, 'alg_policy', '{policy}' FROM objects WHERE name LIKE 'mp-%'",
        tenant = world.tenant("acme")
    );
    owner.execute(sqlx::raw_sql(AssertSqlSafe(fill))).await.unwrap();
    for (api, total, first) in [(&api, 160, "mp-001"), (&operator, 10, "mp-151")] {
        let read = api.get(&format!("/v1/tenants/acme/alg-policies/{policy}")).await.expect(200);
        assert_eq!(read["used_by_total"], total);
        let by = read["used_by"].as_array().unwrap();
        assert_eq!((by.len(), &by[0]["name"]), (total.min(100), &json!(first)));
        lists_and_reads_agree(api).await;
    }
}

#[tokio::test]
async fn what_ends_a_sign_in_ends_it_at_once_on_every_replica() {
    let world = World::new().await;
    let root = world.api("root");
    let read = "/v1/tenants/acme/master-profiles/name:Default-Basic-MP";
    let other =
        pinhole::app::AppState { store: Store::connect_lazily(world.owner.clone()), ..world.state.clone() };
    let other = pinhole::http::router(other);
    let sign_in = async |name: &str| {
        let body = json!({"username": name, "password": PASSWORD, "role": "enterprise_operator"});
        let user = root.post("/v1/tenants/acme/users", &body).await;
        user.expect(201);
        let fields = [("grant_type", "password"), ("username", name), ("password", PASSWORD)];
        let tokens = world.anonymous().form("/v1/auth/token", &fields).await.expect(200);
        let api = world.anonymous().with_token(tokens["access_token"].as_str().unwrap()).on(other.clone());
        // Remembered from here on.
        api.get(read).await.expect(200);
        (api, format!("/v1/tenants/acme/users/{}", user.id()))
    };
    let (signed_out, _) = sign_in("signs-out").await;
    let sessions = signed_out.get("/v1/tenants/acme/sessions").await.expect(200);
    let session = sessions["items"][0]["id"].as_str().unwrap().to_owned();
    root.delete(&format!("/v1/tenants/acme/sessions/{session}")).await.expect(204);
    signed_out.get(read).await.problem(401, "unauthenticated");

    let (disabled, user) = sign_in("disabled").await;
    root.patch(&user, &json!({"enabled": false})).await.expect(200);
    disabled.get(read).await.problem(401, "unauthenticated");

    let (deleted, user) = sign_in("deleted").await;
    root.delete(&user).await.expect(204);
    deleted.get(read).await.problem(401, "unauthenticated");

    let (demoted, user) = sign_in("promoted").await;
    assert_eq!(demoted.get(read).await.expect(200)["my_permission"], "read");
    root.patch(&user, &json!({"role": "enterprise_administrator"})).await.expect(200);
    assert_eq!(demoted.get(read).await.expect(200)["my_permission"], "edit");

    let (suspended, _) = sign_in("suspended").await;
    root.send(Method::POST, "/v1/tenants/acme/suspend", &[("if-match", "*")], None).await.expect(200);
    suspended.get(read).await.problem(401, "unauthenticated");
    root.send(Method::POST, "/v1/tenants/acme/resume", &[("if-match", "*")], None).await.expect(200);
    suspended.get(read).await.expect(200);
    world.clock.advance(pinhole::access::token::ACCESS_TOKEN_LIFETIME);
    suspended.get(read).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn in_postgres_alone_a_read_shows_nothing_of_another_tenant() {
    let world = World::new().await;
    let own = service(&world.api("acme-admin"), "acme", "own", "1").await;
    let foreign = service(&world.api("globex-admin"), "globex", "foreign", "1").await;
    let mut connection = world.owner.connect().await.unwrap();
    let sign_in = "SELECT s.user_id, s.id, s.tenant_id FROM sessions s JOIN users u ON u.id = s.user_id
                   WHERE u.username = 'acme-admin'";
    let row = connection.fetch_one(sign_in).await.unwrap();
    let (user, session, acme): (uuid::Uuid, uuid::Uuid, uuid::Uuid) = (row.get(0), row.get(1), row.get(2));
    let globex: uuid::Uuid = world.tenant("globex").parse().unwrap();
    connection.execute("SET ROLE pinhole_app").await.unwrap();
    let table: Value = pinhole::access::matrix::built_in_table().clone();
    let mut parts = async |home: uuid::Uuid, tenant: uuid::Uuid, object: &str| -> Vec<(String, bool)> {
        let mut tx = connection.begin().await.unwrap();
        let rows = sqlx::query(
            "SELECT part, id IS NOT NULL FROM read_object($1, $2, $3, now(), $4, NULL, 'service', $5::uuid, NULL, $6, 100)",
        );
        let rows = rows.bind(home).bind(user).bind(session).bind(tenant).bind(object).bind(&table);
        let rows = rows.fetch_all(&mut *tx).await.unwrap();
        // Whoever was not let in sees nothing afterwards, either.
        let seen: Vec<uuid::Uuid> =
            sqlx::query_scalar("SELECT tenant_id FROM objects").fetch_all(&mut *tx).await.unwrap();
        assert!(seen.iter().all(|seen| *seen == home), "{seen:?}");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let caller = ("caller".to_owned(), false);
    let object = |there| ("object".to_owned(), there);
    assert_eq!(parts(acme, acme, &own).await, [caller.clone(), object(true)]);
    assert_eq!(parts(acme, acme, &foreign).await, [caller.clone(), object(false)]);
    assert_eq!(parts(acme, globex, &foreign).await, [caller]);
    // The user is not at home there, so there is no such caller.
    assert_eq!(parts(globex, globex, &foreign).await, []);
}
