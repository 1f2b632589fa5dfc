use super::*;

const FILE: &str = r#"
issuer = "https://login.example.com/realms/one"
client_id = "pinhole"
client_secret_file = "secret"
scopes = ["openid", "profile", "groups"]

[[grant]]
claim = "groups"
value = "pinhole-admins"
role = "service_provider_administrator"
"#;

fn load(text: &str) -> Result<Settings, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("oidc.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(directory.path().join("secret"), "hush-hush\n").unwrap();
    std::fs::write(directory.path().join("none.pem"), "nothing").unwrap();
    Settings::load(&path)
}

#[test]
fn a_file_says_who_is_trusted_and_shows_no_secret() {
    let settings = load(FILE).unwrap();
    assert_eq!(settings.title, "login.example.com");
    assert_eq!(settings.client_secret.as_ref().unwrap().secret(), "hush-hush");
    assert_eq!(settings.scopes, [Scope::new("profile".to_owned()), Scope::new("groups".to_owned())]);
    assert!(settings.is_secure());
    assert!(!format!("{settings:?}").contains("hush"));
}

#[test]
fn a_file_that_is_wrong_is_told_so() {
    for (wrong, told) in [
        (
            FILE.replace("https://login.example.com", "http://login.example.com"),
            "issuer is to be an https URL",
        ),
        (FILE.replace("realms/one", "?x=y"), "issuer is to be an https URL"),
        (FILE.replace("https://", "https://me:you@"), "issuer is to be an https URL"),
        (FILE.replace("\"pinhole\"", "\"\""), "client_id"),
        (FILE.replace("\"secret\"", "\"absent\""), "absent"),
        (FILE.replace("client_id", "client-id"), "client-id"),
        (FILE.replace("scopes", "title = ''\nscopes"), "title"),
        (FILE.replace("scopes", "ca_file = 'none.pem'\nscopes"), "no list of PEM certificates"),
        (FILE.replace("service_provider", "enterprise"), "tenant"),
        (FILE.split("[[grant]]").next().unwrap().to_owned(), "no grant"),
    ] {
        let error = load(&wrong).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
}

#[test]
fn an_origin_has_tls_or_is_this_host_and_has_no_path() {
    let parsed = |text| PublicUrl::parse(text).map(|url| (url.to_string(), url.is_secure())).ok();
    assert_eq!(
        parsed("https://Pinhole.example.com:443/"),
        Some(("https://pinhole.example.com".to_owned(), true))
    );
    assert_eq!(parsed("http://127.0.0.1:8080"), Some(("http://127.0.0.1:8080".to_owned(), false)));
    assert_eq!(parsed("http://[::1]:1"), Some(("http://[::1]:1".to_owned(), false)));
    for wrong in [
        "",
        "x",
        "pinhole.example.com",
        "http://192.0.2.1",
        "https://a/b",
        "https://a?b",
        "ftp://localhost",
        "http://localhost.example.com",
        "https://u@a",
        "https://a#b",
    ] {
        assert_eq!(parsed(wrong), None, "{wrong}");
    }
}
