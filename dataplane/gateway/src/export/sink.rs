//! Where frames go.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixStream};
use tokio::time::timeout;

use crate::export::file::{Prepared, RotatingFile};
use crate::export::frame::{Frame, Framing};
use pinhole_dataplane::config::nat::export::ExportTarget;

/// How long a collector may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a collector may take to read what was written, before it is taken for dead.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a datagram that pass any path where the kernel does not tell (RFC 7011, section 10.3.3).
const SAFE_DATAGRAM: usize = 512;
/// Bytes of a datagram that pass any IPv6 path: the least MTU without headers.
const SAFE_DATAGRAM_V6: usize = 1_280 - 40 - 8;
/// Headers before a datagram's content in IPv4.
const DATAGRAM_HEADERS: usize = 20 + 8;
/// Bytes of a datagram at most, however large the path's are: those of an Ethernet.
const MAX_DATAGRAM: usize = 1_500 - DATAGRAM_HEADERS;

/// What frames are written to.
pub(super) enum Sink {
    Datagrams(UdpSocket, Framing),
    Stream(Box<dyn Stream>),
    /// `None` while a thread that may wait has it.
    File(Option<RotatingFile>),
}

/// A connection of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

impl Sink {
    /// Opens what a target says.
    pub(super) async fn open(target: &ExportTarget) -> io::Result<Self> {
        match target {
            ExportTarget::Udp(collector) => open_datagrams(*collector).await,
            ExportTarget::Tcp(collector) => {
                let stream = in_time(CONNECT_TIMEOUT, TcpStream::connect(collector)).await?;
                Ok(Self::Stream(Box::new(stream)))
            }
            ExportTarget::Unix(path) => {
                let stream = in_time(CONNECT_TIMEOUT, UnixStream::connect(path)).await?;
                Ok(Self::Stream(Box::new(stream)))
            }
            ExportTarget::File { path, rotate_bytes, keep } => {
                let (path, rotate_bytes, keep) = (path.clone(), *rotate_bytes, *keep);
                let open = move || RotatingFile::open(&path, rotate_bytes, keep);
                let file = tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??;
                Ok(Self::File(Some(file)))
            }
        }
    }

    /// Returns what becomes of frames here.
    pub(super) const fn framing(&self) -> Framing {
        match self {
            Self::Datagrams(_, framing) => *framing,
            Self::Stream(_) | Self::File(_) => Framing::Stream,
        }
    }

    /// Returns once the collector has ended its connection; where there is none, never.
    pub(super) async fn closed(&mut self) -> io::Error {
        match self {
            Self::Stream(stream) => {
                let mut unread = [0; 256];
                loop {
                    match stream.read(&mut unread).await {
                        Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                        // What a collector says is of no interest.
                        Ok(_) => {}
                        Err(error) => return error,
                    }
                }
            }
            Self::Datagrams(..) | Self::File(_) => std::future::pending().await,
        }
    }

    /// Makes ready for frames; they may have to begin anew.
    pub(super) async fn prepare(&mut self) -> io::Result<Prepared> {
        match self {
            Self::File(place) => {
                in_file(place, |mut file| {
                    let prepared = file.prepare();
                    (file, prepared)
                })
                .await
            }
            Self::Datagrams(..) | Self::Stream(_) => Ok(Prepared::Same),
        }
    }

    /// Writes frames; returns how many of their records were written, and what went wrong then.
    pub(super) async fn send(&mut self, frames: &[Frame]) -> (usize, io::Result<()>) {
        let all = frames.iter().map(|frame| frame.records).sum();
        let whole = || frames.iter().flat_map(|frame| &frame.bytes).copied().collect::<Vec<u8>>();
        let outcome = match self {
            Self::Datagrams(socket, _) => {
                let mut sent = 0;
                for frame in frames {
                    if !frame.bytes.is_empty()
                        && let Err(error) = socket.send(&frame.bytes).await
                    {
                        return (sent, Err(error));
                    }
                    sent += frame.records;
                }
                Ok(())
            }
            Self::Stream(stream) => in_time(SEND_TIMEOUT, stream.write_all(&whole())).await,
            Self::File(place) => {
                let bytes = whole();
                in_file(place, move |mut file| {
                    let outcome = file.append(&bytes);
                    (file, outcome)
                })
                .await
            }
        };
        match outcome {
            Ok(()) => (all, Ok(())),
            Err(error) => (0, Err(error)),
        }
    }
}

async fn open_datagrams(collector: SocketAddr) -> io::Result<Sink> {
    let any = match collector {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(collector).await?;
    let most = match collector {
        SocketAddr::V4(_) => {
            let mtu = getsockopt(&socket, sockopt::IpMtu).ok().and_then(|mtu| usize::try_from(mtu).ok());
            mtu.map_or(SAFE_DATAGRAM, |mtu| {
                mtu.saturating_sub(DATAGRAM_HEADERS).clamp(SAFE_DATAGRAM, MAX_DATAGRAM)
            })
        }
        SocketAddr::V6(_) => SAFE_DATAGRAM_V6,
    };
    Ok(Sink::Datagrams(socket, Framing::Datagrams { most }))
}

async fn in_time<T>(time: Duration, act: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, act).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Does something with a file, on a thread that may wait for a disk.
async fn in_file<T: Send + 'static>(
    place: &mut Option<RotatingFile>,
    act: impl FnOnce(RotatingFile) -> (RotatingFile, io::Result<T>) + Send + 'static,
) -> io::Result<T> {
    let Some(file) = place.take() else { return Err(io::ErrorKind::NotConnected.into()) };
    let (file, outcome) = tokio::task::spawn_blocking(move || act(file)).await.map_err(io::Error::other)?;
    *place = Some(file);
    outcome
}
