//! Many appliances whose gateways are enrolled: by SQL and with the authority's key, as the API takes one after the other.
//!
//! What the controller sees is the same: an object, its state, and a certificate of its authority for each. Only the
//! gateways' key is one for all.

use chrono::{DateTime, Duration, Utc};
use pinhole::access::authority::{Authority, Request};
use pinhole::ids::ObjectId;
use pinhole_lab::fleet::Credentials;
use rcgen::{CertificateParams, KeyPair};
use sqlx::PgConnection;
use uuid::Uuid;

/// How long the certificates are good for.
const LIFETIME: Duration = Duration::days(1);

/// Copies of an appliance of the provider's: each with another pool, so that each has a configuration of its own, and
/// with the label `fleet`.
const COPY: &str = r#"
WITH template AS (SELECT * FROM objects WHERE kind = 'appliance' AND name = 'template'),
copies AS (
    INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at, updated_at)
    SELECT gen_random_uuid(), tenant_id, kind, 'fleet-' || lpad(n::text, 5, '0'), description, tags,
           spec || jsonb_build_object('labels', '{"fleet": "yes"}'::jsonb,
               'nat', spec -> 'nat' || jsonb_build_object('pool', jsonb_build_array(format('198.18.%s.%s', n / 250, n % 250)))),
           permissions, 1, now(), now()
    FROM template, generate_series(0, $1 - 1) n
    RETURNING id, tenant_id, name, description, tags, spec, permissions, updated_at),
links AS (
    INSERT INTO object_links (tenant_id, from_id, slot, to_id)
    SELECT link.tenant_id, copies.id, link.slot, link.to_id
    FROM copies, object_links link JOIN template ON link.from_id = template.id),
versions AS (
    INSERT INTO object_versions (tenant_id, object_id, version, name, description, tags, spec, permissions, saved_at)
    SELECT tenant_id, id, 1, name, description, tags, spec, permissions, updated_at FROM copies),
states AS (
    INSERT INTO appliance_states (appliance_id, tenant_id) SELECT id, tenant_id FROM copies)
SELECT id FROM copies ORDER BY name"#;

/// Makes copies of the appliance `template` of the provider, and certificates for their gateways.
pub(crate) async fn enrol(
    owner: &mut PgConnection,
    authority: &Authority,
    count: usize,
) -> (Vec<Uuid>, Credentials) {
    let appliances: Vec<Uuid> =
        sqlx::query_scalar(COPY).bind(i32::try_from(count).unwrap()).fetch_all(&mut *owner).await.unwrap();
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    let request = Request::parse(request.der()).unwrap();
    let now: DateTime<Utc> = Utc::now();
    let certify = |appliance: &Uuid| {
        authority.certify_gateway(&request, ObjectId::from(*appliance), now, LIFETIME).unwrap()
    };
    let issued: Vec<_> = appliances.iter().map(certify).collect();
    sqlx::query(
        "INSERT INTO gateway_certificates (id, fingerprint, tenant_id, appliance_id, issued_at, expires_at)
         SELECT gen_random_uuid(), new.fingerprint, o.tenant_id, o.id, $3, $4
         FROM unnest($1::uuid[], $2::bytea[]) AS new (appliance_id, fingerprint)
              JOIN objects o ON o.id = new.appliance_id",
    )
    .bind(&appliances)
    .bind(issued.iter().map(|issued| issued.fingerprint.as_bytes()).collect::<Vec<_>>())
    .bind(now)
    .bind(now + LIFETIME)
    .execute(owner)
    .await
    .unwrap();
    let certificates = issued.into_iter().map(|issued| issued.certificate).collect();
    let authority = authority.certificate().to_vec();
    (appliances, Credentials { authority, key: key.serialize_der(), certificates })
}
