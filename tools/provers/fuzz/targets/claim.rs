//! The claim inside a proof.
#![no_main]

use std::sync::OnceLock;

use lindero_fuzz::{expect_panics_of_stwo_alone, proof_of, seed};
use lindero_package::{encode, proto};
use lindero_stwo_verifier::{verify, Key};

static PROVEN: OnceLock<(Key, [proto::Proof; 2])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: expect_panics_of_stwo_alone(),
    |data: &[u8]| {
        let (key, proofs) = PROVEN.get_or_init(|| {
            let proofs = ["proof", "hidden.proof"].map(|name| proof_of(&seed(name)));
            (Key::decode(&seed("key")).expect("a key"), proofs)
        });
        for proof in proofs {
            let _ = verify(key, &encode(&proto::Proof { claim: data.to_vec(), ..proof.clone() }), None);
        }
    }
);
