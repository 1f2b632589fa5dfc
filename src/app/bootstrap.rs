//! First start: the provider, its administrator, the signing key and the authority for gateways.

use crate::access::authority::{Authority, StoredAuthority};
use crate::access::matrix::{self, Viewer};
use crate::access::password::PasswordHasher;
use crate::access::seal::SecretKey;
use crate::access::token::{Secret, SigningKeys, StoredKey};
use crate::clock::{Clock, Timestamp};
use crate::domain::kind::Kind;
use crate::domain::name::{Description, Name, Tags};
use crate::domain::object::{Draft, Object, Spec, Stamp};
use crate::domain::password::Password;
use crate::domain::permission::Grants;
use crate::domain::profile::MasterProfile;
use crate::domain::role::Role;
use crate::domain::tenant::DEFAULT_MASTER_PROFILE;
use crate::domain::user::{User, UserDraft};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{ObjectId, TenantId, UserId};
use crate::store::tx::{Finish, TenantTx};
use crate::store::users::NewCredential;
use crate::store::{Store, authorities, objects, signing_keys, tenants, users};

/// The provider's name until an administrator gives it another.
const PROVIDER_NAME: &str = "provider";
/// The first administrator's name.
const FIRST_USERNAME: &str = "admin";

/// What a start found or made.
#[derive(Debug)]
pub struct Started {
    /// The keys that sign access tokens.
    pub keys: SigningKeys,
    /// Who certifies gateways.
    pub authority: Authority,
    /// The first administrator's login, which was announced; only on the installation's first start.
    pub first_login: Option<FirstLogin>,
}

/// A generated login.
#[derive(Debug)]
pub struct FirstLogin {
    /// The user name.
    pub username: String,
    /// The password; it is kept by its hash only.
    pub password: Secret,
}

/// Prepares a migrated database, once: of several replicas that start together, one does.
///
/// The first login is announced before it is kept: should this program be killed in between, what was announced
/// does not work and the next start makes another, while a login that works and nobody knows would lock everyone
/// out.
///
/// # Errors
/// The database does not answer, its secrets are sealed with another key, or the first login cannot be announced.
pub async fn start(
    store: &Store,
    clock: &dyn Clock,
    secret_key: &SecretKey,
    announce: impl FnOnce(&FirstLogin) -> std::io::Result<()>,
) -> Result<Started> {
    let now = clock.now();
    let mut tx = store.system_tx().await?;
    tx.serialize_starts().await?;
    let mut stored = signing_keys::load(&mut tx, secret_key).await?;
    if stored.is_empty() {
        let key = StoredKey::generate(now)?;
        signing_keys::insert(&mut tx, secret_key, &key).await?;
        stored.push(key);
    }
    let keys = SigningKeys::load(&stored)?;
    let authority = match authorities::load(&mut tx, secret_key).await? {
        Some(authority) => authority,
        None => {
            let authority = StoredAuthority::generate(now)?;
            authorities::insert(&mut tx, secret_key, &authority, now).await?;
            authority
        }
    };
    let authority = Authority::load(authority)?;
    if tenants::provider(&mut tx).await?.is_some() {
        tx.commit().await?;
        return Ok(Started { keys, authority, first_login: None });
    }

    let provider = TenantId::generate();
    tenants::insert_provider(&mut tx, provider, &name(PROVIDER_NAME)?, now).await?;
    let mut tx = tx.into_tenant(provider).await?;
    let password = Secret::generate();
    insert_administrator(&mut tx, provider, &password, now).await?;
    insert_default_profile(&mut tx, &Stamp { at: now, by: None }).await?;
    let first_login = FirstLogin { username: FIRST_USERNAME.to_owned(), password };
    announce(&first_login)
        .map_err(|error| Error::Internal(format!("the first login cannot be handed out: {error}")))?;
    tx.finish(Finish::Commit).await?;
    Ok(Started { keys, authority, first_login: Some(first_login) })
}

async fn insert_administrator(
    tx: &mut TenantTx,
    provider: TenantId,
    password: &Secret,
    now: Timestamp,
) -> Result<()> {
    let role = Role::ServiceProviderAdministrator;
    let permit = matrix::authorize_administer(role)?;
    let stamp = Stamp { at: now, by: None };
    let user = User {
        id: UserId::generate(),
        tenant: provider,
        draft: UserDraft { username: name(FIRST_USERNAME)?, email: None, role, enabled: true },
        identity: None,
        invited_until: None,
        version: Version::FIRST,
        created: stamp.clone(),
        updated: stamp,
    };
    let hash = PasswordHasher::new()?.hash(Password::candidate(password.reveal().to_owned())).await?;
    users::insert(tx, &permit, &user, &NewCredential::Password(&hash)).await
}

/// Adds the master profile that every tenant starts with.
pub(super) async fn insert_default_profile(tx: &mut TenantTx, stamp: &Stamp) -> Result<()> {
    let permit = matrix::authorize_create(&Viewer::installation(), Kind::MasterProfile)?;
    let profile = Object {
        id: ObjectId::generate(),
        draft: Draft {
            name: name(DEFAULT_MASTER_PROFILE)?,
            description: Description::default(),
            tags: Tags::default(),
            spec: Spec::MasterProfile(MasterProfile::default()),
        },
        grants: Grants::default(),
        version: Version::FIRST,
        created: stamp.clone(),
        updated: stamp.clone(),
    };
    objects::insert(tx, &permit, &profile).await
}

pub(super) fn name(text: &str) -> Result<Name> {
    Name::parse(text).map_err(|(_, detail)| Error::Internal(format!("the name {text:?} {detail}")))
}
