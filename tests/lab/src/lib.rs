//! Network namespaces and real peers for tests, benchmarks and the demonstration.
//!
//! Whatever the lab makes ends with the process that made it, also when that is killed: namespaces are held by
//! descriptors only, processes are told of their parent's end, and directories are watched over. Making namespaces needs root, or the
//! capabilities of `unshare -U --map-current-user --keep-caps`.

#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "tls")]
pub mod authority;
pub mod controller;
pub mod daemon;
pub mod datagrams;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "tls")]
pub mod issuer;
pub mod namespace;
pub mod net;
pub mod process;
pub mod program;
pub mod scratch;
pub mod tftp;
pub mod vsftpd;

#[cfg(feature = "api")]
pub use api::Api;
#[cfg(feature = "tls")]
pub use authority::Authority;
pub use controller::Controller;
pub use daemon::Daemon;
pub use datagrams::Datagrams;
#[cfg(feature = "fleet")]
pub use fleet::Fleet;
#[cfg(feature = "tls")]
pub use issuer::Issuer;
pub use namespace::Namespace;
pub use net::Net;
pub use process::Process;
pub use program::program;
pub use scratch::Scratch;
pub use tftp::{TftpClient, TftpServer, Tftpd};
pub use vsftpd::Vsftpd;

/// An HTTP client, with TLS by the provider that this workspace uses.
#[cfg(feature = "api")]
pub fn http_client() -> reqwest::ClientBuilder {
    // The first one in a process counts, and they are all the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
