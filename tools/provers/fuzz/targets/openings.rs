//! Openings of what a claim gives by digest.
#![no_main]

use std::sync::OnceLock;

use lindero_fuzz::{expect_panics_of_stwo_alone, proof_of, seed};
use lindero_package::Statement;
use lindero_stwo_verifier::Key;

static HIDDEN: OnceLock<(Key, Statement)> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: expect_panics_of_stwo_alone(),
    |data: &[u8]| {
        let (key, statement) = HIDDEN.get_or_init(|| {
            let key = Key::decode(&seed("key")).expect("a key");
            let proof = proof_of(&seed("hidden.proof"));
            let statement = Statement::decode(&proof.claim, &key.bundle).expect("the seed's claim fits");
            (key, statement)
        });
        let mut statement = statement.clone();
        let _ = statement.open(data, &key.bundle);
    }
);
