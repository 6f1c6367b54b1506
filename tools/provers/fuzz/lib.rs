//! What the targets share.

use lindero_package::{decode_canonical, digest, encode, proto};

/// Stwo asserts where a proof is malformed, and `verify` turns that into a rejection. A panic of our own code ends the
/// run.
pub fn expect_panics_of_stwo_alone() {
    std::panic::set_hook(Box::new(|info| {
        if info.location().is_some_and(|place| place.file().contains("stwo-2.3.0")) {
            return;
        }
        eprintln!("{info}\n{}", std::backtrace::Backtrace::force_capture());
        std::process::abort();
    }));
}

/// A file that the example `fuzz_seeds` of the prover wrote; the folder is in LINDERO_FUZZ.
pub fn seed(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("LINDERO_FUZZ").expect("LINDERO_FUZZ names the folder of the seeds");
    std::fs::read(std::path::Path::new(&folder).join(name)).expect("the seeds are there: see `run`")
}

pub fn proof_of(bytes: &[u8]) -> proto::Proof {
    decode_canonical(bytes, "the proof").expect("the seed is a proof")
}

/// The proof, as if it had been made for this key.
pub fn naming(proof: &proto::Proof, key: &[u8]) -> Vec<u8> {
    encode(&proto::Proof { key_digest: digest(key).to_vec(), ..proof.clone() })
}

/// Lets libFuzzer change one of the fields, in its place in `data`: it does not find the way through lengths by
/// itself. Returns the new size, or none if the result does not fit.
pub fn change_in_place(data: &mut [u8], changed: &[u8]) -> Option<usize> {
    data.get_mut(..changed.len())?.copy_from_slice(changed);
    Some(changed.len())
}

/// One of libFuzzer's own changes of a field of any length.
pub fn change(field: &mut Vec<u8>) {
    let size = field.len();
    field.resize(size + 64, 0);
    let changed = libfuzzer_sys::fuzzer_mutate(field, size, size + 64);
    field.truncate(changed);
}
