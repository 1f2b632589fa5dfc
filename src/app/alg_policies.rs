//! ALG policies: which traffic their protocols claim, and attaching them to profiles.

use serde_json::Value;

use super::objects::{self, Detail, Warning, WarningCode};
use super::scope::{Precondition, Scope};
use crate::access::matrix;
use crate::domain::alg_policy::AlgPolicy;
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::input::{Code, FieldError, Fields, Report};
use crate::domain::kind::Kind;
use crate::domain::object::{Object, Spec};
use crate::domain::overlap::{Overlap, never_matches, overlaps};
use crate::domain::profile::{MasterProfile, SubProfile};
use crate::domain::reference::ObjectRef;
use crate::error::{Error, Result};
use crate::ids::ObjectId;
use crate::store::objects::{self as store, Related};
use crate::store::tx::Finish;

/// The errors of a policy that has two protocols inspect the same traffic.
pub(super) async fn check(
    scope: &mut Scope,
    policy: &AlgPolicy,
    document: &Value,
) -> Result<Vec<FieldError>> {
    let ids: Vec<ObjectId> = policy.protocols().flat_map(|(_, policy)| policy.services.clone()).collect();
    let services = store::services_regardless(&mut scope.tx, &ids).await?;
    let error = |overlap: Overlap| FieldError {
        pointer: pointer(document, overlap.protocol, overlap.service),
        code: Code::Overlap,
        detail: match overlap.other_service {
            Some(_) => format!(
                "{} and {} would inspect the same traffic: a service of the one and a service of the other match \
                 the same transport, source and destination ports",
                overlap.other, overlap.protocol
            ),
            None => format!(
                "{} and {} would inspect the same traffic: {} is {}'s own",
                overlap.other,
                overlap.protocol,
                own_ports(overlap.other),
                overlap.other
            ),
        },
    };
    Ok(overlaps(policy, &services).into_iter().take(crate::domain::input::MAX_ERRORS).map(error).collect())
}

fn own_ports(protocol: AlgProtocol) -> String {
    let ports: Vec<String> = protocol.well_known_ports().iter().map(|port| format!("port {port}")).collect();
    ports.join(" or ")
}

/// Where a document names a service of a protocol; the protocol itself when it does not, the service being one that
/// the caller may not see.
fn pointer(document: &Value, protocol: AlgProtocol, service: ObjectId) -> String {
    let protocol = format!("/protocols/{}", protocol.as_str());
    let list = format!("{protocol}/services");
    let id = Value::from(service.to_string());
    let place = document
        .pointer(&list)
        .and_then(Value::as_array)
        .and_then(|services| services.iter().position(|service| *service == id));
    place.map_or(protocol, |index| format!("{list}/{index}"))
}

/// The services of a policy that can never match, being of a transport that the protocol never uses.
pub(super) fn warnings(spec: &Spec, related: &Related) -> Vec<Warning> {
    let Spec::AlgPolicy(policy) = spec else { return Vec::new() };
    let mut warnings = Vec::new();
    for (protocol, policy) in policy.protocols() {
        for (index, id) in policy.services.iter().enumerate() {
            let Some(Object { draft, .. }) = related.get(id) else { continue };
            let Spec::Service(service) = &draft.spec else { continue };
            if never_matches(protocol, service) {
                warnings.push(Warning {
                    pointer: format!("/protocols/{}/services/{index}", protocol.as_str()),
                    code: WarningCode::ServiceNeverMatches,
                    detail: format!(
                        "{protocol} never uses the transport of the service \"{}\", which cannot match",
                        draft.name
                    ),
                });
            }
        }
    }
    warnings
}

/// Attaches a policy to a profile in place of the one that the profile has. Answers with the profile.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`].
pub async fn attach(
    mut scope: Scope,
    policy: &ObjectRef,
    document: &Value,
    precondition: &Precondition,
    finish: Finish,
) -> Result<Detail> {
    scope.tx.serialize_writes().await?;
    let policy = objects::find(&mut scope, Kind::AlgPolicy, policy).await?;
    let policy = matrix::authorize_read(&scope.viewer, &policy)?;
    let profile = profile(&mut scope, document).await?;
    set_policy(scope, profile, precondition, |_| Some(policy.target()), finish).await
}

/// Detaches a policy from a profile, if the profile has it. Answers with the profile.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`].
pub async fn detach(
    mut scope: Scope,
    policy: &ObjectRef,
    document: &Value,
    precondition: &Precondition,
    finish: Finish,
) -> Result<Detail> {
    scope.tx.serialize_writes().await?;
    let policy = objects::find(&mut scope, Kind::AlgPolicy, policy).await?;
    let profile = profile(&mut scope, document).await?;
    let without = |attached: Option<ObjectId>| attached.filter(|attached| *attached != policy.id);
    set_policy(scope, profile, precondition, without, finish).await
}

/// Reads `{ "profile": "<id>" }`: a profile that can hold a policy, of either kind.
async fn profile(scope: &mut Scope, document: &Value) -> Result<Object> {
    let mut report = Report::new();
    let reference = Fields::open(document, &mut report).and_then(|mut fields| {
        let reference = fields.required("profile", &mut report, ObjectRef::decode);
        fields.finish(&mut report);
        reference
    });
    let Some(reference) = reference.filter(|_| report.is_empty()) else {
        return Err(Error::Invalid(report.into_errors()));
    };
    let fail = |code: Code, detail: &str| {
        let (pointer, detail) = ("/profile".to_owned(), detail.to_owned());
        Err(Error::field(FieldError { pointer, code, detail }))
    };
    let master = store::find(&mut scope.tx, &scope.viewer, Kind::MasterProfile, &reference).await?;
    let sub = store::find(&mut scope.tx, &scope.viewer, Kind::SubProfile, &reference).await?;
    match (master, sub) {
        (Some(profile), None) if holds_sub_profiles(&profile) => fail(
            Code::Conflict,
            "a standard master profile holds sub-profiles; attach the policy to its system one",
        ),
        (Some(profile), None) | (None, Some(profile)) => Ok(profile),
        (Some(_), Some(_)) => {
            fail(Code::Conflict, "a master profile and a sub-profile have this name; say which one by its id")
        }
        (None, None) => fail(Code::NoSuchObject, "there is no such profile"),
    }
}

fn holds_sub_profiles(profile: &Object) -> bool {
    matches!(profile.draft.spec, Spec::MasterProfile(MasterProfile::Standard { .. }))
}

async fn set_policy(
    mut scope: Scope,
    saved: Object,
    precondition: &Precondition,
    choose: impl FnOnce(Option<ObjectId>) -> Option<ObjectId>,
    finish: Finish,
) -> Result<Detail> {
    let permit = matrix::authorize_edit(&scope.viewer, &saved)?;
    precondition.check_if_given(saved.version)?;
    let mut draft = saved.draft.clone();
    match &mut draft.spec {
        Spec::SubProfile(SubProfile { alg_policy })
        | Spec::MasterProfile(MasterProfile::Basic { alg_policy }) => *alg_policy = choose(*alg_policy),
        Spec::Service(_)
        | Spec::AlgPolicy(_)
        | Spec::MasterProfile(MasterProfile::Standard { .. })
        | Spec::Appliance(_) => return Err(Error::Internal("a profile that holds no policy".to_owned())),
    }
    if draft == saved.draft {
        return objects::answer(scope, saved, finish).await;
    }
    let updated = scope.stamp();
    let object = Object { draft, version: saved.version.next(), updated, ..saved };
    store::update(&mut scope.tx, &permit, &object).await?;
    objects::answer(scope, object, finish).await
}
