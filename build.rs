//! Compiles the schemas of `proto/`. The parser is a crate, so `protoc` is not needed.
//!
//! `centrifugo.proto` is the server API over gRPC, with a descriptor for reflection. The others are the client protocols
//! in protobuf, of which only messages are generated.

use std::path::PathBuf;

use protox::prost_reflect::prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["proto/centrifugo.proto"], ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("centrifugo.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().build_client(false).compile_fds(descriptors)?;

    let clients = protox::compile(["proto/nakama_realtime.proto", "proto/centrifugo_client.proto"], ["proto"])?;
    // Sorted by client id, so that the same presence is always the same bytes.
    let presence = ".centrifugal.centrifuge.protocol.PresenceResult.presence";
    tonic_prost_build::configure().build_client(false).build_server(false).btree_map(presence).compile_fds(clients)?;
    Ok(())
}
