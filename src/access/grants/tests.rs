use serde_json::json;

use super::*;

fn grants(drafts: Value) -> Result<RoleGrants, GrantError> {
    RoleGrants::parse(serde_json::from_value(drafts).unwrap())
}

fn claims(claims: Value) -> Claims {
    claims.as_object().unwrap().clone()
}

fn example() -> RoleGrants {
    grants(json!([
        { "claim": "groups", "value": "pinhole-admins", "role": "service_provider_administrator" },
        { "claim": "groups", "value": "acme-noc", "role": "enterprise_operator", "tenant": "acme" },
        { "claim": "/realm/roles", "value": "admin", "role": "enterprise_administrator", "tenant_claim": "org" },
    ]))
    .unwrap()
}

fn enterprise(name: &str, role: Role) -> Option<Assignment> {
    Some(Assignment { home: Home::Enterprise(Name::parse(name).unwrap()), role })
}

#[test]
fn the_first_grant_that_fits_counts() {
    let assigned = |value| example().assign(&claims(value));
    let provider = Some(Assignment { home: Home::Provider, role: Role::ServiceProviderAdministrator });
    assert_eq!(assigned(json!({"groups": "pinhole-admins"})), provider);
    assert_eq!(assigned(json!({"groups": ["acme-noc", "pinhole-admins"]})), provider);
    assert_eq!(assigned(json!({"groups": ["x", "acme-noc"]})), enterprise("acme", Role::EnterpriseOperator));
    let deeper = json!({"realm": {"roles": ["admin"]}, "org": "globex"});
    assert_eq!(assigned(deeper), enterprise("globex", Role::EnterpriseAdministrator));
}

#[test]
fn what_fits_no_grant_gives_nothing() {
    for value in [
        json!({}),
        json!({"groups": null}),
        json!({"groups": 1}),
        json!({"groups": {"pinhole-admins": true}}),
        json!({"groups": ["PINHOLE-ADMINS", "pinhole-admins ", ["pinhole-admins"]]}),
        json!({"groups": "acme-noc,pinhole-admins"}),
        json!({"realm": {"roles": ["admin"]}}),
        json!({"realm": {"roles": ["admin"]}, "org": ["globex"]}),
        json!({"realm": {"roles": ["admin"]}, "org": "../globex"}),
        json!({"/realm/roles": ["admin"], "org": "globex"}),
    ] {
        assert_eq!(example().assign(&claims(value.clone())), None, "{value}");
    }
}

#[test]
fn a_grant_names_the_tenant_that_its_role_is_of() {
    let one = |more: Value| {
        let mut draft = json!({"claim": "c", "value": "v"});
        draft.as_object_mut().unwrap().extend(claims(more));
        grants(json!([draft])).err()
    };
    let (provider, enterprise) = ("service_provider_operator", "enterprise_operator");
    assert_eq!(one(json!({"role": provider})), None);
    assert_eq!(one(json!({"role": provider, "tenant": "acme"})), Some(GrantError::ProvidersTenant(1)));
    assert_eq!(one(json!({"role": provider, "tenant_claim": "org"})), Some(GrantError::ProvidersTenant(1)));
    assert_eq!(one(json!({"role": enterprise})), Some(GrantError::NoTenant(1)));
    let both = json!({"role": enterprise, "tenant": "acme", "tenant_claim": "org"});
    assert_eq!(one(both), Some(GrantError::NoTenant(1)));
    assert!(matches!(one(json!({"role": enterprise, "tenant": "a b"})), Some(GrantError::BadTenant(1, _))));
    assert_eq!(grants(json!([])).err(), Some(GrantError::None));
}
