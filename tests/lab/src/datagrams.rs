//! A UDP socket for tests.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::ops::Deref;

/// A UDP socket whose reads are not cut short by a signal, such as that a child of the test's process has ended: the
/// kernel never starts a read with a time limit again by itself.
#[derive(Debug)]
pub struct Datagrams(UdpSocket);

impl From<UdpSocket> for Datagrams {
    fn from(socket: UdpSocket) -> Self {
        Self(socket)
    }
}

impl Datagrams {
    /// Waits for a datagram.
    ///
    /// # Errors
    /// What the kernel says; [`ErrorKind::WouldBlock`] when none came in time.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            match self.0.recv_from(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Waits for a datagram, whoever it is from.
    ///
    /// # Errors
    /// As for [`Self::recv_from`].
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).map(|(length, _)| length)
    }
}

impl Deref for Datagrams {
    type Target = UdpSocket;

    fn deref(&self) -> &UdpSocket {
        &self.0
    }
}
