//! R0: every generated column but a gathered one is defined by a constraint.

use std::collections::BTreeMap;

use super::ensure_rule;
use crate::circuit::{Circuit, Generator, Node};
use crate::error::Error;
use crate::points::{Of, Points, Values};

/// Which constraints are a column's definition. Constraints that are the same polynomial up to sign are of one class.
pub(super) struct Definitions {
    /// Per table and column, a class.
    of_columns: Vec<Vec<Option<usize>>>,
    /// Per table and constraint.
    classes: Vec<Vec<usize>>,
    /// Per table and class, whether it defines a column.
    defining: Vec<Vec<bool>>,
}

impl Definitions {
    pub fn find(circuit: &Circuit, points: &Points) -> Result<Self, Error> {
        let mut found = Definitions { of_columns: Vec::new(), classes: Vec::new(), defining: Vec::new() };
        for (index, table) in circuit.tables.iter().enumerate() {
            let mut by_value: BTreeMap<Values, usize> = BTreeMap::new();
            let mut class_of = |value: Values| {
                let next = by_value.len();
                *by_value.entry(up_to_sign(points, value)).or_insert(next)
            };
            let classes = table.constraints.iter().map(|of| class_of(points.of(Of::One, of.node))).collect();
            let mut defining = vec![false; by_value.len()];
            let mut of_columns = Vec::new();
            for (column, of) in table.columns.iter().enumerate() {
                let wanted = of.generator.as_ref().and_then(|of| definition(points, index, column, of));
                let class = wanted.and_then(|wanted| by_value.get(&up_to_sign(points, wanted)).copied());
                ensure_rule(circuit, index, column, 0, wanted.is_none() || class.is_some(), || {
                    "no constraint of the table says what its generator does".into()
                })?;
                class.iter().for_each(|&class| defining[class] = true);
                of_columns.push(class);
            }
            found.of_columns.push(of_columns);
            found.classes.push(classes);
            found.defining.push(defining);
        }
        Ok(found)
    }

    /// Whether a constraint is the definition of the column.
    pub fn defines(&self, table: usize, column: usize, constraint: usize) -> bool {
        self.of_columns[table][column] == Some(self.classes[table][constraint])
    }

    /// Whether it is that of any column.
    pub fn is_definition(&self, table: usize, constraint: usize) -> bool {
        self.defining[table][self.classes[table][constraint]]
    }
}

fn up_to_sign(points: &Points, value: Values) -> Values {
    value.min(points.field.neg(&value))
}

/// What is zero on every row because of the generator; None for a gather.
fn definition(points: &Points, table: usize, column: usize, generator: &Generator) -> Option<Values> {
    let f = points.field;
    let variable = |variable| points.variable(Of::One, variable);
    let of = |node| points.of(Of::One, node);
    let own = variable(Node::Column { table, column, offset: 0 });
    let before = variable(Node::Column { table, column, offset: -1 });
    let first = variable(Node::IsFirst);
    Some(match *generator {
        Generator::Gather { .. } => return None,
        Generator::Expression { value } => f.sub(&own, &of(value)),
        Generator::Scan { mul, add, .. } => {
            let not_first = f.sub(&f.constant(1), &first);
            let step = f.mul(&f.mul(&not_first, &of(mul)), &before);
            f.sub(&f.sub(&own, &step), &of(add))
        }
        Generator::Fraction { numerator, denominator } => {
            f.sub(&f.mul(&own, &of(denominator)), &of(numerator))
        }
        Generator::RunningFraction { numerator, denominator, add, claimed_sum } => {
            let wrapped = f.mul(&first, &variable(Node::ClaimedSum(claimed_sum)));
            let step = f.sub(&f.add(&f.sub(&own, &before), &wrapped), &of(add));
            f.sub(&f.mul(&step, &of(denominator)), &of(numerator))
        }
    })
}
