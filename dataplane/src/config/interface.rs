//! Names of network interfaces.

use std::fmt;
use std::str::FromStr;

/// The gateway's own device that carries the inside interfaces' packets.
pub const INSIDE_TUN: &str = "pinhole-in";
/// The gateway's own device that carries the outside interfaces' packets.
pub const OUTSIDE_TUN: &str = "pinhole-out";
/// Names that no interface of a configuration can have.
const RESERVED: [&str; 3] = ["lo", INSIDE_TUN, OUTSIDE_TUN];

/// The name of a network interface, as the kernel allows it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InterfaceName(String);

/// Why a text cannot name an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InterfaceNameError {
    /// Empty, over 15 bytes, or with a byte the kernel does not take.
    #[error("is not an interface name: 1 to 15 printable characters without space, / or :")]
    Malformed,
    /// The gateway's own device, or the loopback.
    #[error("cannot be used: it is the host's loopback or the gateway's own device")]
    Reserved,
}

impl InterfaceName {
    /// The longest name that the kernel takes, in bytes.
    const MAX_BYTES: usize = 15;

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(text: &str) -> Result<Self, InterfaceNameError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':'));
        // A leading dash would be an option of the commands that set the interface up.
        let dots = matches!(text, "." | "..") || text.starts_with('-');
        if text.is_empty() || text.len() > Self::MAX_BYTES || !printable || dots {
            return Err(InterfaceNameError::Malformed);
        }
        if RESERVED.contains(&text) {
            return Err(InterfaceNameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels() {
        for good in ["in0", "eth0.100", "a-b_c", "123456789012345"] {
            assert!(good.parse::<InterfaceName>().is_ok(), "{good}");
        }
        for bad in ["", "1234567890123456", "a b", "a/b", "a:b", ".", "..", "-x", "ü"] {
            assert_eq!(bad.parse::<InterfaceName>(), Err(InterfaceNameError::Malformed), "{bad}");
        }
        for own in ["lo", INSIDE_TUN, OUTSIDE_TUN] {
            assert_eq!(own.parse::<InterfaceName>(), Err(InterfaceNameError::Reserved), "{own}");
        }
    }
}
