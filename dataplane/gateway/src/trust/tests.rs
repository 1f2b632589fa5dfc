use super::*;

fn fingerprint() -> String {
    URL_SAFE_NO_PAD.encode([7_u8; 32])
}

fn identity(obtained_at_ms: u64, lifetime_ms: u64) -> Identity {
    Identity {
        key: vec![1],
        certificate: vec![2],
        authorities: vec![Der(vec![3])],
        obtained_at_ms,
        lifetime_ms,
        token_hash: vec![4],
    }
}

#[test]
fn a_join_token_is_taken_whole_and_never_shown() {
    let text = format!("pinhole-join.secret.{}", fingerprint());
    let token = JoinToken::parse(&format!(" {text}\n")).unwrap();
    assert_eq!((token.text.as_str(), token.authority), (text.as_str(), [7; 32]));
    assert!(!format!("{token:?}").contains("secret"));
    let (short, long) = (URL_SAFE_NO_PAD.encode([7_u8; 31]), "s".repeat(MAX_TOKEN_BYTES));
    let wrong = [
        String::new(),
        "secret".to_owned(),
        format!("pinhole-join..{}", fingerprint()),
        format!("pinhole-join.secret.{short}"),
        format!("pinhole-join.secret.{}.x", fingerprint()),
        format!("pinhole-join.se cret.{}", fingerprint()),
        format!("pinhole-join.{long}.{}", fingerprint()),
        format!("other.secret.{}", fingerprint()),
    ];
    for wrong in wrong {
        let error = JoinToken::parse(&wrong).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_certificate_is_renewed_while_a_third_of_its_life_is_left() {
    let now = unix_time_ms();
    let fresh = identity(now, 90_000);
    assert!(!fresh.expired());
    assert!((Duration::from_secs(50)..=Duration::from_secs(60)).contains(&fresh.renewal_in()));
    assert_eq!(identity(now - 70_000, 90_000).renewal_in(), Duration::ZERO);
    assert!(!identity(now - 70_000, 90_000).expired());
    assert!(identity(now - 90_000, 90_000).expired());
    // A clock that was set back, and numbers that are none, do no harm.
    assert!(!identity(u64::MAX, u64::MAX).expired());
}

#[test]
fn what_is_kept_is_only_its_owners_and_comes_back() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let keeper = Keeper::new(directory.path());
    assert_eq!(keeper.load().unwrap(), None);
    let (first, again) = (keeper.join_key().unwrap(), keeper.join_key().unwrap());
    assert_eq!(
        first.serialized_der(),
        again.serialized_der(),
        "an answer that got lost can be asked for again"
    );
    keeper.save(&identity(5, 6)).unwrap();
    assert_eq!(keeper.load().unwrap(), Some(identity(5, 6)));
    assert_ne!(keeper.join_key().unwrap().serialized_der(), first.serialized_der(), "a key is used once");
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let metadata = entry.unwrap().metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(directory.path().join("identity.json"), "{").unwrap();
    let error = keeper.load().unwrap_err().to_string();
    assert!(error.contains("identity.json"), "{error}");
}
