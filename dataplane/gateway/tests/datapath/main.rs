//! The gateway between real hosts in network namespaces. Needs root, or `unshare -Ur`.

mod asked;
mod classified;
mod embedded;
mod export;
mod ipv6;
mod live;
mod pcp;
mod process;
mod tftp;
mod translation;

/// A configuration for [`pinhole_lab::Net`], with the outside interface's own address as the pool.
const CONFIG: &str = r#"
inside = ["in0"]
outside = ["out0"]
[nat]
inside_prefixes = ["10.0.0.0/24"]
pool = ["203.0.113.1"]
"#;
