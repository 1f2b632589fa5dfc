//! Generates the contract's Rust code from the protobuf files, without an installed `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "proto";
    let files = [
        "proto/pinhole/v1/config.proto",
        "proto/pinhole/v1/control.proto",
        "proto/pinhole/v1/live.proto",
        "proto/pinhole/v1/local.proto",
    ];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, [root])?;
    tonic_prost_build::configure().codec_path("crate::codec::Codec").compile_fds(descriptors)?;
    Ok(())
}
