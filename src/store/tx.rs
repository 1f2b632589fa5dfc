//! Transactions, which carry whose rows they see.

use std::fmt;
use std::str::FromStr;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Postgres, Transaction};

use super::Store;
use super::once::Once;
use crate::access::token::Claims;
use crate::clock::Timestamp;
use crate::domain::reference::Ref;
use crate::error::{Error, Result};
use crate::ids::TenantId;
use crate::origin::Origin;

/// What makes the advisory locks of this program its own; the second key says what is locked.
const WRITE_LOCK: i32 = 0x5048_0001;
const REQUEST_LOCK: i32 = 0x5048_0003;
const START_LOCK: i64 = 0x5048_0002_0000_0000;

/// Who comes to which tenant, and when.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// What the caller's access token says.
    pub claims: &'a Claims,
    /// The tenant, as a path names it.
    pub tenant: &'a Ref<TenantId>,
    /// The moment at which a sign-in has to be good.
    pub now: Timestamp,
}

/// A transaction that sees one tenant, and the tenants that the actor's own tenant provides for.
#[derive(Debug)]
pub struct TenantTx {
    inner: Transaction<'static, Postgres>,
    home: TenantId,
    tenant: TenantId,
}

/// A transaction that sees every tenant, in the tables granted to `pinhole_system`. For sign-in, gateway
/// authentication, the reconciler and first start; no request of a signed-in user runs in one.
#[derive(Debug)]
pub struct SystemTx {
    inner: Transaction<'static, Postgres>,
}

/// Whether what was done is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Keep it.
    Commit,
    /// Undo it: the caller only wanted to see what would be.
    Rollback,
}

/// A point in the order of transactions: every one before it has ended. What rows were changed by is held against it, so
/// that whoever reads on from a mark misses nothing, however late a transaction commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl Mark {
    /// The mark of now.
    async fn now(connection: &mut PgConnection) -> Result<Self> {
        // As text, since the driver does not know the type.
        let mark = sqlx::query_scalar("SELECT pg_snapshot_xmin(pg_current_snapshot())::text");
        let mark: String = mark.fetch_one(connection).await?;
        mark.parse().map_err(|error| Error::Internal(format!("a transaction's number: {error}")))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Mark {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Store {
    /// Begins a transaction that sees nothing yet: who comes has to be let in first, by [`super::users::enter`].
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn outer_tx(&self, home: TenantId) -> Result<TenantTx> {
        let Some(once) = Once::current() else {
            // Nothing but an address and an id goes into the statement.
            let begin = format!("BEGIN; SET LOCAL pinhole.origin = '{}'", Origin::current());
            let inner = self.pool().begin_with(AssertSqlSafe(begin)).await?;
            return Ok(TenantTx { inner, home, tenant: home });
        };
        once.go_on().await?;
        let mut tx = self.tenant_tx(home).await?;
        tx.lock_out_repetitions(&once).await?;
        Ok(tx)
    }

    /// Begins a transaction on the tenant that the actor belongs to.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn tenant_tx(&self, home: TenantId) -> Result<TenantTx> {
        // Nothing but the hyphenated form of UUIDs and an address goes into the statement.
        let begin = format!(
            "BEGIN; SET LOCAL pinhole.home_tenant_id = '{home}'; SET LOCAL pinhole.tenant_id = '{home}'; \
             SET LOCAL pinhole.origin = '{origin}'",
            origin = Origin::current(),
        );
        let inner = self.pool().begin_with(AssertSqlSafe(begin)).await?;
        Ok(TenantTx { inner, home, tenant: home })
    }

    /// Begins a transaction across tenants.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn system_tx(&self) -> Result<SystemTx> {
        // As above. Statements of the push are about one row or ten thousand, in tables that a single publication can
        // make a hundred times larger: a plan that was made for the one is not kept for the other.
        let begin = format!(
            "BEGIN; SET LOCAL ROLE pinhole_system; SET LOCAL plan_cache_mode = force_custom_plan; \
             SET LOCAL pinhole.origin = '{}'",
            Origin::current()
        );
        let inner = self.pool().begin_with(AssertSqlSafe(begin)).await?;
        Ok(SystemTx { inner })
    }
}

impl TenantTx {
    /// The tenant that it acts on.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Turns to another tenant, which has to have been read in this transaction: row-level security shows a
    /// provider its enterprises, and an enterprise none.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn act_on(&mut self, tenant: &crate::domain::tenant::Tenant) -> Result<()> {
        if tenant.id != self.tenant {
            set_tenant(&mut self.inner, tenant.id).await?;
            self.tenant = tenant.id;
        }
        Ok(())
    }

    /// Takes note of the tenant that the statement which let the caller in has turned to.
    pub(super) fn entered(&mut self, tenant: TenantId) {
        self.tenant = tenant;
    }

    /// Turns back to the tenant that the actor belongs to.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn return_home(&mut self) -> Result<()> {
        set_tenant(&mut self.inner, self.home).await?;
        self.tenant = self.home;
        Ok(())
    }

    /// Waits until no other transaction writes objects of the tenant, and keeps others waiting until the end.
    /// Rules that span objects (overlaps, uses) hold because of it.
    ///
    /// # Errors
    /// The database does not answer, or others took too long.
    pub async fn serialize_writes(&mut self) -> Result<()> {
        sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2::text))")
            .bind(WRITE_LOCK)
            .bind(self.tenant)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Keeps the same request, come again, from being carried out until the end of the transaction.
    async fn lock_out_repetitions(&mut self, once: &Once) -> Result<()> {
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1, hashtext($2 || $3))")
            .bind(REQUEST_LOCK)
            .bind(once.user().to_string())
            .bind(once.key().as_str());
        // A statement of its own, which sees what whoever had the lock before has written.
        let answered = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM idempotency_keys
             WHERE tenant_id = $1 AND user_id = $2 AND key = $3 AND status IS NOT NULL)",
        )
        .bind(once.home())
        .bind(once.user())
        .bind(once.key().as_str());
        let locked: bool = lock.fetch_one(self.connection()).await?;
        let answered: bool = answered.fetch_one(self.connection()).await?;
        if locked && !answered { Ok(()) } else { Err(Error::KeyInUse) }
    }

    /// The mark of now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn mark(&mut self) -> Result<Mark> {
        Mark::now(self.connection()).await
    }

    /// Ends the transaction. What a request with an idempotency key does is kept when its answer is, and not before.
    ///
    /// # Errors
    /// The database does not answer, or does not accept what was done.
    pub async fn finish(self, how: Finish) -> Result<()> {
        match (how, Once::current()) {
            (Finish::Commit, Some(once)) => once.hold(self),
            (Finish::Commit, None) => self.commit().await?,
            (Finish::Rollback, _) => self.rollback().await?,
        }
        Ok(())
    }

    /// Ends a transaction that is only a part of what the request does, and is kept whatever becomes of the rest.
    ///
    /// # Errors
    /// The database does not answer, or does not accept what was done.
    pub async fn finish_part(self, how: Finish) -> Result<()> {
        match how {
            Finish::Commit => self.commit().await,
            Finish::Rollback => self.rollback().await,
        }
    }

    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }

    pub(super) async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

impl SystemTx {
    /// Waits until no other replica is at its first start.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn serialize_starts(&mut self) -> Result<()> {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(START_LOCK).execute(self.connection()).await?;
        Ok(())
    }

    /// The mark of now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn mark(&mut self) -> Result<Mark> {
        Mark::now(self.connection()).await
    }

    /// Gives up sight of all tenants but one, within the transaction.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn into_tenant(mut self, tenant: TenantId) -> Result<TenantTx> {
        // Nothing but the hyphenated form of a UUID goes into the statement.
        let turn = format!(
            "SET LOCAL ROLE pinhole_app; SET LOCAL pinhole.home_tenant_id = '{tenant}'; \
             SET LOCAL pinhole.tenant_id = '{tenant}'"
        );
        self.inner.execute(sqlx::raw_sql(AssertSqlSafe(turn))).await?;
        Ok(TenantTx { inner: self.inner, home: tenant, tenant })
    }

    /// Ends the transaction, keeping what was done.
    ///
    /// # Errors
    /// The database does not answer, or does not accept what was done.
    pub async fn commit(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

async fn set_tenant(connection: &mut PgConnection, tenant: TenantId) -> Result<()> {
    sqlx::query("SELECT set_config('pinhole.tenant_id', $1::text, true)")
        .bind(tenant)
        .execute(connection)
        .await?;
    Ok(())
}
