//! Secrets, which are kept from the log, and the commands that are about them.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::controller::{Controller, DataDir, pinhole, run};
use crate::peer::Peer;
use crate::publish::appliance;

#[tokio::test]
async fn whatever_is_done_and_however_much_is_logged_no_secret_is() {
    let data = DataDir::new();
    let controller = Controller::start_verbose(&data, "trace,sqlx=debug", &["--log-format", "json"]).await;
    let login = controller.login.clone().unwrap();
    let client = controller.sign_in(&login).await;
    let mut secrets = vec![login.1.clone(), client.token().to_owned()];
    let text = |answer: &Value, field: &str| answer[field].as_str().unwrap().to_owned();

    let role = "service_provider_operator";
    let account = client.post("service-accounts", &json!({ "name": "program", "role": role })).await;
    secrets.push(text(&account, "client_secret"));
    let invited = client.post("users", &json!({ "username": "ann", "invite": true, "role": role })).await;
    secrets.push(text(&invited, "invitation"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", account["client_id"].as_str().unwrap()),
        ("client_secret", account["client_secret"].as_str().unwrap()),
    ];
    let tokens: Value = controller.form("/v1/auth/token", &form).await.json().await.unwrap();
    secrets.push(text(&tokens, "access_token"));
    let form = [("grant_type", "password"), ("username", "admin"), ("password", "a wrong guess at it")];
    assert_eq!(controller.form("/v1/auth/token", &form).await.status(), 400);
    let form = [("grant_type", "refresh_token"), ("refresh_token", "a token that is not one")];
    assert_eq!(controller.form("/v1/auth/token", &form).await.status(), 400);
    secrets.extend(["a wrong guess at it".to_owned(), "a token that is not one".to_owned()]);

    let (edge, identity) = appliance(&client, &controller).await;
    let token = client.post(&format!("appliances/{edge}/join-token"), &json!({})).await;
    secrets.push(text(&token, "token"));
    let peer = Peer::welcomed(controller.grpc, &identity, "i1", None).await;
    peer.leave();
    secrets.push(std::fs::read_to_string(data.path().join("secret-key")).unwrap().trim().to_owned());
    assert!(controller.end(Signal::SIGTERM).await.success());

    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(
        log.contains("\"level\":\"TRACE\"") && log.contains("a gateway was enrolled"),
        "it logs too little"
    );
    for secret in &secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "a secret is in the log");
    }
}

#[tokio::test]
async fn keys_rotate_by_a_command_and_need_the_secret_key() {
    let data = DataDir::new();
    let controller = Controller::start(&data, &[]).await;
    let client = controller.sign_in(&controller.login.clone().unwrap()).await;
    let before: Value = controller.status("/.well-known/jwks.json").await.json().await.unwrap();
    // Beside the controller that runs, on its database.
    let url = format!("postgres://pinhole@localhost/pinhole?host={}", data.path().join("postgres").display());
    let key = std::fs::read_to_string(data.path().join("secret-key")).unwrap();
    let path = data.path().to_str().unwrap();
    let rotate = ["keys", "rotate", "--data-dir", path, "--database-url", &url, "--secret-key"];
    let with = |key| rotate.iter().copied().chain([key]).collect::<Vec<_>>();
    let (status, stdout, stderr) = run(pinhole(&with(key.trim()))).await;
    assert!(status.success() && stdout.starts_with("rotated key="), "{stdout}{stderr}");
    let wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let (status, _, stderr) = run(pinhole(&with(wrong))).await;
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("PINHOLE_SECRET_KEY") && !stderr.contains(wrong), "{stderr}");
    client.get("appliances").await;
    assert!(controller.end(Signal::SIGTERM).await.success());

    let controller = Controller::start(&data, &[]).await;
    let after: Value = controller.status("/.well-known/jwks.json").await.json().await.unwrap();
    let (before, after) = (before["keys"].as_array().unwrap(), after["keys"].as_array().unwrap());
    assert_eq!((before.len(), after.len()), (1, 2));
    assert_eq!(after[1], before[0]);
    // The token of before is still good.
    client.on(&controller).get("appliances").await;
    assert!(controller.end(Signal::SIGTERM).await.success());
}
