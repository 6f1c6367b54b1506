//! Setup, and the prover's side of the protocol of [`lindero_stwo_verifier::transcript`].

use std::sync::Arc;

use lindero_package::{digest, encode, proto, Circuit, ColumnFile, Error, Package, Statement};
use lindero_stwo_verifier::codec::{encode_elements, Commitment};
use lindero_stwo_verifier::security::BundleSizes;
use lindero_stwo_verifier::{
    codec, transcript, uniform_values, Key, KeyParts, Layout, Member, Parameters, TableAir, Target,
    PROOF_FORMAT,
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
        let config = parameters.config(layout.max_log_height);
        let tree: Tree =
            commit(load::fixed_columns(circuit, layout, &files.fixed)?, false, config, &twiddles);
        let root = tree.commitment.root().0;
        progress.begin("write_fixed");
        all_kept.push(write(&files.folder, &Shape::new(circuit, layout, &parameters, root), &tree, keep));
        fixed_roots.push(root);
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
/// at a time: the others are dropped, all but their roots, and made again when the block is proven. The fixed columns of each
/// member are committed once.
pub fn prove(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    prove_with(&mut |_| Ok(TreeZero::Kept(None)), package, traces, key, statement, progress)
}

/// What a proof has of tree 0 of a member, by its index.
pub type TreesZero<'a> = &'a mut dyn FnMut(usize) -> Result<TreeZero, Error>;

/// The same proof, byte by byte, whatever there is of tree 0. With files nobody compares the columns of the package with the
/// key's, but for whoever verifies the proof.
pub fn prove_with(
    trees_zero: TreesZero,
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    progress: &Arc<Progress>,
) -> Result<Vec<u8>, Failure> {
    prove_bundle(package, traces, key, statement, progress, &mut Honest, HONEST, trees_zero)
}

/// Fails if the fixed columns of the package are not those that the key was made from.
pub fn check_fixed(package: &Package, key: &Key, progress: &Progress) -> Result<(), Failure> {
    for (member, files) in key.members.iter().zip(&package.files) {
        let twiddles = twiddles(member.layout.max_log_height, &key.parameters);
        commit_fixed(member, &files.fixed, &twiddles, false, progress)?;
    }
    Ok(())
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
    let mut computed = |_| Ok(TreeZero::Kept(None));
    prove_bundle(package, traces, key, statement, progress, &mut Unchecked, HONEST, &mut computed)
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
    let mut computed = |_| Ok(TreeZero::Kept(None));
    prove_bundle(package, traces, key, statement, progress, &mut Honest, grind, &mut computed)
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
    trees_zero: TreesZero,
) -> Result<Vec<u8>, Failure> {
    check_inputs(package, traces, key, statement)?;
    progress.begin("twiddles");
    let tallest = key.members.iter().map(|member| member.layout.max_log_height).max().unwrap_or(0);
    let twiddles = twiddles(tallest, &key.parameters);
    let fixed = |(index, member): (usize, _)| {
        let file = &package.files[index].fixed;
        FixedTree::new(trees_zero(index)?, member, file, &twiddles, progress)
    };
    let fixed = key.members.iter().enumerate().map(fixed).collect::<Result<Vec<_>, Failure>>()?;
    let search = Search::new(grind, progress);
    let bundle =
        Bundle { package, traces, key, statement, progress, search, twiddles: &twiddles, fixed: &fixed };
    let (roots, first) = bundle.commit_main_columns()?;
    let mut channel = transcript::begin(key, statement.digest(), &roots, bundle.search.clone());
    progress.begin("draw_challenges");
    let drawn = transcript::draw_shared(&mut channel, key);
    let blocks = bundle.prove_blocks(first, &channel, &drawn, strategy)?;
    progress.leave_blocks();
    Ok(encode(&proto::Proof {
        format: PROOF_FORMAT,
        key_digest: key.digest.to_vec(),
        claim: statement.claim().to_vec(),
        blocks,
        nonce: codec::encode_nonces(&channel.used_nonces()),
    }))
}

fn check_inputs(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
) -> Result<(), Failure> {
    let digests = package.bundle.members.iter().map(|member| digest(&package.circuits[member.circuit_index]));
    if !digests.eq(key.members.iter().map(|member| member.circuit_digest)) {
        return Err(Failure::Input(Error::new("the key is of another circuit than the package")));
    }
    let blocks = statement.steps() * key.members.len();
    if traces.len() != blocks {
        return Err(Failure::Input(Error::new(format!(
            "there are {} traces, and must be {blocks}: one per step and member",
            traces.len()
        ))));
    }
    Ok(())
}

fn commit_fixed(
    member: &Member,
    file: &ColumnFile,
    twiddles: &TwiddleTree<SimdBackend>,
    coefficients: bool,
    progress: &Progress,
) -> Result<Tree, Failure> {
    progress.begin("load_fixed");
    let columns = load::fixed_columns(&member.circuit, &member.layout, file)?;
    progress.begin("commit_fixed");
    let tree: Tree = commit(columns, coefficients, member.config(), twiddles);
    if tree.commitment.root().0 != member.fixed_root {
        return Err(Failure::Input(Error::new("fixed.bin is not the one that the key was made from")));
    }
    Ok(tree)
}

enum FixedTree<'a> {
    Committed(Tree),
    Kept(Fixed<'a>),
}

impl<'a> FixedTree<'a> {
    fn new(
        tree_zero: TreeZero,
        member: &'a Member,
        file: &'a ColumnFile,
        twiddles: &'a TwiddleTree<SimdBackend>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let commit = |coefficients| commit_fixed(member, file, twiddles, coefficients, progress);
        Ok(match tree_zero {
            TreeZero::Committed => FixedTree::Committed(commit(true)?),
            TreeZero::Kept(Some(files)) => FixedTree::Kept(Fixed::new(member, file, files, twiddles)),
            TreeZero::Kept(None) => {
                let mut tree = commit(false)?;
                let bytes: usize = tree.polynomials.iter().map(|poly| 4 * poly.evals.values.length).sum();
                if bytes > MOST_EXTENDED_BYTES {
                    tree.polynomials.clear();
                }
                FixedTree::Kept(Fixed::new(member, file, tree, twiddles))
            }
        })
    }
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
    /// Per member.
    fixed: &'a [FixedTree<'a>],
}

impl Bundle<'_> {
    fn member(&self, block: usize) -> usize {
        block % self.key.members.len()
    }

    fn commit_main(&self, block: usize) -> Result<Tree, Failure> {
        self.progress.enter_block(block, self.traces.len());
        self.progress.begin("load_main");
        let member = &self.key.members[self.member(block)];
        let columns = load::main_columns(&member.circuit, &self.traces[block])?;
        self.progress.begin("commit_main");
        Ok(commit(columns, true, member.config(), self.twiddles))
    }

    /// What depends on the fixed columns of a member and on the challenges of phase 1 alone.
    fn share(&self, member: usize, challenges: &[SecureField]) -> Result<Shared, Failure> {
        let FixedTree::Kept(fixed) = &self.fixed[member] else { return Ok(Shared::default()) };
        self.progress.begin("share_fixed");
        let circuit = &self.key.members[member].circuit;
        let uniform = uniform_values(circuit, challenges, &[], 2).map_err(Failure::Witness)?;
        Ok(fixed.share(&self.package.files[member].fixed, &uniform))
    }

    /// The roots of all blocks, and the tree of block 0, which is proven first.
    fn commit_main_columns(&self) -> Result<(Vec<Blake2sHash>, Tree), Failure> {
        let root = |block| Ok(self.commit_main(block)?.commitment.root());
        let later = (1..self.traces.len()).map(root).collect::<Result<Vec<_>, Failure>>()?;
        let first = self.commit_main(0)?;
        self.progress.leave_blocks();
        Ok(([vec![first.commitment.root()], later].concat(), first))
    }

    /// `drawn` are the challenges that all blocks share. What a member shares over the steps is made once where there is one
    /// member, and again for each block where there are several: only one is in memory.
    fn prove_blocks(
        &self,
        first: Tree,
        channel: &ProverChannel,
        drawn: &[SecureField],
        strategy: &mut dyn Strategy,
    ) -> Result<Vec<proto::Block>, Failure> {
        let members = self.key.members.len();
        let (mut first, mut shared) = (Some(first), None);
        let (mut before, mut sums, mut blocks) = (None, Vec::new(), Vec::new());
        for index in 0..self.traces.len() {
            let member = self.member(index);
            let challenges = transcript::challenges_of(&self.key.members[member], drawn);
            let shared = match &mut shared {
                Some(shared) if members == 1 => shared,
                other => other.insert(self.share(member, &challenges)?),
            };
            let main = first.take().map_or_else(|| self.commit_main(index), Ok)?;
            let session = Session::new(self, shared, index, main, channel, challenges);
            let (block, own) = session.prove(before.as_deref(), &sums, strategy)?;
            blocks.push(block);
            sums.push(own);
            if sums.len() == members {
                before = Some(std::mem::take(&mut sums));
            }
        }
        Ok(blocks)
    }
}

/// The proof of a block in the making.
struct Session<'a> {
    bundle: &'a Bundle<'a>,
    shared: &'a Shared,
    index: usize,
    member_index: usize,
    member: &'a Member,
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
        challenges: Vec<SecureField>,
    ) -> Self {
        let member_index = bundle.member(index);
        let member = &bundle.key.members[member_index];
        let mut session = Session {
            bundle,
            shared,
            index,
            member_index,
            member,
            trees: Vec::new(),
            channel: transcript::begin_block(member, channel, index, bundle.search.clone()),
            challenges,
            claimed_sums: vec![SecureField::zero(); member.circuit.claimed_sums.len()],
        };
        ProverMerkleChannel::mix_root(&mut session.channel, Blake2sHash(member.fixed_root));
        session.commit_tree(main);
        session
    }

    fn commit_tree(&mut self, tree: Tree) {
        ProverMerkleChannel::mix_root(&mut self.channel, tree.commitment.root());
        self.trees.push(tree);
    }

    /// The block and its sums, which `strategy` compares with those of the step before and of earlier members.
    fn prove(
        mut self,
        before: Option<&[Vec<SecureField>]>,
        earlier: &[Vec<SecureField>],
        strategy: &mut dyn Strategy,
    ) -> Result<(proto::Block, Vec<SecureField>), Failure> {
        let Bundle { traces, progress, .. } = *self.bundle;
        progress.enter_block(self.index, traces.len());
        self.commit_challenge_phases(before, earlier, strategy)?;
        let mut claimed_sums = std::mem::take(&mut self.claimed_sums);
        let step = self.step(before, earlier);
        let Published { fingerprints, sums } = strategy.publish(&step, &mut claimed_sums)?;
        strategy.check(&step, &sums).map_err(Failure::Witness)?;
        self.claimed_sums = claimed_sums;
        transcript::absorb_claimed_sums(&mut self.channel, &self.claimed_sums, &fingerprints);
        let claimed_sums = encode_elements(&self.claimed_sums);
        let circuit = &self.member.circuit;
        let commitment = codec::encode(&self.finish(&strategy.proven(circuit))?);
        Ok((proto::Block { claimed_sums, fingerprints: encode_elements(&fingerprints), commitment }, sums))
    }

    fn step<'s>(
        &'s self,
        before: Option<&'s [Vec<SecureField>]>,
        earlier: &'s [Vec<SecureField>],
    ) -> Step<'s> {
        let Bundle { key, statement, traces, .. } = *self.bundle;
        let step = self.index / key.members.len();
        Step {
            bundle: &key.bundle,
            circuit: &self.member.circuit,
            stated: statement.at(&key.bundle, self.member_index, step),
            block: self.index,
            blocks: traces.len(),
            challenges: &self.challenges,
            before,
            earlier,
        }
    }

    fn commit_challenge_phases(
        &mut self,
        before: Option<&[Vec<SecureField>]>,
        earlier: &[Vec<SecureField>],
        strategy: &mut dyn Strategy,
    ) -> Result<(), Failure> {
        let Bundle { package, traces, progress, .. } = *self.bundle;
        let (member, circuit) = (self.member, &*self.member.circuit);
        let fixed = &package.files[self.member_index].fixed;
        let mut columns = Columns::new(circuit, fixed, &traces[self.index], self.shared.known_rows());
        for (phase, fill, stage) in [(2, "fill_fold", "commit_fold"), (3, "fill_lookup", "commit_lookup")] {
            progress.begin(fill);
            if phase == 3 {
                transcript::draw_late(&mut self.channel, circuit, &mut self.challenges);
            }
            if member.layout.tree_of_phase[phase].is_none() {
                continue;
            }
            let uniform = uniform_values(circuit, &self.challenges, &self.claimed_sums, phase)
                .map_err(Failure::Witness)?;
            let mut claimed_sums = std::mem::take(&mut self.claimed_sums);
            columns.fill(phase, &uniform, &mut claimed_sums).map_err(Failure::Witness)?;
            strategy.filled(&self.step(before, earlier), phase, &mut columns, &mut claimed_sums)?;
            self.claimed_sums = claimed_sums;
            progress.begin(stage);
            self.commit_tree(commit(
                evaluations(circuit, &columns, phase),
                true,
                member.config(),
                self.bundle.twiddles,
            ));
        }
        Ok(())
    }

    /// Proves the constraints of `circuit`, which has the member's columns.
    fn finish(mut self, circuit: &Circuit) -> Result<Commitment, Failure> {
        let Bundle { progress, twiddles, fixed, .. } = *self.bundle;
        let (member, fixed) = (self.member, &fixed[self.member_index]);
        let uniform =
            uniform_values(circuit, &self.challenges, &self.claimed_sums, 4).map_err(Failure::Witness)?;
        let (known, extended) = (self.shared.known_extended(), self.shared.extended());
        let tables: Vec<TableProver> = (0..circuit.tables.len())
            .map(|table| TableProver {
                air: TableAir { circuit, layout: &member.layout, table, uniform: &uniform },
                fixed: matches!(fixed, FixedTree::Kept(_)).then_some(extended),
                known: &known,
            })
            .collect();
        let components: Vec<&dyn ComponentProver<SimdBackend>> =
            tables.iter().map(|table| table as &dyn ComponentProver<SimdBackend>).collect();
        let stark = match fixed {
            FixedTree::Kept(fixed) => {
                let trees = std::mem::take(&mut self.trees);
                Committed { member, fixed, trees, twiddles, progress }.prove(&components, &mut self.channel)
            }
            FixedTree::Committed(fixed) => {
                let mut scheme = Scheme::new(member.config(), twiddles);
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
fn evaluations(circuit: &Circuit, columns: &Columns, phase: usize) -> Vec<Evaluation> {
    use rayon::prelude::*;
    let mut planes = Vec::new();
    for (index, table) in circuit.tables.iter().enumerate() {
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
