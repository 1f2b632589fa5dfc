//! Questions of the controller, and what comes back.

use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use pinhole_proto::v1::inquiry::Question as Asked;

use super::authority::any_address;
use super::{Controller, Fixture, FromController, FromGateway};
use crate::datapath::worker::WorkerHandle;
use crate::live::Question;

/// A datapath with three sessions by its counters, and nine by its table.
pub(super) fn worker() -> WorkerHandle {
    let counters = v1::Counters { sessions: 3, ..v1::Counters::default() };
    WorkerHandle::answering(counters, table_of_nine)
}

/// Shows two sessions at a time, of nine that there are.
fn table_of_nine(question: &Question) -> Outcome {
    let Question::Sessions(listing) = question else { return Outcome::Done(v1::Done {}) };
    let end = listing.from.saturating_add(2).min(9);
    let wanted = (listing.from..end).take(listing.limit);
    let session = |place: u64| v1::Session { id: place.to_string(), ..v1::Session::default() };
    let sessions: Vec<v1::Session> = wanted.map(session).collect();
    let next = listing.from + sessions.len() as u64;
    Outcome::Sessions(v1::Sessions { sessions, total: 9, next: (next < 9).then_some(next) })
}

#[tokio::test]
async fn inquiries_are_answered_by_their_ids() {
    let mut controller = Controller::start(any_address(), 0).await;
    let fixture = Fixture::start(&controller, "");
    let mut stream = controller.accept().await;
    assert!(stream.hello().await.capabilities.contains(&"live".to_owned()));
    stream.welcome().await;
    let listing = |from, limit| Asked::Sessions(v1::Listing { from, limit, ..v1::Listing::default() });
    let strange = Asked::Sessions(v1::Listing { protocol: "ospf".to_owned(), ..v1::Listing::default() });
    let asked = [
        Some(listing(0, 0)),
        Some(listing(1, 5)),
        Some(Asked::EndSession("0000002a-1-0".to_owned())),
        Some(Asked::EndSession("no name".to_owned())),
        Some(Asked::ClosePinhole("0000002a-1".to_owned())),
        Some(strange),
        None,
    ];
    let mut outcomes = Vec::new();
    for (id, question) in (u64::MAX - 6..=u64::MAX).zip(asked) {
        stream.send(FromController::Inquiry(v1::Inquiry { id, question })).await;
        let FromGateway::Findings(findings) = stream.receive_answer().await else { panic!("no findings") };
        assert_eq!(findings.id, id);
        outcomes.push(match findings.outcome.unwrap() {
            Outcome::Sessions(page) => {
                let ids: Vec<String> = page.sessions.into_iter().map(|session| session.id).collect();
                format!("{} of {} then {:?}", ids.concat(), page.total, page.next)
            }
            Outcome::Refused(reason) => reason,
            other @ (Outcome::Pinholes(_)
            | Outcome::Mappings(_)
            | Outcome::Subscribers(_)
            | Outcome::Done(_)
            | Outcome::Absent(_)) => format!("{other:?}"),
        });
    }
    assert_eq!(
        outcomes,
        [
            "012345678 of 9 then None",
            "12345 of 9 then Some(6)",
            "Done(Done)",
            "Absent(Absent)",
            "Done(Done)",
            "\"ospf\" is no protocol known here",
            "the question is none that this gateway knows",
        ]
    );
    fixture.end().await;
}
