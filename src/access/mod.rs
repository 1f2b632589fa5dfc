//! Who is calling, and what they may do. Every policy decision of the controller is made here, and leaves as a
//! [`permit::Permit`] that the store demands; nothing here reads or writes anything.

pub mod actor;
pub mod authority;
pub mod grants;
pub mod matrix;
pub mod password;
pub mod permit;
pub mod pkce;
pub mod seal;
pub mod throttle;
pub mod token;
