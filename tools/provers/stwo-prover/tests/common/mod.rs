//! A sample proven in a folder of its own.

#![allow(dead_code)] // each test program uses its part

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use lindero_package::{
    decode_canonical, digest, encode, proto, Bundle, ColumnFile, Error, Opening, Package, Statement,
};
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::{prove, prove_grinding, prove_unchecked, setup, Failure, Grind};
use lindero_stwo_verifier::{verify, Key, Target, Verdict};
use lindero_testkit::Sample;
use stwo::core::fields::m31::P;

pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(sample: &Sample) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lindero-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Folder(std::env::temp_dir().join(name));
        sample.write(&folder.0).expect("the temporary folder is writable");
        folder
    }

    pub fn traces(&self, sample: &Sample, package: &Package) -> Result<Vec<ColumnFile>, Error> {
        let paths: Vec<PathBuf> =
            (0..sample.traces.len()).map(|block| self.0.join(Sample::trace_file(block))).collect();
        package.open_traces(&paths)
    }

    pub fn package(&self) -> Result<Package, Error> {
        Package::open(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Weak and quick: tests look at everything but the number of queries.
pub const QUICK: Target = Target { bits: 20, log_blowup: 1, pow_bits: 4, ..Target::DEFAULT };

pub fn make_key(sample: &Sample, target: &Target) -> Result<Vec<u8>, Error> {
    setup(&Folder::new(sample).package()?, target, &Progress::new(None))
}

/// Proves the sample as it stands, whatever its key was made from.
pub fn make_proof(sample: &Sample, key: &[u8]) -> Result<Vec<u8>, Failure> {
    make_proof_with(sample, key, b"[]")
}

/// The same where the claim gives tensors by digest.
pub fn make_proof_with(sample: &Sample, key: &[u8], openings: &[u8]) -> Result<Vec<u8>, Failure> {
    prove_opened(sample, key, |statement, bundle| statement.open(openings, bundle))
}

/// The first tensor, given by digest, is taken to have these values, whatever the digest is of.
pub fn make_dishonest_proof(sample: &Sample, key: &[u8], values: &[i64]) -> Vec<u8> {
    let open = |statement: &mut Statement, _: &Bundle| {
        statement.open_unchecked(0, values);
        Ok(())
    };
    prove_opened(sample, key, open).expect("these values are those of the trace")
}

fn prove_opened(
    sample: &Sample,
    key: &[u8],
    open: impl FnOnce(&mut Statement, &Bundle) -> Result<(), Error>,
) -> Result<Vec<u8>, Failure> {
    let folder = Folder::new(sample);
    let package = folder.package()?;
    let traces = folder.traces(sample, &package)?;
    let mut statement = Statement::decode(&sample.claim, &package.bundle)?;
    open(&mut statement, &package.bundle)?;
    prove(&package, &traces, &Key::decode(key)?, &statement, &Arc::new(Progress::new(None)))
}

/// Proves a sample of which claimed sums and public values need not cancel, with as many blocks as it has.
pub fn make_forgery(sample: &Sample, key: &[u8]) -> Vec<u8> {
    make_forgery_with(sample, key, |_| {})
}

/// The same where the claim gives tensors by digest.
pub fn make_forgery_with(sample: &Sample, key: &[u8], open: impl FnOnce(&mut Statement)) -> Vec<u8> {
    let folder = Folder::new(sample);
    let (mut package, mut key) = (folder.package().unwrap(), Key::decode(key).unwrap());
    // What the forger believes; the digests are those of the circuit as it is.
    package.bundle.most_steps = usize::MAX;
    key.bundle.most_steps = usize::MAX;
    let traces = folder.traces(sample, &package).unwrap();
    let mut statement = Statement::decode(&sample.claim, &package.bundle).unwrap();
    open(&mut statement);
    prove_unchecked(&package, &traces, &key, &statement, &Arc::new(Progress::new(None))).unwrap()
}

/// Proves an honest sample with nonces of another origin.
pub fn make_proof_grinding(sample: &Sample, key: &[u8], grind: Grind) -> Vec<u8> {
    let folder = Folder::new(sample);
    let package = folder.package().unwrap();
    let traces = folder.traces(sample, &package).unwrap();
    let statement = Statement::decode(&sample.claim, &package.bundle).unwrap();
    let (key, progress) = (Key::decode(key).unwrap(), Arc::new(Progress::new(None)));
    prove_grinding(&package, &traces, &key, &statement, &progress, grind).unwrap()
}

/// The key with other parameters.
pub fn with_parameters(key: &[u8], change: impl FnOnce(&mut proto::StwoParameters)) -> Vec<u8> {
    let mut message: proto::VerifyingKey = decode_canonical(key, "the key").unwrap();
    change(message.stwo.as_mut().unwrap());
    encode(&message)
}

pub fn check(key: &[u8], proof: &[u8]) -> Result<Verdict, Error> {
    verify(&Key::decode(key)?, proof, None)
}

/// Stwo's own panics are caught and expected; their messages would drown those of tests.
pub fn hush() {
    std::panic::set_hook(Box::new(|info| {
        if info.location().is_some_and(|location| location.file().contains("tests/")) {
            eprintln!("{info}");
        }
    }));
}

pub fn assert_rejected(key: &[u8], proof: &[u8], what: &str) {
    match catch_unwind(AssertUnwindSafe(|| check(key, proof).map(|_| ()))) {
        Err(_) => panic!("panicked: {what}"),
        Ok(Ok(())) => panic!("accepted: {what}"),
        Ok(Err(_)) => {}
    }
}

pub fn message_of(proof: &[u8]) -> proto::Proof {
    decode_canonical(proof, "the proof").unwrap()
}

/// The proof with the digest of another key.
pub fn naming(key: &[u8], proof: &[u8]) -> Vec<u8> {
    encode(&proto::Proof { key_digest: digest(key).to_vec(), ..message_of(proof) })
}

/// Adds to the first coordinate of a claimed sum.
pub fn add_to_claimed_sum(block: &mut proto::Block, claimed_sum: usize, difference: u32) {
    let word: &mut [u8; 4] =
        (&mut block.claimed_sums[16 * claimed_sum..16 * claimed_sum + 4]).try_into().unwrap();
    let value = (u32::from_le_bytes(*word) as u64 + difference as u64) % P as u64;
    *word = (value as u32).to_le_bytes();
}

/// Key and proof of a sample.
pub fn proven(sample: &Sample, target: &Target) -> (Vec<u8>, Vec<u8>) {
    let key = make_key(sample, target).expect("a sample has a key");
    let proof = make_proof(sample, &key).expect("a sample can be proven");
    (key, proof)
}

/// The sample with its input by digest, and the opening of that.
pub fn hidden(sample: &Sample) -> (Sample, Opening) {
    let mut opening = None;
    let hidden = sample.stating(|part| {
        let tensor = &mut part.inputs[0];
        let made = Opening {
            name: tensor.name.clone(),
            salt: "1".repeat(64),
            values: tensor.values.take().unwrap(),
        };
        tensor.digest = Some(digest_of(&made));
        opening = Some(made);
    });
    (hidden, opening.unwrap())
}

pub fn digest_of(opening: &Opening) -> String {
    let digest = digest(&serde_json::to_vec(opening).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn file_of(openings: &[Opening]) -> Vec<u8> {
    serde_json::to_vec(openings).unwrap()
}
