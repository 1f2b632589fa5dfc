//! PCP (RFC 6887) and NAT-PMP (RFC 6886): inside hosts ask for mappings of their own. The messages and what they mean are
//! without I/O; a task for each inside address of the host receives them and asks the datapath.

mod epoch;
mod pmp;
mod server;
mod throttle;
mod wire;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pinhole_dataplane::addr::Ipv4Prefix;
use pinhole_dataplane::time::Timestamp;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::datapath::worker::WorkerHandle;
use pinhole_dataplane::config::nat::pcp::PcpSettings;
use server::{Server, Step};

pub(crate) use epoch::Epoch;
pub(crate) use server::{Errand, Outcome};

/// Where servers listen (RFC 6887, section 19.1).
const SERVER_PORT: u16 = 5_351;
/// Where clients hear of a server that has lost its mappings (RFC 6887, section 14.1.2).
const ANNOUNCED_TO: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 1), 5_350);
/// How often that is said, with pauses that double (RFC 6887, section 14.1.2).
const ANNOUNCEMENTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longer than any message, so that one that is too long is seen to be.
const BUFFER_BYTES: usize = 1_500;

/// What a server is made of; a change of any of it takes another server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) settings: PcpSettings,
    /// Who may ask.
    pub(crate) subscribers: Vec<Ipv4Prefix>,
    /// The host's own addresses on the inside.
    pub(crate) addresses: BTreeSet<Ipv4Addr>,
}

/// Runs the server that is wanted, if one is.
#[derive(Debug)]
pub(crate) struct Pcp {
    runtime: Handle,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    wanted: Wanted,
    _tasks: JoinSet<()>,
}

impl Pcp {
    /// Has a server run in a runtime.
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, running: None }
    }

    /// Runs another server, or none, unless it is this one that runs already. It receives in the calling thread's network
    /// namespace.
    ///
    /// # Errors
    /// When an address cannot be listened on; there is no server then.
    pub(crate) fn configure(
        &mut self,
        wanted: Option<Wanted>,
        worker: &WorkerHandle,
        epoch: &Epoch,
    ) -> io::Result<()> {
        if self.running.as_ref().map(|running| &running.wanted) == wanted.as_ref() {
            return Ok(());
        }
        // The old one's sockets go first, as the new one's are on the same port.
        self.running = None;
        let Some(wanted) = wanted else { return Ok(()) };
        let server = Server::new(wanted.settings, wanted.subscribers.clone());
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            worker: worker.clone(),
            epoch: epoch.clone(),
            started: Instant::now(),
        });
        let _runtime = self.runtime.enter();
        let mut tasks = JoinSet::new();
        for address in &wanted.addresses {
            let socket = listen(*address)?;
            tasks.spawn(serve(socket, Arc::clone(&shared)));
        }
        self.running = Some(Running { wanted, _tasks: tasks });
        Ok(())
    }
}

/// Listens on an address. The socket of a server that has just ended may be there for a moment still.
fn listen(address: Ipv4Addr) -> io::Result<UdpSocket> {
    use nix::sys::socket::{setsockopt, sockopt};

    let socket = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Datagram,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC | nix::sys::socket::SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    let place = nix::sys::socket::SockaddrIn::from(SocketAddrV4::new(address, SERVER_PORT));
    nix::sys::socket::bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &place)?;
    UdpSocket::from_std(socket.into())
}

/// What the tasks of a server share.
struct Shared {
    server: Mutex<Server>,
    worker: WorkerHandle,
    epoch: Epoch,
    started: Instant,
}

impl Shared {
    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let nanos = self.started.elapsed().as_nanos();
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Returns the answer to a datagram, if it gets one.
    async fn answer(&self, bytes: &[u8], from: SocketAddrV4) -> Option<Vec<u8>> {
        let step = self.server().receive(bytes, from, self.now(), self.epoch.seconds());
        match step {
            Step::Ignore => None,
            Step::Answer(answer) => Some(answer),
            Step::Ask(pending) => {
                // A datapath that has ended says nothing, and neither does its server.
                let outcome = self.worker.lease(pending.errand.clone()).await?;
                server::conclude(&pending, &outcome, self.epoch.seconds())
            }
        }
    }
}

/// Answers datagrams until it is ended.
async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    tokio::join!(announce(&socket, &shared.epoch), async {
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            // An error is about a datagram that was sent before, and says nothing about the next.
            let Ok((length, SocketAddr::V4(from))) = socket.recv_from(&mut buffer).await else { continue };
            let received = buffer.get(..length).unwrap_or_default();
            if let Some(answer) = shared.answer(received, from).await
                && let Err(error) = socket.send_to(&answer, from).await
            {
                tracing::debug!(%error, "an answer to an inside host was not sent");
            }
        }
    });
}

/// Says to all inside hosts of the link that mappings that they had are lost.
async fn announce(socket: &UdpSocket, epoch: &Epoch) {
    let mut pause = FIRST_PAUSE;
    for _ in 0..ANNOUNCEMENTS {
        let announcement = wire::announcement(epoch.seconds());
        if let Err(error) = socket.send_to(&announcement, SocketAddr::V4(ANNOUNCED_TO)).await {
            tracing::debug!(%error, "inside hosts were not told that this gateway has started");
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
}
