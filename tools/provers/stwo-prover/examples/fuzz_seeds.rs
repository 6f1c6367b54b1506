//! `fuzz_seeds FOLDER`: keys, proofs, a claim and openings of small circuits, for the targets and as their first inputs.

use std::path::Path;
use std::sync::Arc;

use lindero_package::{digest, Package, Statement};
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover;
use lindero_stwo_verifier::{Key, KeySet, Target};
use lindero_testkit::{samples, Sample};

const QUICK: Target = Target { bits: 20, log_blowup: 1, pow_bits: 4, ..Target::DEFAULT };

/// Key and proof.
fn proven(folder: &Path, sample: &Sample, openings: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let place = folder.join("package");
    sample.write(&place).expect("the folder is writable");
    let package = Package::open(&place).expect("a sample is a package");
    let key = prover::setup(&package, &QUICK, &Progress::new(None)).expect("a sample has a key");
    let paths: Vec<_> = (0..sample.traces.len()).map(|block| place.join(Sample::trace_file(block))).collect();
    let traces = package.open_traces(&paths).expect("its traces fit");
    let mut statement = Statement::decode(&sample.claim, &package.bundle).expect("its claim fits");
    statement.open(openings, &package.bundle).expect("the openings are of the claim");
    let decoded = Key::decode(&key).expect("the key is a key");
    let proof = prover::prove(&package, &traces, &decoded, &statement, &Arc::new(Progress::new(None)));
    (key, proof.unwrap_or_else(|_| panic!("a sample can be proven")))
}

/// The sample with its first input by digest, and the opening of that.
fn hidden(sample: &Sample) -> (Sample, Vec<u8>) {
    let mut opening = String::new();
    let hidden = sample.stating(|part| {
        let tensor = &mut part.inputs[0];
        let values = tensor.values.take().expect("the sample states its values");
        let salt = "5a".repeat(32);
        opening = serde_json::json!({"name": tensor.name, "salt": salt, "values": values}).to_string();
        tensor.digest = Some(digest(opening.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect());
    });
    (hidden, format!("[{opening}]").into_bytes())
}

fn main() {
    let folder = std::env::args().nth(1).expect("usage: fuzz_seeds FOLDER");
    let folder = Path::new(&folder);
    let write = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(folder.join("corpus").join(target)).expect("the folder is writable");
        std::fs::write(folder.join("corpus").join(target).join(name), bytes).expect("the folder is writable");
    };
    let sample = samples::everything();
    let (key, proof) = proven(folder, &sample, b"[]");
    write("key", "everything", &KeySet::encode(vec![key.clone()]));
    write("proof", "everything", &proof);
    write("claim", "everything", &sample.claim);
    std::fs::write(folder.join("key"), &key).expect("the folder is writable");
    std::fs::write(folder.join("proof"), &proof).expect("the folder is writable");
    let (hidden, openings) = hidden(&sample);
    let (hidden_key, hidden_proof) = proven(folder, &hidden, &openings);
    assert!(hidden_key == key, "a key is of a circuit, not of a claim");
    write("openings", "everything", &openings);
    write("proof", "hidden", &hidden_proof);
    write("claim", "hidden", &hidden.claim);
    std::fs::write(folder.join("hidden.proof"), &hidden_proof).expect("the folder is writable");
    for (name, steps) in [("linked", samples::linked_blocks(1, 3)), ("network", samples::network_steps(1, 2))]
    {
        let (key, proof) = proven(&folder.join(name), &steps, b"[]");
        write("key", name, &KeySet::encode(vec![key.clone()]));
        write("proof", name, &proof);
        std::fs::write(folder.join(format!("{name}.key")), &key).expect("the folder is writable");
    }
}
