//! The chain: for nobody to change, and telling what was changed all the same.

use std::sync::Arc;

use pinhole::access::seal::SecretKey;
use pinhole::app::{AppState, bootstrap};
use pinhole::clock::ShiftedClock;
use pinhole::domain::audit::Flaw;
use pinhole::store::{self, Store};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection};

use crate::support::{PASSWORD, World, service};

#[tokio::test]
async fn nobody_changes_an_entry() {
    let world = World::new().await;
    service(&world.api("acme-admin"), "acme", "s", "21").await;
    let mut owner = world.owner.connect().await.unwrap();
    for statement in [
        "UPDATE audit_entries SET action = 'x'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "SET ROLE pinhole_app; UPDATE audit_entries SET action = 'x'",
        "SET ROLE pinhole_app; DELETE FROM audit_entries",
        "SET ROLE pinhole_app; DELETE FROM audit_heads",
        "SET ROLE pinhole_app; SELECT audit_append(gen_random_uuid(), NULL, 'a', 'k', NULL, NULL, NULL, NULL)",
        "SET ROLE pinhole_app; SELECT audit_failed_sign_in(NULL, 10)",
        "SET ROLE pinhole_system; UPDATE audit_entries SET action = 'x'",
        "SET ROLE pinhole_system; INSERT INTO audit_heads SELECT gen_random_uuid(), 1, hash FROM audit_heads",
        "SET ROLE pinhole_system; DELETE FROM audit_entries",
    ] {
        owner.execute("RESET ROLE").await.unwrap();
        let error = owner.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{statement}");
    }
}

#[tokio::test]
async fn what_is_tampered_with_is_named() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for name in ["a", "b", "c", "d"] {
        service(&api, "acme", name, "21").await;
    }
    let tenant = world.tenant("acme").parse().unwrap();
    let store = &world.state.store;
    let flaws = async || pinhole::app::audit::verify(store, Some(tenant)).await.unwrap().remove(0).flaws;
    assert_eq!(flaws().await, []);
    let mut owner = world.owner.connect().await.unwrap();
    owner.execute("SET session_replication_role = replica").await.unwrap();
    let id = world.tenant("acme");
    let last: i64 =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT seq FROM audit_heads WHERE tenant_id = '{id}'")))
            .fetch_one(&mut owner)
            .await
            .unwrap();
    let seq = last - 2;
    let run = async |owner: &mut PgConnection, statement: &str| {
        let statement = statement.replace("$t", &format!("tenant_id = '{id}'"));
        owner.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.unwrap();
    };
    run(&mut owner, "CREATE TABLE kept AS SELECT * FROM audit_entries").await;
    let restore = "DELETE FROM audit_entries; INSERT INTO audit_entries SELECT * FROM kept";
    for column in
        ["action = 'x'", "client = '192.0.2.1'", "at = at + interval '1 us'", "actor = NULL", "after = '{}'"]
    {
        run(&mut owner, &format!("UPDATE audit_entries SET {column} WHERE $t AND seq = {seq}")).await;
        assert!(matches!(flaws().await[..], [Flaw::Changed { seq: found, .. }] if found == seq), "{column}");
        run(&mut owner, restore).await;
    }
    run(&mut owner, &format!("DELETE FROM audit_entries WHERE $t AND seq = {seq}")).await;
    assert_eq!(flaws().await, [Flaw::Missing { from: seq, to: seq }]);
    run(&mut owner, restore).await;
    run(&mut owner, &format!("DELETE FROM audit_entries WHERE $t AND seq >= {seq}")).await;
    assert_eq!(flaws().await, [Flaw::Missing { from: seq, to: last }]);
    run(&mut owner, restore).await;
    run(
        &mut owner,
        &format!(
            "UPDATE audit_entries SET seq = 1000000 WHERE $t AND seq = {seq};
             UPDATE audit_entries SET seq = {seq} WHERE $t AND seq = {next};
             UPDATE audit_entries SET seq = {next} WHERE $t AND seq = 1000000",
            next = seq + 1
        ),
    )
    .await;
    assert!(matches!(flaws().await[..], [Flaw::Changed { .. }, Flaw::Changed { .. }]));
    run(&mut owner, restore).await;
    run(&mut owner, "DELETE FROM audit_heads WHERE $t").await;
    assert_eq!(flaws().await, [Flaw::Headless]);
}

#[tokio::test]
async fn a_chain_is_whole_whoever_writes_at_once() {
    let world = World::new().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let api = world.api(if writer % 2 == 0 { "acme-admin" } else { "root" });
        let anonymous = world.anonymous();
        writers.spawn(async move {
            for index in 0..5 {
                service(&api, "acme", &format!("s-{writer}-{index}"), "21").await;
                let fields = [("grant_type", "password"), ("username", "acme-admin"), ("password", PASSWORD)];
                anonymous.form("/v1/auth/token", &fields).await;
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let verdicts = pinhole::app::audit::verify(&world.state.store, None).await.unwrap();
    assert!(verdicts.iter().all(|verdict| verdict.flaws.is_empty()), "{verdicts:?}");
    assert!(verdicts.iter().any(|verdict| verdict.entries >= 40));
}

/// The tables' owner need not be a superuser, whom row-level security does not bind.
#[tokio::test]
async fn an_owner_of_few_rights_keeps_the_audit_too() {
    let world = World::new().await;
    let mut admin = world.owner.connect().await.unwrap();
    let database = world.owner.get_database().unwrap();
    let owner = format!("owner_of_{database}");
    for statement in [
        format!("CREATE ROLE {owner} LOGIN NOSUPERUSER"),
        format!("GRANT pinhole_app, pinhole_system TO {owner}"),
        format!("CREATE DATABASE {owner} OWNER {owner}"),
    ] {
        admin.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.unwrap();
    }
    let mut cluster = world.owner.clone().database(&owner).connect().await.unwrap();
    let own = format!("GRANT CREATE ON SCHEMA public TO {owner}; ALTER SCHEMA public OWNER TO {owner}");
    cluster.execute(sqlx::raw_sql(AssertSqlSafe(own))).await.unwrap();
    let options = world.owner.clone().database(&owner).username(&owner);
    store::migrate(&options).await.unwrap();
    let store = Store::connect_lazily(options);
    let clock = Arc::new(ShiftedClock::default());
    let started =
        bootstrap::start(&store, &*clock, &SecretKey::generate().unwrap(), |_| Ok(())).await.unwrap();
    let first = started.first_login.unwrap();
    let state = AppState::new(store.clone(), clock, started.keys, started.authority).unwrap();
    let api = world.anonymous().on(pinhole::http::router(state));
    let fields =
        [("grant_type", "password"), ("username", &first.username), ("password", first.password.reveal())];
    let tokens = api.form("/v1/auth/token", &fields).await.expect(200);
    let root = api.with_token(tokens["access_token"].as_str().unwrap());
    service(&root, "provider", "s", "21").await;
    let entries = root.get("/v1/tenants/provider/audit").await.expect(200)["items"].clone();
    let actions: Vec<&str> =
        entries.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["create", "sign_in", "create", "create", "create"]);
    assert_eq!(entries[1]["object"]["name"], "admin");
    let verdicts = pinhole::app::audit::verify(&store, None).await.unwrap();
    assert_eq!(verdicts[0].flaws, []);
    store.pool().close().await;
}
