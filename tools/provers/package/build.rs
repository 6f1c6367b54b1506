//! Generates the messages from the .proto files of the repository, without an installed protoc.

const PROTOS: [&str; 4] = [
    "runtime/package/bundle.proto",
    "runtime/package/circuit.proto",
    "runtime/package/key.proto",
    "runtime/package/proof.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    for proto in PROTOS {
        println!("cargo:rerun-if-changed={}", root.join(proto).display());
    }
    let descriptors = protox::compile(PROTOS, [root])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
