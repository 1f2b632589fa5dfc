//! The protobuf contract between the controller and its gateways: the only door between the two programs.

pub mod codec;

/// Version 1 of the contract, generated from `proto/pinhole/v1/*.proto`.
#[expect(missing_docs, reason = "the protobuf files carry the documentation")]
pub mod v1 {
    tonic::include_proto!("pinhole.v1");
}
