use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::clock::Timestamp;
use crate::domain::alg_policy::AlgPolicy;
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::input::Report;
use crate::domain::object::{Draft, Object, Spec, Stamp};
use crate::domain::overlap::overlaps;
use crate::domain::permission::Grants;
use crate::domain::version::Version;

const POLICY: u128 = 1;
const PROFILE: u128 = 2;
const FIRST_SERVICE: u128 = 10;

fn id(number: u128) -> ObjectId {
    ObjectId::from(Uuid::from_u128(number))
}

fn object(number: u128, kind: Kind, document: serde_json::Value) -> Object {
    let mut report = Report::new();
    let draft = Draft::decode(kind, &document, &mut report);
    assert_eq!(report.into_errors(), []);
    let stamp = Stamp { at: Timestamp::UNIX_EPOCH, by: None };
    Object {
        id: id(number),
        draft: draft.unwrap().0,
        grants: Grants::default(),
        version: Version::FIRST,
        created: stamp.clone(),
        updated: stamp,
    }
}

fn profile() -> Object {
    object(PROFILE, Kind::MasterProfile, json!({"name": "mp", "kind": "basic", "alg_policy": id(POLICY)}))
}

fn appliance() -> Appliance {
    let document = json!({
        "name": "a",
        "master_profile": id(PROFILE),
        "nat": {"inside": ["in1", "in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                "pool": ["203.0.113.9", "203.0.113.0/30"]},
    });
    appliance_of(document)
}

/// An appliance without a profile whose NAT settings say more.
fn bare(more: &serde_json::Value) -> Appliance {
    let mut nat = json!({"inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                         "pool": ["203.0.113.1"]});
    nat.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    appliance_of(json!({"name": "a", "nat": nat}))
}

fn appliance_of(document: serde_json::Value) -> Appliance {
    match object(99, Kind::Appliance, document).draft.spec {
        Spec::Appliance(appliance) => appliance,
        other @ (Spec::Service(_) | Spec::AlgPolicy(_) | Spec::SubProfile(_) | Spec::MasterProfile(_)) => {
            panic!("{other:?}")
        }
    }
}

/// A policy and its services, as an administrator could have tried to save them.
#[derive(Debug, Clone)]
struct Scenario {
    services: Vec<Object>,
    policy: AlgPolicy,
}

impl Scenario {
    fn objects(&self) -> Vec<Object> {
        let mut policy = object(POLICY, Kind::AlgPolicy, json!({"name": "p"}));
        policy.draft.spec = Spec::AlgPolicy(self.policy.clone());
        let mut objects = vec![policy, profile()];
        objects.extend(self.services.iter().cloned());
        objects
    }

    /// Whether saving would have been refused.
    fn is_refused(&self) -> bool {
        let services = self.services.iter().filter_map(|object| match &object.draft.spec {
            Spec::Service(service) => Some((object.id, service.clone())),
            Spec::AlgPolicy(_) | Spec::SubProfile(_) | Spec::MasterProfile(_) | Spec::Appliance(_) => None,
        });
        !overlaps(&self.policy, &services.collect()).is_empty()
    }
}

/// Ports that meet each other and the protocols' own.
fn ports() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        Just(None),
        proptest::sample::select(vec![
            "21",
            "2121",
            "2000-2200",
            "2122,2120",
            "500",
            "4500",
            "69,5060",
            "1-65535"
        ])
        .prop_map(Some),
    ]
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let service = (proptest::sample::select(vec!["tcp", "udp", "tcp_udp"]), ports(), ports());
    let services = prop::collection::vec(service, 0..6);
    let uses = prop::collection::vec((any::<[bool; 6]>(), any::<bool>()), AlgProtocol::ALL.len());
    (services, uses).prop_map(|(services, uses)| {
        let services: Vec<Object> = services
            .into_iter()
            .zip(FIRST_SERVICE..)
            .filter(|((_, source, destination), _)| source.is_some() || destination.is_some())
            .map(|((protocol, source, destination), number)| {
                let document = json!({"name": format!("S{}", 99 - number), "protocol": protocol,
                                      "source_port": source, "destination_port": destination});
                object(number, Kind::Service, document)
            })
            .collect();
        let mut policy = AlgPolicy::default();
        for (protocol, (used, enabled)) in AlgProtocol::ALL.into_iter().zip(uses) {
            let setting = policy.protocol_mut(protocol);
            setting.enabled = enabled;
            let chosen = services.iter().zip(used).filter(|(_, used)| *used);
            setting.services = chosen.map(|(service, _)| service.id).collect();
        }
        Scenario { services, policy }
    })
}

proptest! {
    #[test]
    fn the_order_of_the_inputs_makes_no_difference(
        (scenario, order) in scenario().prop_flat_map(|scenario| {
            let count = scenario.objects().len();
            (Just(scenario), Just((0..count).collect::<Vec<_>>()).prop_shuffle())
        }),
        more in any::<bool>(),
    ) {
        let objects = scenario.objects();
        let mut shuffled: Vec<Object> = order.iter().map(|index| objects[*index].clone()).collect();
        if more {
            // What nothing refers to makes no difference either.
            shuffled.push(object(77, Kind::AlgPolicy, json!({"name": "other"})));
        }
        let one = compile(&appliance(), &objects.into_iter().collect()).unwrap();
        let other = compile(&appliance(), &shuffled.into_iter().collect()).unwrap();
        prop_assert_eq!(one, other);
    }

    #[test]
    fn what_could_be_saved_is_what_a_gateway_takes(scenario in scenario()) {
        let compiled = compile(&appliance(), &scenario.objects().into_iter().collect()).unwrap();
        let taken = pinhole_gateway::config::message::parse(&compiled.config);
        if !scenario.is_refused() {
            prop_assert!(taken.is_ok(), "{taken:?}");
        }
    }

    #[test]
    fn another_setting_is_another_hash(
        scenario in scenario(),
        protocol in proptest::sample::select(AlgProtocol::ALL.to_vec()),
    ) {
        let before = compile(&appliance(), &scenario.objects().into_iter().collect()).unwrap();
        let mut changed = scenario.clone();
        let setting = changed.policy.protocol_mut(protocol);
        setting.enabled = !setting.enabled;
        let after = compile(&appliance(), &changed.objects().into_iter().collect()).unwrap();
        prop_assert_ne!(before.hash, after.hash);

        let mut moved = appliance();
        let nat = moved.nat.as_mut().unwrap();
        nat.inside.truncate(1);
        let after = compile(&moved, &scenario.objects().into_iter().collect()).unwrap();
        prop_assert_ne!(before.hash, after.hash);
    }
}

#[test]
fn without_a_profile_or_a_policy_all_five_are_on() {
    let mut bare = appliance();
    bare.master_profile = None;
    let compiled = compile(&bare, &Inputs::default()).unwrap();
    let without_policy = object(PROFILE, Kind::MasterProfile, json!({"name": "mp", "kind": "basic"}));
    assert_eq!(compile(&appliance(), &Inputs::from_iter([without_policy])).unwrap(), compiled);
    let on: Vec<(i32, bool)> = compiled.config.algs.iter().map(|alg| (alg.protocol, alg.enabled)).collect();
    assert_eq!(on, [(1, true), (2, true), (3, true), (4, true), (5, true)]);
    assert!(compiled.config.algs.iter().all(|alg| alg.services.is_empty() && alg.policy_id.is_empty()));
}

#[test]
fn a_standard_profile_gives_what_its_sub_profile_has() {
    const SUB: u128 = 3;
    let mut policy = AlgPolicy::default();
    policy.sip.enabled = false;
    let scenario = Scenario { services: Vec::new(), policy };
    let basic = compile(&appliance(), &scenario.objects().into_iter().collect()).unwrap();
    let standard = |sub: serde_json::Value, policy: serde_json::Value| {
        let mut objects = scenario.objects();
        objects.retain(|object| object.id != id(PROFILE));
        let document = json!({"name": "mp", "kind": "standard", "sub_profiles": {"system": sub}});
        objects.push(object(PROFILE, Kind::MasterProfile, document));
        let document = json!({"name": "sub", "kind": "system", "alg_policy": policy});
        objects.push(object(SUB, Kind::SubProfile, document));
        compile(&appliance(), &objects.into_iter().collect())
    };
    assert_eq!(standard(json!(id(SUB)), json!(id(POLICY))).unwrap(), basic);
    let mut bare = appliance();
    bare.master_profile = None;
    let without = compile(&bare, &Inputs::default()).unwrap();
    assert_eq!(standard(json!(id(SUB)), json!(null)).unwrap(), without);
    assert_eq!(standard(json!(null), json!(id(POLICY))).unwrap(), without);
    let missing = CompileError::Missing { kind: Kind::SubProfile, id: id(5) };
    assert_eq!(standard(json!(id(5)), json!(null)).unwrap_err(), missing);
}

#[test]
fn an_appliance_without_nat_settings_has_no_configuration() {
    let mut unset = appliance();
    unset.nat = None;
    assert_eq!(compile(&unset, &Inputs::default()).unwrap_err(), CompileError::NatUnset);
    let missing = CompileError::Missing { kind: Kind::MasterProfile, id: id(PROFILE) };
    assert_eq!(compile(&appliance(), &Inputs::default()).unwrap_err(), missing);
}

#[test]
fn a_gateway_takes_every_kind_of_translation() {
    let forward = json!({"protocol": "tcp_udp", "outside_address": "203.0.113.1", "outside_port": "8000-8001",
                         "inside_address": "10.0.0.9", "inside_port": "80-81"});
    let exempt = json!({"prefix": "192.0.2.0/24", "port": "53"});
    for more in [
        json!({"mapping": "address_dependent", "filtering": "endpoint_independent", "forwards": [forward],
               "other_protocols": "translate", "tcp_mss": 1452, "exempt_destinations": [exempt], "deterministic": {"ports_per_subscriber": 250}}),
        json!({"mode": "one_to_one", "pool": ["203.0.113.0/24"]}),
        json!({"mode": "none", "pool": []}),
    ] {
        let compiled = compile(&bare(&more), &Inputs::default()).unwrap();
        let taken = pinhole_gateway::config::message::parse(&compiled.config).unwrap();
        let given = bare(&more).nat.unwrap();
        assert_eq!(taken.translation, given.translation);
        let shown = describe(&compiled.config, &Hidden::default());
        for (name, value) in more.as_object().unwrap() {
            assert_eq!(&shown[&format!("/nat/{name}")], value);
        }
    }
}

#[test]
fn a_gateway_takes_exporters_and_what_inside_hosts_may_ask_for() {
    let pcp = json!({"nat_pmp": false, "third_party": true, "min_lifetime_seconds": 60, "max_lifetime_seconds": 600});
    let ipfix = json!({"name": "b", "format": "ipfix", "to": "udp://192.0.2.9:4739", "events": ["sessions", "quota"],
                       "queue": 100, "domain": 0});
    let syslog = json!({"name": "a", "format": "syslog", "to": "tcp://[2001:db8::9]:601"});
    let appliance = bare(&json!({"pcp": pcp, "export": [ipfix, syslog]}));
    let compiled = compile(&appliance, &Inputs::default()).unwrap();
    let taken = pinhole_gateway::config::message::parse(&compiled.config).unwrap();
    let given = appliance.nat.unwrap();
    assert_eq!((taken.pcp, taken.exports), (given.pcp, given.exports));
    let shown = describe(&compiled.config, &Hidden::default());
    assert_eq!(shown["/nat/pcp"], pcp);
    let export = json!({"format": "ipfix", "to": "udp://192.0.2.9:4739", "events": ["sessions", "quota"],
                        "queue": 100, "domain": 0, "enterprise": null});
    assert_eq!(shown["/nat/export/b"], export);
    assert_eq!(shown["/nat/export/a"]["enterprise"], json!(32_473));
}

#[test]
fn a_description_leaves_out_what_is_hidden() {
    let service = object(
        FIRST_SERVICE,
        Kind::Service,
        json!({"name": "secret", "protocol": "tcp", "destination_port": "2121,30"}),
    );
    let mut policy = AlgPolicy::default();
    policy.ftp.services.insert(service.id);
    let scenario = Scenario { services: vec![service], policy };
    let config = compile(&appliance(), &scenario.objects().into_iter().collect()).unwrap().config;

    let shown = describe(&config, &Hidden::default());
    let value = json!({"protocol": "tcp", "source_port": null, "destination_port": "30,2121"});
    assert_eq!(shown["/algs/ftp/services/secret"], value);
    assert_eq!(shown["/algs/ftp/policy"], json!({"id": id(POLICY), "name": "p"}));
    let hidden = Hidden { policies: [id(POLICY).to_string()].into(), services: ["secret".to_owned()].into() };
    let rest = describe(&config, &hidden);
    assert!(rest.values().all(|value| !value.to_string().contains("secret")), "{rest:?}");
    assert!(!rest.contains_key("/algs/ftp/services/secret"));
    assert_eq!(rest["/algs/ftp/policy"], json!(null));

    let lines: Vec<String> = changes(&rest, &shown).iter().map(Change::line).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[1].starts_with("+ /algs/ftp/services/secret = {"), "{lines:?}");
    assert_eq!(changes(&shown, &shown), []);
}

#[test]
fn what_is_said_about_ports_changes_the_configuration_and_nothing_else_does() {
    let bytes = compile(&bare(&json!({})), &Inputs::default()).unwrap().bytes;
    let nothing = json!({
        "mode": "port_translation", "mapping": "endpoint_independent", "filtering": "address_and_port_dependent",
        "other_protocols": "refuse", "tcp_mss": null,
        "port_block": null, "deterministic": null, "forwards": [], "exempt_destinations": [],
        "limits": {"ports_per_subscriber": null}, "pcp": null, "export": [],
    });
    assert_eq!(compile(&bare(&nothing), &Inputs::default()).unwrap().bytes, bytes);
    let said = json!({"port_block": {"size": 64}, "limits": {"new_sessions_per_second": 20}});
    let compiled = compile(&bare(&said), &Inputs::default()).unwrap();
    assert_ne!(compiled.bytes, bytes);
    assert!(pinhole_gateway::config::message::parse(&compiled.config).is_ok());
    let shown = describe(&compiled.config, &Hidden::default());
    let block = json!({"size": 64, "per_subscriber": 4, "hold_seconds": 120});
    assert_eq!(shown["/nat/port_block"], block);
    assert_eq!(shown["/nat/limits/new_sessions_per_second"], json!(20));
    assert_eq!(shown["/nat/limits/ports_per_subscriber"], json!(null));
}
