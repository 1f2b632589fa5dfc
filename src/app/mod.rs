//! Use cases. Each one opens a [`scope::Scope`] (who, on which tenant, in one transaction), asks
//! [`crate::access::matrix`] for a permit, and lets [`crate::store`] do it.

pub mod alg_policies;
pub mod appliances;
pub mod audit;
pub mod auth;
pub mod bootstrap;
pub mod cloning;
mod compilation;
pub mod copying;
pub mod embedded;
pub mod idempotency;
pub mod inspection;
pub mod keys;
pub mod live;
pub mod objects;
pub mod permission_defaults;
pub mod permissions;
pub mod publications;
mod references;
pub mod scope;
pub mod services;
pub mod sessions;
pub mod tenants;
pub mod users;
pub mod versions;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::access::authority::Authority;
use crate::access::password::PasswordHasher;
use crate::access::token::SigningKeys;
use crate::clock::SharedClock;
use crate::error::Result;
use crate::oidc::RelyingParty;
use crate::push::live::Inquirer;
use crate::push::{Registry, Signals};
use crate::store::Store;

/// Where gateways reach a controller on the same host, unless settings say otherwise.
const DEFAULT_GATEWAY_URL: &str = "https://127.0.0.1:7443";

/// What every use case works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// The time of day.
    pub clock: SharedClock,
    /// The keys that sign access tokens.
    pub keys: SigningKeys,
    /// Who certifies gateways.
    pub authority: Authority,
    /// Hashes and compares passwords.
    pub passwords: PasswordHasher,
    /// Wakes the push and whoever watches publications.
    pub signals: Signals,
    /// Places for those who watch publications.
    pub watchers: Arc<Semaphore>,
    /// The gateways that are connected to this replica, and what they told.
    pub gateways: Registry,
    /// Asks gateways what they do, whichever replica they are connected to.
    pub inquirer: Inquirer,
    /// The URL at which gateways reach this controller, as an administrator is told it.
    pub gateway_url: Arc<str>,
    /// The proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Arc<[IpAddr]>,
    /// Signs people in with an outside issuer, if there is one.
    pub oidc: Option<RelyingParty>,
    /// Requests that one access token may make in a minute; `None` is any number.
    pub rate_limit: Option<NonZeroU32>,
}

impl AppState {
    /// The state of a controller on a database that [`bootstrap::start`] has prepared.
    ///
    /// # Errors
    /// Password hashing does not work on this system.
    pub fn new(store: Store, clock: SharedClock, keys: SigningKeys, authority: Authority) -> Result<Self> {
        let passwords = PasswordHasher::new()?;
        let gateway_url = DEFAULT_GATEWAY_URL.into();
        let (signals, gateways) = (Signals::default(), Registry::default());
        let inquirer = Inquirer::new(store.clone(), gateways.clone(), signals.clone());
        Ok(Self {
            store,
            clock,
            keys,
            authority,
            passwords,
            signals,
            watchers: Arc::new(publications::places()),
            gateways,
            inquirer,
            gateway_url,
            trusted_proxies: Arc::new([]),
            oidc: None,
            rate_limit: None,
        })
    }
}
