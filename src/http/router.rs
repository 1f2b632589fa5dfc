//! Every route, and what every request passes through.

use std::time::Duration;

use axum::Router;
use axum::extract::MatchedPath;
use axum::http::{Request, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::PropagateRequestIdLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::Level;
use utoipa_axum::router::OpenApiRouter;

use super::layer::{idempotency, origin, problem, rate, request_id, security};
use super::problem::catalogue as problems;
use super::{health, openapi, v1};
use crate::app::AppState;

/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bodies beyond this are cut off wherever they are read; the extractors answer for those beyond 1 MiB.
const HARD_BODY_LIMIT: usize = 2 * super::extract::MAX_BODY_BYTES;
/// Bodies below this are sent as they are, to clients that take gzip, too.
const MIN_COMPRESSED_BYTES: u64 = 1_024;

/// The controller's HTTP service.
pub fn router(state: AppState) -> Router {
    let (router, _) = api().split_for_parts();
    let router = router.merge(openapi::routes()).merge(problems::routes()).with_state(state.clone());
    let limiter = state.rate_limit.map(|quota| rate::Limiter::new(quota.get()));
    let router = router.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(state.clone(), origin::trace))
            .option_layer(limiter.map(|limiter| from_fn_with_state(limiter, rate::limit)))
            .layer(from_fn_with_state(state, idempotency::replay)),
    );
    through_layers(router)
}

/// Puts a router behind what every request passes through, the first first. As one layer: a router clones and boxes
/// each of its layers for each request.
pub(super) fn through_layers(router: Router) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
            .map_request(request_id::assign)
            .layer(PropagateRequestIdLayer::new(request_id::HEADER))
            .layer(
                TraceLayer::new_for_http()
                    .make_span_with(span)
                    .on_response(DefaultOnResponse::new().level(Level::DEBUG))
                    .on_failure(()),
            )
            .map_response(security::defend)
            .layer(CompressionLayer::new().compress_when(worth_compressing()))
            .layer(from_fn(problem::render))
            .layer(CatchPanicLayer::custom(problem::of_panic))
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
            .layer(RequestBodyLimitLayer::new(HARD_BODY_LIMIT)),
    )
}

/// Bodies that are shorter on the wire for it: not small ones, and no stream of events, which would wait for more.
fn worth_compressing() -> impl Predicate {
    SizeAbove::new(MIN_COMPRESSED_BYTES).and(NotForContentType::SSE)
}

/// The API's routes with their documentation.
pub(super) fn api() -> OpenApiRouter<AppState> {
    let tenant = OpenApiRouter::new()
        .nest("/services", v1::services::routes().merge(v1::services::copy_routes()))
        .nest(
            "/alg-policies",
            v1::alg_policies::routes()
                .merge(v1::alg_policies::copy_routes())
                .merge(v1::alg_policies::attachment_routes()),
        )
        .nest("/sub-profiles", v1::sub_profiles::routes().merge(v1::sub_profiles::copy_routes()))
        .nest("/master-profiles", v1::master_profiles::routes().merge(v1::master_profiles::copy_routes()))
        .nest(
            "/appliances",
            v1::appliances::routes()
                .merge(v1::appliances::joining_routes())
                .merge(v1::appliances::traffic_routes())
                .merge(v1::appliances::inspection_routes())
                .merge(v1::appliances::live_routes()),
        )
        .nest("/audit", v1::audit::routes())
        .nest("/permission-defaults", v1::permission_defaults::routes())
        .nest("/publications", v1::publications::routes())
        .nest("/users", v1::users::routes())
        .nest("/service-accounts", v1::service_accounts::routes())
        .nest("/sessions", v1::sessions::routes());
    OpenApiRouter::with_openapi(openapi::document())
        .nest("/v1/auth", v1::auth::routes())
        .nest("/v1/tenants", v1::tenants::routes())
        .nest("/v1/tenants/{tenant}", tenant)
        .nest("/.well-known", v1::auth::well_known_routes())
        .merge(health::routes())
}

fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request_id::of(request);
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    tracing::info_span!(
        "request",
        request.id = id,
        http.method = %request.method(),
        http.route = route,
    )
}
