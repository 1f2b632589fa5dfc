//! How many requests one token and one address may make, as draft-ietf-httpapi-ratelimit-headers tells it. Counted by each
//! replica for itself, in windows of a minute.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::http::problem::Problem;
use crate::origin::Origin;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// How long requests are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// The most tokens and addresses that are counted apart; the rest are counted together.
const MAX_KEYS: usize = 65_536;
/// How many tokens' worth of requests an address may make: there may be many users behind it.
const TOKENS_PER_ADDRESS: u32 = 10;
/// What orchestrators ask is not counted.
const UNCOUNTED: [&str; 2] = ["/healthz", "/readyz"];

/// Counts requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::http) struct Limiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Requests of one token in a window.
    quota: u32,
    hasher: RandomState,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    used: HashMap<u64, u32>,
}

/// Whether a request fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    quota: u32,
    /// Requests that are left; `None` when this one is too much.
    left: Option<u32>,
    /// Seconds until the window ends.
    resets_in_s: u64,
}

impl Limiter {
    /// A limiter that lets so many requests of a token through in a minute.
    pub(in crate::http) fn new(quota: u32) -> Self {
        let window = Mutex::new(Window { began: Instant::now(), used: HashMap::new() });
        Self(Arc::new(Shared { quota, hasher: RandomState::new(), window }))
    }

    fn count(&self, token: Option<&[u8]>, address: Option<IpAddr>, now: Instant) -> Standing {
        let Shared { quota, hasher, window } = &*self.0;
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(window.began) >= WINDOW {
            *window = Window { began: now, used: HashMap::new() };
        }
        let left = WINDOW.saturating_sub(now.saturating_duration_since(window.began));
        // Tokens are cheap to make up, so an address has a limit whatever tokens come from it.
        let factor = if token.is_some() { TOKENS_PER_ADDRESS } else { 1 };
        let keys = [
            token.map(|token| (hasher.hash_one(token), *quota)),
            address.map(|address| (hasher.hash_one((address, factor)), quota.saturating_mul(factor))),
        ];
        let standings = keys.into_iter().flatten().map(|(key, quota)| {
            let key = if window.used.len() < MAX_KEYS || window.used.contains_key(&key) { key } else { 0 };
            let used = window.used.entry(key).or_insert(0);
            let left = quota.checked_sub(*used).and_then(|left| left.checked_sub(1));
            *used = used.saturating_add(u32::from(left.is_some()));
            Standing { quota, left, resets_in_s: 0 }
        });
        let tightest = standings.min_by_key(|standing| standing.left);
        let standing = tightest.unwrap_or(Standing { quota: *quota, left: Some(*quota), resets_in_s: 0 });
        // Rounded up, so that who waits that long has waited long enough.
        Standing { resets_in_s: left.as_secs() + 1, ..standing }
    }
}

/// The middleware.
pub(in crate::http) async fn limit(State(limiter): State<Limiter>, request: Request, next: Next) -> Response {
    if UNCOUNTED.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let token = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let standing = limiter.count(token, Origin::current().client, Instant::now());
    let mut response = match standing.left {
        Some(_) => next.run(request).await,
        None => Problem::rate_limited(standing.resets_in_s).into_response(),
    };
    let Standing { quota, left, resets_in_s } = standing;
    let left = left.unwrap_or(0);
    let window = WINDOW.as_secs();
    for (name, text) in [
        (POLICY, format!("\"default\";q={quota};w={window}")),
        (LIMIT, format!("\"default\";r={left};t={resets_in_s}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_quota_and_gets_it_back() {
        let limiter = Limiter::new(2);
        let now = Instant::now();
        let left = |token: &str, now| limiter.count(Some(token.as_bytes()), None, now).left;
        assert_eq!(
            [left("a", now), left("a", now), left("a", now), left("b", now)],
            [Some(1), Some(0), None, Some(1)]
        );
        assert_eq!(left("a", now + WINDOW), Some(1));
    }

    #[test]
    fn made_up_tokens_do_not_help_an_address() {
        let limiter = Limiter::new(2);
        let (now, address) = (Instant::now(), Some("192.0.2.1".parse().unwrap()));
        let passed = (0..100)
            .filter(|index: &u32| limiter.count(Some(&index.to_be_bytes()), address, now).left.is_some());
        assert_eq!(passed.count(), 20);
        assert_eq!(limiter.count(None, address, now).left, Some(1));
    }

    #[test]
    fn the_table_is_bounded() {
        let limiter = Limiter::new(1000);
        let now = Instant::now();
        for index in 0..u32::try_from(MAX_KEYS).unwrap() + 1000 {
            limiter.count(Some(&index.to_be_bytes()), None, now);
        }
        assert!(limiter.0.window.lock().unwrap().used.len() <= MAX_KEYS + 1);
    }
}
