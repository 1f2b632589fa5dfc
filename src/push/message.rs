//! Messages of a gateway to values: whatever cannot be one is refused here.

use pinhole_proto::v1;

use super::limits;
use super::text::clean;
use crate::domain::revision::{ConfigHash, Running};
use crate::ids::RevisionId;

/// What a gateway did that the contract does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    /// The first message is another one.
    #[error("the first message is to be Hello")]
    NoHello,
    /// A second Hello.
    #[error("Hello comes once")]
    SecondHello,
    /// The instance id is empty or too long.
    #[error("instance_id is to have 1 to 64 characters")]
    InstanceId,
    /// The running configuration names no revision.
    #[error("running is to have the UUID of a revision and a hash of 32 bytes")]
    Running,
}

/// The capability of a gateway that can be asked.
const LIVE: &str = "live";

/// A gateway's first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) software_version: String,
    pub(super) instance: String,
    pub(super) running: Option<Running>,
    /// Whether it can be asked what it does now.
    pub(super) live: bool,
}

impl Hello {
    /// Reads the first message of a stream.
    pub(super) fn parse(message: v1::GatewayMessage) -> Result<Self, Violation> {
        let Some(v1::gateway_message::Message::Hello(hello)) = message.message else {
            return Err(Violation::NoHello);
        };
        let instance = clean(&hello.instance_id, limits::MAX_NAME_CHARS);
        if instance.is_empty() || instance != hello.instance_id {
            return Err(Violation::InstanceId);
        }
        Ok(Self {
            software_version: clean(&hello.software_version, limits::MAX_NAME_CHARS),
            instance,
            running: running(hello.running)?,
            live: hello.capabilities.iter().any(|capability| capability == LIVE),
        })
    }
}

/// Reads what a gateway says it enforces.
pub(super) fn running(running: Option<v1::RunningConfig>) -> Result<Option<Running>, Violation> {
    let Some(running) = running else { return Ok(None) };
    let revision: RevisionId = running.revision_id.parse().map_err(|_| Violation::Running)?;
    let hash = ConfigHash::from_stored(&running.hash).ok_or(Violation::Running)?;
    Ok(Some(Running { revision, hash }))
}

/// Reads why a gateway refuses a configuration.
pub(super) fn reason(text: &str) -> String {
    let reason = clean(text, limits::MAX_REASON_CHARS);
    if reason.is_empty() { "the gateway gave no reason".to_owned() } else { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(instance: &str, running: Option<v1::RunningConfig>) -> v1::GatewayMessage {
        let hello = v1::Hello {
            software_version: "1.2.3\0".to_owned(),
            instance_id: instance.to_owned(),
            running,
            capabilities: vec!["nat44".to_owned(), "live".to_owned()],
        };
        v1::GatewayMessage { message: Some(v1::gateway_message::Message::Hello(hello)) }
    }

    #[test]
    fn hellos_are_read_or_refused() {
        let revision = RevisionId::generate();
        let config = |revision: &str, bytes| v1::RunningConfig {
            revision_id: revision.to_owned(),
            hash: vec![7; bytes],
        };
        let good = Hello::parse(hello("i1", Some(config(&revision.to_string(), 32)))).unwrap();
        assert_eq!((good.software_version.as_str(), good.instance.as_str()), ("1.2.3", "i1"));
        assert!(good.live);
        assert_eq!(good.running, Some(Running { revision, hash: ConfigHash::new([7; 32]) }));
        assert_eq!(Hello::parse(hello("i1", None)).unwrap().running, None);

        for instance in ["", " i1", "i\n1", &"x".repeat(65)] {
            assert_eq!(Hello::parse(hello(instance, None)), Err(Violation::InstanceId), "{instance:?}");
        }
        for running in [config("", 32), config("no", 32), config(&revision.to_string(), 31)] {
            assert_eq!(Hello::parse(hello("i1", Some(running))), Err(Violation::Running));
        }
        assert_eq!(Hello::parse(v1::GatewayMessage { message: None }), Err(Violation::NoHello));
    }

    #[test]
    fn reasons_are_bounded_and_never_empty() {
        assert_eq!(reason("\n"), "the gateway gave no reason");
        assert_eq!(reason(&"x".repeat(5_000)).len(), limits::MAX_REASON_CHARS);
    }
}
