//! How sessions, pinholes and mappings look in answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::live::{Announcement, Mapping, Page, Pinhole, Session, Side};
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::live::SessionProtocol;

/// Some of a gateway's sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveSessions)]
pub(in crate::http) struct SessionsView {
    items: Vec<SessionView>,
    /// The `cursor` of the next request; `null` at the end. A page may be empty and not the last, since a gateway looks
    /// at a part of its table at a time.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many sessions there are in all, whatever was asked for.
    total: u64,
}

/// A session of a gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveSession)]
struct SessionView {
    /// Names the session as long as it lasts.
    #[schema(example = "5f0c9a31-2a-1")]
    id: String,
    /// Its protocol. For ICMP the identifier stands in the place of ports, for `other` the IP protocol number.
    protocol: SessionProtocol,
    /// The inside host.
    #[schema(example = "10.0.0.2:40000")]
    inside: String,
    /// What the inside host looks like outside.
    #[schema(example = "203.0.113.1:20000")]
    outside: String,
    /// The other host.
    #[schema(example = "198.51.100.5:21")]
    remote: String,
    /// Who has sent the first packet.
    originator: SideWord,
    /// How far it has come: `unreplied` or `replied`; of TCP `syn_sent`, `syn_received`, `established`, `closing` or
    /// `closed`.
    #[schema(example = "established")]
    state: String,
    /// Packets of the inside host.
    packets_out: u64,
    /// Packets to the inside host.
    packets_in: u64,
    /// In how many milliseconds it is forgotten unless a packet comes.
    idle_left_ms: u64,
    /// The ALG that reads it.
    #[schema(required = true)]
    alg: Option<AlgProtocol>,
    /// What announced it; `null` when it did not come through a pinhole.
    #[schema(required = true)]
    announced: Option<AnnouncementView>,
}

/// A side of a gateway.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Side)]
enum SideWord {
    /// The subscribers'.
    Inside,
    /// The rest of the world.
    Outside,
}

/// What announced a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Announcement)]
struct AnnouncementView {
    /// The control session, which may have ended before.
    #[schema(example = "5f0c9a31-29-0")]
    session: String,
    /// The ALG that read the message.
    #[schema(required = true)]
    alg: Option<AlgProtocol>,
    /// The control message's name.
    #[schema(example = "PORT")]
    message: String,
}

/// Some of a gateway's pinholes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LivePinholes)]
pub(in crate::http) struct PinholesView {
    items: Vec<PinholeView>,
    /// The `cursor` of the next request; `null` at the end. A page may be empty and not the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many pinholes there are in all, whatever was asked for.
    total: u64,
}

/// An open pinhole of a gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LivePinhole)]
struct PinholeView {
    /// Names the pinhole as long as it is open.
    #[schema(example = "5f0c9a31-7")]
    id: String,
    /// The number that it has in events.
    pinhole_id: u64,
    /// The ALG that opened it.
    alg: AlgProtocol,
    /// The announced session's protocol.
    protocol: SessionProtocol,
    /// Who is admitted; port 0 is any.
    #[schema(example = "198.51.100.5:0")]
    peer: String,
    /// What the peer was told.
    #[schema(example = "203.0.113.1:20001")]
    outside: String,
    /// The inside host.
    #[schema(example = "10.0.0.2:50000")]
    inside: String,
    /// The control session.
    #[schema(example = "5f0c9a31-29-0")]
    session: String,
    /// The control message's name.
    #[schema(example = "PORT")]
    message: String,
    /// Bytes of the control stream before the message.
    offset: u64,
    /// In how many milliseconds it closes unused.
    expires_in_ms: u64,
}

/// Some of a gateway's mappings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveMappings)]
pub(in crate::http) struct MappingsView {
    items: Vec<MappingView>,
    /// The `cursor` of the next request; `null` at the end. A page may be empty and not the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many mappings there are in all, whatever was asked for.
    total: u64,
}

/// An inside endpoint, and the outside one that stands for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveMapping)]
struct MappingView {
    /// Its protocol. For ICMP the identifier stands in the place of ports, for `other` the IP protocol number.
    protocol: SessionProtocol,
    /// The inside host.
    #[schema(example = "10.0.0.2:40000")]
    inside: String,
    /// What that looks like outside.
    #[schema(example = "203.0.113.1:20000")]
    outside: String,
    /// Towards whom; `null` is anybody.
    #[schema(required = true, example = "198.51.100.5:21")]
    remote: Option<String>,
    /// Sessions and pinholes that hold it.
    holders: u32,
    /// The ports that are the subscriber's alone and that the outside port is one of; `null` where ports are not given
    /// out so.
    #[schema(required = true)]
    block: Option<BlockView>,
}

/// Ports.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveBlock)]
struct BlockView {
    /// The lowest.
    #[schema(example = 19968)]
    first_port: u16,
    /// The highest.
    #[schema(example = 20479)]
    last_port: u16,
}

impl From<Page<Session>> for SessionsView {
    fn from(page: Page<Session>) -> Self {
        let items = page.items.into_iter().map(SessionView::from).collect();
        Self { items, next_cursor: page.next.map(|next| next.to_string()), total: page.total }
    }
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            protocol: session.protocol,
            inside: session.inside.to_string(),
            outside: session.outside.to_string(),
            remote: session.remote.to_string(),
            originator: match session.originator {
                Side::Inside => SideWord::Inside,
                Side::Outside => SideWord::Outside,
            },
            state: session.state,
            packets_out: session.packets_out,
            packets_in: session.packets_in,
            idle_left_ms: session.idle_left_ms,
            alg: session.alg,
            announced: session.announced.map(AnnouncementView::from),
        }
    }
}

impl From<Announcement> for AnnouncementView {
    fn from(announcement: Announcement) -> Self {
        let Announcement { session, alg, message } = announcement;
        Self { session: session.to_string(), alg, message }
    }
}

impl From<Page<Pinhole>> for PinholesView {
    fn from(page: Page<Pinhole>) -> Self {
        let items = page.items.into_iter().map(PinholeView::from).collect();
        Self { items, next_cursor: page.next.map(|next| next.to_string()), total: page.total }
    }
}

impl From<Pinhole> for PinholeView {
    fn from(pinhole: Pinhole) -> Self {
        Self {
            id: pinhole.id.to_string(),
            pinhole_id: pinhole.pinhole_id,
            alg: pinhole.alg,
            protocol: pinhole.protocol,
            peer: pinhole.peer.to_string(),
            outside: pinhole.outside.to_string(),
            inside: pinhole.inside.to_string(),
            session: pinhole.session.to_string(),
            message: pinhole.message,
            offset: pinhole.offset,
            expires_in_ms: pinhole.left_ms,
        }
    }
}

impl From<Page<Mapping>> for MappingsView {
    fn from(page: Page<Mapping>) -> Self {
        let items = page.items.into_iter().map(MappingView::from).collect();
        Self { items, next_cursor: page.next.map(|next| next.to_string()), total: page.total }
    }
}

impl From<Mapping> for MappingView {
    fn from(mapping: Mapping) -> Self {
        Self {
            protocol: mapping.protocol,
            inside: mapping.inside.to_string(),
            outside: mapping.outside.to_string(),
            remote: mapping.remote.map(|remote| remote.to_string()),
            holders: mapping.holders,
            block: mapping.block.map(|(first_port, last_port)| BlockView { first_port, last_port }),
        }
    }
}
