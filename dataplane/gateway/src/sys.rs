//! The system calls that no safe wrapper covers: the only unsafe code of the gateway.
#![expect(unsafe_code, reason = "these requests have no safe interface")]

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_short, socklen_t};
use nix::request_code_write;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// `TUNSETIFF` and `TUNSETOFFLOAD` of include/uapi/linux/if_tun.h.
const TUNSETIFF: libc::Ioctl = request_code_write!(b'T', 202, size_of::<c_int>());
const TUNSETOFFLOAD: libc::Ioctl = request_code_write!(b'T', 208, size_of::<libc::c_uint>());

nix::ioctl_write_ptr_bad!(tun_set_iff, TUNSETIFF, libc::ifreq);
nix::ioctl_write_int_bad!(tun_set_offload, TUNSETOFFLOAD);
nix::ioctl_read_bad!(get_interface_mtu, libc::SIOCGIFMTU, libc::ifreq);

/// Makes a request about the interface `name`.
fn request(name: &str) -> nix::Result<libc::ifreq> {
    // SAFETY: `ifreq` is plain data for which zero bytes are a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One byte stays zero, as the kernel wants names terminated.
    if name.len() >= request.ifr_name.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(request)
}

/// Returns the MTU of an interface in the calling thread's network namespace.
pub(crate) fn interface_mtu(name: &str) -> nix::Result<c_int> {
    let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut request = request(name)?;
    // SAFETY: the descriptor is open until the end of this function, and the request is a valid `ifreq` that lives
    // over the call, which is what SIOCGIFMTU reads and writes.
    unsafe { get_interface_mtu(socket.as_raw_fd(), &raw mut request) }?;
    // SAFETY: after success SIOCGIFMTU has written this member of the union, and every bit pattern is an integer.
    Ok(unsafe { request.ifr_ifru.ifru_mtu })
}

/// Attaches an open `/dev/net/tun` to the device `name` as one of its queues.
pub(crate) fn tun_attach(file: BorrowedFd<'_>, name: &str, flags: c_int) -> nix::Result<()> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_flags = c_short::try_from(flags).unwrap_or_else(|_| {
        // IFF_TUN_EXCL is the sign bit of the kernel's 16-bit flags.
        let [low, high, ..] = flags.to_le_bytes();
        c_short::from_le_bytes([low, high])
    });
    // SAFETY: the descriptor is open while it is borrowed, and the request is a valid `ifreq` that lives over the
    // call, which is what TUNSETIFF reads and writes.
    unsafe { tun_set_iff(file.as_raw_fd(), &raw const request) }.map(drop)
}

/// Says which offloads (`TUN_F_*`) this process understands in what it reads.
pub(crate) fn tun_offloads(file: BorrowedFd<'_>, offloads: c_int) -> nix::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed; TUNSETOFFLOAD takes its argument by value and touches
    // no memory of this process.
    unsafe { tun_set_offload(file.as_raw_fd(), offloads) }.map(drop)
}

/// Returns the identity of the calling thread's network namespace; no other namespace gets it before the next boot.
pub(crate) fn namespace_cookie() -> nix::Result<u64> {
    let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut cookie = 0_u64;
    let mut length = socklen_t::try_from(size_of::<u64>()).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the descriptor is open until the end of this function; the kernel writes at most `length` bytes to
    // `cookie`, which has exactly that size, and the written length to `length`.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    Errno::result(outcome).map(|_| cookie)
}
