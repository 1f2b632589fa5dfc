//! How often somebody may fail to sign in, NIST SP 800-63B section 5.2.2.
//!
//! What is counted always belongs to an address: its failures for one account, and its failures for all. A stranger who
//! guesses at an account is slowed down, and its owner, who comes from elsewhere, is not. Who guesses from many
//! addresses has for each of them as many guesses as there are here.

use std::net::IpAddr;

use chrono::Duration;
use sha2::{Digest as _, Sha256};

use crate::domain::name::Name;

/// How long a failure counts.
pub const MEMORY: Duration = Duration::minutes(15);

/// What failures have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// What is stored of it.
    pub key: [u8; 32],
    /// Failures that cost nothing. Each further one doubles the time until the next attempt is looked at.
    pub free: i64,
}

/// Failures of one address for one account that cost nothing.
const FREE_FOR_ACCOUNT: i64 = 5;
/// Failures of one address for all accounts that cost nothing: many users may share it.
const FREE_FOR_ADDRESS: i64 = 50;
/// The bits of an IPv6 address that its owner does not choose.
const IPV6_NETWORK_BITS: u32 = 64;

/// The counters of an attempt: the account's at the address, and the address's. The account need not exist.
#[must_use]
pub fn counters(username: &str, address: Option<IpAddr>) -> [Counter; 2] {
    let network = address.map(network).unwrap_or_default();
    // A text that can be no name is counted as it is.
    let account = Name::parse(username).map_or_else(|_| username.to_owned(), |name| name.key());
    let hash = |parts: &[&str]| {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    };
    [
        Counter { key: hash(&["account", &network, &account]), free: FREE_FOR_ACCOUNT },
        Counter { key: hash(&["address", &network]), free: FREE_FOR_ADDRESS },
    ]
}

fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => (address.to_bits() >> (128 - IPV6_NETWORK_BITS)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(username: &str, address: &str) -> [[u8; 32]; 2] {
        counters(username, Some(address.parse().unwrap())).map(|counter| counter.key)
    }

    #[test]
    fn an_account_is_counted_for_each_address_and_without_regard_to_case() {
        let [account, address] = keys("ann", "192.0.2.1");
        assert_eq!(keys("ANN", "::ffff:192.0.2.1"), [account, address]);
        let [other, same] = keys("bob", "192.0.2.1");
        assert_ne!(other, account);
        assert_eq!(same, address);
        let [elsewhere, there] = keys("ann", "192.0.2.2");
        assert!(elsewhere != account && there != address);
        assert_eq!(keys("ann", "2001:db8::1"), keys("ann", "2001:db8::2:3"));
        assert_ne!(keys("ann", "2001:db8::1"), keys("ann", "2001:db8:0:1::1"));
        assert_ne!(keys("a b", "192.0.2.1"), keys("A b", "192.0.2.1"));
    }
}
