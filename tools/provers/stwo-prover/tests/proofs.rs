//! Honest proofs are accepted; wrong witnesses, statements and keys are not.

mod common;

use common::{check, make_key, make_proof, proven, QUICK};
use lindero_package::proto;
use lindero_prover_stwo::prover::Failure;
use lindero_stwo_verifier::security::Regime;
use lindero_stwo_verifier::{Key, Target};
use lindero_testkit::{samples, Sample};

fn cases() -> Vec<(&'static str, Sample)> {
    vec![
        ("range lookup, range table shorter", samples::range_lookup(7, 4, 5)),
        ("range lookup, range table taller", samples::range_lookup(5, 2, 8)),
        ("range lookup over many blocks", samples::range_lookup(12, 6, 9)),
        ("every operation", samples::everything()),
    ]
}

#[test]
fn honest_proofs_are_accepted() {
    for (name, sample) in cases() {
        let (key, proof) = proven(&sample, &QUICK);
        let verdict = check(&key, &proof).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(verdict.statement.bytes(), sample.statement, "{name}");
    }
}

#[test]
fn every_blowup_works() {
    for log_blowup in 1..=3 {
        for (name, sample) in cases() {
            let (key, proof) = proven(&sample, &Target { log_blowup, ..QUICK });
            check(&key, &proof).unwrap_or_else(|error| panic!("{name}, blowup 2^{log_blowup}: {error}"));
        }
    }
}

#[test]
fn default_security_is_reached() {
    let target = Target { pow_bits: 8, ..Target::DEFAULT };
    let (key, proof) = proven(&samples::everything(), &target);
    check(&key, &proof).unwrap();
    let soundness = Key::decode(&key).unwrap().soundness;
    assert!((96.0..98.0).contains(&soundness.total()), "{soundness:?}");
}

#[test]
fn a_document_is_bound() {
    let sample = samples::everything();
    let key = make_key(&sample, &QUICK).unwrap();
    let proof = make_proof(&sample, &key, b"label: 1").unwrap();
    assert_eq!(check(&key, &proof).unwrap().document, b"label: 1");
    let mut message: proto::Proof = lindero_package::decode_canonical(&proof, "the proof").unwrap();
    message.document = b"label: 2".to_vec();
    assert!(check(&key, &lindero_package::encode(&message)).is_err());
}

/// The sample with a value of the trace changed, at a word of trace.bin.
fn with_cell(sample: &Sample, word: usize, change: impl Fn(u32) -> u32) -> Sample {
    let mut changed = sample.clone();
    let bytes: [u8; 4] = sample.trace[4 * word..4 * word + 4].try_into().unwrap();
    changed.trace[4 * word..4 * word + 4].copy_from_slice(&change(u32::from_le_bytes(bytes)).to_le_bytes());
    changed
}

#[test]
fn wrong_witnesses_have_no_proof() {
    let words = |sample: &Sample| sample.trace.len() / 4;
    for (name, sample) in cases() {
        let key = make_key(&sample, &QUICK).unwrap();
        // Every 37th cell reaches every column of the samples; each is constrained, looked up or public.
        for word in (0..words(&sample)).step_by(words(&sample) / 37) {
            let result = make_proof(&with_cell(&sample, word, |value| (value + 1) % 0x7fff_ffff), &key, b"");
            assert!(matches!(result, Err(Failure::Witness(_))), "{name}: word {word} may be anything");
        }
    }
}

#[test]
fn cells_that_are_not_residues_are_refused() {
    let sample = samples::everything();
    let key = make_key(&sample, &QUICK).unwrap();
    let result = make_proof(&with_cell(&sample, 3, |value| value + 0x7fff_ffff), &key, b"");
    assert!(matches!(result, Err(Failure::Input(_))));
}

#[test]
fn a_proof_of_another_key_is_rejected() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    // The same model with one fixed value changed has another root; with other parameters another digest.
    let mut other = samples::range_lookup(7, 4, 5);
    let (other_key, other_proof) = proven(&other, &QUICK);
    other.fixed[0] ^= 1;
    let changed_key = make_key(&other, &QUICK).unwrap();
    let stronger_key = make_key(&samples::everything(), &Target { bits: 24, ..QUICK }).unwrap();
    for (key, proof) in
        [(&key, &other_proof), (&other_key, &proof), (&changed_key, &other_proof), (&stronger_key, &proof)]
    {
        // Also with the digest in the proof put right.
        let mut message: proto::Proof = lindero_package::decode_canonical(proof, "the proof").unwrap();
        message.key_digest = lindero_package::digest(key).to_vec();
        assert!(check(key, proof).is_err());
        assert!(check(key, &lindero_package::encode(&message)).is_err());
    }
}

#[test]
fn a_statement_cannot_be_exchanged() {
    let sample = samples::everything();
    let (key, proof) = proven(&sample, &QUICK);
    let message: proto::Proof = lindero_package::decode_canonical(&proof, "the proof").unwrap();
    let statement: proto::Statement =
        lindero_package::decode_canonical(&message.statement, "the statement").unwrap();
    type Change = fn(&mut proto::PublicValues);
    let changes: [(&str, Change); 6] = [
        ("one value", |tensor| tensor.values[5] += 1),
        ("two values swapped", |tensor| tensor.values.swap(0, 4)),
        ("a value out of range", |tensor| tensor.values[0] = 256),
        ("a value plus the modulus", |tensor| tensor.values[0] += 0x7fff_ffff),
        ("name", |tensor| tensor.name.push('x')),
        ("shape", |tensor| std::mem::swap(&mut tensor.rows, &mut tensor.columns)),
    ];
    for (name, change) in changes {
        let mut statement = statement.clone();
        change(&mut statement.tensors[0]);
        let changed = proto::Proof { statement: lindero_package::encode(&statement), ..message.clone() };
        assert!(check(&key, &lindero_package::encode(&changed)).is_err(), "{name}");
    }
    // Nor can a prover start from a statement that its witness does not support.
    let mut changed = statement.clone();
    changed.tensors[0].values[5] -= 1;
    let lying = Sample { statement: lindero_package::encode(&changed), ..sample };
    assert!(matches!(make_proof(&lying, &key, b""), Err(Failure::Witness(_))));
}

#[test]
fn unreachable_security_is_refused() {
    let sample = samples::range_lookup(12, 6, 9);
    let proven = Target { regime: Regime::Proven, log_blowup: 1, ..Target::DEFAULT };
    let error = make_key(&sample, &proven).unwrap_err().to_string();
    assert!(error.contains("out of reach"), "{error}");
    let modest = Target { bits: 60, ..proven };
    assert!(make_key(&sample, &modest).is_ok());
}
