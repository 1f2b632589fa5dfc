//! The programs as their users run them, on real traffic between real peers in network namespaces. Needs root, or
//! the capabilities of `unshare -U --map-current-user --keep-caps`.

mod control;
mod ftp;
mod live;
mod managed;
mod restart;
mod transfers;
mod world;
