//! R1: nothing is divided by what could be zero. R5: no sum takes what is chosen after its challenges are drawn.

use std::collections::BTreeMap;

use super::{ensure_rule, Subject};
use crate::circuit::{Node, NodeId};
use crate::cones::{Cones, Reads};
use crate::error::Error;
use crate::points::{Of, Part, Points, Values};

/// Of a factor in the challenges that lead it.
const MOST_DEGREE: u32 = 64;

/// R1.
pub(super) fn lead(subject: &Subject, cones: &mut Cones) -> Result<(), Error> {
    let mut known: BTreeMap<(usize, NodeId), bool> = BTreeMap::new();
    for single in &subject.uses.singles {
        for factor in cones.factors(single.denominator)? {
            let nonzero = match known.get(&(single.table, factor)) {
                Some(&nonzero) => nonzero,
                None => is_nonzero(subject, cones, single.table, factor)?,
            };
            known.insert((single.table, factor), nonzero);
            ensure_rule(subject.circuit, single.table, single.column, 1, nonzero, || {
                "a factor of its denominator may be zero: the highest power of no challenge, and of no two, that are drawn after \
                 all that it reads has a constant coefficient"
                    .into()
            })?;
        }
    }
    Ok(())
}

fn is_nonzero(subject: &Subject, cones: &mut Cones, table: usize, factor: NodeId) -> Result<bool, Error> {
    let reads = cones.reads(&[factor])?;
    let committed = committed(subject, table, &reads);
    if reads.challenges.is_empty() {
        // Over fixed columns it is checked on every row when the circuit is compiled.
        return Ok(match reads.columns.is_empty() {
            true => reads.claimed_sums.is_empty() && is_nonzero_on_rows(subject, cones, table, factor)?,
            false => committed == 0,
        });
    }
    let late: Vec<usize> = reads
        .challenges
        .iter()
        .copied()
        .filter(|&challenge| subject.circuit.challenges[challenge].phase as usize >= committed)
        .collect();
    for &challenge in &late {
        if is_led(&subject.points, cones, factor, &[challenge])? {
            return Ok(true);
        }
    }
    for (index, &first) in late.iter().enumerate() {
        for &second in &late[index + 1..] {
            if is_led(&subject.points, cones, factor, &[first, second])? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Of a factor over selectors and constants: whether it is zero on no row.
fn is_nonzero_on_rows(
    subject: &Subject,
    cones: &mut Cones,
    table: usize,
    factor: NodeId,
) -> Result<bool, Error> {
    let points = &subject.points;
    let part = Points::part(cones, factor, |node| matches!(node, Node::IsFirst | Node::IsLast))?;
    let last = subject.circuit.tables[table].height() - 1;
    // The first, the second, which is another one's like, and the last.
    for row in [0, 1.min(last), last] {
        let value = points.with(Of::One, cones, &part, |node| {
            points.field.constant(match node {
                Node::IsFirst => (row == 0) as u64,
                _ => (row == last) as u64,
            })
        })?;
        if value.is_none_or(|value| value.contains(&0)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The latest phase in which a column or claimed sum is committed that a node of the table reads.
fn committed(subject: &Subject, table: usize, reads: &Reads) -> usize {
    let columns = &subject.circuit.tables[table].columns;
    let of_columns = reads.each_column().map(|column| columns[column].phase);
    let of_claimed_sums =
        reads.claimed_sums.iter().map(|&claimed_sum| subject.circuit.claimed_sum_phase(claimed_sum));
    of_columns.chain(of_claimed_sums).max().unwrap_or(0)
}

/// Whether a factor has, in some challenges together, a degree of at least one and a highest form that is a constant: with
/// r * t for each challenge, of random r, the highest coefficient in t does not change with other values of all other variables.
fn is_led(points: &Points, cones: &mut Cones, factor: NodeId, challenges: &[usize]) -> Result<bool, Error> {
    let chosen = |node| matches!(node, Node::Challenge(challenge) if challenges.contains(&challenge));
    let part = Points::part(cones, factor, chosen)?;
    let Some(degree) = part.degree().filter(|degree| (1..=MOST_DEGREE).contains(degree)) else {
        return Ok(false);
    };
    let one = leading(points, cones, &part, degree, Of::One)?;
    Ok(one.is_some_and(|(degree, _)| degree >= 1) && one == leading(points, cones, &part, degree, Of::Other)?)
}

/// With the chosen challenges as in one assignment, and the other variables as in `of`.
fn leading(
    points: &Points,
    cones: &mut Cones,
    part: &Part,
    degree: u32,
    of: Of,
) -> Result<Option<(usize, Values)>, Error> {
    let mut values = Vec::new();
    for t in 0..=degree as u64 {
        let multiple = points.field.constant(t);
        let value = points
            .with(of, cones, part, |node| points.field.mul(&multiple, &points.variable(Of::One, node)))?;
        match value {
            Some(value) => values.push(value),
            None => return Ok(None),
        }
    }
    Ok(points.field.leading(values))
}

/// R5.
pub(super) fn drawn_late(subject: &Subject, cones: &mut Cones) -> Result<(), Error> {
    let determined = determined(subject);
    let circuit = subject.circuit;
    for single in &subject.uses.singles {
        let latest = single
            .numerator_reads
            .sources(circuit, single.table)
            .map(|(table, column)| (determined[table][column], table, column))
            .max()
            .unwrap_or_default();
        for factor in cones.factors(single.denominator)? {
            let reads = cones.reads(&[factor])?;
            let committed = committed(subject, single.table, &reads);
            for &challenge in &reads.challenges {
                let of = &circuit.challenges[challenge];
                let phase = of.phase as usize;
                ensure_rule(circuit, single.table, single.column, 5, phase >= committed, || {
                    format!(
                        "a factor of its denominator reads challenge {}, drawn before a column of phase {committed} that it \
                         reads is committed",
                        of.name
                    )
                })?;
                ensure_rule(circuit, single.table, single.column, 5, phase >= latest.0, || {
                    format!(
                        "challenge {} of a denominator is drawn before column {} of the numerator is determined",
                        of.name, circuit.tables[latest.1].columns[latest.2].name
                    )
                })?;
            }
        }
    }
    Ok(())
}

/// Per table and column, the phase with which nothing of it is left to choose: generated columns are functions of what they read,
/// gathered ones, after R3 and R4, of their sources.
fn determined(subject: &Subject) -> Vec<Vec<usize>> {
    let tables = subject.circuit.tables.iter();
    let mut determined: Vec<Vec<usize>> =
        tables.map(|table| table.columns.iter().map(|column| column.phase).collect()).collect();
    for &(table, column) in &subject.uses.order {
        let sources = &subject.uses.sources[table][column].columns;
        determined[table][column] =
            sources.iter().map(|&(table, column)| determined[table][column]).max().unwrap_or(0);
    }
    determined
}
