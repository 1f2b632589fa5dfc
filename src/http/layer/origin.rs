//! Finds out where a request comes from: the peer, or whom a proxy that is trusted names.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use super::request_id;
use crate::app::AppState;
use crate::origin::Origin;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// The most addresses of a request's proxies that are looked at.
const MAX_HOPS: usize = 32;

/// The middleware.
pub(in crate::http) async fn trace(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    let origin = Origin {
        client: peer.map(|peer| client(peer, request.headers(), &state.trusted_proxies)),
        request: request_id::of(&request).and_then(|id| id.parse().ok()),
    };
    request.extensions_mut().insert(origin);
    origin.scope(next.run(request)).await
}

/// The last address that no trusted proxy is at. What stands before it may be anything.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let listed = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<&str> = listed.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut client = peer;
    for hop in listed.into_iter().rev().take(MAX_HOPS) {
        if !trusted.contains(&client) {
            break;
        }
        match hop.parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted: Vec<IpAddr> = trusted.iter().map(|address| address.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(found("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(found("192.0.2.1", &["198.51.100.7"], &["192.0.2.1"]), "198.51.100.7");
        assert_eq!(found("192.0.2.1", &[], &["192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn what_a_client_claims_before_the_proxies_is_not_believed() {
        let trusted = ["192.0.2.1", "192.0.2.2"];
        assert_eq!(found("192.0.2.1", &["10.9.9.9, 198.51.100.7, 192.0.2.2"], &trusted), "198.51.100.7");
        assert_eq!(found("192.0.2.1", &["10.9.9.9", "198.51.100.7"], &trusted), "198.51.100.7");
        assert_eq!(found("192.0.2.1", &["nonsense, 192.0.2.2"], &trusted), "192.0.2.2");
        assert_eq!(found("192.0.2.1", &["nonsense"], &trusted), "192.0.2.1");
    }
}
