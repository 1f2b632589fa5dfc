//! The encoding of a configuration and its hash. The contract has no maps, and prost writes fields in the order of
//! their numbers, so a configuration has one encoding.

use pinhole_proto::v1;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::domain::revision::ConfigHash;

pub(super) fn encode(config: &v1::GatewayConfig) -> (Vec<u8>, ConfigHash) {
    let bytes = config.encode_to_vec();
    let hash = ConfigHash::new(Sha256::digest(&bytes).into());
    (bytes, hash)
}
