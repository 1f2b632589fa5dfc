//! Network namespaces and real peers for tests, benchmarks and the demonstration.
//!
//! Whatever the lab makes ends with the process that made it, also when that is killed: namespaces are held by
//! descriptors only, processes are told of their parent's end, and directories are watched over. Making namespaces needs root, or the
//! capabilities of `unshare -U --map-current-user --keep-caps`.

#[cfg(feature = "api")]
pub mod api;
pub mod controller;
pub mod daemon;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod namespace;
pub mod net;
pub mod process;
pub mod program;
pub mod scratch;
pub mod vsftpd;

#[cfg(feature = "api")]
pub use api::Api;
pub use controller::Controller;
pub use daemon::Daemon;
#[cfg(feature = "fleet")]
pub use fleet::Fleet;
pub use namespace::Namespace;
pub use net::Net;
pub use process::Process;
pub use program::program;
pub use scratch::Scratch;
pub use vsftpd::Vsftpd;
