//! A proof that does without the extension of tree 0 is, byte by byte, the one that Stwo's own `prove` makes of it.

mod common;

use std::sync::Arc;

use common::{check, make_key, Folder, QUICK};
use lindero_package::Statement;
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::{prove, prove_by_commitment};
use lindero_stwo_verifier::{Key, Target};
use lindero_testkit::{samples, Sample};

fn cases() -> Vec<(&'static str, Sample)> {
    vec![
        ("range lookup, range table shorter", samples::range_lookup(7, 4, 5)),
        ("range lookup, range table taller", samples::range_lookup(5, 2, 8)),
        ("range lookup over many blocks of rows", samples::range_lookup(12, 6, 13)),
        ("folded weights", samples::folded_weights(9, 21)),
        ("every operation", samples::everything()),
        ("a link, one block", samples::linked_blocks(0, 1)),
        ("a link, most blocks", samples::linked_blocks(0, samples::MOST_BLOCKS)),
    ]
}

fn both(sample: &Sample, target: &Target) -> (Vec<u8>, [Vec<u8>; 2]) {
    let encoded = make_key(sample, target).unwrap();
    let (folder, key) = (Folder::new(sample), Key::decode(&encoded).unwrap());
    let package = folder.package().unwrap();
    let traces = folder.traces(sample, &package).unwrap();
    let statement = Statement::decode(&sample.claim, &package.circuit, traces.len()).unwrap();
    let progress = Arc::new(Progress::new(None));
    let proofs = [prove, prove_by_commitment]
        .map(|prove| prove(&package, &traces, &key, &statement, &progress).unwrap());
    (encoded, proofs)
}

#[test]
fn proofs_are_those_of_stwo() {
    for (name, sample) in cases() {
        for log_blowup in 1..=3 {
            let (key, [ours, theirs]) = both(&sample, &Target { log_blowup, ..QUICK });
            assert!(ours == theirs, "{name}, blowup 2^{log_blowup}");
            check(&key, &ours).unwrap_or_else(|error| panic!("{name}, blowup 2^{log_blowup}: {error}"));
        }
    }
}
