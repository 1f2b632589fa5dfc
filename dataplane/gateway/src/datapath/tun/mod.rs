//! TUN devices: one for each side, several queues, packets with a [`header`] that says what the kernel left to do
//! on them, so that segments of up to 64 KiB pass whole.

pub mod header;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use nix::libc::{self, c_int};

use crate::datapath::tun::header::{HEADER_BYTES, VirtioNetHeader};
use crate::sys;

/// The largest IPv4 packet.
pub const MAX_PACKET_BYTES: usize = 65_535;

/// The character device that makes TUN devices.
const CLONE_DEVICE: &str = "/dev/net/tun";

/// Flags of `TUNSETIFF` that libc lacks.
const IFF_TUN_EXCL: c_int = 0x8000;

/// Which work on packets may be left undone in what is read from the device (`TUN_F_*` of
/// include/uapi/linux/if_tun.h).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Offloads(c_int);

impl Offloads {
    const CHECKSUM: c_int = 0x01;
    const TSO4: c_int = 0x02;
    const TSO6: c_int = 0x04;
    const TSO_ECN: c_int = 0x08;
    const USO4: c_int = 0x20;
    const USO6: c_int = 0x40;

    /// From the best that any kernel has to what every kernel has.
    const CHOICES: [Self; 3] = [
        Self(Self::CHECKSUM | Self::TSO4 | Self::TSO6 | Self::TSO_ECN | Self::USO4 | Self::USO6),
        // Before Linux 6.2 there was no segmentation offload for UDP.
        Self(Self::CHECKSUM | Self::TSO4 | Self::TSO6 | Self::TSO_ECN),
        Self(Self::CHECKSUM),
    ];
}

/// Why a TUN device could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// The kernel has no TUN devices, or this process may not make them.
    #[error("cannot open {CLONE_DEVICE}: {0}")]
    Open(io::Error),
    /// A device of this name exists: another gateway runs here.
    #[error("the device {0} exists already: another gateway runs in this network namespace")]
    Exists(String),
    /// The device cannot be made.
    #[error("cannot make the device {name}: {source}")]
    Attach {
        /// Its name.
        name: String,
        /// Why.
        source: nix::Error,
    },
    /// No set of offloads is accepted.
    #[error("the device {name} takes no checksum offload: {source}")]
    Offload {
        /// Its name.
        name: String,
        /// Why.
        source: nix::Error,
    },
}

/// One TUN device with its queues. It ends when this value is dropped.
#[derive(Debug)]
pub struct TunDevice {
    name: &'static str,
    queues: Vec<TunQueue>,
}

impl TunDevice {
    /// Makes the device in the calling thread's network namespace; fails when there is one of that name.
    pub fn create(name: &'static str, queues: usize) -> Result<Self, TunError> {
        let mut device = Self { name, queues: Vec::with_capacity(queues) };
        for index in 0..queues {
            let exclusive = if index == 0 { IFF_TUN_EXCL } else { 0 };
            device.queues.push(TunQueue::attach(name, exclusive)?);
        }
        Ok(device)
    }

    /// Returns the device's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its queues.
    pub fn queues(&self) -> &[TunQueue] {
        &self.queues
    }
}

/// One queue of a device: a file whose reads and writes are whole packets and never block.
#[derive(Debug)]
pub struct TunQueue {
    file: File,
    offloads: Offloads,
}

impl TunQueue {
    fn attach(name: &str, exclusive: c_int) -> Result<Self, TunError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(CLONE_DEVICE)
            .map_err(TunError::Open)?;
        let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE | exclusive;
        match sys::tun_attach(file.as_fd(), name, flags) {
            Ok(()) => {}
            Err(nix::Error::EBUSY) => return Err(TunError::Exists(name.to_owned())),
            Err(source) => return Err(TunError::Attach { name: name.to_owned(), source }),
        }
        let mut refused = nix::Error::EINVAL;
        for offloads in Offloads::CHOICES {
            match sys::tun_offloads(file.as_fd(), offloads.0) {
                Ok(()) => return Ok(Self { file, offloads }),
                Err(errno) => refused = errno,
            }
        }
        Err(TunError::Offload { name: name.to_owned(), source: refused })
    }

    /// Whether the kernel takes several UDP datagrams as one packet to be cut.
    pub fn cuts_datagrams(&self) -> bool {
        self.offloads.0 & Offloads::USO4 != 0
    }

    /// Reads one packet with its header into `buffer`; `None` when there is none.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match nix::unistd::read(&self.file, buffer) {
            Ok(length) => Ok(Some(length)),
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes one packet that stands behind its encoded header.
    pub fn write_framed(&self, frame: &[u8]) -> io::Result<()> {
        nix::unistd::write(&self.file, frame).map(drop).map_err(io::Error::from)
    }

    /// Writes one packet.
    pub fn write(&self, header: VirtioNetHeader, packet: &[u8]) -> io::Result<()> {
        let encoded: [u8; HEADER_BYTES] = header.encode();
        let parts = [io::IoSlice::new(&encoded), io::IoSlice::new(packet)];
        nix::sys::uio::writev(&self.file, &parts).map(drop).map_err(io::Error::from)
    }
}

impl AsFd for TunQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
