//! Stands in for the reconciler and a gateway: writes down what they would.

use sqlx::{ConnectOptions as _, Connection as _};

use super::World;

/// What a gateway answers to what it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    Applied,
    Rejected(&'static str),
}

/// Answers the newest revision that was published to an appliance, if it is still on its way.
pub(crate) async fn reply(world: &World, appliance: &str, reply: Reply) {
    let (status, reason) = match reply {
        Reply::Applied => ("applied", None),
        Reply::Rejected(reason) => ("rejected", Some(reason)),
    };
    let mut owner = world.owner.connect().await.unwrap();
    let mut tx = owner.begin().await.unwrap();
    sqlx::query(
        "WITH replica AS (
             INSERT INTO replicas VALUES (gen_random_uuid(), now() + interval '1 minute') RETURNING id)
         UPDATE appliance_states
         SET running_revision_id = CASE WHEN $2 = 'applied' THEN desired_revision_id ELSE running_revision_id END,
             connected = true, replica_id = (SELECT id FROM replica), last_seen_at = now(), last_error = $3
         WHERE appliance_id = $1::uuid",
    )
    .bind(appliance)
    .bind(status)
    .bind(reason)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "UPDATE publication_appliances d SET status = $2, reason = $3 FROM appliance_states s
         WHERE s.appliance_id = $1::uuid AND d.appliance_id = s.appliance_id AND d.version = s.desired_version
           AND d.status IN ('pending', 'unreachable')",
    )
    .bind(appliance)
    .bind(status)
    .bind(reason)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "UPDATE publications p SET finished_at = now(),
             state = CASE WHEN EXISTS (SELECT FROM publication_appliances d
                                       WHERE d.publication_id = p.id AND d.status = 'rejected')
                     THEN 'failed' ELSE 'succeeded' END
         WHERE p.state = 'running'
           AND NOT EXISTS (SELECT FROM publication_appliances d
                           WHERE d.publication_id = p.id AND d.status IN ('pending', 'unreachable'))",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}
