//! The constraints of one table, as Stwo's verifier asks for them.

use lindero_package::{Circuit, Node};
use stwo::core::air::accumulation::PointEvaluationAccumulator;
use stwo::core::air::Component;
use stwo::core::circle::CirclePoint;
use stwo::core::constraints::coset_vanishing;
use stwo::core::fields::qm31::SecureField;
use stwo::core::fields::FieldExpOps;
use stwo::core::pcs::TreeVec;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::ColumnVec;

use crate::layout::{FixedColumn, Layout};
use crate::values::Values;

/// Constraints have degree at most 3: their quotients by the vanishing polynomial have degree below
/// 2^(log_height + 1).
const LOG_CONSTRAINT_EXPANSION: u32 = 1;

/// One table as a Stwo component. Its columns follow those of the tables before it in each tree.
#[derive(Clone, Copy)]
pub struct TableAir<'a> {
    pub circuit: &'a Circuit,
    pub layout: &'a Layout,
    pub table: usize,
    /// Values of the uniform nodes, by node.
    pub uniform: &'a [SecureField],
}

impl TableAir<'_> {
    pub fn log_height(&self) -> u32 {
        self.circuit.tables[self.table].log_height
    }

    /// Calls `visit(tree, column of the table)` for each base column outside tree 0, in the order of its
    /// tree.
    fn for_each_base_column(&self, mut visit: impl FnMut(usize, usize)) {
        let table = &self.circuit.tables[self.table];
        for phase in 1..4 {
            let width = if phase >= 2 { self.circuit.extension_degree as usize } else { 1 };
            for column in table.columns_of_phase(phase) {
                let (tree, _) = self.layout.position(self.circuit, self.table, column);
                (0..width).for_each(|_| visit(tree, column));
            }
        }
    }

    fn leaf(&self, node: Node, mask: &TreeVec<ColumnVec<Vec<SecureField>>>) -> SecureField {
        let log_height = self.log_height();
        let fixed = |column| mask[0][self.layout.fixed_position(column)][0];
        match node {
            Node::IsFirst => fixed(FixedColumn::IsFirst { log_height }),
            Node::IsLast => fixed(FixedColumn::IsLast { log_height }),
            Node::Column { table, column, offset } => {
                let phase = self.circuit.tables[table].columns[column].phase;
                if phase == 0 {
                    return fixed(FixedColumn::Table { table, column, offset });
                }
                let (tree, first) = self.layout.position(self.circuit, table, column);
                let openings = self.layout.openings(table, column);
                let opening =
                    openings.iter().position(|&o| o == offset).expect("the layout opens what is read");
                if phase == 1 {
                    mask[tree][first][opening]
                } else {
                    SecureField::from_partial_evals(std::array::from_fn(|i| mask[tree][first + i][opening]))
                }
            }
            _ => unreachable!("only columns and selectors are leaves"),
        }
    }
}

impl Component for TableAir<'_> {
    fn n_constraints(&self) -> usize {
        self.circuit.tables[self.table].constraints.len()
    }

    fn max_constraint_log_degree_bound(&self) -> u32 {
        self.log_height() + LOG_CONSTRAINT_EXPANSION
    }

    fn trace_log_degree_bounds(&self) -> TreeVec<ColumnVec<u32>> {
        let mut bounds = TreeVec::new(vec![Vec::new(); self.layout.trees()]);
        bounds[0] = vec![self.log_height(); self.layout.fixed_of_table[self.table].len()];
        self.for_each_base_column(|tree, _| bounds[tree].push(self.log_height()));
        bounds
    }

    fn mask_points(
        &self,
        point: CirclePoint<SecureField>,
        max_log_degree_bound: u32,
    ) -> TreeVec<ColumnVec<Vec<CirclePoint<SecureField>>>> {
        let mut points = TreeVec::new(vec![Vec::new(); self.layout.trees()]);
        let step = CanonicCoset::new(max_log_degree_bound).step();
        let moved = |rows: i32| point + step.mul_signed(rows as isize).into_ef();
        self.for_each_base_column(|tree, column| {
            let mut column_points: Vec<_> =
                self.layout.openings(self.table, column).iter().map(|&offset| moved(offset)).collect();
            if self.layout.opens_period(self.circuit, self.table, column) {
                column_points.push(moved(1 << self.log_height()));
            }
            points[tree].push(column_points);
        });
        points
    }

    fn preprocessed_column_indices(&self) -> ColumnVec<usize> {
        self.layout.fixed_of_table[self.table].clone()
    }

    fn evaluate_constraint_quotients_at_point(
        &self,
        point: CirclePoint<SecureField>,
        mask: &TreeVec<ColumnVec<Vec<SecureField>>>,
        evaluation_accumulator: &mut PointEvaluationAccumulator,
        max_log_degree_bound: u32,
    ) {
        let schedule = &self.layout.schedules[self.table];
        let values = Values::read(self.circuit, self.uniform, schedule, |node| self.leaf(node, mask));
        let vanishing = coset_vanishing(CanonicCoset::new(max_log_degree_bound).coset, point);
        let inverse = vanishing.inverse();
        for constraint in &self.circuit.tables[self.table].constraints {
            evaluation_accumulator.accumulate(values.of(constraint.node) * inverse);
        }
    }
}
