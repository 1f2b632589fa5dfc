//! The endpoints that every kind of object has.
//!
//! A macro, and not a generic function: the OpenAPI document is made from attributes on each handler, and wants
//! each kind's own names and types in them.

/// Writes the endpoints of a kind of object into a module, with `routes()` to nest under
/// `/v1/tenants/{tenant}/<plural>`.
///
/// `view` is the answer's type, with `view(&Detail) -> Result<view>`; `input` is the schema of a request's body.
macro_rules! object_endpoints {
    (
        kind: $kind:expr,
        tag: $tag:literal,
        one: $one:literal,
        many: $many:literal,
        view: $view:ident,
        input: $input:ident $(,)?
    ) => {
        use axum::extract::State;
        use axum::http::StatusCode;
        use axum::response::Response;
        use utoipa_axum::router::OpenApiRouter;
        use utoipa_axum::routes;

        use crate::app::objects::{self, Change, Detail};
        use crate::app::{AppState, cloning, permissions, versions};
        use crate::http::extract::{
            Against, Caller, IfMatch, IfNoneMatch, JsonBody, NoQuery, ObjectList, ObjectPath, Pages,
            PatchBody, TenantPath, VersionPath, Write,
        };
        use crate::http::problem::{Problem, Result};
        use crate::http::v1::objects::respond;
        use crate::http::v1::objects::view::{
            ChangeView, CloneInput, DifferenceView, List, PermissionView, VersionView,
            permissions as permission_block,
        };

        fn view(detail: &Detail) -> Result<$view> {
            $view::new(detail).ok_or_else(|| Problem::internal("an object of another kind".to_owned()))
        }

        /// The endpoints of the kind.
        pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
            OpenApiRouter::new()
                .routes(routes!(list, create))
                .routes(routes!(read, replace, patch, delete))
                .routes(routes!(read_permissions, change_permissions))
                .routes(routes!(clone))
                .routes(routes!(list_versions))
                .routes(routes!(read_version))
                .routes(routes!(compare_versions))
                .routes(routes!(restore_version))
        }

        #[doc = concat!("Lists ", $many, ".")]
        #[utoipa::path(get, summary = concat!("Lists ", $many, "."), path = "/", tag = $tag, operation_id = concat!("list_", $tag),
            params(
                ("q" = Option<String>, Query, description = "Text to look for in names, descriptions, tags and the names of what is referred to", max_length = 200),
                ("tag" = Option<Vec<String>>, Query, description = "A tag that an item has to have; may be given up to ten times", explode = true),
                ("sort" = Option<String>, Query, description = "`name`, `-name`, `updated_at` or `-updated_at`", pattern = "^-?(name|updated_at)$"),
                ("page" = Option<u32>, Query, description = "The page, counted from 1", minimum = 1, maximum = 1_000_000),
                ("per_page" = Option<u32>, Query, description = "The items of a page, 10 if not given", minimum = 1, maximum = 100),
            ),
            responses((status = 200, description = "A page of those that the caller may see", body = List<$view>)))]
        async fn list(
            State(state): State<AppState>,
            Caller(claims): Caller,
            TenantPath(tenant): TenantPath,
            ObjectList(query): ObjectList,
        ) -> Result<axum::Json<List<$view>>> {
            let scope = state.scope(&claims, &tenant).await?;
            let page = objects::list(scope, $kind, &query).await?;
            let items = page.items.iter().map(view).collect::<Result<_>>()?;
            Ok(axum::Json(List::new(crate::domain::page::Page { items, total: page.total }, &query)))
        }

        #[doc = concat!("Creates ", $one, ".")]
        #[utoipa::path(post, summary = concat!("Creates ", $one, "."), path = "/", tag = $tag, operation_id = concat!("create_", $tag), request_body = $input,
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses(
                (status = 201, description = "Created", body = $view, headers(("ETag" = String), ("Location" = String))),
                (status = 200, description = "What would be created (dry_run)", body = $view)))]
        async fn create(
            State(state): State<AppState>,
            Caller(claims): Caller,
            TenantPath(tenant): TenantPath,
            Write(finish): Write,
            JsonBody(document): JsonBody,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let tenant = scope.tenant.id;
            let detail = objects::create(scope, $kind, document, finish).await?;
            let object = &detail.object;
            let location = format!("/v1/tenants/{tenant}/{}/{}", $kind.plural(), object.id);
            respond::created(object.version, &view(&detail)?, &location, finish)
        }

        #[doc = concat!("Reads ", $one, ".")]
        #[utoipa::path(get, summary = concat!("Reads ", $one, "."), path = "/{id}", tag = $tag, operation_id = concat!("read_", $tag),
            responses((status = 200, description = "It", body = $view, headers(("ETag" = String)))))]
        async fn read(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            IfNoneMatch(known): IfNoneMatch,
            NoQuery: NoQuery,
        ) -> Result<Response> {
            let detail = objects::read(&state, &claims, &tenant, $kind, &reference).await?;
            respond::read(detail.object.version, &view(&detail)?, known.as_ref())
        }

        #[doc = concat!("Replaces ", $one, ". Fields that are left out get their defaults; permissions stay.")]
        #[utoipa::path(put, summary = concat!("Replaces ", $one, ". Fields that are left out get their defaults; permissions stay."), path = "/{id}", tag = $tag, operation_id = concat!("replace_", $tag), request_body = $input,
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses((status = 200, description = "As it is now", body = $view, headers(("ETag" = String)))))]
        async fn replace(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            IfMatch(precondition): IfMatch,
            Write(finish): Write,
            JsonBody(document): JsonBody,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let change = Change::Replace(document);
            let detail = objects::change(scope, $kind, &reference, &precondition, change, finish).await?;
            respond::changed(detail.object.version, &view(&detail)?)
        }

        #[doc = concat!("Changes fields of ", $one, " by a JSON merge patch (RFC 7396).")]
        #[utoipa::path(patch, summary = concat!("Changes fields of ", $one, " by a JSON merge patch (RFC 7396)."), path = "/{id}", tag = $tag, operation_id = concat!("patch_", $tag),
            request_body(content = serde_json::Map<String, serde_json::Value>, content_type = "application/merge-patch+json"),
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses((status = 200, description = "As it is now", body = $view, headers(("ETag" = String)))))]
        async fn patch(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            IfMatch(precondition): IfMatch,
            Write(finish): Write,
            PatchBody(document): PatchBody,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let change = Change::Merge(document);
            let detail = objects::change(scope, $kind, &reference, &precondition, change, finish).await?;
            respond::changed(detail.object.version, &view(&detail)?)
        }

        #[doc = concat!("Deletes ", $one, " that nothing refers to.")]
        #[utoipa::path(delete, summary = concat!("Deletes ", $one, " that nothing refers to."), path = "/{id}", tag = $tag, operation_id = concat!("delete_", $tag),
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses((status = 204, description = "Deleted")))]
        async fn delete(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            IfMatch(precondition): IfMatch,
            Write(finish): Write,
        ) -> Result<StatusCode> {
            let scope = state.scope(&claims, &tenant).await?;
            objects::delete(scope, $kind, &reference, &precondition, finish).await?;
            Ok(StatusCode::NO_CONTENT)
        }

        #[doc = concat!("Reads what each role may do with ", $one, ".")]
        #[utoipa::path(get, summary = concat!("Reads what each role may do with ", $one, "."), path = "/{id}/permissions", tag = $tag, operation_id = concat!("read_permissions_", $tag),
            responses((status = 200, description = "One entry for each role", body = Vec<PermissionView>, headers(("ETag" = String)))))]
        async fn read_permissions(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            IfNoneMatch(known): IfNoneMatch,
            NoQuery: NoQuery,
        ) -> Result<Response> {
            let detail = objects::read(&state, &claims, &tenant, $kind, &reference).await?;
            respond::read(detail.object.version, &permission_block(&detail), known.as_ref())
        }

        #[doc = concat!("Changes what roles may do with ", $one, "; `null` gives a role its default back.")]
        #[utoipa::path(put, summary = concat!("Changes what roles may do with ", $one, "; `null` gives a role its default back."), path = "/{id}/permissions", tag = $tag, operation_id = concat!("change_permissions_", $tag),
            request_body = crate::http::v1::objects::view::PermissionChange,
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses((status = 200, description = "One entry for each role", body = Vec<PermissionView>, headers(("ETag" = String)))))]
        async fn change_permissions(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            IfMatch(precondition): IfMatch,
            Write(finish): Write,
            JsonBody(document): JsonBody,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let change = permissions::change(scope, $kind, &reference, &precondition, &document, finish);
            let detail = change.await?;
            respond::changed(detail.object.version, &permission_block(&detail))
        }

        #[doc = concat!("Creates ", $one, " that says what another one says, under another name. References that the caller may not see are left out; the permissions of other roles are taken over.")]
        #[utoipa::path(post, summary = concat!("Clones ", $one, "."), path = "/{id}/clone", tag = $tag, operation_id = concat!("clone_", $tag), request_body = CloneInput,
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses(
                (status = 201, description = "Created", body = $view, headers(("ETag" = String), ("Location" = String))),
                (status = 200, description = "What would be created (dry_run)", body = $view)))]
        async fn clone(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            Write(finish): Write,
            JsonBody(document): JsonBody,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let tenant = scope.tenant.id;
            let detail = cloning::clone(scope, $kind, &reference, &document, finish).await?;
            let object = &detail.object;
            let location = format!("/v1/tenants/{tenant}/{}/{}", $kind.plural(), object.id);
            respond::created(object.version, &view(&detail)?, &location, finish)
        }

        #[doc = concat!("Lists the versions of ", $one, ", the newest first.")]
        #[utoipa::path(get, summary = concat!("Lists the versions of ", $one, ", the newest first."), path = "/{id}/versions", tag = $tag, operation_id = concat!("list_versions_", $tag),
            params(
                ("page" = Option<u32>, Query, description = "The page, counted from 1", minimum = 1, maximum = 1_000_000),
                ("per_page" = Option<u32>, Query, description = "The items of a page, 10 if not given", minimum = 1, maximum = 100),
            ),
            responses((status = 200, description = "A page", body = List<VersionView>)))]
        async fn list_versions(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            Pages(query): Pages,
        ) -> Result<axum::Json<List<VersionView>>> {
            let scope = state.scope(&claims, &tenant).await?;
            let page = versions::list(scope, $kind, &reference, &query).await?;
            Ok(axum::Json(List::new(page.map(VersionView::from), &query)))
        }

        #[doc = concat!("Reads ", $one, " as it was saved. References that are gone, or hidden from the caller, are left out; who uses it and what the caller may do with it is as it is now.")]
        #[utoipa::path(get, summary = concat!("Reads ", $one, " as it was saved."), path = "/{id}/versions/{version}", tag = $tag, operation_id = concat!("read_version_", $tag),
            responses((status = 200, description = "It, then", body = $view, headers(("ETag" = String)))))]
        async fn read_version(
            State(state): State<AppState>,
            Caller(claims): Caller,
            VersionPath(tenant, reference, version): VersionPath,
            IfNoneMatch(known): IfNoneMatch,
            NoQuery: NoQuery,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let detail = versions::read(scope, $kind, &reference, version).await?;
            respond::read(detail.object.version, &view(&detail)?, known.as_ref())
        }

        #[doc = concat!("Says what changed to a version of ", $one, " from another one, which may be a later one.")]
        #[utoipa::path(get, summary = concat!("Compares two versions of ", $one, "."), path = "/{id}/versions/{version}/diff", tag = $tag, operation_id = concat!("compare_versions_", $tag),
            params(("against" = i64, Query, description = "The version that `before` is of", minimum = 1)),
            responses((status = 200, description = "The differences", body = DifferenceView)))]
        async fn compare_versions(
            State(state): State<AppState>,
            Caller(claims): Caller,
            VersionPath(tenant, reference, version): VersionPath,
            Against(against): Against,
        ) -> Result<axum::Json<DifferenceView>> {
            let scope = state.scope(&claims, &tenant).await?;
            let changes = versions::difference(scope, $kind, &reference, against, version).await?;
            let changes = changes.into_iter().map(ChangeView::from).collect();
            Ok(axum::Json(DifferenceView { changes }))
        }

        #[doc = concat!("Saves again what ", $one, " said before, as its newest version. Permissions stay as they are, and so do references that the caller may not see.")]
        #[utoipa::path(post, summary = concat!("Restores a version of ", $one, "."), path = "/{id}/versions/{version}/restore", tag = $tag, operation_id = concat!("restore_version_", $tag),
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses(
                (status = 200, description = "As it is now", body = $view, headers(("ETag" = String))),
                (status = 422, description = "What that version refers to is gone, or its ALGs would meet now", body = crate::http::problem::ProblemView, content_type = "application/problem+json")))]
        async fn restore_version(
            State(state): State<AppState>,
            Caller(claims): Caller,
            VersionPath(tenant, reference, version): VersionPath,
            IfMatch(precondition): IfMatch,
            Write(finish): Write,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let restored = versions::restore(scope, $kind, &reference, version, &precondition, finish);
            let detail = restored.await?;
            respond::changed(detail.object.version, &view(&detail)?)
        }
    };
}

pub(in crate::http::v1) use object_endpoints;
