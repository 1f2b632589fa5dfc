//! Sign-ins: one's own, and for administrators all of a tenant.

use super::scope::Scope;
use crate::access::matrix;
use crate::domain::page::{ListQuery, Page};
use crate::error::{Error, Result};
use crate::ids::SessionId;
use crate::store::sessions::{self as store, Session, Whose};
use crate::store::tx::Finish;

/// Lists the sign-ins that have not ended: an administrator's list has all of the tenant, others have their own.
///
/// # Errors
/// The database does not answer.
pub async fn list(mut scope: Scope, query: &ListQuery) -> Result<Page<Session>> {
    let whose = whose(&scope);
    let page = store::list(&mut scope.tx, whose, query, scope.now).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(page)
}

/// Ends a sign-in; its tokens are over at once.
///
/// # Errors
/// [`Error::NotFound`] when there is none that the caller sees.
pub async fn end(mut scope: Scope, session: SessionId, finish: Finish) -> Result<()> {
    let whose = whose(&scope);
    if !store::revoke(&mut scope.tx, whose, session, scope.now).await? {
        return Err(Error::NotFound);
    }
    scope.tx.finish(finish).await
}

fn whose(scope: &Scope) -> Whose {
    match matrix::authorize_administer(scope.actor.role) {
        Ok(_) => Whose::Everybodys,
        Err(_) => Whose::Of(scope.actor.user),
    }
}
