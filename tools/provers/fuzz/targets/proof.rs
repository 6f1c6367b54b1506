//! A proof from a stranger, for a key that is one's own; of one block, of three steps, and of two steps of three members.
#![no_main]

use std::sync::OnceLock;

use lindero_fuzz::{change, change_in_place, expect_panics_of_stwo_alone, seed};
use lindero_package::{decode_canonical, encode, proto};
use lindero_stwo_verifier::{verify, Key};

static KEYS: OnceLock<[Key; 3]> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: expect_panics_of_stwo_alone(),
    |data: &[u8]| {
        let keys = KEYS.get_or_init(|| ["key", "linked.key", "network.key"].map(|name| Key::decode(&seed(name)).expect("a key")));
        for key in keys {
            let _ = verify(key, data, None);
        }
    }
);

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, random: u32| {
    let inside = || {
        let mut proof: proto::Proof = decode_canonical(&data[..size], "the proof").ok()?;
        let count = proof.blocks.len();
        let block = proof.blocks.get_mut(random as usize / 8 % count.max(1))?;
        match random % 8 {
            0 => return None,
            1 => change(&mut block.claimed_sums),
            2 => change(&mut block.fingerprints),
            3 => change(&mut proof.claim),
            _ => change(&mut block.commitment),
        }
        Some(encode(&proof))
    };
    let changed = inside();
    changed
        .and_then(|changed| change_in_place(data, &changed))
        .unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, most))
});
