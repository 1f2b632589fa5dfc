//! One tenant never meets another: over the API, and in Postgres alone.

use axum::http::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _};

use crate::support::{World, appliance, create, service};

#[tokio::test]
async fn what_is_anothers_is_not_found() {
    let world = World::new().await;
    let (acme, globex) = (world.api("acme-admin"), world.api("globex-admin"));
    let own = service(&globex, "globex", "s", "1").await;
    let foreign = service(&acme, "acme", "s", "1").await;
    let globex_id = world.tenant("globex");
    let nowhere = uuid::Uuid::now_v7();
    for tenant in ["acme", world.tenant("acme"), "provider", "nobody", &nowhere.to_string(), "%20", "-"] {
        for path in [
            format!("/v1/tenants/{tenant}"),
            format!("/v1/tenants/{tenant}/services"),
            format!("/v1/tenants/{tenant}/services/{own}"),
            format!("/v1/tenants/{tenant}/services/{foreign}"),
            format!("/v1/tenants/{tenant}/users"),
        ] {
            globex.get(&path).await.problem(404, "not-found");
        }
        let body = json!({"name": "x", "protocol": "tcp", "destination_port": "1"});
        globex.post(&format!("/v1/tenants/{tenant}/services"), &body).await.problem(404, "not-found");
    }
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let path = format!("/v1/tenants/{globex_id}/services/{foreign}");
        let body = json!({"name": "x", "protocol": "tcp", "destination_port": "1"});
        let body = matches!(method, Method::PUT | Method::PATCH).then_some(&body);
        globex.send(method, &path, &[("if-match", "*")], body).await.problem(404, "not-found");
    }
    assert_eq!(acme.get(&format!("/v1/tenants/acme/services/{foreign}")).await.expect(200)["version"], 1);
}

#[tokio::test]
async fn the_provider_acts_on_an_enterprise_through_the_path() {
    let world = World::new().await;
    let (root, operator, acme) = (world.api("root"), world.api("root-operator"), world.api("acme-admin"));
    let id = service(&root, "acme", "by-root", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    let read = acme.get(&path).await.expect(200);
    assert_eq!(read["created_by"]["name"], "admin");
    assert_eq!(operator.get(&path).await.expect(200)["my_permission"], "read");
    operator.patch(&path, &json!({"name": "x"})).await.problem(403, "forbidden");
    for elsewhere in ["provider", "globex"] {
        root.get(&format!("/v1/tenants/{elsewhere}/services/{id}")).await.problem(404, "not-found");
        assert_eq!(root.get(&format!("/v1/tenants/{elsewhere}/services")).await.expect(200)["total"], 0);
    }
}

/// Every table with rows of a tenant, and what is expected of the others.
const TABLES_WITHOUT_TENANT: [&str; 7] = [
    "_sqlx_migrations",
    "refresh_tokens",
    "authorities",
    "signing_keys",
    "login_failures",
    "replicas",
    "sign_in_attempts",
];

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         ORDER BY relname",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_table_forces_row_level_security() {
    let world = World::new().await;
    let mut owner = world.owner.connect().await.unwrap();
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY relname",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(open, ["_sqlx_migrations"]);
    let powers: Vec<(String, bool)> = sqlx::query_as(
        "SELECT rolname::text, rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole
         FROM pg_roles WHERE rolname LIKE 'pinhole\\_%' ORDER BY rolname",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(powers, [("pinhole_app".to_owned(), false), ("pinhole_system".to_owned(), false)]);
}

#[tokio::test]
async fn without_any_where_clause_a_query_sees_one_tenant() {
    let world = World::new().await;
    let (acme, globex) = (world.api("acme-admin"), world.api("globex-admin"));
    for (api, tenant) in [(&acme, "acme"), (&globex, "globex")] {
        let id = service(api, tenant, "s", "2121").await;
        create(api, tenant, "alg-policies", &json!({"name": "p", "protocols": {"ftp": {"services": [id]}}}))
            .await;
        let edge = appliance(api, tenant, "edge").await;
        let path = format!("/v1/tenants/{tenant}");
        api.post(&format!("{path}/appliances/{edge}/join-token"), &json!({})).await.expect(201);
        let (all, order) = (format!("{path}/publications"), json!({"appliances": [edge]}));
        api.send(Method::POST, &all, &[("idempotency-key", "k")], Some(&order)).await.expect(202);
    }
    let mut connection = world.owner.connect().await.unwrap();
    let certify =
        "INSERT INTO gateway_certificates (id, tenant_id, appliance_id, fingerprint, issued_at, expires_at)
                   SELECT gen_random_uuid(), tenant_id, id, sha256(id::text::bytea), now(), now()
                   FROM objects WHERE kind = 'appliance'";
    connection.execute(certify).await.unwrap();
    let ask = "INSERT INTO inquiries (id, tenant_id, appliance_id, replica_id, question)
               SELECT gen_random_uuid(), tenant_id, id, gen_random_uuid(), '' FROM objects WHERE kind = 'appliance'";
    connection.execute(ask).await.unwrap();
    connection.execute("SET ROLE pinhole_app").await.unwrap();

    for (setting, visible) in [(Some("acme"), Some("acme")), (Some("globex"), Some("globex")), (None, None)] {
        let mut tx = connection.begin().await.unwrap();
        if let Some(tenant) = setting {
            let id = world.tenant(tenant);
            let set =
                format!("SET LOCAL pinhole.tenant_id = '{id}'; SET LOCAL pinhole.home_tenant_id = '{id}'");
            tx.execute(sqlx::raw_sql(AssertSqlSafe(set))).await.unwrap();
        }
        for table in tables(&mut tx).await {
            if TABLES_WITHOUT_TENANT.contains(&table.as_str()) {
                continue;
            }
            let column = if table == "tenants" { "id" } else { "tenant_id" };
            let rows = sqlx::query(AssertSqlSafe(format!("SELECT {column}::text AS tenant FROM {table}")))
                .fetch_all(&mut *tx)
                .await
                .unwrap();
            let seen: Vec<String> = rows.iter().map(|row| row.get("tenant")).collect();
            match visible {
                Some(tenant) => {
                    assert!(seen.iter().all(|id| id == world.tenant(tenant)), "{table}: {seen:?}")
                }
                None => assert_eq!(seen, [""; 0], "{table}"),
            }
            if visible.is_some() {
                assert!(!seen.is_empty(), "{table} shows nothing, so the test shows nothing");
            }
        }
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn under_one_tenants_setting_nothing_of_another_can_be_written() {
    let world = World::new().await;
    let mut connection = world.owner.connect().await.unwrap();
    connection.execute("SET ROLE pinhole_app").await.unwrap();
    let (acme, globex) = (world.tenant("acme"), world.tenant("globex"));
    let own = appliance(&world.api("acme-admin"), "acme", "own").await;
    let foreign = appliance(&world.api("globex-admin"), "globex", "foreign").await;
    for (user, tenant, edge) in [("acme-admin", "acme", &own), ("globex-admin", "globex", &foreign)] {
        let (api, path) = (world.api(user), format!("/v1/tenants/{tenant}"));
        api.post(&format!("{path}/appliances/{edge}/join-token"), &json!({})).await.expect(201);
        api.post(&format!("{path}/publications"), &json!({"appliances": [edge]})).await.expect(202);
    }
    let statements = [
        format!(
            "INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at,
             updated_at) VALUES (gen_random_uuid(), '{globex}', 'service', 'x', '', '{{}}', '{{}}', '{{}}', 1, now(), now())"
        ),
        format!("UPDATE objects SET tenant_id = '{globex}'"),
        format!("UPDATE users SET tenant_id = '{globex}'"),
        format!("UPDATE join_tokens SET tenant_id = '{globex}', appliance_id = '{foreign}'"),
        format!("UPDATE revisions SET tenant_id = '{globex}', appliance_id = '{foreign}'"),
        format!("UPDATE appliance_states SET tenant_id = '{globex}'"),
        format!("UPDATE publications SET tenant_id = '{globex}'"),
        format!("UPDATE publication_appliances SET tenant_id = '{globex}', appliance_id = '{foreign}'"),
        format!(
            "INSERT INTO join_tokens (tenant_id, appliance_id, token_hash, created_at, expires_at)
             VALUES ('{globex}', '{foreign}', decode(repeat('00', 32), 'hex'), now(), now())"
        ),
        "INSERT INTO tenants (id, name, created_at, updated_at) VALUES (gen_random_uuid(), 'x', now(), now())".to_owned(),
        "SELECT * FROM signing_keys".to_owned(),
        "SELECT * FROM authorities".to_owned(),
        // Not even of one's own.
        format!(
            "INSERT INTO gateway_certificates (id, tenant_id, appliance_id, fingerprint, issued_at, expires_at)
             VALUES (gen_random_uuid(), '{acme}', '{own}', decode(repeat('00', 32), 'hex'), now(), now())"
        ),
        "SELECT * FROM refresh_tokens".to_owned(),
        "ALTER TABLE objects DISABLE ROW LEVEL SECURITY".to_owned(),
        "DROP TABLE objects".to_owned(),
    ];
    for statement in statements {
        let mut tx = connection.begin().await.unwrap();
        let set =
            format!("SET LOCAL pinhole.tenant_id = '{acme}'; SET LOCAL pinhole.home_tenant_id = '{acme}'");
        tx.execute(sqlx::raw_sql(AssertSqlSafe(set))).await.unwrap();
        let error = tx.execute(sqlx::raw_sql(AssertSqlSafe(statement.clone()))).await.unwrap_err();
        // insufficient_privilege, which row-level security reports too
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{statement}");
        tx.rollback().await.unwrap();
    }
    for statement in [
        "DELETE FROM objects",
        "DELETE FROM users",
        "UPDATE objects SET description = 'x'",
        "DELETE FROM join_tokens",
        "DELETE FROM publications",
        "DELETE FROM publication_appliances",
        "UPDATE appliance_states SET desired_revision_id = NULL",
    ] {
        let mut tx = connection.begin().await.unwrap();
        let set = format!("SET LOCAL pinhole.tenant_id = '{acme}'");
        tx.execute(sqlx::raw_sql(AssertSqlSafe(set))).await.unwrap();
        tx.execute(statement).await.unwrap();
        tx.execute("RESET ROLE").await.unwrap();
        let words: Vec<&str> = statement.split(' ').collect();
        let table = if words[0] == "DELETE" { words[2] } else { words[1] };
        let check = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{globex}'");
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(check)).fetch_one(&mut *tx).await.unwrap();
        assert!(left > 0, "{statement}");
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn an_enterprises_setting_reaches_no_tenant_but_itself() {
    let world = World::new().await;
    let mut connection = world.owner.connect().await.unwrap();
    connection.execute("SET ROLE pinhole_app").await.unwrap();
    let acme = world.tenant("acme");
    let mut tx = connection.begin().await.unwrap();
    let set = format!("SET LOCAL pinhole.tenant_id = '{acme}'; SET LOCAL pinhole.home_tenant_id = '{acme}'");
    tx.execute(sqlx::raw_sql(AssertSqlSafe(set))).await.unwrap();
    for statement in [
        "UPDATE tenants SET own_defaults = '{\"service\": {\"enterprise_operator\": \"edit\"}}'",
        "UPDATE tenants SET enterprise_defaults = '{}', defaults_version = defaults_version + 1",
        "UPDATE tenants SET suspended_at = now()",
    ] {
        assert_eq!(tx.execute(statement).await.unwrap().rows_affected(), 1, "{statement}");
    }
    assert_eq!(tx.execute("DELETE FROM tenants").await.unwrap().rows_affected(), 0);
    tx.rollback().await.unwrap();
}

/// The search's index is read past row-level security, so what it tells is looked at by itself.
#[tokio::test]
async fn a_search_tells_nothing_of_another_tenant_whatever_it_is_asked() {
    let world = World::new().await;
    for (user, tenant) in [("acme-admin", "acme"), ("globex-admin", "globex")] {
        for index in 0..3 {
            service(&world.api(user), tenant, &format!("common-{tenant}-{index}"), "1").await;
        }
    }
    let mut connection = world.owner.connect().await.unwrap();
    let ids = "SELECT tenant_id, id FROM objects WHERE kind = 'service'";
    let ids: Vec<(uuid::Uuid, uuid::Uuid)> = sqlx::query_as(ids).fetch_all(&mut connection).await.unwrap();
    connection.execute("SET ROLE pinhole_app").await.unwrap();
    let search = "SELECT search_candidates(ARRAY['service'], $1, $2)";
    for (tenant, needle, most, found) in [
        (Some("acme"), "common-", 10, Some(3)),
        (Some("acme"), "common-globex", 10, Some(0)),
        (Some("acme"), "globex-1", 10, Some(0)),
        (Some("acme"), "nothing", 10, Some(0)),
        // That there are too many is told of one's own alone, too.
        (Some("acme"), "common-", 3, Some(3)),
        (Some("acme"), "common-", 2, None),
        (Some("acme"), "common-globex", 0, Some(0)),
        (Some("acme"), "c", 10, None),
        (Some("globex"), "common-globex", 10, Some(3)),
        (None, "common-", 10, None),
    ] {
        let mut tx = connection.begin().await.unwrap();
        if let Some(tenant) = tenant {
            let set = format!("SET LOCAL pinhole.tenant_id = '{}'", world.tenant(tenant));
            tx.execute(sqlx::raw_sql(AssertSqlSafe(set))).await.unwrap();
        }
        let candidates: Option<Vec<uuid::Uuid>> =
            sqlx::query_scalar(search).bind(needle).bind(most).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(candidates.as_ref().map(Vec::len), found, "{tenant:?} {needle} {most}");
        let own = tenant.map(|tenant| world.tenant(tenant).parse::<uuid::Uuid>().unwrap());
        for id in candidates.unwrap_or_default() {
            assert!(ids.iter().any(|(tenant, listed)| *listed == id && Some(*tenant) == own));
        }
        tx.rollback().await.unwrap();
    }
    // Nor may anybody but a request ask.
    connection.execute("SET ROLE pinhole_system").await.unwrap();
    let asked = sqlx::query(search).bind("common-").bind(10).execute(&mut connection).await;
    assert_eq!(asked.unwrap_err().as_database_error().unwrap().code().unwrap(), "42501");
}
