//! What a gateway does now, as an administrator sees and ends it while FTP goes on.

use std::io::{ErrorKind, Read as _};

use pinhole_lab::{Api, Scratch};
use serde_json::{Value, json};

use crate::ftp::{Control, Cut, Data};
use crate::managed::{controller, enrol, sign_in};
use crate::world::{FILE, World};

/// What there is of a kind on the appliance.
async fn list(api: &Api, what: &str) -> Vec<Value> {
    let page: Value = api.get(&format!("appliances/name:edge/{what}")).await.expect("the gateway answers");
    page.get("items").and_then(Value::as_array).expect("a list has items").clone()
}

async fn end(api: &Api, what: &str, entry: &Value) {
    let id = entry["id"].as_str().expect("it has an id");
    api.delete(&format!("appliances/name:edge/{what}/{id}")).await.expect("it can be ended");
}

#[tokio::test]
async fn a_transfer_is_seen_with_its_message_and_ended() {
    let (directory, mut world) = (Scratch::new().unwrap(), World::without_gateway(""));
    let controller = controller(&directory, "127.0.0.1:0");
    let api = sign_in(&controller).await;
    let (appliance, token) = enrol(&api).await;
    world.join_gateway(controller.grpc(), &token);
    api.publish(&appliance).await.unwrap();
    world.wait_until_ready();

    let mut control = Control::sign_in(&world.net.client, 21, Cut::Whole);
    let data = Data::listen(&world.net.client);
    control.ask(&data.port_command(), 200);
    let inside = format!("10.0.0.2:{}", data.port());
    let [pinhole] = &list(&api, "pinholes").await[..] else { panic!("not one pinhole") };
    assert_eq!((&pinhole["alg"], &pinhole["message"]), (&json!("ftp"), &json!("PORT")));
    assert_eq!((&pinhole["inside"], &pinhole["peer"]), (&json!(inside), &json!("203.0.113.2:0")));

    control.ask(&format!("RETR {FILE}"), 150);
    let mut transfer = data.accept();
    assert_eq!(list(&api, "pinholes").await, [json!(null); 0]);
    let sessions = list(&api, "sessions?alg=ftp").await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let of_control = sessions.iter().find(|session| session["alg"] == "ftp").unwrap();
    let of_data = sessions.iter().find(|session| session["inside"] == inside.as_str()).unwrap();
    assert_eq!(of_data["announced"], json!({ "session": of_control["id"], "alg": "ftp", "message": "PORT" }));
    assert_eq!((&of_data["originator"], &of_data["outside"]), (&json!("outside"), &pinhole["outside"]));
    assert_eq!(pinhole["session"], of_control["id"]);

    end(&api, "sessions", of_data).await;
    let error = transfer.read_to_end(&mut Vec::new()).expect_err("the transfer has come to its end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    control.expect(426);

    // A pinhole is closed, and then the control session is ended with another one that it has open.
    for end_control in [false, true] {
        let data = Data::listen(&world.net.client);
        control.ask(&data.port_command(), 200);
        let pinhole = list(&api, "pinholes").await.remove(0);
        if end_control {
            end(&api, "sessions", of_control).await;
            assert_eq!(control.broken(), ErrorKind::ConnectionReset);
        } else {
            end(&api, "pinholes", &pinhole).await;
        }
        assert_eq!(list(&api, "pinholes").await, [json!(null); 0]);
    }
    assert_eq!(list(&api, "sessions?alg=ftp").await, [json!(null); 0]);
    controller.end().unwrap();
}
