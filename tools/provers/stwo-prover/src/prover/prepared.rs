//! What proofs under one key have in common, whatever they are of.

use std::collections::BTreeMap;
use std::sync::Arc;

use lindero_package::{digest, encode, proto, ColumnFile, Error, Package, Statement};
use lindero_stwo_verifier::{codec, FixedColumn, Key, Member, PROOF_FORMAT};
use rayon::prelude::*;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::poly::twiddles::TwiddleTree;

use super::blocks::{Begun, Bundle};
use super::fixed::{self, Fixed, FixedFiles, InMemory, Kind, MerkleTree, Shape, Take};
use super::grind::{Grind, Search, HONEST};
use super::load;
use super::parts::Parts;
use super::prove::{commit, draw, twiddles, Tree};
use super::strategy::{Honest, Strategy};
use super::Failure;
use crate::progress::Progress;

/// What a proof has of tree 0.
pub enum TreeZero {
    /// All of it, extended and hashed, for Stwo's own `prove`: slow and large, and the yardstick of the other.
    Committed,
    /// The Merkle tree, from files or made anew, and rows where they are kept; what else is needed comes from the columns as they
    /// are.
    Kept(Option<FixedFiles>),
}

/// Extended columns of tree 0 are kept until the queries are known, if they take at most this number of bytes; else their rows are computed.
const MOST_EXTENDED_BYTES: u64 = 1 << 30;

/// What a proof has of tree 0 of a member, by its index.
pub type TreesZero<'a> = &'a mut dyn FnMut(usize) -> Result<TreeZero, Error>;

/// Of the key's largest domain.
pub struct Twiddles(TwiddleTree<SimdBackend>);

impl Twiddles {
    pub fn of(key: &Key, progress: &Progress) -> Self {
        progress.begin("twiddles");
        let tallest = key.members.iter().map(|member| member.layout.max_log_height).max().unwrap_or(0);
        Twiddles(twiddles(tallest, &key.parameters))
    }
}

/// A package and its key, ready for any number of proofs.
pub struct Prepared<'a> {
    package: &'a Package,
    key: &'a Key,
    twiddles: &'a TwiddleTree<SimdBackend>,
    /// By member.
    fixed: BTreeMap<usize, FixedTree<'a>>,
    from_files: bool,
}

/// What one proof is made with, beside what it is of.
pub(super) struct Means<'m> {
    pub(super) grind: Grind,
    pub(super) strategy: &'m mut dyn Strategy,
    pub(super) parts: Option<&'m Parts>,
}

impl<'a> Prepared<'a> {
    pub fn new(
        package: &'a Package,
        key: &'a Key,
        Twiddles(twiddles): &'a Twiddles,
        trees_zero: TreesZero,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        check_package(package, key)?;
        let mut from_files = false;
        let fixed = |(index, member): (usize, _)| {
            let (file, tree_zero) = (&package.files[index].fixed, trees_zero(index)?);
            from_files |= matches!(tree_zero, TreeZero::Kept(Some(_)));
            Ok((index, FixedTree::new(tree_zero, member, file, twiddles, progress)?))
        };
        let fixed = key.members.iter().enumerate().map(fixed).collect::<Result<_, Failure>>()?;
        Ok(Prepared { package, key, twiddles, fixed, from_files })
    }

    /// Whether any fixed columns are as files say, which nobody compared with the key's.
    pub fn has_files(&self) -> bool {
        self.from_files
    }

    /// The same proof as [`super::prove()`] makes, however many there were before. With files nobody compares the columns of the package with the key's, but for whoever verifies the proof.
    pub fn prove(
        &self,
        traces: &[ColumnFile],
        statement: &Statement,
        parts: Option<&Parts>,
        progress: &Arc<Progress>,
    ) -> Result<Vec<u8>, Failure> {
        self.prove_with(Means { grind: HONEST, strategy: &mut Honest, parts }, traces, statement, progress)
    }

    pub(super) fn prove_with(
        &self,
        Means { grind, strategy, parts }: Means,
        traces: &[ColumnFile],
        statement: &Statement,
        progress: &Arc<Progress>,
    ) -> Result<Vec<u8>, Failure> {
        let Prepared { package, key, twiddles, ref fixed, .. } = *self;
        let (blocks, search) = (statement.steps() * key.members.len(), Search::new(grind, progress));
        if traces.len() != blocks {
            return Err(Failure::Input(Error::new(format!(
                "there are {} traces, and must be {blocks}: one per step and member",
                traces.len()
            ))));
        }
        let bundle = Bundle {
            package,
            traces,
            first: 0,
            blocks,
            parts,
            key,
            statement,
            progress,
            search: search.clone(),
            twiddles,
            fixed,
        };
        let (roots, first) = bundle.commit_main_columns()?;
        let absorbed = strategy.absorbed(roots.clone());
        let (channel, drawn) = draw(key, statement, &absorbed, search, progress);
        let begun = Begun { roots: &roots, channel: &channel, drawn: &drawn };
        let blocks = bundle.prove_blocks(0..blocks, first, &begun, strategy)?;
        progress.leave_blocks();
        Ok(encode(&proto::Proof {
            format: PROOF_FORMAT,
            key_digest: key.digest.to_vec(),
            claim: statement.claim().to_vec(),
            blocks,
            nonce: codec::encode_nonces(&channel.used_nonces()),
        }))
    }
}

pub(super) enum FixedTree<'a> {
    Committed(Tree),
    Kept(Fixed<'a>),
}

impl<'a> FixedTree<'a> {
    pub(super) fn new(
        tree_zero: TreeZero,
        member: &'a Member,
        file: &'a ColumnFile,
        twiddles: &'a TwiddleTree<SimdBackend>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        Ok(match tree_zero {
            TreeZero::Committed => FixedTree::Committed(commit_whole(member, file, twiddles, progress)?),
            TreeZero::Kept(Some(files)) => FixedTree::Kept(Fixed::new(member, file, files, twiddles)),
            TreeZero::Kept(None) => {
                let shape = Shape::of_member(member);
                progress.begin("commit_fixed");
                let with_rows = shape.bytes(Kind::Rows) <= MOST_EXTENDED_BYTES;
                let commit = |take: Take| commit_fixed(member, &shape, file, twiddles, take);
                FixedTree::Kept(Fixed::new(member, file, InMemory::new(&shape, with_rows, commit)?, twiddles))
            }
        })
    }
}

/// Tree 0, which must be the key's, some columns at a time.
pub(super) fn commit_fixed(
    member: &Member,
    shape: &Shape,
    file: &ColumnFile,
    twiddles: &TwiddleTree<SimdBackend>,
    take: Take,
) -> Result<MerkleTree, Error> {
    let tree = fixed::commit(&member.circuit, &member.layout, shape, file, twiddles, take)?;
    check_root(member, &tree.root())?;
    Ok(tree)
}

/// The same at once, by Stwo.
fn commit_whole(
    member: &Member,
    file: &ColumnFile,
    twiddles: &TwiddleTree<SimdBackend>,
    progress: &Progress,
) -> Result<Tree, Error> {
    progress.begin("load_fixed");
    let load = |&column: &FixedColumn| load::fixed_column(&member.circuit, column, file);
    let columns = member.layout.fixed.par_iter().map(load).collect::<Result<_, Error>>()?;
    progress.begin("commit_fixed");
    let tree: Tree = commit(columns, true, member.config(), twiddles);
    check_root(member, &tree.commitment.root().0)?;
    Ok(tree)
}

fn check_root(member: &Member, root: &[u8; 32]) -> Result<(), Error> {
    if *root == member.fixed_root {
        return Ok(());
    }
    Err(Error::new("fixed.bin is not the one that the key was made from"))
}

pub(super) fn check_package(package: &Package, key: &Key) -> Result<(), Failure> {
    let digests = package.bundle.members.iter().map(|member| digest(&package.circuits[member.circuit_index]));
    if !digests.eq(key.members.iter().map(|member| member.circuit_digest)) {
        return Err(Failure::Input(Error::new("the key is of another circuit than the package")));
    }
    Ok(())
}
