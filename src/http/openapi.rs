//! The OpenAPI document: what the handlers' attributes say, plus what holds for all of them.

mod examples;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, ResponseBuilder, Schema, SecurityRequirement, Type,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::docs;
use super::problem::ProblemView;
use super::router::api;
use crate::app::AppState;

const SCHEME: &str = "bearer";
/// RFC 9110 section 8.8.3, in the characters that our own tags have and some more.
const ENTITY_TAGS: &str = r#"^(W/)?"[!#-+.-~-]*"(, ?(W/)?"[!#-+.-~-]*")*$"#;
const PROBLEM: &str = "application/problem+json";

/// The OpenAPI document, formatted as it is committed.
#[must_use]
pub fn openapi_json() -> String {
    // Cannot fail: the document consists of strings and maps with string keys.
    let text = complete().to_pretty_json().unwrap_or_default();
    format!("{text}\n")
}

/// Serves the document, and the page made from it.
pub(super) fn routes() -> Router<AppState> {
    let document = openapi_json();
    let docs = docs::routes(&document);
    let serve = move || {
        let document = document.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], document) }
    };
    Router::new().route("/openapi.json", get(serve)).merge(docs)
}

/// The document without its paths.
pub(super) fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Pinhole")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Application Layer Gateway policies for the tenants of a service provider."))
        .build();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let mut schemas = Vec::new();
    ProblemView::schemas(&mut schemas);
    schemas.push((ProblemView::name().into_owned(), ProblemView::schema()));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(SCHEME, SecurityScheme::Http(bearer))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new(SCHEME, Vec::<String>::new())]))
        .build()
}

fn complete() -> OpenApi {
    let (_, mut document) = api().split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            describe(path, method, operation);
        }
    }
    examples::add(&mut document);
    document
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::Get, &mut item.get),
        (Method::Post, &mut item.post),
        (Method::Put, &mut item.put),
        (Method::Patch, &mut item.patch),
        (Method::Delete, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// Adds what follows from an operation's path and method: path parameters, conditions, problems.
fn describe(path: &str, method: Method, operation: &mut Operation) {
    let signed_in = operation.security.is_none();
    let live = ["/sessions", "/pinholes", "/mappings"].iter().any(|what| path.contains(what))
        && path.contains("/appliances/");
    let object = !live
        && (path.ends_with('}') || path.ends_with("/permissions") || path.ends_with("/permission-defaults"));
    let actions = ["/attach", "/detach", "/suspend", "/resume"];
    let attachment = actions.iter().any(|action| path.ends_with(action));
    let user = path.contains("/users") || path.contains("/service-accounts");
    let session = path.contains("/sessions") && !live;
    let publication = path.contains("/publications");
    let restoring = path.ends_with("/restore");
    let conditional = (object && method != Method::Get && (!user || method == Method::Patch) && !session)
        || attachment
        || restoring;

    let mut parameters = Vec::new();
    if path.contains("{tenant}") {
        parameters.push(parameter("tenant", ParameterIn::Path, true, "A tenant by id or name"));
    }
    if path.contains("{id}") {
        let detail = if publication || session { "By id" } else { "By id, or by name as `name:example`" };
        parameters.push(parameter("id", ParameterIn::Path, true, detail));
    }
    if path.contains("{live}") {
        parameters.push(parameter("live", ParameterIn::Path, true, "By the id that the list shows"));
    }
    if path.contains("{version}") {
        parameters.push(parameter("version", ParameterIn::Path, true, "The number of a version"));
    }
    if conditional {
        let detail = "The ETag of the version that is changed";
        parameters.push(parameter("If-Match", ParameterIn::Header, !attachment, detail));
    }
    if method == Method::Post && signed_in {
        let detail = "Repeated with the same key within a day, the request is answered as the first time and not carried out again";
        parameters.push(parameter("Idempotency-Key", ParameterIn::Header, false, detail));
    }
    if object && method == Method::Get {
        let detail = "The ETag of what the caller has";
        parameters.push(parameter("If-None-Match", ParameterIn::Header, false, detail));
        respond_bare(operation, "304", "The caller has it already");
    }
    if method == Method::Get && path.ends_with("/appliances") {
        let detail =
            "A label that an appliance has to have, as in `region:emea`; may be given up to ten times";
        parameters.push(parameter("label", ParameterIn::Query, false, detail));
    }
    let own = operation.parameters.take().unwrap_or_default();
    let own = own.into_iter().map(without_zeros);
    operation.parameters = Some(parameters.into_iter().map(RefOr::T).chain(own).collect());

    respond(operation, "400", "The body is no JSON, or a parameter does not parse");
    if signed_in {
        respond(operation, "401", "No, bad or expired access token");
    }
    if path.starts_with("/v1/tenants") {
        if (method != Method::Get || user || path.ends_with("/audit")) && !session {
            respond(operation, "403", "Visible, not allowed");
        }
        if path.contains('{') {
            respond(operation, "404", "Absent, hidden, or another tenant's");
        }
    }
    if path.ends_with("/oidc/start") || path.ends_with("/oidc/callback") {
        respond(operation, "404", "There is no issuer to sign in with");
    }
    if path.ends_with("/oidc/callback") {
        respond(operation, "403", "The issuer's person has no place here");
    }
    if matches!(method, Method::Post | Method::Put | Method::Patch | Method::Delete) && signed_in && !live {
        if path.ends_with("/cancel") {
            respond(
                operation,
                "409",
                "The publication has ended, or the idempotency key is another request's",
            );
        } else if !publication
            && !session
            && !["/join-token", "/permission-defaults", "/certificates"].iter().any(|end| path.ends_with(end))
        {
            respond(
                operation,
                "409",
                "The name is taken, the object is in use, or the idempotency key is another request's",
            );
        } else if method == Method::Post {
            respond(operation, "409", "The idempotency key is another request's");
        }
    }
    if conditional {
        respond(operation, "412", "If-Match is stale; the answer carries the current version's ETag");
        if !attachment {
            respond(operation, "428", "If-Match is missing");
        }
    }
    if operation.request_body.is_some() {
        respond(operation, "413", "The body is over 1 MiB");
        respond(operation, "415", "The body is of another media type");
        if !path.ends_with("/token") {
            respond(operation, "422", "Fields are wrong or unknown: every error, each with its pointer");
        }
    }
    if !path.ends_with("/healthz") && !path.ends_with("/readyz") {
        respond(operation, "429", "Too many requests, or too much at once; see Retry-After");
    }
    respond(operation, "500", "An error of the server");
    let asked = live || path.ends_with("/events") && !publication || path.ends_with("/counters");
    if live {
        respond(operation, "409", "No gateway of the appliance is connected, or it is too old to be asked");
        respond(operation, "502", "The gateway refuses, or its answer makes no sense");
    }
    let what = match (path.contains("/oidc"), asked) {
        (true, _) => "The database or the issuer",
        (false, true) => "The database or the gateway",
        (false, false) => "The database",
    };
    respond(operation, "503", &format!("{what} does not answer; see Retry-After"));
}

/// Says of a text in the query what Postgres says of every text.
fn without_zeros(parameter: RefOr<Parameter>) -> RefOr<Parameter> {
    let RefOr::T(mut parameter) = parameter else { return parameter };
    let free = ["q", "tag", "object", "actor"].contains(&parameter.name.as_str());
    if let (true, Some(RefOr::T(Schema::Object(schema)))) = (free, &mut parameter.schema) {
        schema.pattern.get_or_insert_with(|| "^[^\\x00]*$".to_owned());
    }
    RefOr::T(parameter)
}

fn parameter(name: &str, place: ParameterIn, required: bool, description: &str) -> Parameter {
    let (pattern, example) = match name {
        "If-Match" | "If-None-Match" => (Some(ENTITY_TAGS), "\"1\""),
        "Idempotency-Key" => (Some("^[!#-~]{1,255}$"), "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        "tenant" => (None, "acme"),
        "version" => (None, "1"),
        "live" => (Some("^[0-9A-Za-z-]{1,64}$"), "5f0c9a31-2a-1"),
        _ => (None, "name:example"),
    };
    let string = || ObjectBuilder::new().schema_type(Type::String);
    let written = string().pattern(pattern).build();
    let schema: RefOr<Schema> = if pattern == Some(ENTITY_TAGS) {
        AnyOfBuilder::new().item(string().enum_values(Some(["*"]))).item(written).into()
    } else {
        written.into()
    };
    ParameterBuilder::new()
        .example(Some(example.into()))
        .name(name)
        .parameter_in(place)
        .required(if required { Required::True } else { Required::False })
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn respond(operation: &mut Operation, status: &str, description: &str) {
    let schema = Ref::from_schema_name(ProblemView::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description).content(PROBLEM, content).build();
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.into());
}

fn respond_bare(operation: &mut Operation, status: &str, description: &str) {
    let response = ResponseBuilder::new().description(description).build();
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.into());
}
