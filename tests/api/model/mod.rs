//! Random operations, valid and not, against the API and against a plain model of it: every answer and every object in
//! the end are as the model says.

mod plain;

use std::cell::RefCell;
use std::collections::BTreeMap;

use axum::http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use self::plain::{Kind, Model, Perm, Role, Tag, Uid};
use crate::support::{Answer, Api, World};

/// How many sequences of operations, and how long they are.
const CASES: u32 = 8;
const MIN_OPERATIONS: usize = 40;
const MAX_OPERATIONS: usize = 80;

/// An operation. Names are numbers; the number that no name has makes an invalid one.
#[derive(Debug, Clone)]
enum Op {
    Create { kind: Kind, name: usize, refs: Vec<usize> },
    Replace { kind: Kind, name: usize, to: usize, refs: Vec<usize>, text: u8, tag: Tag },
    Describe { kind: Kind, name: usize, text: u8, tag: Tag },
    Delete { kind: Kind, name: usize, tag: Tag },
    Permit { kind: Kind, name: usize, role: Role, perm: Option<Perm> },
    Attach { policy: usize, kind: Kind, name: usize },
    Restore { kind: Kind, name: usize, version: usize },
}

/// Names that are tried; one of them is none.
const NAMES: usize = 4;
const NO_NAME: usize = NAMES - 1;

fn operation() -> impl Strategy<Value = Op> {
    let kind = || proptest::sample::select(Kind::ALL.to_vec());
    let name = || 0..NAMES;
    let refs = || prop::collection::vec(0..NO_NAME, 0..3);
    let tag = || prop_oneof![6 => Just(Tag::Any), 4 => Just(Tag::Current), 1 => Just(Tag::Stale), 1 => Just(Tag::Missing)];
    prop_oneof![
        6 => (kind(), name(), refs()).prop_map(|(kind, name, refs)| Op::Create { kind, name, refs }),
        3 => (kind(), name(), name(), refs(), 0..3_u8, tag())
            .prop_map(|(kind, name, to, refs, text, tag)| Op::Replace { kind, name, to, refs, text, tag }),
        3 => (kind(), name(), 0..3_u8, tag()).prop_map(|(kind, name, text, tag)| Op::Describe { kind, name, text, tag }),
        2 => (kind(), name(), tag()).prop_map(|(kind, name, tag)| Op::Delete { kind, name, tag }),
        3 => (kind(), name(), proptest::sample::select(Role::ALL.to_vec()),
              prop::option::of(proptest::sample::select(Perm::ALL.to_vec())))
            .prop_map(|(kind, name, role, perm)| Op::Permit { kind, name, role, perm }),
        2 => (name(), proptest::sample::select(vec![Kind::Sub, Kind::Basic, Kind::Standard]), name())
            .prop_map(|(policy, kind, name)| Op::Attach { policy, kind, name }),
        2 => (kind(), name(), 1..5_usize).prop_map(|(kind, name, version)| Op::Restore { kind, name, version }),
    ]
}

/// One object of every kind and name, what is referred to first, so that operations have something to be done with.
fn population() -> impl Strategy<Value = Vec<(Role, Op)>> {
    let refs = prop::collection::vec(0..NO_NAME, 0..3);
    prop::collection::vec(refs, Kind::ALL.len() * NO_NAME).prop_map(|refs| {
        let all = Kind::ALL.into_iter().flat_map(|kind| (0..NO_NAME).map(move |name| (kind, name)));
        all.zip(refs).map(|((kind, name), refs)| (Role::Admin, Op::Create { kind, name, refs })).collect()
    })
}

fn name_of(kind: Kind, name: usize) -> String {
    if name == NO_NAME { "-".to_owned() } else { format!("{}{name}", kind.letter()) }
}

fn path_of(kind: Kind, name: usize) -> String {
    // What can name nothing is not found; a name that nothing has is neither.
    format!("/v1/tenants/acme/{}/name:{}", kind.plural(), name_of(kind, name))
}

fn body(kind: Kind, name: usize, text: u8, refs: &[usize]) -> Value {
    let named = |kind: Kind, name: &usize| json!(format!("name:{}", name_of(kind, *name)));
    let one = |kind: Kind| refs.first().map_or(Value::Null, |name| named(kind, name));
    let mut body = match kind {
        // Ports that never meet.
        Kind::Service => json!({"protocol": "tcp", "destination_port": (3000 + name).to_string()}),
        Kind::Policy => {
            let mut refs = refs.to_vec();
            refs.sort_unstable();
            refs.dedup();
            let services: Vec<Value> = refs.iter().map(|name| named(Kind::Service, name)).collect();
            json!({"protocols": {"ftp": {"services": services}}})
        }
        Kind::Sub => json!({"kind": "system", "alg_policy": one(Kind::Policy)}),
        Kind::Basic => json!({"kind": "basic", "alg_policy": one(Kind::Policy)}),
        Kind::Standard => json!({"kind": "standard", "sub_profiles": {"system": one(Kind::Sub)}}),
    };
    body["name"] = json!(name_of(kind, name));
    body["description"] = json!("x".repeat(usize::from(text)));
    body
}

async fn perform(api: &Api, model: &Model, op: &Op) -> Answer {
    let tagged = |kind: Kind, name: usize, tag: Tag| match tag {
        Tag::Any => Some("*".to_owned()),
        Tag::Missing => None,
        Tag::Stale => Some("\"99\"".to_owned()),
        Tag::Current => Some(format!("\"{}\"", model.find(kind, name).map_or(1, |object| object.version))),
    };
    let send = async |method: Method, path: String, tag: Option<String>, body: Option<Value>| {
        let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-match", tag.as_str())).collect();
        api.send(method, &path, &headers, body.as_ref()).await
    };
    match op {
        Op::Create { kind, name, refs } => {
            let path = format!("/v1/tenants/acme/{}", kind.plural());
            send(Method::POST, path, None, Some(body(*kind, *name, 0, refs))).await
        }
        Op::Replace { kind, name, to, refs, text, tag } => {
            let body = body(*kind, *to, *text, refs);
            send(Method::PUT, path_of(*kind, *name), tagged(*kind, *name, *tag), Some(body)).await
        }
        Op::Describe { kind, name, text, tag } => {
            let body = json!({"description": "x".repeat(usize::from(*text))});
            send(Method::PATCH, path_of(*kind, *name), tagged(*kind, *name, *tag), Some(body)).await
        }
        Op::Delete { kind, name, tag } => {
            send(Method::DELETE, path_of(*kind, *name), tagged(*kind, *name, *tag), None).await
        }
        Op::Permit { kind, name, role, perm } => {
            let body = json!({role.word(): perm.map(Perm::word)});
            let path = format!("{}/permissions", path_of(*kind, *name));
            send(Method::PUT, path, Some("*".to_owned()), Some(body)).await
        }
        Op::Attach { policy, kind, name } => {
            let path = format!("{}/attach", path_of(Kind::Policy, *policy));
            // A name that is none is told from a profile that is not there, by its code only.
            let body = json!({"profile": format!("name:{}", name_of(*kind, *name))});
            send(Method::POST, path, None, Some(body)).await
        }
        Op::Restore { kind, name, version } => {
            let path = format!("{}/versions/{version}/restore", path_of(*kind, *name));
            send(Method::POST, path, Some("*".to_owned()), None).await
        }
    }
}

/// Holds every object and every list against the model, as one role sees them.
async fn compare(api: &Api, model: &Model, role: Role) {
    for plural in ["services", "alg-policies", "sub-profiles", "master-profiles"] {
        let list = api.get(&format!("/v1/tenants/acme/{plural}?per_page=100")).await.expect(200);
        let own = usize::from(plural == "master-profiles");
        let expected = model.objects().filter(|(_, object)| object.kind.plural() == plural);
        let visible = expected.filter(|(_, object)| object.permission(role) != Perm::Hide).count();
        assert_eq!(list["total"], visible + own, "{plural} as {role:?} sees them");
    }
    for (uid, object) in model.objects() {
        let answer = api.get(&path_of(object.kind, object.name)).await;
        let permission = object.permission(role);
        if permission == Perm::Hide {
            answer.problem(404, "not-found");
            continue;
        }
        let seen = answer.expect(200);
        assert_eq!(seen["version"], object.version, "{object:?}");
        assert_eq!(seen["description"].as_str().unwrap().len(), usize::from(object.text), "{object:?}");
        assert_eq!(seen["my_permission"], permission.word(), "{object:?}");
        assert_eq!(seen["used_by_total"], model.users_of(uid, role), "{object:?}");
        let visible = |uid: &&Uid| model.object(**uid).permission(role) != Perm::Hide;
        let mut expected: Vec<String> = object
            .refs
            .iter()
            .filter(visible)
            .map(|uid| name_of(model.object(*uid).kind, model.object(*uid).name))
            .collect();
        expected.sort();
        let mut shown: Vec<String> = match object.kind {
            Kind::Service => Vec::new(),
            Kind::Policy => seen["protocols"]["ftp"]["services"].as_array().unwrap().clone(),
            Kind::Sub | Kind::Basic => vec![seen["alg_policy"].clone()],
            Kind::Standard => vec![seen["sub_profiles"]["system"].clone()],
        }
        .iter()
        .filter_map(|reference| reference["name"].as_str().map(str::to_owned))
        .collect();
        shown.sort();
        assert_eq!(shown, expected, "{object:?} as {role:?} sees it");
    }
}

/// Performs operations and answers how each was answered.
async fn run(operations: Vec<(Role, Op)>) -> Vec<u16> {
    let world = World::new().await;
    let api = |role: Role| world.api(role.user());
    let mut model = Model::default();
    let mut statuses = Vec::with_capacity(operations.len());
    for (index, (role, op)) in operations.iter().enumerate() {
        let answer = perform(&api(*role), &model, op).await;
        let expected = model.perform(*role, op);
        let text = String::from_utf8_lossy(&answer.bytes);
        assert_eq!(answer.status.as_u16(), expected, "operation {index}, {role:?} {op:?}: {text}");
        statuses.push(expected);
    }
    for role in Role::ALL {
        compare(&api(role), &model, role).await;
    }
    statuses
}

#[test]
fn the_api_does_what_a_plain_model_does() {
    let config =
        Config { cases: CASES, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let role = proptest::sample::select(vec![Role::Admin, Role::Admin, Role::Operator, Role::Root]);
    let random = prop::collection::vec((role, operation()), MIN_OPERATIONS..MAX_OPERATIONS);
    let operations = (population(), random).prop_map(|(first, then)| [first, then].concat());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = RefCell::new(BTreeMap::new());
    let outcome = TestRunner::new(config).run(&operations, |operations| {
        for status in runtime.block_on(run(operations)) {
            *seen.borrow_mut().entry(status).or_insert(0) += 1;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Operations that were all refused alike would have shown nothing.
    let seen = seen.into_inner();
    for status in [200, 201, 204, 403, 404, 409, 422] {
        assert!(seen.contains_key(&status), "no answer was {status}: {seen:?}");
    }
}
