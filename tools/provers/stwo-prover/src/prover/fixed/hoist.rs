//! Parts of constraints that are sums of fixed columns with coefficients of challenges: the same for all blocks of a bundle, so
//! that they are computed once, by rows, and extended as four columns instead of the many that they read.

use std::collections::{BTreeMap, BTreeSet};

use bytemuck::cast_slice;
use lindero_package::{Circuit, Node, NodeId, Scheduler, Scope};
use num_traits::{One, Zero};
use rayon::prelude::*;
use stwo::core::fields::qm31::SecureField;
use stwo::prover::backend::simd::m31::PackedM31;

use super::super::program::Known;
use super::columns::combination;
use super::extend::Extend;
use lindero_package::ColumnFile;

/// A node must read at least this number of columns to be worth it: its own four are extended, too.
const LEAST_COLUMNS: usize = 8;

type Planes = [Vec<PackedM31>; 4];

/// Values of nodes, by rows in natural order and on the domain of constraints.
#[derive(Default)]
pub struct Hoisted {
    rows: BTreeMap<NodeId, Planes>,
    extended: BTreeMap<NodeId, Planes>,
}

impl Hoisted {
    /// `uniform` has the uniform nodes that are known after the challenges of phase 1.
    pub fn new(circuit: &Circuit, fixed: &ColumnFile, uniform: &[SecureField], extend: &Extend) -> Self {
        let sum = |&(table, node): &(usize, NodeId)| {
            let form = LinearForm::of(circuit, uniform, node);
            let columns: Vec<&[PackedM31]> =
                form.coefficients.keys().map(|&column| cast_slice(fixed.column(table, column))).collect();
            let coefficients: Vec<SecureField> = form.coefficients.values().copied().collect();
            (node, combination(&columns, &coefficients, form.constant, circuit.tables[table].log_height))
        };
        let rows: BTreeMap<NodeId, Planes> = hoistable(circuit).iter().map(sum).collect();
        let extended = rows
            .par_iter()
            .map(|(&node, planes)| {
                let planes: Vec<Vec<PackedM31>> =
                    planes.par_iter().map(|plane| extend.constraints(cast_slice(plane))).collect();
                (node, planes.try_into().expect("four coordinates"))
            })
            .collect();
        Hoisted { rows, extended }
    }

    pub fn has(&self, node: NodeId) -> bool {
        self.rows.contains_key(&node)
    }

    /// For filling columns.
    pub fn rows(&self) -> Known<'_> {
        known(&self.rows)
    }

    /// For constraints on their domain.
    pub fn extended(&self) -> Known<'_> {
        known(&self.extended)
    }
}

fn known(planes: &BTreeMap<NodeId, Planes>) -> Known<'_> {
    planes.iter().map(|(&node, planes)| (node, planes.each_ref().map(Vec::as_slice))).collect()
}

/// The largest nodes that are sums of fixed columns, on their own row, with coefficients of the challenges of phase 1; with their
/// tables.
fn hoistable(circuit: &Circuit) -> Vec<(usize, NodeId)> {
    let is_sum = sums(circuit);
    let mut scheduler = Scheduler::new(circuit);
    let mut found = BTreeSet::new();
    for (index, table) in circuit.tables.iter().enumerate() {
        let roots: Vec<NodeId> = table.constraints.iter().map(|constraint| constraint.node).collect();
        let mut largest: BTreeSet<NodeId> = roots.iter().copied().filter(|&n| is_sum[n as usize]).collect();
        for node in scheduler.schedule(circuit, &roots, |node| !is_sum[node as usize]) {
            largest.extend(circuit.nodes[node as usize].operands().filter(|&n| is_sum[n as usize]));
        }
        for node in largest.into_iter().filter(|&node| circuit.facts(node).extension) {
            let columns = scheduler.schedule(circuit, &[node], |_| true).into_iter();
            let columns = columns.filter(|&n| matches!(circuit.nodes[n as usize], Node::Column { .. }));
            if columns.count() >= LEAST_COLUMNS {
                found.insert((index, node));
            }
        }
    }
    found.into_iter().collect()
}

/// Per node, whether it is such a sum, large or not; not where it is the same on all rows.
fn sums(circuit: &Circuit) -> Vec<bool> {
    let mut is_sum = vec![false; circuit.nodes.len()];
    for (index, &node) in circuit.nodes.iter().enumerate() {
        let is_uniform = |node: NodeId| {
            let facts = circuit.facts(node);
            facts.scope == Scope::Uniform && facts.ready <= 2 && !facts.claimed_sums
        };
        let of = |node: NodeId| is_sum[node as usize];
        is_sum[index] = match node {
            Node::Column { table, column, offset } => {
                offset == 0 && circuit.tables[table].columns[column].phase == 0
            }
            Node::Neg(a) => of(a),
            Node::Add(a, b) | Node::Sub(a, b) => {
                (of(a) && of(b)) || (of(a) && is_uniform(b)) || (is_uniform(a) && of(b))
            }
            Node::Mul(a, b) => (of(a) && is_uniform(b)) || (is_uniform(a) && of(b)),
            _ => false,
        };
    }
    is_sum
}

/// Such a sum: a coefficient per column of the table, and a constant.
struct LinearForm {
    coefficients: BTreeMap<usize, SecureField>,
    constant: SecureField,
}

impl LinearForm {
    fn of(circuit: &Circuit, uniform: &[SecureField], root: NodeId) -> Self {
        let is_uniform = |node: NodeId| circuit.facts(node).scope == Scope::Uniform;
        let order = Scheduler::new(circuit).schedule(circuit, &[root], |node| !is_uniform(node));
        let mut form = LinearForm { coefficients: BTreeMap::new(), constant: SecureField::zero() };
        // What each node is multiplied by, from the root down.
        let mut factors = BTreeMap::from([(root, SecureField::one())]);
        for &node in order.iter().rev() {
            let factor = factors[&node];
            let mut add = |node: NodeId, factor: SecureField| {
                if is_uniform(node) {
                    form.constant += factor * uniform[node as usize];
                } else {
                    *factors.entry(node).or_insert_with(SecureField::zero) += factor;
                }
            };
            match circuit.nodes[node as usize] {
                Node::Column { column, .. } => {
                    *form.coefficients.entry(column).or_insert_with(SecureField::zero) += factor;
                }
                Node::Add(a, b) => [a, b].into_iter().for_each(|operand| add(operand, factor)),
                Node::Sub(a, b) => {
                    add(a, factor);
                    add(b, -factor);
                }
                Node::Neg(a) => add(a, -factor),
                Node::Mul(a, b) if is_uniform(a) => add(b, factor * uniform[a as usize]),
                Node::Mul(a, b) => add(a, factor * uniform[b as usize]),
                _ => unreachable!("a sum of columns has no other nodes"),
            }
        }
        form
    }
}
