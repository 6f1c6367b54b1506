//! A sample proven in a folder of its own.

#![allow(dead_code)] // each test program uses its part

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use lindero_package::{ColumnFile, Error, Package, Statement};
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::{prove, setup, Failure};
use lindero_stwo_verifier::{verify, Key, Target, Verdict};
use lindero_testkit::Sample;

pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(sample: &Sample) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lindero-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Folder(std::env::temp_dir().join(name));
        sample.write(&folder.0).expect("the temporary folder is writable");
        folder
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
pub fn make_proof(sample: &Sample, key: &[u8], document: &[u8]) -> Result<Vec<u8>, Failure> {
    let folder = Folder::new(sample);
    let package = folder.package()?;
    let trace = ColumnFile::open(&folder.0.join("trace.bin"), &package.circuit, 1)?;
    let key = Key::decode(key)?;
    let statement = Statement::decode(&sample.statement, &package.circuit)?;
    prove(&package, &trace, &key, &statement, document, &Arc::new(Progress::new(None)))
}

pub fn check(key: &[u8], proof: &[u8]) -> Result<Verdict, Error> {
    verify(&Key::decode(key)?, proof)
}

/// Key and proof of a sample.
pub fn proven(sample: &Sample, target: &Target) -> (Vec<u8>, Vec<u8>) {
    let key = make_key(sample, target).expect("a sample has a key");
    let proof = make_proof(sample, &key, b"").expect("a sample can be proven");
    (key, proof)
}
