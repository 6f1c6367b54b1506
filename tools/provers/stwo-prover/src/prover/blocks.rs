//! The blocks of a proof: each is committed and proven by itself, under challenges that all share.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use lindero_package::{proto, Circuit, ColumnFile, Error, Package, Statement};
use lindero_stwo_verifier::codec::{encode_elements, Commitment};
use lindero_stwo_verifier::{codec, transcript, uniform_values, Key, Member, TableAir};
use num_traits::Zero;
use stwo::core::channel::MerkleChannel;
use stwo::core::fields::qm31::SecureField;
use stwo::core::utils::MaybeOwned;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::poly::twiddles::TwiddleTree;
use stwo::prover::{CommitmentSchemeProver, ComponentProver};

use super::component::TableProver;
use super::fill::Columns;
use super::fixed::Shared;
use super::grind::{ProverChannel, ProverMerkleChannel, Search};
use super::load::{self, Evaluation};
use super::open::Committed;
use super::parts::{BlockName, Parts, RootName};
use super::prepared::FixedTree;
use super::prove::{commit, unsatisfied, Tree};
use super::stages::with_stages;
use super::strategy::{Published, Step, Strategy};
use super::Failure;
use crate::progress::Progress;

type Scheme<'a> = CommitmentSchemeProver<'a, SimdBackend, ProverMerkleChannel>;

/// What the blocks have in common.
pub(super) struct Bundle<'a> {
    pub(super) package: &'a Package,
    /// Of all blocks, or of block `first` alone.
    pub(super) traces: &'a [ColumnFile],
    pub(super) first: usize,
    pub(super) blocks: usize,
    pub(super) parts: Option<&'a Parts>,
    pub(super) key: &'a Key,
    pub(super) statement: &'a Statement,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) search: Search,
    pub(super) twiddles: &'a TwiddleTree<SimdBackend>,
    /// By member: of those that are proven.
    pub(super) fixed: &'a BTreeMap<usize, FixedTree<'a>>,
}

impl Bundle<'_> {
    fn member(&self, block: usize) -> usize {
        block % self.key.members.len()
    }

    fn trace(&self, block: usize) -> &ColumnFile {
        &self.traces[block - self.first]
    }

    fn commit_main(&self, block: usize) -> Result<Tree, Failure> {
        self.progress.enter_block(block, self.blocks);
        self.progress.begin("load_main");
        let member = &self.key.members[self.member(block)];
        let columns = load::main_columns(&member.circuit, self.trace(block))?;
        self.progress.begin("commit_main");
        Ok(commit(columns, true, member.config(), self.twiddles))
    }

    /// The root of a block that was committed before, by whoever has the same parts.
    pub(super) fn kept_root(&self, block: usize) -> Option<Blake2sHash> {
        self.parts?.root(&RootName::new(self.key.digest, self.statement.digest(), block))
    }

    /// The root of a block, and its tree if it had to be made.
    pub(super) fn root(&self, block: usize) -> Result<(Blake2sHash, Option<Tree>), Failure> {
        if let Some(root) = self.kept_root(block) {
            return Ok((root, None));
        }
        let tree = self.commit_main(block)?;
        let root = tree.commitment.root();
        if let Some(parts) = self.parts {
            parts.keep_root(&RootName::new(self.key.digest, self.statement.digest(), block), root)?;
        }
        Ok((root, Some(tree)))
    }

    /// What depends on the fixed columns of a member and on the challenges of phase 1 alone.
    fn share(&self, member: usize, challenges: &[SecureField]) -> Result<Shared, Failure> {
        let FixedTree::Kept(fixed) = &self.fixed[&member] else { return Ok(Shared::default()) };
        self.progress.begin("share_fixed");
        let circuit = &self.key.members[member].circuit;
        let uniform = uniform_values(circuit, challenges, &[], 2).map_err(Failure::Witness)?;
        Ok(fixed.share(&self.package.files[member].fixed, &uniform))
    }

    /// The roots of all blocks, and the tree of block 0, which is proven first, unless its root was known.
    pub(super) fn commit_main_columns(&self) -> Result<(Vec<Blake2sHash>, Option<Tree>), Failure> {
        let root = |block| Ok(self.root(block)?.0);
        let later = (1..self.blocks).map(root).collect::<Result<Vec<_>, Failure>>()?;
        let (root, first) = self.root(0)?;
        self.progress.leave_blocks();
        Ok(([vec![root], later].concat(), first))
    }

    /// The blocks of the range. What a member shares over the steps is made once where there is one member, and again for each
    /// block where there are several: only one is in memory. `first` is the tree of the first of them, if it was made already.
    pub(super) fn prove_blocks(
        &self,
        range: Range<usize>,
        mut first: Option<Tree>,
        begun: &Begun,
        strategy: &mut dyn Strategy,
    ) -> Result<Vec<proto::Block>, Failure> {
        let members = self.key.members.len();
        let mut shared = None;
        let (mut before, mut sums, mut blocks) = (None, Vec::new(), Vec::new());
        for index in range {
            let (main, channel) = (first.take(), self.begin(index, begun));
            let name = BlockName::new(&channel);
            let (block, own) = match self.kept_block(index, &name) {
                Some(kept) => kept,
                None => {
                    let member = self.member(index);
                    let drawn = strategy.drawn(index, begun.drawn);
                    let challenges = transcript::challenges_of(&self.key.members[member], &drawn);
                    let shared = match &mut shared {
                        Some(shared) if members == 1 => shared,
                        other => other.insert(self.share(member, &challenges)?),
                    };
                    let main = main.map_or_else(|| self.commit_main(index), Ok)?;
                    if main.commitment.root() != begun.roots[index] {
                        return Err(Failure::Input(Error::new(format!(
                            "the trace of block {index} is not the one that was committed before"
                        ))));
                    }
                    let session = Session::new(self, shared, index, main, channel, challenges);
                    let made = session.prove(before.as_deref(), &sums, strategy)?;
                    if let Some(parts) = self.parts {
                        parts.keep_block(&name, &made.0)?;
                    }
                    made
                }
            };
            blocks.push(block);
            sums.push(own);
            if sums.len() == members {
                before = Some(std::mem::take(&mut sums));
            }
        }
        Ok(blocks)
    }

    /// The channel of a block after its main columns.
    fn begin(&self, index: usize, begun: &Begun) -> ProverChannel {
        let member = &self.key.members[self.member(index)];
        let mut channel = transcript::begin_block(member, begun.channel, index, self.search.clone());
        for root in [Blake2sHash(member.fixed_root), begun.roots[index]] {
            ProverMerkleChannel::mix_root(&mut channel, root);
        }
        channel
    }

    /// A block that was proven before, and the sums of its links: its others were compared then.
    fn kept_block(&self, index: usize, name: &BlockName) -> Option<(proto::Block, Vec<SecureField>)> {
        let block = self.parts?.block(name)?;
        let circuit = &self.key.members[self.member(index)].circuit;
        let values = &block.claimed_sums;
        let values = codec::decode_elements(values, circuit.claimed_sums.len(), "claimed sums").ok()?;
        let mut sums = vec![SecureField::zero(); circuit.sum_groups.len()];
        for (claimed_sum, value) in circuit.claimed_sums.iter().zip(values) {
            sums[claimed_sum.group as usize] += value;
        }
        Some((block, sums))
    }
}

/// Where all blocks go on from: the roots of their main columns, the channel after these, and the challenges that it gave them.
pub(super) struct Begun<'b> {
    pub(super) roots: &'b [Blake2sHash],
    pub(super) channel: &'b ProverChannel,
    pub(super) drawn: &'b [SecureField],
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
    /// `channel` and `challenges` are those after phase 1, whose columns are `main`.
    fn new(
        bundle: &'a Bundle<'a>,
        shared: &'a Shared,
        index: usize,
        main: Tree,
        channel: ProverChannel,
        challenges: Vec<SecureField>,
    ) -> Self {
        let member_index = bundle.member(index);
        let member = &bundle.key.members[member_index];
        Session {
            bundle,
            shared,
            index,
            member_index,
            member,
            trees: vec![main],
            channel,
            challenges,
            claimed_sums: vec![SecureField::zero(); member.circuit.claimed_sums.len()],
        }
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
        let Bundle { blocks, progress, .. } = *self.bundle;
        progress.enter_block(self.index, blocks);
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
        let Bundle { key, statement, blocks, .. } = *self.bundle;
        let step = self.index / key.members.len();
        Step {
            bundle: &key.bundle,
            circuit: &self.member.circuit,
            stated: statement.at(&key.bundle, self.member_index, step),
            block: self.index,
            blocks,
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
        let Bundle { package, progress, .. } = *self.bundle;
        let (member, circuit) = (self.member, &*self.member.circuit);
        let fixed = &package.files[self.member_index].fixed;
        let mut columns =
            Columns::new(circuit, fixed, self.bundle.trace(self.index), self.shared.known_rows());
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
        let (member, fixed) = (self.member, &fixed[&self.member_index]);
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
