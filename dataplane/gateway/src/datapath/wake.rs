//! Wakes a thread that waits in `poll`.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// A file that becomes readable when it is rung; shared by reference.
#[derive(Debug)]
pub(crate) struct Bell {
    file: EventFd,
}

impl Bell {
    /// Makes one.
    pub(crate) fn new() -> nix::Result<Self> {
        EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map(|file| Self { file })
    }

    /// Wakes the waiting thread, now or when it next waits.
    pub(crate) fn ring(&self) {
        // It can only fail by being full of rings that nobody has heard yet, which wakes just as well.
        let _ = self.file.write(1);
    }

    /// Takes all rings.
    pub(crate) fn silence(&self) {
        let _ = self.file.read();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
