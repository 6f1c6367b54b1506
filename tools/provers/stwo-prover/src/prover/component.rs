//! The constraints of a table on the evaluation domain.

use lindero_package::{Circuit, Node};
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

use super::field::{broadcast, Combine, Extension};
use super::interpreter::{run, Registers};
use super::neighbours::Domain;
use super::program::{Binding, Known, Program, BLOCK};

/// [`TableAir`] with the prover's half.
pub struct TableProver<'a> {
    pub air: TableAir<'a>,
    /// The columns of tree 0 on the domain of constraints, those that are read; None if tree 0 is in the trace.
    pub fixed: Option<&'a [Vec<PackedM31>]>,
    /// Nodes whose values on the domain of constraints are there already.
    pub known: &'a Known<'a>,
}

/// The column of tree 0 that a node of a table reads, if it does.
pub fn fixed_column(circuit: &Circuit, table: usize, node: Node) -> Option<FixedColumn> {
    let log_height = circuit.tables[table].log_height;
    match node {
        Node::IsFirst => Some(FixedColumn::IsFirst { log_height }),
        Node::IsLast => Some(FixedColumn::IsLast { log_height }),
        Node::Column { table, column, offset } if circuit.tables[table].columns[column].phase == 0 => {
            Some(FixedColumn::Table { table, column, offset })
        }
        _ => None,
    }
}

impl Component for TableProver<'_> {
    fn n_constraints(&self) -> usize {
        self.air.n_constraints()
    }

    fn max_constraint_log_degree_bound(&self) -> u32 {
        self.air.max_constraint_log_degree_bound()
    }

    fn trace_log_degree_bounds(&self) -> TreeVec<ColumnVec<u32>> {
        self.air.trace_log_degree_bounds()
    }

    fn mask_points(
        &self,
        point: CirclePoint<SecureField>,
        max_log_degree_bound: u32,
    ) -> TreeVec<ColumnVec<Vec<CirclePoint<SecureField>>>> {
        self.air.mask_points(point, max_log_degree_bound)
    }

    fn preprocessed_column_indices(&self) -> ColumnVec<usize> {
        self.air.preprocessed_column_indices()
    }

    fn evaluate_constraint_quotients_at_point(
        &self,
        point: CirclePoint<SecureField>,
        mask: &TreeVec<ColumnVec<Vec<SecureField>>>,
        evaluation_accumulator: &mut PointEvaluationAccumulator,
        max_log_degree_bound: u32,
    ) {
        self.air.evaluate_constraint_quotients_at_point(
            point,
            mask,
            evaluation_accumulator,
            max_log_degree_bound,
        );
    }
}

impl<'a> TableProver<'a> {
    /// Where a column's evaluations are in the trees.
    fn bind<'t>(&'t self, trace: &'t Trace<'_, SimdBackend>, node: Node) -> Binding<'t> {
        let TableAir { circuit, layout, table, .. } = self.air;
        let evaluations = |tree: usize, index: usize| trace.polys[tree][index].evals.values.data.as_slice();
        if let Some(column) = fixed_column(circuit, table, node) {
            let index = layout.fixed_position(column);
            let values = self.fixed.map_or_else(|| evaluations(0, index), |fixed| &fixed[index]);
            return Binding { columns: [values, &[], &[], &[]], offset: 0 };
        }
        let Node::Column { table, column, offset } = node else {
            unreachable!("only columns and selectors are bound");
        };
        let phase = circuit.tables[table].columns[column].phase;
        let (tree, first) = layout.position(circuit, table, column);
        let columns =
            std::array::from_fn(|i| if phase >= 2 || i == 0 { evaluations(tree, first + i) } else { &[] });
        Binding { columns, offset }
    }

    /// Per half of the domain, in its order, the inverse of the polynomial that vanishes on the table's rows.
    fn vanishing_inverses(&self, log_expansion: u32) -> Vec<BaseField> {
        let log_height = self.air.log_height();
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
        let TableAir { circuit, table, uniform, .. } = self.air;
        let log_height = self.air.log_height();
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
        let program = Program::new(circuit, &roots, uniform, self.known, |node| self.bind(trace, node));
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
                out.iter_mut().zip(sum).for_each(|(out, &sum)| *out += sum.times(inverse));
            }
        });
    }
}
