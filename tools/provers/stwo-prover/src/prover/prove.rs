//! Setup, and the prover's side of the protocol of [`lindero_stwo_verifier::transcript`].

use std::path::Path;
use std::sync::Arc;

use lindero_package::{digest, encode, proto, Circuit, ColumnFile, Error, Package, Statement};
use lindero_stwo_verifier::codec::{encode_elements, Commitment};
use lindero_stwo_verifier::security::Sizes;
use lindero_stwo_verifier::{
    codec, transcript, uniform_values, Key, Layout, Parameters, TableAir, Target, PROOF_FORMAT,
};
use num_traits::Zero;
use stwo::core::channel::MerkleChannel;
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::PcsConfig;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::utils::MaybeOwned;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::backend::BackendForChannel;
use stwo::prover::mempool::BaseColumnPool;
use stwo::prover::poly::circle::PolyOps;
use stwo::prover::poly::twiddles::TwiddleTree;
use stwo::prover::{CommitmentSchemeProver, CommitmentTreeProver, ComponentProver};

use super::component::TableProver;
use super::fill::Columns;
use super::fixed::{write, Fixed, FixedFiles, Keep, Kept, Shape, Shared};
use super::grind::{Grind, ProverChannel, ProverMerkleChannel, Search, HONEST};
use super::load::{self, Evaluation};
use super::open::Committed;
use super::stages::with_stages;
use super::strategy::{Honest, Published, Step, Strategy, Unchecked};
use super::Failure;
use crate::progress::Progress;

pub(super) type Tree = CommitmentTreeProver<SimdBackend, ProverMerkleChannel>;
type Scheme<'a> = CommitmentSchemeProver<'a, SimdBackend, ProverMerkleChannel>;

/// Makes the bytes of model.key: chooses parameters and commits the fixed columns.
pub fn setup(package: &Package, target: &Target, progress: &Progress) -> Result<Vec<u8>, Error> {
    Ok(setup_keeping(package, target, Path::new(""), &Keep::NOTHING, progress)?.0)
}

/// The same, leaving files of the fixed columns in the package's folder.
pub fn setup_keeping(
    package: &Package,
    target: &Target,
    folder: &Path,
    keep: &Keep,
    progress: &Progress,
) -> Result<(Vec<u8>, Kept), Error> {
    let circuit = &package.circuit;
    lindero_stwo_verifier::check_circuit(circuit)?;
    let layout = Layout::new(circuit);
    let sizes = Sizes::of(circuit, &layout)?;
    let parameters = target.parameters(circuit, &layout, &sizes)?;
    progress.begin("commit_fixed");
    let twiddles = twiddles(layout.max_log_height, &parameters);
    let config = parameters.config(layout.max_log_height);
    let tree: Tree = commit(load::fixed_columns(circuit, &layout, &package.fixed)?, false, config, &twiddles);
    let root = tree.commitment.root().0;
    progress.begin("write_fixed");
    let kept = write(folder, &Shape::new(circuit, &layout, &parameters, root), &tree, keep);
    progress.end();
    let (circuit, model) = (package.circuit_bytes.clone(), package.model.clone());
    Ok((Key::encode(circuit, parameters, target.bits, target.regime, root, model), kept))
}

/// The root of the main columns under the key's parameters.
pub fn main_root(package: &Package, trace: &ColumnFile, key: &Key) -> Result<[u8; 32], Error> {
    let twiddles = twiddles(key.layout.max_log_height, &key.parameters);
    let tree: Tree = commit(load::main_columns(&package.circuit, trace)?, false, key.config(), &twiddles);
    Ok(tree.commitment.root().0)
}

/// What a proof has of tree 0.
pub enum TreeZero {
    /// All of it, extended and hashed, for Stwo's own `prove`: slow and large, and the yardstick of the other.
    Committed,
    /// The Merkle tree, from files or made anew, and rows where they are kept; what else is needed comes from the columns as they
    /// are.
    Kept(Option<FixedFiles>),
}

/// Extended columns of tree 0 are kept until the queries are known, if they take at most this number of bytes; else their rows are computed.
const MOST_EXTENDED_BYTES: usize = 1 << 30;

/// Makes the bytes of a proof of a bundle, one block per trace. Tensors that the claim gives by digest must be opened in the
/// statement.
///
/// The main columns of all blocks are committed before the challenges of phase 1, but only the tree of one block is in memory
/// at a time: the others are dropped, all but their roots, and made again when the block is proven. The fixed columns are
/// committed once.
pub fn prove(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    prove_with(TreeZero::Kept(None), package, traces, key, statement, progress)
}

/// The same proof, byte by byte, whatever there is of tree 0. With files nobody compares the columns of the package with the
/// key's, but for whoever verifies the proof.
pub fn prove_with(
    tree_zero: TreeZero,
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    prove_bundle(package, traces, key, statement, progress, &mut Honest, HONEST, tree_zero)
}

/// Fails if the fixed columns of the package are not those that the key was made from.
pub fn check_fixed(package: &Package, key: &Key, progress: &Progress) -> Result<(), Failure> {
    let twiddles = twiddles(key.layout.max_log_height, &key.parameters);
    commit_fixed(package, key, &twiddles, false, progress).map(|_| ())
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
    prove_bundle(package, traces, key, statement, progress, &mut Unchecked, HONEST, TreeZero::Kept(None))
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
    prove_bundle(package, traces, key, statement, progress, &mut Honest, grind, TreeZero::Kept(None))
}

#[allow(clippy::too_many_arguments)]
pub(super) fn prove_bundle(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
    strategy: &mut dyn Strategy,
    grind: Grind,
    tree_zero: TreeZero,
) -> Result<Vec<u8>, Failure> {
    if digest(&package.circuit_bytes) != key.circuit_digest {
        return Err(Failure::Input(Error::new("the key is of another circuit than the package")));
    }
    if traces.len() != statement.blocks() {
        return Err(Failure::Input(Error::new("there must be one trace per block")));
    }
    progress.begin("twiddles");
    let twiddles = twiddles(key.layout.max_log_height, &key.parameters);
    let commit = |coefficients| commit_fixed(package, key, &twiddles, coefficients, progress);
    let fixed = match tree_zero {
        TreeZero::Committed => FixedTree::Committed(commit(true)?),
        TreeZero::Kept(Some(files)) => FixedTree::Kept(Fixed::new(key, &package.fixed, files, &twiddles)),
        TreeZero::Kept(None) => {
            let mut tree = commit(false)?;
            let bytes: usize = tree.polynomials.iter().map(|poly| 4 * poly.evals.values.length).sum();
            if bytes > MOST_EXTENDED_BYTES {
                tree.polynomials.clear();
            }
            FixedTree::Kept(Fixed::new(key, &package.fixed, tree, &twiddles))
        }
    };
    let search = Search::new(grind, progress);
    let bundle =
        Bundle { package, traces, key, statement, progress, search, twiddles: &twiddles, fixed: &fixed };
    let (roots, first) = bundle.commit_main_columns()?;
    let mut channel = transcript::begin(key, statement.digest(), &roots, bundle.search.clone());
    progress.begin("draw_challenges");
    let mut challenges = vec![SecureField::zero(); key.circuit.challenges.len()];
    transcript::draw_challenges(&mut channel, &key.circuit, 1, &mut challenges);
    let shared = bundle.share(&challenges)?;
    let (mut first, mut before) = (Some(first), None);
    let mut blocks = Vec::with_capacity(traces.len());
    for index in 0..traces.len() {
        let main = first.take().map_or_else(|| bundle.commit_main(index), Ok)?;
        let session = Session::new(&bundle, &shared, index, main, &channel, &challenges);
        let (block, sums) = session.prove(before.as_deref(), strategy)?;
        blocks.push(block);
        before = Some(sums);
    }
    progress.leave_blocks();
    Ok(encode(&proto::Proof {
        format: PROOF_FORMAT,
        key_digest: key.digest.to_vec(),
        claim: statement.claim().to_vec(),
        blocks,
        nonce: codec::encode_nonces(&channel.used_nonces()),
    }))
}

fn commit_fixed(
    package: &Package,
    key: &Key,
    twiddles: &TwiddleTree<SimdBackend>,
    coefficients: bool,
    progress: &Progress,
) -> Result<Tree, Failure> {
    progress.begin("load_fixed");
    let columns = load::fixed_columns(&package.circuit, &key.layout, &package.fixed)?;
    progress.begin("commit_fixed");
    let tree: Tree = commit(columns, coefficients, key.config(), twiddles);
    if tree.commitment.root().0 != key.fixed_root {
        return Err(Failure::Input(Error::new("fixed.bin is not the one that the key was made from")));
    }
    Ok(tree)
}

enum FixedTree<'a> {
    Committed(Tree),
    Kept(Fixed<'a>),
}

/// What the blocks have in common.
struct Bundle<'a> {
    package: &'a Package,
    traces: &'a [ColumnFile],
    key: &'a Key,
    statement: &'a Statement,
    progress: &'a Arc<Progress>,
    search: Search,
    twiddles: &'a TwiddleTree<SimdBackend>,
    fixed: &'a FixedTree<'a>,
}

impl Bundle<'_> {
    fn commit_main(&self, block: usize) -> Result<Tree, Failure> {
        self.progress.enter_block(block, self.traces.len());
        self.progress.begin("load_main");
        let columns = load::main_columns(&self.package.circuit, &self.traces[block])?;
        self.progress.begin("commit_main");
        Ok(commit(columns, true, self.key.config(), self.twiddles))
    }

    /// What depends on the challenges of phase 1 alone.
    fn share(&self, challenges: &[SecureField]) -> Result<Shared, Failure> {
        let FixedTree::Kept(fixed) = self.fixed else { return Ok(Shared::default()) };
        self.progress.begin("share_fixed");
        let circuit = &self.key.circuit;
        let uniform = uniform_values(circuit, challenges, &[], 2).map_err(Failure::Witness)?;
        Ok(fixed.share(&self.package.fixed, &uniform))
    }

    /// The roots of all blocks, and the tree of block 0, which is proven first.
    fn commit_main_columns(&self) -> Result<(Vec<Blake2sHash>, Tree), Failure> {
        let root = |block| Ok(self.commit_main(block)?.commitment.root());
        let later = (1..self.traces.len()).map(root).collect::<Result<Vec<_>, Failure>>()?;
        let first = self.commit_main(0)?;
        self.progress.leave_blocks();
        Ok(([vec![first.commitment.root()], later].concat(), first))
    }
}

/// The proof of a block in the making.
struct Session<'a> {
    bundle: &'a Bundle<'a>,
    shared: &'a Shared,
    index: usize,
    /// From tree 1 on.
    trees: Vec<Tree>,
    channel: ProverChannel,
    challenges: Vec<SecureField>,
    claimed_sums: Vec<SecureField>,
}

impl<'a> Session<'a> {
    /// `channel` and `challenges` are those after phase 1.
    fn new(
        bundle: &'a Bundle<'a>,
        shared: &'a Shared,
        index: usize,
        main: Tree,
        channel: &ProverChannel,
        challenges: &[SecureField],
    ) -> Self {
        let key = bundle.key;
        let mut session = Session {
            bundle,
            shared,
            index,
            trees: Vec::new(),
            channel: transcript::begin_block(key, channel, index, bundle.search.clone()),
            challenges: challenges.to_vec(),
            claimed_sums: vec![SecureField::zero(); key.circuit.claimed_sums.len()],
        };
        ProverMerkleChannel::mix_root(&mut session.channel, Blake2sHash(key.fixed_root));
        session.commit_tree(main);
        session
    }

    fn commit_tree(&mut self, tree: Tree) {
        ProverMerkleChannel::mix_root(&mut self.channel, tree.commitment.root());
        self.trees.push(tree);
    }

    /// The block and its sums, which `strategy` compares with those of the block before.
    fn prove(
        mut self,
        before: Option<&[SecureField]>,
        strategy: &mut dyn Strategy,
    ) -> Result<(proto::Block, Vec<SecureField>), Failure> {
        let Bundle { key, statement, traces, progress, .. } = *self.bundle;
        progress.enter_block(self.index, traces.len());
        self.commit_challenge_phases(before, strategy)?;
        let step = Step {
            circuit: &key.circuit,
            statement,
            block: self.index,
            challenges: &self.challenges,
            before,
        };
        let Published { fingerprints, sums } = strategy.publish(&step, &mut self.claimed_sums)?;
        transcript::absorb_claimed_sums(&mut self.channel, &self.claimed_sums, &fingerprints);
        strategy.check(&step, &sums).map_err(Failure::Witness)?;
        let claimed_sums = encode_elements(&self.claimed_sums);
        let commitment = codec::encode(&self.finish(&strategy.proven(&key.circuit))?);
        Ok((proto::Block { claimed_sums, fingerprints: encode_elements(&fingerprints), commitment }, sums))
    }

    fn commit_challenge_phases(
        &mut self,
        before: Option<&[SecureField]>,
        strategy: &mut dyn Strategy,
    ) -> Result<(), Failure> {
        let Bundle { package, traces, key, statement, progress, .. } = *self.bundle;
        let circuit = &key.circuit;
        let mut columns =
            Columns::new(circuit, &package.fixed, &traces[self.index], self.shared.known_rows());
        for (phase, fill, stage) in [(2, "fill_fold", "commit_fold"), (3, "fill_lookup", "commit_lookup")] {
            progress.begin(fill);
            if phase == 3 {
                transcript::draw_challenges(&mut self.channel, circuit, 2, &mut self.challenges);
            }
            if key.layout.tree_of_phase[phase].is_none() {
                continue;
            }
            let uniform = uniform_values(circuit, &self.challenges, &self.claimed_sums, phase)
                .map_err(Failure::Witness)?;
            columns.fill(phase, &uniform, &mut self.claimed_sums).map_err(Failure::Witness)?;
            let step = Step { circuit, statement, block: self.index, challenges: &self.challenges, before };
            strategy.filled(&step, phase, &mut columns, &mut self.claimed_sums)?;
            progress.begin(stage);
            self.commit_tree(commit(
                evaluations(key, &columns, phase),
                true,
                key.config(),
                self.bundle.twiddles,
            ));
        }
        Ok(())
    }

    /// Proves the constraints of `circuit`, which has the key's columns.
    fn finish(mut self, circuit: &Circuit) -> Result<Commitment, Failure> {
        let Bundle { key, progress, twiddles, fixed, .. } = *self.bundle;
        let uniform =
            uniform_values(circuit, &self.challenges, &self.claimed_sums, 4).map_err(Failure::Witness)?;
        let (known, extended) = (self.shared.known_extended(), self.shared.extended());
        let tables: Vec<TableProver> = (0..circuit.tables.len())
            .map(|table| TableProver {
                air: TableAir { circuit, layout: &key.layout, table, uniform: &uniform },
                fixed: matches!(fixed, FixedTree::Kept(_)).then_some(extended),
                known: &known,
            })
            .collect();
        let components: Vec<&dyn ComponentProver<SimdBackend>> =
            tables.iter().map(|table| table as &dyn ComponentProver<SimdBackend>).collect();
        let stark = match fixed {
            FixedTree::Kept(fixed) => {
                let trees = std::mem::take(&mut self.trees);
                Committed { key, fixed, trees, twiddles, progress }.prove(&components, &mut self.channel)
            }
            FixedTree::Committed(fixed) => {
                let mut scheme = Scheme::new(key.config(), twiddles);
                // A value out of domain is a sum over the coefficients; from evaluations it takes weights of its own, per
                // height and point, which cost ten times as much.
                scheme.set_store_polynomials_coefficients();
                scheme.trees.push(MaybeOwned::Borrowed(fixed));
                scheme.trees.extend(self.trees.drain(..).map(MaybeOwned::Owned));
                let channel = &mut self.channel;
                with_stages(progress, || {
                    stwo::prover::prove::<SimdBackend, ProverMerkleChannel>(&components, channel, scheme)
                })
                .map_err(|_| unsatisfied())
            }
        };
        progress.end();
        Ok(Commitment { nonces: self.channel.used_nonces(), stark: stark? })
    }
}

pub(super) fn unsatisfied() -> Failure {
    Failure::Witness(Error::new(
        "the witness does not satisfy the constraints; `lindero check` names the first row that fails",
    ))
}

/// The columns of a challenge phase in the order of their tree.
fn evaluations(key: &Key, columns: &Columns, phase: usize) -> Vec<Evaluation> {
    use rayon::prelude::*;
    let mut planes = Vec::new();
    for (index, table) in key.circuit.tables.iter().enumerate() {
        for column in table.columns_of_phase(phase) {
            planes.extend(columns.planes(index, column).iter().map(|plane| (table.log_height, plane)));
        }
    }
    planes
        .par_iter()
        .map(|(log_height, plane)| load::canonical_column(*log_height, bytemuck::cast_slice(plane)))
        .collect()
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
