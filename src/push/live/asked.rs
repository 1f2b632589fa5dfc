//! Questions on their way to a gateway, and those that wait for its answer.

use std::collections::HashMap;

use pinhole_proto::v1;
use tokio::sync::oneshot;

use super::Question;
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::live::Listing;
use crate::error::ApplianceFault;
use crate::push::limits;

/// A question for a stream.
#[derive(Debug)]
pub(in crate::push) struct Asked {
    /// In a box, since every stream's queue has room for dozens of these, which are rarely there.
    question: Option<Box<v1::inquiry::Question>>,
    answer: oneshot::Sender<Heard>,
}

/// What comes of a question.
type Heard = Result<v1::findings::Outcome, ApplianceFault>;

impl Asked {
    /// A question, and where its answer comes; nothing comes when the stream ends before.
    pub(super) fn new(question: Option<v1::inquiry::Question>) -> (Self, oneshot::Receiver<Heard>) {
        let (answer, heard) = oneshot::channel();
        (Self { question: question.map(Box::new), answer }, heard)
    }
}

/// The questions of one stream that are not answered yet.
#[derive(Debug, Default)]
pub(in crate::push) struct Waiting {
    answers: HashMap<u64, oneshot::Sender<Heard>>,
    last: u64,
}

impl Waiting {
    /// Takes a question in and returns what is sent to the gateway, unless that has enough of them.
    pub(in crate::push) fn ask(&mut self, asked: Asked) -> Option<v1::Inquiry> {
        // Those who gave up do not count.
        self.answers.retain(|_, answer| !answer.is_closed());
        if self.answers.len() >= limits::MAX_INQUIRIES {
            // Whoever has given up does not take it; as below.
            let _ = asked.answer.send(Err(ApplianceFault::Busy));
            return None;
        }
        self.last = self.last.wrapping_add(1);
        self.answers.insert(self.last, asked.answer);
        Some(v1::Inquiry { id: self.last, question: asked.question.map(|question| *question) })
    }

    /// Gives an answer to whoever asked. One that nobody waits for is late, or a gateway's invention.
    pub(in crate::push) fn answer(&mut self, findings: v1::Findings) {
        if let Some(answer) = self.answers.remove(&findings.id) {
            let _ = answer.send(findings.outcome.ok_or(ApplianceFault::Nonsense));
        }
    }
}

/// Returns a question in the contract's words; `None` for one that is not the gateway's to answer.
pub(super) fn message(question: &Question) -> Option<v1::inquiry::Question> {
    use v1::inquiry::Question as Message;

    match question {
        Question::Sessions(listing) => Some(Message::Sessions(listing_message(listing))),
        Question::Pinholes(listing) => Some(Message::Pinholes(listing_message(listing))),
        Question::Mappings(listing) => Some(Message::Mappings(listing_message(listing))),
        Question::EndSession(id) => Some(Message::EndSession(id.to_string())),
        Question::ClosePinhole(id) => Some(Message::ClosePinhole(id.to_string())),
        Question::Events(..) | Question::Counters => None,
    }
}

fn listing_message(listing: &Listing) -> v1::Listing {
    let alg = |alg: AlgProtocol| match alg {
        AlgProtocol::Ftp => v1::AlgProtocol::Ftp,
        AlgProtocol::IkeEsp => v1::AlgProtocol::IkeEsp,
        AlgProtocol::Pptp => v1::AlgProtocol::Pptp,
        AlgProtocol::Sip => v1::AlgProtocol::Sip,
        AlgProtocol::Tftp => v1::AlgProtocol::Tftp,
    };
    v1::Listing {
        from: listing.cursor,
        limit: listing.limit,
        address: listing.address.map(|address| address.to_string()).unwrap_or_default(),
        port: listing.port.map_or(0, |port| u32::from(port.get())),
        protocol: listing.protocol.map_or("", |protocol| protocol.as_str()).to_owned(),
        alg: listing.alg.map_or(v1::AlgProtocol::Unspecified, alg).into(),
        state: listing.state.map_or("", |state| state.as_str()).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_so_many_wait_and_those_who_gave_up_make_room() {
        let mut waiting = Waiting::default();
        let mut receivers = Vec::new();
        for _ in 0..limits::MAX_INQUIRIES {
            let (asked, receiver) = Asked::new(None);
            receivers.push((waiting.ask(asked).unwrap().id, receiver));
        }
        let (asked, receiver) = Asked::new(None);
        assert_eq!(waiting.ask(asked), None);
        assert_eq!(receiver.await.unwrap(), Err(ApplianceFault::Busy));
        drop(receivers.pop());
        assert!(waiting.ask(Asked::new(None).0).is_some());

        let done = || v1::findings::Outcome::Done(v1::Done {});
        let (id, receiver) = receivers.remove(0);
        waiting.answer(v1::Findings { id: id + 1_000, outcome: Some(done()) });
        waiting.answer(v1::Findings { id, outcome: Some(done()) });
        assert_eq!(receiver.await.unwrap(), Ok(done()));
        let (id, receiver) = receivers.remove(0);
        waiting.answer(v1::Findings { id, outcome: None });
        assert_eq!(receiver.await.unwrap(), Err(ApplianceFault::Nonsense));
        waiting.answer(v1::Findings { id, outcome: Some(done()) });
    }
}
