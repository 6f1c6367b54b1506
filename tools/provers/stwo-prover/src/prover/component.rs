//! The constraints of a table on the evaluation domain.

use lindero_package::Node;
use lindero_stwo_verifier::{FixedColumn, TableAir};
use rayon::prelude::*;
use stwo::core::air::accumulation::PointEvaluationAccumulator;
use stwo::core::air::Component;
use stwo::core::circle::CirclePoint;
use stwo::core::constraints::coset_vanishing;
use stwo::core::fields::m31::BaseField;
use stwo::core::fields::qm31::SecureField;
use stwo::core::pcs::TreeVec;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::utils::bit_reverse;
use stwo::core::ColumnVec;
use stwo::prover::backend::simd::m31::{PackedM31, LOG_N_LANES};
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::{ComponentProver, DomainEvaluationAccumulator, EvaluationMode, Trace};

use super::field::{broadcast, Extension};
use super::interpreter::{run, Registers};
use super::neighbours::Domain;
use super::program::{Binding, Program, BLOCK};

/// [`TableAir`] with the prover's half.
pub struct TableProver<'a>(pub TableAir<'a>);

impl Component for TableProver<'_> {
    fn n_constraints(&self) -> usize {
        self.0.n_constraints()
    }

    fn max_constraint_log_degree_bound(&self) -> u32 {
        self.0.max_constraint_log_degree_bound()
    }

    fn trace_log_degree_bounds(&self) -> TreeVec<ColumnVec<u32>> {
        self.0.trace_log_degree_bounds()
    }

    fn mask_points(
        &self,
        point: CirclePoint<SecureField>,
        max_log_degree_bound: u32,
    ) -> TreeVec<ColumnVec<Vec<CirclePoint<SecureField>>>> {
        self.0.mask_points(point, max_log_degree_bound)
    }

    fn preprocessed_column_indices(&self) -> ColumnVec<usize> {
        self.0.preprocessed_column_indices()
    }

    fn evaluate_constraint_quotients_at_point(
        &self,
        point: CirclePoint<SecureField>,
        mask: &TreeVec<ColumnVec<Vec<SecureField>>>,
        evaluation_accumulator: &mut PointEvaluationAccumulator,
        max_log_degree_bound: u32,
    ) {
        self.0.evaluate_constraint_quotients_at_point(
            point,
            mask,
            evaluation_accumulator,
            max_log_degree_bound,
        );
    }
}

impl<'a> TableProver<'a> {
    /// Where a column's evaluations are in the trees.
    fn bind<'t>(&self, trace: &'t Trace<'_, SimdBackend>, node: Node) -> Binding<'t> {
        let TableAir { circuit, layout, .. } = self.0;
        let evaluations = |tree: usize, index: usize| trace.polys[tree][index].evals.values.data.as_slice();
        let log_height = self.0.log_height();
        let fixed = |column| Binding {
            columns: [evaluations(0, layout.fixed_position(column)), &[], &[], &[]],
            offset: 0,
        };
        match node {
            Node::IsFirst => fixed(FixedColumn::IsFirst { log_height }),
            Node::IsLast => fixed(FixedColumn::IsLast { log_height }),
            Node::Column { table, column, offset } => {
                let phase = circuit.tables[table].columns[column].phase;
                if phase == 0 {
                    return fixed(FixedColumn::Table { table, column, offset });
                }
                let (tree, first) = layout.position(circuit, table, column);
                let columns = std::array::from_fn(|i| {
                    if phase >= 2 || i == 0 {
                        evaluations(tree, first + i)
                    } else {
                        &[]
                    }
                });
                Binding { columns, offset }
            }
            _ => unreachable!("only columns and selectors are bound"),
        }
    }

    /// Per half of the domain, in its order, the inverse of the polynomial that vanishes on the table's rows.
    fn vanishing_inverses(&self, log_expansion: u32) -> Vec<BaseField> {
        let log_height = self.0.log_height();
        let committed = CanonicCoset::new(log_height + 1 + log_expansion).circle_domain();
        let domain = committed.split(log_expansion).0;
        let rows = CanonicCoset::new(log_height).coset();
        let mut inverses: Vec<_> = (0..2).map(|i| coset_vanishing(rows, domain.at(i)).inverse()).collect();
        bit_reverse(&mut inverses);
        inverses
    }
}

impl ComponentProver<SimdBackend> for TableProver<'_> {
    fn evaluate_constraint_quotients_on_domain(
        &self,
        trace: &Trace<'_, SimdBackend>,
        evaluation_accumulator: &mut DomainEvaluationAccumulator<SimdBackend>,
    ) {
        let TableAir { circuit, table, uniform, .. } = self.0;
        let log_height = self.0.log_height();
        let EvaluationMode::SubDomain { log_expansion } = evaluation_accumulator.evaluation_mode() else {
            unreachable!("all tables have the same expansion, which the blowup covers");
        };
        let constraints = &circuit.tables[table].constraints;
        // The first constraint takes the last power. Called without constraints too: Stwo wants a column of
        // the largest size.
        let [accumulator] = evaluation_accumulator.columns([(log_height + 1, constraints.len())]);
        let coefficients: Vec<Extension> =
            accumulator.random_coeff_powers.iter().rev().map(|&power| broadcast(power)).collect();
        let roots: Vec<u32> = constraints.iter().map(|constraint| constraint.node).collect();
        let program = Program::new(circuit, &roots, uniform, |node| self.bind(trace, node));
        let inverses: Vec<PackedM31> =
            self.vanishing_inverses(log_expansion).into_iter().map(PackedM31::broadcast).collect();

        let half = 1usize << (log_height - LOG_N_LANES);
        let block = BLOCK.min(half);
        let neighbours = Domain { log_height, log_block: block.ilog2() + LOG_N_LANES };
        let scratch = || {
            let sum: [Vec<PackedM31>; 4] =
                std::array::from_fn(|_| vec![PackedM31::broadcast(0u32.into()); block]);
            (Registers::new(&program, block), sum)
        };
        let [a, b, c, d] = &mut accumulator.col.columns;
        let blocks = (a.data.par_chunks_mut(block), b.data.par_chunks_mut(block))
            .into_par_iter()
            .zip((c.data.par_chunks_mut(block), d.data.par_chunks_mut(block)));
        blocks.enumerate().for_each_init(scratch, |(registers, sum), (index, ((a, b), (c, d)))| {
            let first = index * block;
            sum.iter_mut().for_each(|column| column.fill(PackedM31::broadcast(0u32.into())));
            run(&program, &neighbours, first, registers, |root, values| {
                values.accumulate(coefficients[root], sum)
            });
            let inverse = inverses[first / half];
            for (out, sum) in [a, b, c, d].into_iter().zip(sum.iter()) {
                out.iter_mut().zip(sum).for_each(|(out, &sum)| *out += sum * inverse);
            }
        });
    }
}
