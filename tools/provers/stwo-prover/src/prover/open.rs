//! Stwo's protocol from the constraints on, with tree 0 as [`Fixed`] has it: the bytes are those of `stwo::prover::prove`, which
//! wants the extended columns of all trees.

use std::collections::BTreeMap;

use lindero_stwo_verifier::codec::Stark;
use lindero_stwo_verifier::Member;
use rayon::prelude::*;
use stwo::core::channel::{Channel, MerkleChannel};
use stwo::core::circle::CirclePoint;
use stwo::core::constraints::complex_conjugate_line_coeffs;
use stwo::core::fields::m31::BaseField;
use stwo::core::fields::qm31::{SecureField, SECURE_EXTENSION_DEGREE};
use stwo::core::pcs::quotients::{
    build_samples_with_randomness_and_periodicity, ColumnSampleBatch, CommitmentSchemeProof, PointSample,
};
use stwo::core::pcs::TreeVec;
use stwo::core::proof::StarkProof;
use stwo::core::proof_of_work::GrindOps;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::fri::FriProver;
use stwo::prover::mempool::BaseColumnPool;
use stwo::prover::pcs::quotient_ops::AccumulatedNumerators;
use stwo::prover::poly::circle::SecureEvaluation;
use stwo::prover::poly::twiddles::TwiddleTree;
use stwo::prover::poly::BitReversedOrder;
use stwo::prover::{AccumulationOps, ComponentProver, ComponentProvers, Poly, QuotientOps, Trace};

use super::fixed::Fixed;
use super::grind::{ProverChannel, ProverMerkleChannel};
use super::load::Evaluation;
use super::prove::{unsatisfied, Tree};
use super::Failure;
use crate::progress::Progress;

type Samples = TreeVec<Vec<Vec<PointSample>>>;
type Drawn = TreeVec<Vec<Vec<(PointSample, SecureField)>>>;
type Point = CirclePoint<SecureField>;

/// A block whose columns are committed.
pub struct Committed<'a> {
    pub member: &'a Member,
    pub fixed: &'a Fixed<'a>,
    /// From tree 1 on; coefficients are stored.
    pub trees: Vec<Tree>,
    pub twiddles: &'a TwiddleTree<SimdBackend>,
    pub progress: &'a Progress,
}

impl Committed<'_> {
    /// Proves the constraints of the tables.
    pub fn prove(
        mut self,
        tables: &[&dyn ComponentProver<SimdBackend>],
        channel: &mut ProverChannel,
    ) -> Result<Stark, Failure> {
        let fixed_columns = self.member.layout.fixed.len();
        let provers = ComponentProvers { components: tables.to_vec(), n_preprocessed_columns: fixed_columns };
        let coefficient = self.compose(&provers, channel);
        self.progress.begin("out_of_domain");
        let point = CirclePoint::get_random_point(channel);
        let samples = self.sample(&provers, point);
        let sampled_values =
            samples.as_cols_ref().map_cols(|samples| samples.iter().map(|s| s.value).collect());
        self.check_composition(&provers, coefficient, point, &sampled_values)?;
        channel.mix_felts(&sampled_values.clone().flatten_cols());
        self.progress.begin("quotients");
        let quotients = self.quotients(point, &samples, channel.draw_secure_felt());
        self.open(sampled_values, &quotients, channel)
    }

    fn log_blowup(&self) -> u32 {
        self.member.parameters.log_blowup
    }

    fn log_lifted(&self) -> u32 {
        self.member.layout.max_log_height + self.log_blowup()
    }

    /// Commits the composition polynomial, and returns the coefficient that combines the constraints.
    fn compose(
        &mut self,
        provers: &ComponentProvers<SimdBackend>,
        channel: &mut ProverChannel,
    ) -> SecureField {
        self.progress.begin("composition");
        let coefficient = channel.draw_secure_felt();
        let others = self.trees.iter().map(|tree| tree.polynomials.iter().collect());
        let trace = Trace { polys: TreeVec::new([Vec::new()].into_iter().chain(others).collect()) };
        let composition =
            provers.compute_composition_polynomial(coefficient, &trace, self.twiddles, self.log_blowup());
        let (left, right) = composition.split_at_mid();
        let halves = left.into_coordinate_polys().into_iter().chain(right.into_coordinate_polys()).collect();
        let lifting = self.member.config().lifting_log_size;
        let tree = Tree::new(halves, self.log_blowup(), self.twiddles, true, lifting, &BaseColumnPool::new());
        ProverMerkleChannel::mix_root(channel, tree.commitment.root());
        self.trees.push(tree);
        coefficient
    }

    /// Every column where it is opened out of domain.
    fn sample(&self, provers: &ComponentProvers<SimdBackend>, point: Point) -> Samples {
        let max_log_height = self.member.layout.max_log_height;
        let mut points = provers.components().mask_points(point, max_log_height, false);
        points.push(vec![vec![point]; 2 * SECURE_EXTENSION_DEGREE]);
        let fixed = self.fixed.evaluate(point);
        // A column that no constraint reads is not opened.
        let opened = |(points, &value): (&Vec<Point>, &SecureField)| {
            points.iter().map(|&point| PointSample { point, value }).collect()
        };
        let mut samples = vec![points[0].iter().zip(&fixed).map(opened).collect()];
        let sample = |(polynomial, points): (&Poly<SimdBackend>, &Vec<Point>)| {
            let lift = self.log_lifted() - polynomial.evals.domain.log_size();
            let value = |point: Point| polynomial.eval_at_point(point.repeated_double(lift), None);
            points.iter().map(|&point| PointSample { point, value: value(point) }).collect()
        };
        for (tree, points) in self.trees.iter().zip(&points[1..]) {
            samples.push(tree.polynomials.par_iter().zip(points).map(sample).collect());
        }
        TreeVec::new(samples)
    }

    /// The constraints hold if the composition polynomial is at the point what they are there.
    fn check_composition(
        &self,
        provers: &ComponentProvers<SimdBackend>,
        coefficient: SecureField,
        point: Point,
        sampled_values: &TreeVec<Vec<Vec<SecureField>>>,
    ) -> Result<(), Failure> {
        let max_log_height = self.member.layout.max_log_height;
        let halves = sampled_values.last().expect("the composition polynomial is sampled last");
        let half =
            |first: usize| SecureField::from_partial_evals(std::array::from_fn(|i| halves[first + i][0]));
        let middle = point.repeated_double(max_log_height - 1).x;
        let committed = half(0) + middle * half(SECURE_EXTENSION_DEGREE);
        let components = provers.components();
        let expected = components.eval_composition_polynomial_at_point(
            point,
            sampled_values,
            coefficient,
            max_log_height,
        );
        if committed == expected {
            Ok(())
        } else {
            Err(unsatisfied())
        }
    }

    /// The sum of all quotients by powers of `alpha`.
    fn quotients(
        &self,
        point: Point,
        samples: &Samples,
        alpha: SecureField,
    ) -> SecureEvaluation<SimdBackend, BitReversedOrder> {
        let (log_blowup, log_lifted) = (self.log_blowup(), self.log_lifted());
        let mut log_sizes: Vec<Vec<u32>> =
            vec![self.member.layout.log_heights[0].iter().map(|height| height + log_blowup).collect()];
        let of_tree =
            |tree: &Tree| tree.polynomials.iter().map(|poly| poly.evals.domain.log_size()).collect();
        log_sizes.extend(self.trees.iter().map(of_tree));
        let log_sizes = log_sizes.into_iter().map(Vec::into_iter).collect();
        // The powers run over all trees, tree 0 first.
        let drawn = build_samples_with_randomness_and_periodicity(samples, log_sizes, log_lifted, alpha);
        let accumulated = self.numerators(point, &drawn);
        let mut of_points: BTreeMap<_, Vec<AccumulatedNumerators<SimdBackend>>> = BTreeMap::new();
        for numerators in accumulated {
            let Point { x, y } = numerators.sample_point;
            of_points.entry((x, y)).or_default().push(numerators);
        }
        let lifted = |of_point: Vec<AccumulatedNumerators<SimdBackend>>| {
            let sample_point = of_point[0].sample_point;
            let first_linear_term_acc =
                of_point.iter().map(|numerators| numerators.first_linear_term_acc).sum();
            let columns = of_point.into_iter().map(|numerators| numerators.partial_numerators_acc).collect();
            let partial_numerators_acc =
                SimdBackend::lift_and_accumulate(columns).expect("a point has numerators");
            AccumulatedNumerators { sample_point, first_linear_term_acc, partial_numerators_acc }
        };
        let merged = of_points.into_values().map(lifted).collect();
        SimdBackend::compute_quotients_and_combine(merged, log_lifted, log_blowup, self.twiddles)
    }

    /// Per height, ascending, and point: the numerators of all columns, those of tree 0 among them.
    fn numerators(&self, point: Point, drawn: &Drawn) -> Vec<AccumulatedNumerators<SimdBackend>> {
        let line = |samples: &Vec<(PointSample, SecureField)>| {
            samples.first().map(|(sample, power)| complex_conjugate_line_coeffs(sample, *power))
        };
        let mut fixed = self.fixed.numerators(&drawn[0].iter().map(line).collect::<Vec<_>>());
        type Columns<'c> = (Vec<&'c Evaluation>, Vec<&'c Vec<(PointSample, SecureField)>>);
        let mut by_height: BTreeMap<u32, Columns> =
            fixed.keys().map(|&height| (height, Default::default())).collect();
        for (tree, samples) in self.trees.iter().zip(&drawn[1..]) {
            for (polynomial, samples) in tree.polynomials.iter().zip(samples) {
                let height = polynomial.evals.domain.log_size() - self.log_blowup();
                let (columns, of_columns) = by_height.entry(height).or_default();
                columns.push(&polynomial.evals);
                of_columns.push(samples);
            }
        }
        let mut all = Vec::new();
        for (height, (columns, samples)) in by_height {
            let mut of_height = Vec::new();
            if !columns.is_empty() {
                let batches = ColumnSampleBatch::new_vec(&samples);
                SimdBackend::accumulate_numerators(&columns, &batches, &mut of_height, self.log_blowup());
            }
            if let Some(numerators) = fixed.remove(&height) {
                match of_height.iter_mut().find(|other| other.sample_point == point) {
                    Some(same) => {
                        SimdBackend::accumulate(&mut same.partial_numerators_acc, &numerators.values);
                        same.first_linear_term_acc += numerators.first_linear_term;
                    }
                    None => of_height.push(AccumulatedNumerators {
                        sample_point: point,
                        partial_numerators_acc: numerators.values,
                        first_linear_term_acc: numerators.first_linear_term,
                    }),
                }
            }
            all.extend(of_height);
        }
        all
    }

    /// FRI, and everything at its queries.
    fn open(
        self,
        sampled_values: TreeVec<Vec<Vec<SecureField>>>,
        quotients: &SecureEvaluation<SimdBackend, BitReversedOrder>,
        channel: &mut ProverChannel,
    ) -> Result<Stark, Failure> {
        let config = self.member.config();
        self.progress.begin("fri");
        let fri = FriProver::<SimdBackend, ProverMerkleChannel>::commit(
            channel,
            config.fri_config,
            quotients,
            self.twiddles,
        );
        self.progress.begin("grinding");
        let proof_of_work = SimdBackend::grind(channel, config.pow_bits);
        channel.mix_u64(proof_of_work);
        self.progress.begin("openings");
        let fri = fri.decommit(channel);
        let positions = &fri.query_positions;
        let (values, paths) = self.fixed.open(positions)?;
        let (mut roots, mut queried, mut decommitments) =
            (vec![Blake2sHash(self.member.fixed_root)], vec![values], vec![paths]);
        for tree in &self.trees {
            let columns = tree.polynomials.iter().map(|polynomial| &polynomial.evals.values).collect();
            let (values, paths): (Vec<Vec<BaseField>>, _) = tree.commitment.decommit(positions, columns);
            roots.push(tree.commitment.root());
            queried.push(values);
            decommitments.push(paths.decommitment);
        }
        Ok(StarkProof(CommitmentSchemeProof {
            config,
            commitments: TreeVec::new(roots),
            sampled_values,
            decommitments: TreeVec::new(decommitments),
            queried_values: TreeVec::new(queried),
            proof_of_work,
            fri_proof: fri.fri_proof.proof,
        }))
    }
}
