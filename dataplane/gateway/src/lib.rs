//! The gateway around the engine: control stream, configuration, datapath I/O.
//!
//! [`Gateway::start`] runs one in this process; the `pinhole-gateway` daemon is a command line around it.

mod backoff;
pub mod config;
mod control;
pub mod datapath;
mod events;
mod export;
mod gateway;
mod host;
mod live;
pub mod local;
mod options;
mod pcp;
mod process;
pub mod replay;
pub mod store;
mod supervisor;
mod sys;
pub mod trust;

pub use datapath::compile::CompileError;
pub use datapath::worker::WorkerError;
pub use gateway::{Gateway, ShutdownError};
pub use host::command::CommandError;
pub use host::journal::JournalError;
pub use host::lock::LockError;
pub use host::namespace::NamespaceError;
pub use host::plan::PlanError;
pub use host::setup::HostError;
pub use host::sysctl::SysctlError;
pub use options::*;
pub use process::raise_open_files_limit;
pub use supervisor::{ApplyError, StartError, cleanup};
