//! What a gateway does now is shown, and ended, while real hosts talk through it.

use std::io::{self, Read as _, Write as _};

use pinhole_gateway::Gateway;
use pinhole_lab::{Net, Scratch};
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use pinhole_proto::v1::inquiry::Question;

use crate::CONFIG;
use crate::embedded::{connect, exchange, start};

async fn ask(gateway: &Gateway, question: Question) -> Outcome {
    let findings = gateway.inquire(v1::Inquiry { id: 5, question: Some(question) }).await;
    assert_eq!(findings.id, 5);
    findings.outcome.expect("every question has an outcome")
}

async fn sessions(gateway: &Gateway) -> v1::Sessions {
    let outcome = ask(gateway, Question::Sessions(v1::Listing::default())).await;
    let Outcome::Sessions(page) = outcome else { panic!("{outcome:?}") };
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_ends_at_both_hosts_at_once() {
    let (net, run_dir) = (Net::new().unwrap(), Scratch::new().unwrap());
    let gateway = start(&net, run_dir.path(), CONFIG).await;
    let listener = net.server.listen("203.0.113.2:0").unwrap();
    let (mut client, mut server, seen) = connect(&net, &listener);
    exchange(&mut client, &mut server);
    let (mut other_client, mut other_server, _) = connect(&net, &listener);

    let page = sessions(&gateway).await;
    assert_eq!((page.sessions.len(), page.total, page.next), (2, 2, None));
    let inside = client.local_addr().unwrap().to_string();
    let session = page.sessions.iter().find(|session| session.inside == inside).unwrap();
    assert_eq!(session.outside, seen.to_string());
    assert_eq!(session.remote, listener.local_addr().unwrap().to_string());
    assert_eq!((session.originator.as_str(), session.state.as_str()), ("inside", "established"));
    assert!(session.packets_out >= 3 && session.packets_in >= 2, "{session:?}");
    assert!((7_000_000..=7_440_100).contains(&session.idle_left_ms), "{session:?}");

    let kill = Question::EndSession(session.id.clone());
    assert_eq!(ask(&gateway, kill.clone()).await, Outcome::Done(v1::Done {}));
    for stream in [&mut client, &mut server] {
        let error = stream.read(&mut [0; 1]).expect_err("the connection is still there");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
        assert!(stream.write_all(b"x").is_err());
    }
    assert_eq!(ask(&gateway, kill).await, Outcome::Absent(v1::Absent {}));
    assert_eq!(sessions(&gateway).await.sessions.len(), 1);
    exchange(&mut other_client, &mut other_server);
    gateway.shutdown().await.unwrap();
}
