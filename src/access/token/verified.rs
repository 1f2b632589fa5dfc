//! Tokens whose signatures were good, so that a client that asks again and again costs one signature check. What it
//! remembers is that the keys in use signed the token, and nothing else: time, user and sign-in are looked at each time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::Claims;

/// The most tokens of each of two generations that are remembered.
const MAX_TOKENS: usize = 4_096;

/// The SHA-256 of a token. Tokens themselves are not kept.
type Key = [u8; 32];

/// The tokens that one set of keys has signed. It goes with the keys, so other keys begin with an empty one.
#[derive(Default)]
pub(super) struct Verified(Mutex<Generations>);

/// When the younger generation is full, it becomes the older one and that is forgotten: what is in use moves over, and
/// memory is bounded without a list of who was used last.
#[derive(Default)]
struct Generations {
    younger: HashMap<Key, Claims>,
    older: HashMap<Key, Claims>,
}

impl Verified {
    /// What a token says, if it is known; otherwise what `check` finds. That a token is bad is not remembered.
    pub(super) fn claims<E>(
        &self,
        token: &str,
        check: impl FnOnce() -> Result<Claims, E>,
    ) -> Result<Claims, E> {
        let key = Sha256::digest(token.as_bytes()).into();
        if let Some(claims) = self.generations(|generations| generations.find(&key)) {
            return Ok(claims);
        }
        // Not under the lock: it takes its time, and whoever sends the same token meanwhile checks it, too.
        let claims = check()?;
        self.generations(|generations| generations.insert(key, claims.clone()));
        Ok(claims)
    }

    fn generations<T>(&self, use_them: impl FnOnce(&mut Generations) -> T) -> T {
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    fn find(&mut self, key: &Key) -> Option<Claims> {
        if let Some(claims) = self.younger.get(key) {
            return Some(claims.clone());
        }
        let claims = self.older.remove(key)?;
        self.insert(*key, claims.clone());
        Some(claims)
    }

    fn insert(&mut self, key: Key, claims: Claims) {
        if self.younger.len() >= MAX_TOKENS {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(key, claims);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::ids::{SessionId, TenantId, UserId};

    fn claims() -> Claims {
        let (sub, tenant, sid) = (UserId::generate(), TenantId::generate(), SessionId::generate());
        Claims { iss: String::new(), iat: 0, exp: 0, sub, tenant, sid }
    }

    #[test]
    fn a_good_token_is_checked_once_and_a_bad_one_each_time() {
        let (verified, checks) = (Verified::default(), Cell::new(0));
        let check = |outcome: Result<Claims, ()>| {
            checks.set(checks.get() + 1);
            outcome
        };
        let good = claims();
        for _ in 0..3 {
            let found = verified.claims("good", || check(Ok(good.clone()))).unwrap();
            assert_eq!(found.sid, good.sid);
            assert!(verified.claims("bad", || check(Err(()))).is_err());
        }
        assert_eq!(checks.get(), 1 + 3);
    }

    #[test]
    fn memory_is_bounded_and_what_is_in_use_stays() {
        let verified = Verified::default();
        for index in 0..10 * MAX_TOKENS {
            verified.claims(&index.to_string(), || Ok::<_, ()>(claims())).unwrap();
            // Used now and then, and never checked again.
            let expected = if index == 0 { Ok(claims()) } else { Err(()) };
            verified.claims("steady", || expected).unwrap();
        }
        let held = verified.generations(|all| all.younger.len() + all.older.len());
        assert!(held <= 2 * MAX_TOKENS, "{held}");
    }
}
