//! A key file from a stranger, and the proof that names one of its keys.
#![no_main]

use std::sync::OnceLock;

use lindero_fuzz::{change, change_in_place, expect_panics_of_stwo_alone, naming, proof_of, seed};
use lindero_package::{decode_canonical, encode, proto};
use lindero_stwo_verifier::{verify, Key, KeySet};

static PROOF: OnceLock<proto::Proof> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: expect_panics_of_stwo_alone(),
    |data: &[u8]| {
        let Ok(keys) = KeySet::decode(data) else { return };
        let Ok(key) = Key::decode(keys.first()) else { return };
        let proof = PROOF.get_or_init(|| proof_of(&seed("proof")));
        let _ = verify(&key, &naming(proof, keys.first()), None);
    }
);

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, random: u32| {
    let inside = || {
        let mut set: proto::KeySet = decode_canonical(&data[..size], "the key").ok()?;
        let mut key: proto::VerifyingKey = decode_canonical(set.keys.first()?, "the key").ok()?;
        match random % 4 {
            0 => change(key.fixed_roots.first_mut()?),
            1 => return None,
            _ => change(key.circuits.first_mut()?),
        }
        set.keys[0] = encode(&key);
        Some(encode(&set))
    };
    let changed = inside();
    changed
        .and_then(|changed| change_in_place(data, &changed))
        .unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, most))
});
