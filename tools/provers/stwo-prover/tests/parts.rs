//! A proof in parts: whatever is there already, and whoever made it, it is the same proof; what is of another run is not taken.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use common::{make_key, Folder, QUICK};
use lindero_package::{ColumnFile, Package, Statement};
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::{prove, prove_block, prove_with, Failure, Parts, Stage, TreeZero};
use lindero_stwo_verifier::Key;
use lindero_testkit::{samples, Sample};

struct Job {
    folder: Folder,
    package: Package,
    statement: Statement,
    key: Key,
    blocks: usize,
}

impl Job {
    fn new(sample: &Sample) -> Self {
        let folder = Folder::new(sample);
        let package = folder.package().unwrap();
        let statement = Statement::decode(&sample.claim, &package.bundle).unwrap();
        let key = Key::decode(&make_key(sample, &QUICK).unwrap()).unwrap();
        Job { folder, package, statement, key, blocks: sample.traces.len() }
    }

    fn parts(&self) -> Parts {
        Parts::open(&self.folder.0.join("parts")).unwrap()
    }

    /// By name: those of roots come last.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.0.join("parts")).unwrap();
        let files: BTreeSet<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.into_iter().collect()
    }

    fn traces(&self) -> Vec<ColumnFile> {
        let paths: Vec<PathBuf> =
            (0..self.blocks).map(|block| self.folder.0.join(Sample::trace_file(block))).collect();
        self.package.open_traces(&paths).unwrap()
    }

    fn prove(&self, traces: &[ColumnFile]) -> Result<Vec<u8>, Failure> {
        let (parts, progress) = (self.parts(), Arc::new(Progress::new(None)));
        let mut computed = |_| Ok(TreeZero::Kept(None));
        prove_with(&mut computed, Some(&parts), &self.package, traces, &self.key, &self.statement, &progress)
    }

    fn prove_block(&self, block: usize) -> Result<Stage, Failure> {
        let (parts, progress) = (self.parts(), Arc::new(Progress::new(None)));
        let trace = self.traces().swap_remove(block % self.blocks);
        let mut computed = |_| Ok(TreeZero::Kept(None));
        prove_block(
            &mut computed,
            &parts,
            &self.package,
            (block, trace),
            &self.key,
            &self.statement,
            &progress,
        )
    }

    fn at_once(&self) -> Vec<u8> {
        let progress = Arc::new(Progress::new(None));
        prove(&self.package, &self.traces(), &self.key, &self.statement, &progress).unwrap()
    }
}

fn samples() -> [Sample; 3] {
    [samples::linked_blocks(0, 1), samples::linked_blocks(0, 3), samples::network_steps(0, 2)]
}

/// After any number of parts, and with one of them damaged.
#[test]
fn a_proof_goes_on_where_it_was_ended() {
    for sample in samples() {
        let job = Job::new(&sample);
        let expected = job.at_once();
        assert!(job.prove(&job.traces()).unwrap() == expected, "all made");
        let files = job.files();
        assert_eq!(files.len(), 2 * job.blocks);
        assert!(job.prove(&job.traces()).unwrap() == expected, "all kept");
        for file in &files {
            let bytes = fs::read(file).unwrap();
            for damaged in [&bytes[..bytes.len() / 2], &[0; 32], &[]] {
                fs::write(file, damaged).unwrap();
                assert!(job.prove(&job.traces()).unwrap() == expected, "{file:?} damaged");
                assert!(fs::read(file).unwrap() == bytes, "{file:?} is made anew");
            }
        }
        for file in files {
            fs::remove_file(&file).unwrap();
            assert!(job.prove(&job.traces()).unwrap() == expected, "without {file:?}");
        }
        assert_eq!(job.files().len(), 2 * job.blocks);
    }
}

#[test]
fn blocks_are_proven_apart_in_any_order() {
    for sample in samples() {
        let job = Job::new(&sample);
        let last = job.blocks - 1;
        for block in (1..job.blocks).rev() {
            assert_eq!(job.prove_block(block).unwrap(), Stage::Committed { missing: block });
            assert_eq!(job.prove_block(last).unwrap(), Stage::Committed { missing: block }, "twice");
        }
        assert_eq!(job.prove_block(0).unwrap(), Stage::Proven);
        for block in (0..job.blocks).rev() {
            assert_eq!(job.prove_block(block).unwrap(), Stage::Proven);
        }
        let files = job.files();
        assert_eq!(files.len(), 2 * job.blocks);
        let times: Vec<_> =
            files.iter().map(|file| fs::metadata(file).unwrap().modified().unwrap()).collect();
        assert!(job.prove(&job.traces()).unwrap() == job.at_once());
        for (file, time) in files.iter().zip(times) {
            assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), time, "{file:?} was not made again");
        }
        assert!(matches!(job.prove_block(job.blocks), Err(Failure::Input(_))));
    }
}

/// The claim is that of the run, the trace is not: what was committed stays.
#[test]
fn the_trace_of_another_run_is_noticed() {
    let job = Job::new(&samples::network_steps(0, 2));
    job.prove(&job.traces()).unwrap();
    for file in job.files().into_iter().filter(|file| file.to_str().unwrap().contains("/block-")) {
        fs::remove_file(file).unwrap();
    }
    let other = Job::new(&samples::network_steps(1, 2));
    match job.prove(&other.traces()) {
        Err(Failure::Input(error)) => assert!(error.to_string().contains("committed before"), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// Another claim or another key has parts of its own in the same folder.
#[test]
fn parts_are_of_one_claim() {
    let job = Job::new(&samples::linked_blocks(0, 2));
    job.prove(&job.traces()).unwrap();
    let sample = samples::linked_blocks(0, 2).labelled("again");
    let other = Job { statement: Statement::decode(&sample.claim, &job.package.bundle).unwrap(), ..job };
    assert!(other.prove(&other.traces()).unwrap() == other.at_once());
    assert_eq!(other.files().len(), 8);
}
