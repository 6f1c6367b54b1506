//! An empty message takes two bytes of a file, and a hundred once it is decoded: files with too many are refused before that.

mod common;

use common::{check, proven, QUICK};
use lindero_package::{decode_canonical, encode, proto, Error};
use lindero_stwo_verifier::KeySet;
use lindero_testkit::samples::range_lookup;

const MAX_BLOCKS: usize = 1 << 16;

fn with_blocks(proof: &[u8], count: usize) -> Vec<u8> {
    let mut message: proto::Proof = decode_canonical(proof, "the proof").unwrap();
    message.blocks = vec![proto::Block::default(); count];
    encode(&message)
}

#[test]
fn proofs_of_too_many_blocks_are_refused() {
    let (key, proof) = proven(&range_lookup(5, 2, 8), &QUICK);
    let keys = KeySet::decode(&KeySet::encode(vec![key.clone()])).unwrap();
    let said = |result: Result<(), Error>| result.unwrap_err().to_string();
    for (count, words) in [
        (MAX_BLOCKS, "key and claim are of 1 steps and 1 members"),
        (MAX_BLOCKS + 8, "more than 65540 parts"),
    ] {
        let proof = with_blocks(&proof, count);
        let error = said(check(&key, &proof).map(|_| ()));
        assert!(error.contains(words), "{count}: {error}");
    }
    let found = |count| said(keys.of_proof(&with_blocks(&proof, count)).map(|_| ()));
    assert!(found(MAX_BLOCKS + 8).contains("more than 65540 parts"));
    assert!(keys.of_proof(&with_blocks(&proof, MAX_BLOCKS)).is_ok());
}

#[test]
fn large_key_files_are_refused() {
    let of = |size| KeySet::decode(&KeySet::encode(vec![vec![0; size]])).map(|_| ());
    assert!(of((1 << 24) - 16).is_ok());
    assert!(of(1 << 24).unwrap_err().to_string().contains("larger than the 16 MiB"));
}
