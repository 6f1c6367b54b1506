//! Stwo alone, as the yardstick of what this prover adds.
//!
//! Commits columns of random cells, as many and as high as a member's circuit has, in the same trees and with
//! the same parameters; opens each at one point and proves that zero is zero. What is missing is what
//! a circuit brings along: files, challenge-phase columns, constraints, neighbouring rows.

use std::sync::Arc;

use lindero_package::Error;
use lindero_stwo_verifier::Member;
use num_traits::Zero;
use rayon::prelude::*;
use stwo::core::air::accumulation::PointEvaluationAccumulator;
use stwo::core::air::Component;
use stwo::core::channel::Blake2sChannel;
use stwo::core::circle::CirclePoint;
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::TreeVec;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::utils::MaybeOwned;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleChannel;
use stwo::core::ColumnVec;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::{CommitmentSchemeProver, ComponentProver, DomainEvaluationAccumulator, Trace};

use super::load::Evaluation;
use super::prove::{commit, twiddles};
use super::stages::with_stages;
use crate::progress::Progress;

/// Names of the stages, by tree; the same as those of a proof where a circuit has columns in every phase.
const COMMIT: [&str; 4] = ["commit_fixed", "commit_main", "commit_fold", "commit_lookup"];

/// Proves and discards; the times are in `progress`, drawing the cells apart as `draw`.
pub fn prove_bare(member: &Member, progress: &Arc<Progress>) -> Result<(), Error> {
    let (heights, config) = (Height::all(&member.layout.log_heights), member.config());
    progress.begin("twiddles");
    let twiddles = twiddles(member.layout.max_log_height, &member.parameters);
    let mut scheme = CommitmentSchemeProver::<SimdBackend, Blake2sMerkleChannel>::new(config, &twiddles);
    scheme.set_store_polynomials_coefficients(); // as `prove` does
    let mut channel = Blake2sChannel::default();
    config.mix_into(&mut channel);
    for (tree, stage) in COMMIT.iter().enumerate().take(member.layout.trees()) {
        progress.begin("draw");
        let columns: Vec<u32> =
            heights.iter().flat_map(|height| vec![height.log_height; height.columns[tree]]).collect();
        let columns = columns
            .par_iter()
            .enumerate()
            .map(|(index, &log_height)| random_column(log_height, (tree << 32 | index) as u64))
            .collect();
        progress.begin(stage);
        let tree = commit(columns, true, config, scheme.twiddles);
        scheme.commit_tree(MaybeOwned::Owned(tree), &mut channel);
    }
    let components: Vec<&dyn ComponentProver<SimdBackend>> =
        heights.iter().map(|height| height as &dyn ComponentProver<SimdBackend>).collect();
    let proof = with_stages(progress, || stwo::prover::prove(&components, &mut channel, scheme));
    progress.end();
    proof.map(|_| ()).map_err(|error| Error::new(format!("zero is not zero: {error}")))
}

/// All columns of one height, as one component.
struct Height {
    log_height: u32,
    /// Per tree, how many.
    columns: Vec<usize>,
    /// How many of lesser height come before them in tree 0.
    first_fixed: usize,
}

impl Height {
    fn all(trees: &[Vec<u32>]) -> Vec<Height> {
        let of_tree_0 = |test: &dyn Fn(u32) -> bool| trees[0].iter().filter(|&&h| test(h)).count();
        let mut log_heights = trees.concat();
        log_heights.sort_unstable();
        log_heights.dedup();
        log_heights
            .into_iter()
            .map(|log_height| Height {
                log_height,
                columns: trees
                    .iter()
                    .map(|tree| tree.iter().filter(|&&height| height == log_height).count())
                    .collect(),
                first_fixed: of_tree_0(&|height| height < log_height),
            })
            .collect()
    }
}

impl Component for Height {
    fn n_constraints(&self) -> usize {
        1
    }

    fn max_constraint_log_degree_bound(&self) -> u32 {
        self.log_height + 1
    }

    fn trace_log_degree_bounds(&self) -> TreeVec<ColumnVec<u32>> {
        TreeVec::new(self.columns.iter().map(|&count| vec![self.log_height; count]).collect())
    }

    fn mask_points(
        &self,
        point: CirclePoint<SecureField>,
        _max_log_degree_bound: u32,
    ) -> TreeVec<ColumnVec<Vec<CirclePoint<SecureField>>>> {
        TreeVec::new(self.columns.iter().map(|&count| vec![vec![point]; count]).collect())
    }

    fn preprocessed_column_indices(&self) -> ColumnVec<usize> {
        (self.first_fixed..self.first_fixed + self.columns[0]).collect()
    }

    fn evaluate_constraint_quotients_at_point(
        &self,
        _point: CirclePoint<SecureField>,
        _mask: &TreeVec<ColumnVec<Vec<SecureField>>>,
        evaluation_accumulator: &mut PointEvaluationAccumulator,
        _max_log_degree_bound: u32,
    ) {
        evaluation_accumulator.accumulate(SecureField::zero());
    }
}

impl ComponentProver<SimdBackend> for Height {
    fn evaluate_constraint_quotients_on_domain(
        &self,
        _trace: &Trace<'_, SimdBackend>,
        evaluation_accumulator: &mut DomainEvaluationAccumulator<SimdBackend>,
    ) {
        // Asking for the column is what makes Stwo interpolate and commit a composition polynomial of this size.
        let [_] = evaluation_accumulator.columns([(self.log_height + 1, 1)]);
    }
}

fn random_column(log_height: u32, seed: u64) -> Evaluation {
    // SplitMix64.
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        BaseField::from_u32_unchecked((z >> 33) as u32 % P)
    };
    let values = (0..1usize << log_height).map(|_| draw()).collect();
    Evaluation::new(CanonicCoset::new(log_height).circle_domain(), values)
}
