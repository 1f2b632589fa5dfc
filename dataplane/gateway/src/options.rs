//! What a gateway is started with, and what it says about itself.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use pinhole_proto::v1;

use crate::config::Config;

/// Where the daemon remembers what it changed on the host, unless told otherwise.
pub const DEFAULT_RUN_DIR: &str = "/run/pinhole-gateway";

/// Everything a gateway needs to start.
#[derive(Debug)]
pub struct GatewayOptions {
    /// Where packets are carried.
    pub namespace: NetworkNamespace,
    /// Where the journal of changes to the host is kept; must survive this process, need not survive a reboot.
    pub run_dir: PathBuf,
    /// Where the configuration comes from.
    pub source: ConfigSource,
}

/// The network namespace of the datapath. The control stream stays in the caller's.
#[derive(Debug)]
pub enum NetworkNamespace {
    /// The namespace of the thread that starts the gateway.
    Current,
    /// A file that stands for a namespace, for example `/run/netns/blue` or `/proc/1234/ns/net`.
    Path(PathBuf),
    /// Such a file, opened.
    Descriptor(OwnedFd),
}

/// Where the configuration comes from.
#[derive(Debug)]
pub enum ConfigSource {
    /// From the caller, once; [`crate::Gateway::apply`] replaces it.
    Fixed(Box<Config>),
    /// From a controller, and from disk until that answers.
    Controller(ControllerOptions),
}

/// How to reach the controller, and where to keep what it sent.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// The controller's URL, for example `https://127.0.0.1:7443`.
    pub endpoint: String,
    /// The file with a one-time join token. It is read again at each connection, and a token that was not used yet
    /// makes this gateway enrol anew. A gateway that is enrolled needs none.
    pub join_token_file: Option<PathBuf>,
    /// Where key, certificate and the last good configuration are kept; no two gateways may share it.
    pub state_dir: PathBuf,
}

/// A gateway's state at one time.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What is enforced now, `None` before the first configuration.
    pub running: Option<Running>,
    /// The control stream.
    pub link: Link,
    /// The last thing that went wrong and has not been put right since.
    pub fault: Option<String>,
}

impl Status {
    /// Whether traffic is carried.
    pub const fn running(&self) -> bool {
        self.running.is_some()
    }
}

/// Names the configuration that is enforced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Running {
    /// The caller's.
    Fixed,
    /// The controller's.
    Revision(v1::RunningConfig),
}

/// The state of the control stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Link {
    /// There is no controller to talk to.
    #[default]
    None,
    /// The controller cannot be reached; the last configuration stays in force.
    Disconnected,
    /// The controller has answered.
    Connected,
}
