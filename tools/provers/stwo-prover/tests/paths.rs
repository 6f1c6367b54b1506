//! A proof that does without the extension of tree 0 is, byte by byte, the one that Stwo's own `prove` makes of it, whatever is kept
//! of the tree; and what is kept and damaged makes no proof.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use common::{check, Folder, QUICK};
use lindero_package::{ColumnFile, Package, Statement};
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::{
    prove_with, setup_keeping, Failure, FixedFiles, Keep, Kept, Prepared, TreeZero, Twiddles,
};
use lindero_stwo_verifier::{Key, Target};
use lindero_testkit::{samples, Sample};

fn cases() -> Vec<(&'static str, Sample)> {
    vec![
        ("range lookup, range table shorter", samples::range_lookup(7, 4, 5)),
        ("range lookup, range table taller", samples::range_lookup(5, 2, 8)),
        ("range lookup over many blocks of rows", samples::range_lookup(12, 6, 13)),
        ("folded weights", samples::folded_weights(9, 21)),
        ("every operation", samples::everything()),
        ("a link, one block", samples::linked_blocks(0, 1)),
        ("a link, most blocks", samples::linked_blocks(0, samples::MOST_BLOCKS)),
    ]
}

/// Sets up a package of one member.
fn keep_one(package: &Package, target: &Target, keep: &Keep) -> (Vec<u8>, Kept) {
    let (key, kept) = setup_keeping(package, target, keep, &Progress::new(None)).unwrap();
    let [kept] = <[Kept; 1]>::try_from(kept).unwrap_or_else(|_| panic!("one member"));
    (key, kept)
}

/// Of several members each has files of its own, and the proof is the same without.
#[test]
fn members_have_files_of_their_own() {
    let sample = samples::network_steps(0, 2);
    let folder = Folder::new(&sample);
    let package = folder.package().unwrap();
    let traces = folder.traces(&sample, &package).unwrap();
    let statement = Statement::decode(&sample.claim, &package.bundle).unwrap();
    let progress = Arc::new(Progress::new(None));
    let (key, kept) = setup_keeping(&package, &QUICK, &Keep::DEFAULT, &progress).unwrap();
    assert_eq!(kept.iter().filter(|kept| kept.tree.is_some() && kept.missing.is_none()).count(), 3);
    let key = Key::decode(&key).unwrap();
    let prove = |way: &dyn Fn(usize) -> TreeZero| {
        let mut trees_zero = |member| Ok(way(member));
        prove_with(&mut trees_zero, None, &package, &traces, &key, &statement, &progress).unwrap()
    };
    let files = |member: usize| {
        let files = FixedFiles::open(&package.files[member].folder, &key.members[member]).unwrap();
        TreeZero::Kept(Some(files.unwrap()))
    };
    let expected = prove(&|_| TreeZero::Committed);
    assert!(prove(&files) == expected, "files");
    assert!(prove(&|_| TreeZero::Kept(None)) == expected, "no files");
    assert!(
        prove(&|member| if member == 1 { TreeZero::Committed } else { files(member) }) == expected,
        "both"
    );
}

/// What is ready is the same after each proof.
#[test]
fn one_proof_leaves_nothing_to_the_next() {
    for (name, sample) in cases() {
        let made = Made::new(&sample, &QUICK, &Keep::DEFAULT);
        let expected = made.prove(TreeZero::Committed).unwrap();
        let (key, progress) = (Key::decode(&made.key).unwrap(), Arc::new(Progress::new(None)));
        let twiddles = Twiddles::of(&key, &progress);
        for files in [made.files().unwrap(), None] {
            let mut tree_zero = Some(TreeZero::Kept(files));
            let mut one = |_| Ok(tree_zero.take().unwrap());
            let prepared = Prepared::new(&made.package, &key, &twiddles, &mut one, &progress).unwrap();
            for _ in 0..3 {
                let proof = prepared.prove(&made.traces, &made.statement, None, &progress).unwrap();
                assert!(proof == expected, "{name}");
            }
        }
    }
}

/// A sample with its key and what setup left.
struct Made {
    folder: Folder,
    package: Package,
    traces: Vec<ColumnFile>,
    statement: Statement,
    key: Vec<u8>,
    kept: Kept,
}

impl Made {
    fn new(sample: &Sample, target: &Target, keep: &Keep) -> Self {
        let folder = Folder::new(sample);
        let package = folder.package().unwrap();
        let traces = folder.traces(sample, &package).unwrap();
        let statement = Statement::decode(&sample.claim, &package.bundle).unwrap();
        let (key, kept) = keep_one(&package, target, keep);
        Made { folder, package, traces, statement, key, kept }
    }

    fn files(&self) -> Result<Option<FixedFiles>, lindero_package::Error> {
        FixedFiles::open(&self.folder.0, &Key::decode(&self.key).unwrap().members[0])
    }

    fn prove(&self, tree_zero: TreeZero) -> Result<Vec<u8>, Failure> {
        let (key, progress) = (Key::decode(&self.key).unwrap(), Arc::new(Progress::new(None)));
        let mut tree_zero = Some(tree_zero);
        let mut one = |_| Ok(tree_zero.take().unwrap());
        prove_with(&mut one, None, &self.package, &self.traces, &key, &self.statement, &progress)
    }

    fn path(&self, suffix: &str) -> PathBuf {
        let files = fs::read_dir(&self.folder.0).unwrap();
        let mut paths = files.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|found| found == suffix)).unwrap()
    }

    fn change(&self, suffix: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(suffix)).unwrap();
        change(&mut bytes);
        fs::write(self.path(suffix), bytes).unwrap();
    }
}

#[test]
fn proofs_are_those_of_stwo() {
    for (name, sample) in cases() {
        for log_blowup in 1..=3 {
            let made = Made::new(&sample, &Target { log_blowup, ..QUICK }, &Keep::DEFAULT);
            let files = || made.files().unwrap().expect("setup leaves files");
            assert!(files().has_rows());
            let expected = made.prove(TreeZero::Committed).unwrap();
            let ways = [
                ("files", TreeZero::Kept(Some(files()))),
                ("a tree without rows", TreeZero::Kept(Some(files().without_rows()))),
                ("no files", TreeZero::Kept(None)),
            ];
            for (way, tree_zero) in ways {
                let proof = made.prove(tree_zero).unwrap();
                assert!(proof == expected, "{name}, blowup 2^{log_blowup}, {way}");
            }
            check(&made.key, &expected).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

fn made(keep: &Keep) -> Made {
    Made::new(&samples::everything(), &QUICK, keep)
}

fn error_of(proof: Result<Vec<u8>, Failure>) -> String {
    match proof {
        Err(Failure::Input(error)) => error.to_string(),
        Err(Failure::Witness(error)) => panic!("the witness is blamed: {error}"),
        Ok(_) => panic!("there is a proof"),
    }
}

#[test]
fn files_that_are_not_whole_are_refused() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 6] = [
        ("a byte less", |bytes| bytes.truncate(bytes.len() - 1)),
        ("half of it", |bytes| bytes.truncate(bytes.len() / 2)),
        ("nothing", |bytes| bytes.clear()),
        ("a byte more", |bytes| bytes.push(0)),
        ("another format", |bytes| bytes[16] ^= 1),
        ("another root in the header", |bytes| bytes[40] ^= 1),
    ];
    for suffix in ["tree", "rows"] {
        for (what, change) in changes {
            let made = made(&Keep::DEFAULT);
            made.change(suffix, change);
            let error = made.files().err().unwrap_or_else(|| panic!("{suffix}: {what}")).to_string();
            assert!(error.contains("is damaged"), "{suffix}, {what}: {error}");
        }
    }
    let made = made(&Keep::DEFAULT);
    made.change("tree", |bytes| bytes[64] ^= 1);
    assert!(made.files().err().unwrap().to_string().contains("its root is not the key's"));
}

#[test]
fn damage_is_found_where_it_is_read() {
    let made = made(&Keep::DEFAULT);
    let expected = made.prove(TreeZero::Committed).unwrap();
    let (header, node) = (64, 32);
    type Change = fn(&mut [u8]);
    let changes: [(&str, Change); 3] = [
        ("a bit of each word", |word| word[0] ^= 1),
        ("no residue", |word| word.fill(0xff)),
        ("zeros", |word| word.fill(0)),
    ];
    for (suffix, first) in [("tree", header + node), ("rows", header)] {
        let whole = fs::read(made.path(suffix)).unwrap();
        for (what, change) in changes {
            made.change(suffix, |bytes| bytes[first..].chunks_exact_mut(4).for_each(change));
            let error = error_of(made.prove(TreeZero::Kept(made.files().unwrap())));
            assert!(error.contains("is damaged"), "{suffix}, {what}: {error}");
            fs::write(made.path(suffix), &whole).unwrap();
        }
        // Cut off after it was opened.
        let files = made.files().unwrap();
        made.change(suffix, |bytes| bytes.truncate(first));
        let error = error_of(made.prove(TreeZero::Kept(files)));
        assert!(error.contains("is damaged"), "{suffix}: {error}");
        fs::write(made.path(suffix), &whole).unwrap();
    }
    // One word at a time: the proof is the one that it must be, or there is none.
    let length = fs::read(made.path("rows")).unwrap().len();
    let mut found = 0;
    for at in (header..length).step_by((length / 40).next_multiple_of(4)) {
        made.change("rows", |bytes| bytes[at] ^= 1);
        match made.prove(TreeZero::Kept(made.files().unwrap())) {
            Ok(proof) => assert!(proof == expected, "byte {at}"),
            error => {
                error_of(error);
                found += 1;
            }
        }
        made.change("rows", |bytes| bytes[at] ^= 1);
    }
    assert!(found < 40, "a query reads few rows");
}

#[test]
fn what_is_missing_is_computed() {
    let made = made(&Keep::DEFAULT);
    let expected = made.prove(TreeZero::Committed).unwrap();
    fs::remove_file(made.path("rows")).unwrap();
    let files = made.files().unwrap().unwrap();
    assert!(!files.has_rows());
    assert!(made.prove(TreeZero::Kept(Some(files))).unwrap() == expected);
    fs::remove_file(made.path("tree")).unwrap();
    assert!(made.files().unwrap().is_none());
}

#[test]
fn setup_keeps_what_it_is_told_and_what_fits() {
    let all = made(&Keep::DEFAULT);
    let (tree, rows) = (all.kept.tree.unwrap(), all.kept.rows.unwrap());
    for (suffix, bytes) in [("tree", tree), ("rows", rows)] {
        assert_eq!(fs::metadata(all.path(suffix)).unwrap().len(), bytes);
    }
    assert!(all.kept.missing.is_none());
    let none = made(&Keep::NOTHING);
    assert!(none.files().unwrap().is_none());
    let only_tree = made(&Keep { most_rows_bytes: rows - 1, ..Keep::DEFAULT });
    assert_eq!((only_tree.kept.tree, only_tree.kept.rows), (Some(tree), None));
    let limited = made(&Keep { most_bytes: tree + rows - 1, ..Keep::DEFAULT });
    assert_eq!((limited.kept.tree, limited.kept.rows), (Some(tree), None));
    assert!(limited.kept.missing.unwrap().contains("allowed"));
}

#[test]
fn a_folder_that_cannot_be_written_costs_time_alone() {
    let sample = samples::everything();
    let folder = Folder::new(&sample);
    let mut package = folder.package().unwrap();
    package.files[0].folder = folder.0.join("absent");
    let (key, kept) = keep_one(&package, &QUICK, &Keep::DEFAULT);
    assert_eq!((kept.tree, kept.rows), (None, None));
    assert!(kept.missing.unwrap().contains("cannot write"));
    assert_eq!(key, common::make_key(&sample, &QUICK).unwrap());
}

#[test]
fn files_of_other_parameters_make_room() {
    let made = made(&Keep::DEFAULT);
    let bytes = made.kept.tree.unwrap() + made.kept.rows.unwrap();
    let left_over = made.folder.0.join("fixed-00-b1-v1.1.part");
    fs::write(&left_over, "of a writer that died").unwrap();
    let other = Target { log_blowup: 2, ..QUICK };
    let set_up = |most_bytes| {
        let keep = Keep { most_bytes, ..Keep::DEFAULT };
        keep_one(&made.package, &other, &keep)
    };
    // As much as both take: all stay.
    let (key, kept) = set_up(4 * bytes);
    assert!(kept.missing.is_none() && !left_over.exists());
    assert!(made.files().unwrap().unwrap().has_rows());
    // Setting up again gives the same.
    assert_eq!(set_up(8 * bytes).0, key);
    assert!(made.files().unwrap().unwrap().has_rows());
    // Less: those of the other parameters go.
    for suffix in ["tree", "rows"] {
        let theirs = fs::read_dir(&made.folder.0).unwrap().map(|entry| entry.unwrap().path());
        let theirs = theirs.filter(|path| path.to_str().unwrap().ends_with(&format!("b2-v2.{suffix}")));
        theirs.for_each(|path| fs::remove_file(path).unwrap());
    }
    let (_, kept) = set_up(kept.tree.unwrap() + kept.rows.unwrap());
    assert!(kept.missing.is_none() && kept.rows.is_some());
    assert!(made.files().unwrap().is_none());
}
