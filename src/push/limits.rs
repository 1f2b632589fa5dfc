//! Every bound on what a gateway may send, and on how long things may take.

use std::time::Duration;

/// Streams at once on one replica.
pub(super) const MAX_STREAMS: usize = 10_000;
/// The largest message of a gateway. A full batch of events with long control lines stays below.
pub(super) const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// The largest set of headers of a request.
pub(super) const MAX_HEADER_BYTES: u32 = 16 << 10;
/// The largest request for a certificate.
pub(super) const MAX_ENROLMENT_BYTES: usize = 32 << 10;
/// The longest join token that is looked at.
pub(super) const MAX_TOKEN_BYTES: usize = 512;
/// TLS handshakes at once, and how long one may take.
pub(super) const MAX_HANDSHAKES: usize = 512;
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long no connection is accepted after that failed, for want of open files perhaps.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests at once on one connection: a gateway needs one, and a second while it replaces that.
pub(super) const MAX_REQUESTS_PER_CONNECTION: u32 = 4;

/// The longest version and instance id of a gateway, in characters.
pub(super) const MAX_NAME_CHARS: usize = 64;
/// The longest reason, in characters.
pub(super) const MAX_REASON_CHARS: usize = 1_000;
/// The most events of one message that are kept; the rest counts as lost.
pub(super) const MAX_BATCH_EVENTS: usize = 1_024;
/// The longest text in an event, in characters.
pub(super) const MAX_EVENT_TEXT_CHARS: usize = 1_024;
/// The most drop reasons of a gateway's counters.
pub(super) const MAX_DROP_REASONS: usize = 256;
/// The most events that one message may say were lost.
pub(super) const MAX_LOST: u64 = 1_000_000_000;

/// Events kept of one appliance while there are few appliances.
pub(super) const MAX_JOURNAL_EVENTS: usize = 1_000;
/// Events kept of one appliance however many there are.
pub(super) const MIN_JOURNAL_EVENTS: usize = 16;
/// Events that all appliances share.
pub(super) const JOURNALS_EVENTS: usize = 100_000;
/// Appliances of which events and counters are kept.
pub(super) const MAX_JOURNALS: usize = MAX_STREAMS;

/// Messages that wait for the network.
pub(super) const OUTBOX: usize = 4;
/// How long a gateway may take for its first message.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a message to a gateway may wait before the stream counts as broken.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a gateway may take to answer a configuration.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Heartbeats that a gateway may miss.
pub(super) const MISSED_HEARTBEATS: u32 = 3;
/// How often a silent connection is checked, and how long an answer may take.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
pub(super) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Streams that one statement is for, at most: it holds locks for some milliseconds, and what comes meanwhile waits.
pub(super) const MAX_BATCH: usize = 1_000;
/// Streams that wait for a statement of one kind; more wait until there is room.
pub(super) const QUEUE: usize = 2 * MAX_BATCH;
/// Enrolments and renewals at once, so that gateways that come together leave connections to the REST API.
pub(super) const MAX_ENROLMENTS: usize = 3;
/// How far what the database says of a gateway's last sign of life may be behind, while it is connected.
pub(super) const SEEN_INTERVAL: Duration = Duration::from_secs(30);
/// How long something in the database may take, waiting for a turn included.
pub(super) const DATABASE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the database is asked though nothing was heard, unless settings say otherwise.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Polls that may fail before other replicas may say that this one is gone.
pub(super) const LEASE_POLLS: u32 = 4;
/// The shortest promise of a replica to be there: a busy moment is not to break it.
pub(super) const LEAST_LEASE: Duration = Duration::from_secs(5);
/// How long the listener waits before it tries again to listen.
pub(super) const LISTEN_PAUSE: Duration = Duration::from_secs(1);
/// How long streams may take to end with the controller.
pub(super) const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How long whoever asks a gateway something waits, wherever its stream is.
pub(super) const INQUIRY_PATIENCE: Duration = Duration::from_secs(5);
/// Questions that one gateway may have to answer at a time.
pub(super) const MAX_INQUIRIES: usize = 16;
/// Questions on their way to a stream, beyond those.
pub(super) const INQUIRY_QUEUE: usize = 4;
/// Those who wait for an answer at a time, and other replicas' questions that are being answered.
pub(super) const MAX_INQUIRERS: usize = 64;
/// How often whoever waits for another replica looks though nothing was heard.
pub(super) const ANSWER_LOOK: Duration = Duration::from_millis(500);
