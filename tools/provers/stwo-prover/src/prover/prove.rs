//! Setup, and the prover's side of the protocol of [`lindero_stwo_verifier::transcript`].

use std::collections::BTreeMap;
use std::sync::Arc;

use lindero_package::{ColumnFile, Error, MemberFiles, Package, Statement};
use lindero_stwo_verifier::security::BundleSizes;
use lindero_stwo_verifier::{transcript, Key, KeyParts, Layout, Member, Parameters, Target};
use stwo::core::channel::MerkleChannel;
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::PcsConfig;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::backend::BackendForChannel;
use stwo::prover::mempool::BaseColumnPool;
use stwo::prover::poly::circle::PolyOps;
use stwo::prover::poly::twiddles::TwiddleTree;
use stwo::prover::CommitmentTreeProver;

use super::blocks::{Begun, Bundle};
use super::fixed::{self, Keep, Kept, Shape, Take};
use super::grind::{Grind, ProverChannel, ProverMerkleChannel, Search, HONEST};
use super::load::{self, Evaluation};
use super::parts::Parts;
use super::prepared::{
    check_package, commit_fixed, FixedTree, Means, Prepared, TreeZero, TreesZero, Twiddles,
};
use super::strategy::{Honest, Unchecked};
use super::Failure;
use crate::progress::Progress;

pub(super) type Tree = CommitmentTreeProver<SimdBackend, ProverMerkleChannel>;

/// Makes the bytes of model.key: chooses parameters and commits the fixed columns.
pub fn setup(package: &Package, target: &Target, progress: &Progress) -> Result<Vec<u8>, Error> {
    Ok(setup_keeping(package, target, &Keep::NOTHING, progress)?.0)
}

/// The layouts of the package's circuits, and what its bundle is rated by.
pub fn sizes(package: &Package) -> Result<(Vec<Arc<Layout>>, BundleSizes), Error> {
    let mut layouts = Vec::with_capacity(package.circuits.len());
    for member in &package.bundle.members {
        if member.circuit_index == layouts.len() {
            lindero_stwo_verifier::check_circuit(&member.circuit)?;
            layouts.push(Arc::new(Layout::new(&member.circuit)));
        }
    }
    let sizes = BundleSizes::of(&package.bundle, &layouts)?;
    Ok((layouts, sizes))
}

/// The same, leaving files of the fixed columns in the folders of the members; what is kept is said of each.
pub fn setup_keeping(
    package: &Package,
    target: &Target,
    keep: &Keep,
    progress: &Progress,
) -> Result<(Vec<u8>, Vec<Kept>), Error> {
    let (layouts, sizes) = sizes(package)?;
    let parameters = target.parameters(&package.bundle, &layouts, &sizes)?;
    let (mut fixed_roots, mut all_kept) = (Vec::new(), Vec::new());
    for (member, files) in package.bundle.members.iter().zip(&package.files) {
        let (circuit, layout) = (&*member.circuit, &*layouts[member.circuit_index]);
        progress.begin("commit_fixed");
        let twiddles = twiddles(layout.max_log_height, &parameters);
        let shape = Shape::new(circuit, layout, &parameters);
        let commit = |take: Take| fixed::commit(circuit, layout, &shape, &files.fixed, &twiddles, take);
        let (tree, kept) = fixed::write(&files.folder, &shape, keep, commit)?;
        all_kept.push(kept);
        fixed_roots.push(tree.root());
    }
    progress.end();
    let key = KeyParts {
        circuits: package.circuits.clone(),
        bundle: package.message.clone(),
        parameters,
        bits: target.bits,
        regime: target.regime,
        fixed_roots,
        model: package.model.clone(),
    };
    Ok((key.encode(), all_kept))
}

/// The root of the main columns of a member under the key's parameters.
pub fn main_root(member: &Member, trace: &ColumnFile) -> Result<[u8; 32], Error> {
    let twiddles = twiddles(member.layout.max_log_height, &member.parameters);
    let columns = load::main_columns(&member.circuit, trace)?;
    let tree: Tree = commit(columns, false, member.config(), &twiddles);
    Ok(tree.commitment.root().0)
}

/// Makes the bytes of a proof of a bundle, one block per trace. Tensors that the claim gives by digest must be opened in the
/// statement.
///
/// The main columns of all blocks are committed before the challenges of phase 1, but only the tree of one block is in memory
/// at a time: the others are dropped, all but their roots, and made again when the block is proven. The fixed columns of each
/// member are committed once.
pub fn prove(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    prove_with(&mut |_| Ok(TreeZero::Kept(None)), None, package, traces, key, statement, progress)
}

/// The same proof, byte by byte, whatever there is of tree 0, and of the proof itself.
pub fn prove_with(
    trees_zero: TreesZero,
    parts: Option<&Parts>,
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    let twiddles = Twiddles::of(key, progress);
    let prepared = Prepared::new(package, key, &twiddles, trees_zero, progress)?;
    prepared.prove(traces, statement, parts, progress)
}

/// What there is of a block that is proven apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its root; its proof begins with the roots of all blocks, and this many others are missing.
    Committed {
        missing: usize,
    },
    Proven,
}

/// Goes on with one block of a proof, of whose run `trace` is, as far as the parts allow; what it makes becomes a part. Needs of
/// the package's fixed columns those of the block's member.
pub fn prove_block(
    trees_zero: TreesZero,
    parts: &Parts,
    package: &Package,
    (block, trace): (usize, ColumnFile),
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Stage, Failure> {
    check_package(package, key)?;
    let (blocks, member) = (statement.steps() * key.members.len(), block % key.members.len());
    if block >= blocks {
        return Err(Failure::Input(Error::new(format!("there is no block {block}, but {blocks}"))));
    }
    progress.begin("twiddles");
    let twiddles = twiddles(key.members[member].layout.max_log_height, &key.parameters);
    let search = Search::new(HONEST, progress);
    let traces = [trace];
    let mut bundle = Bundle {
        package,
        traces: &traces,
        first: block,
        blocks,
        parts: Some(parts),
        key,
        statement,
        progress,
        search: search.clone(),
        twiddles: &twiddles,
        fixed: &BTreeMap::new(),
    };
    let (_, tree) = bundle.root(block)?;
    let roots: Vec<Blake2sHash> = (0..blocks).filter_map(|block| bundle.kept_root(block)).collect();
    if roots.len() < blocks {
        return Ok(Stage::Committed { missing: blocks - roots.len() });
    }
    let file = &package.files[member].fixed;
    let fixed = FixedTree::new(trees_zero(member)?, &key.members[member], file, &twiddles, progress)?;
    let fixed = BTreeMap::from([(member, fixed)]);
    bundle.fixed = &fixed;
    let (channel, drawn) = draw(key, statement, &roots, search, progress);
    let begun = Begun { roots: &roots, channel: &channel, drawn: &drawn };
    bundle.prove_blocks(block..block + 1, tree, &begun, &mut Unchecked)?;
    Ok(Stage::Proven)
}

/// Fails if the fixed columns of the package are not those that the key was made from, or a file beside them is not theirs.
/// Says of each member which files there are.
pub fn check_fixed(package: &Package, key: &Key, progress: &Progress) -> Result<Vec<Kept>, Failure> {
    let check_member = |(member, files): (&Member, &MemberFiles)| {
        let twiddles = twiddles(member.layout.max_log_height, &key.parameters);
        let shape = Shape::of_member(member);
        progress.begin("commit_fixed");
        let commit = |take: Take| commit_fixed(member, &shape, &files.fixed, &twiddles, take);
        Ok(fixed::check(&files.folder, &shape, &member.fixed_root, commit)?)
    };
    key.members.iter().zip(&package.files).map(check_member).collect()
}

/// Proves without a look at the sums, as a cheating prover would: for tests.
#[doc(hidden)]
pub fn prove_unchecked(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    let means = Means { grind: HONEST, strategy: &mut Unchecked, parts: None };
    prove_by(means, package, traces, key, statement, progress)
}

/// Proves with nonces of another origin, as a lazy prover would: for tests.
#[doc(hidden)]
pub fn prove_grinding(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
    grind: Grind,
) -> Result<Vec<u8>, Failure> {
    let means = Means { grind, strategy: &mut Honest, parts: None };
    prove_by(means, package, traces, key, statement, progress)
}

fn prove_by(
    means: Means,
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    let twiddles = Twiddles::of(key, progress);
    let trees_zero = &mut |_| Ok(TreeZero::Kept(None));
    let prepared = Prepared::new(package, key, &twiddles, trees_zero, progress)?;
    prepared.prove_with(means, traces, statement, progress)
}

/// The challenges that all blocks share, and the channel that gave them.
pub(super) fn draw(
    key: &Key,
    statement: &Statement,
    roots: &[Blake2sHash],
    search: Search,
    progress: &Progress,
) -> (ProverChannel, Vec<SecureField>) {
    let mut channel = transcript::begin(key, statement.digest(), roots, search);
    progress.begin("draw_challenges");
    let drawn = transcript::draw_shared(&mut channel, key);
    (channel, drawn)
}

pub(super) fn unsatisfied() -> Failure {
    Failure::Witness(Error::new(
        "the witness does not satisfy the constraints; `lindero check` names the first row that fails",
    ))
}

pub(super) fn commit<MC: MerkleChannel>(
    columns: Vec<Evaluation>,
    coefficients: bool,
    config: PcsConfig,
    twiddles: &TwiddleTree<SimdBackend>,
) -> CommitmentTreeProver<SimdBackend, MC>
where
    SimdBackend: BackendForChannel<MC>,
{
    let polynomials = SimdBackend::interpolate_columns(columns, twiddles);
    let log_blowup = config.fri_config.log_blowup_factor;
    let pool = BaseColumnPool::new();
    CommitmentTreeProver::new(polynomials, log_blowup, twiddles, coefficients, config.lifting_log_size, &pool)
}

/// For the largest domain: the committed one, or that of the composition polynomial.
pub(super) fn twiddles(max_log_height: u32, parameters: &Parameters) -> TwiddleTree<SimdBackend> {
    let log_domain = max_log_height + parameters.log_blowup.max(1);
    SimdBackend::precompute_twiddles(CanonicCoset::new(log_domain).circle_domain().half_coset)
}
