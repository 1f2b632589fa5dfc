//! Stands in for the API until there is one: the listener is open from the start, and what keeps the controller from
//! starting, a database that is away, is told to whoever asks.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::routing::get;
use tower::ServiceExt as _;

use super::health;
use super::problem::Problem;
use super::router::through_layers;

/// A service that answers 503 until it is opened. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<OnceLock<Router>>);

impl Gate {
    /// Passes every later request on to a router. Only the first call does something.
    pub fn open(&self, router: Router) {
        // A gate that is open stays so.
        let _ = self.0.set(router);
    }

    /// The service.
    pub fn router(&self) -> Router {
        let opened = Arc::clone(&self.0);
        let closed = through_layers(
            Router::new()
                .route("/healthz", get(health::alive))
                .fallback(async || Problem::not_ready("the database does not answer, or is being migrated")),
        );
        Router::new().fallback(async move |request: Request| {
            let router = opened.get().unwrap_or(&closed).clone();
            router.oneshot(request).await.into_response()
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;

    use super::*;

    async fn status(gate: &Gate, path: &str) -> StatusCode {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        gate.router().oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_closed_gate_lives_and_is_not_ready() {
        let gate = Gate::default();
        assert_eq!(status(&gate, "/healthz").await, StatusCode::OK);
        for path in ["/readyz", "/v1/auth/me", "/nowhere"] {
            assert_eq!(status(&gate, path).await, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        }
        gate.open(Router::new().route("/readyz", get(async || "yes")));
        assert_eq!(status(&gate, "/readyz").await, StatusCode::OK);
        assert_eq!(status(&gate, "/nowhere").await, StatusCode::NOT_FOUND);
    }
}
