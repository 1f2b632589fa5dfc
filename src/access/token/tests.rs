use chrono::TimeZone as _;

use super::*;

fn now() -> Timestamp {
    chrono::Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

fn sign(keys: &SigningKeys) -> String {
    keys.sign(UserId::generate(), TenantId::generate(), SessionId::generate(), now()).unwrap()
}

fn refusal(keys: &SigningKeys, token: &str, at: Timestamp) -> Unauthenticated {
    match keys.verify(token, at) {
        Err(Error::Unauthenticated(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_is_good_until_it_expires() {
    let keys = SigningKeys::load(&[StoredKey::generate(now()).unwrap()]).unwrap();
    let token = sign(&keys);
    assert!(keys.verify(&token, now()).is_ok());
    assert!(keys.verify(&token, now() + ACCESS_TOKEN_LIFETIME - Duration::seconds(1)).is_ok());
    assert_eq!(refusal(&keys, &token, now() + ACCESS_TOKEN_LIFETIME), Unauthenticated::ExpiredToken);
}

#[test]
fn a_damaged_or_foreign_token_is_bad() {
    let keys = SigningKeys::load(&[StoredKey::generate(now()).unwrap()]).unwrap();
    let foreign = SigningKeys::load(&[StoredKey::generate(now()).unwrap()]).unwrap();
    assert_eq!(refusal(&keys, &sign(&foreign), now()), Unauthenticated::BadToken);

    let token = sign(&keys);
    let parts: Vec<&str> = token.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for damaged in [
        String::new(),
        "a.b.c".to_owned(),
        "x".repeat(MAX_TOKEN_BYTES * 2),
        format!("{}.{}.", none, parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        format!("{}.{}A.{}", parts[0], parts[1], parts[2]),
    ] {
        assert_eq!(refusal(&keys, &damaged, now()), Unauthenticated::BadToken, "{damaged:.40}");
    }
}

#[test]
fn an_older_key_still_verifies_after_rotation() {
    let old = StoredKey::generate(now() - KEY_ANNOUNCEMENT).unwrap();
    let new = StoredKey::generate(now()).unwrap();
    let keys = SigningKeys::load(std::slice::from_ref(&old)).unwrap();
    let token = sign(&keys);
    keys.replace(&[new.clone(), old.clone()]).unwrap();
    assert!(keys.verify(&token, now()).is_ok());
    // It signs when everybody can know it.
    let kid = |keys: &SigningKeys, at| {
        let token = keys.sign(UserId::generate(), TenantId::generate(), SessionId::generate(), at).unwrap();
        jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
    };
    assert_eq!(kid(&keys, now() + KEY_ANNOUNCEMENT - Duration::seconds(1)), old.kid);
    assert_eq!(kid(&keys, now() + KEY_ANNOUNCEMENT), new.kid);
    assert_eq!(kid(&SigningKeys::load(std::slice::from_ref(&new)).unwrap(), now()), new.kid);
    assert_eq!(keys.jwks().keys.len(), 2);
}

#[test]
fn a_remembered_token_counts_no_longer_than_its_key() {
    let (old, new) = (StoredKey::generate(now()).unwrap(), StoredKey::generate(now()).unwrap());
    let keys = SigningKeys::load(std::slice::from_ref(&old)).unwrap();
    let token = sign(&keys);
    for _ in 0..2 {
        assert!(keys.verify(&token, now()).is_ok());
    }
    assert_eq!(refusal(&keys, &token, now() + ACCESS_TOKEN_LIFETIME), Unauthenticated::ExpiredToken);
    keys.replace(&[new.clone(), old]).unwrap();
    assert!(keys.verify(&token, now()).is_ok());
    keys.replace(&[new]).unwrap();
    assert_eq!(refusal(&keys, &token, now()), Unauthenticated::BadToken);
}

#[test]
fn a_secret_never_shows_itself() {
    let secret = Secret::generate();
    assert!(!format!("{secret:?}").contains(secret.reveal()));
    assert_eq!(Secret::presented(secret.reveal()).hash(), secret.hash());
    assert!(secret.reveal().len() >= 43);
}
