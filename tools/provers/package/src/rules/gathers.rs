//! Gathered columns, which no constraint defines. R2: read in numerators only. R3: bound by one sum. R4: without effect where
//! that does not bind them.

use std::collections::{BTreeMap, BTreeSet};

use super::uses::{Reader, Single, Use};
use super::{broken, ensure_rule, Subject};
use crate::circuit::{Generator, Node, NodeId};
use crate::cones::Cones;
use crate::error::Error;
use crate::points::{Of, Points};

/// What it takes to draw a column's points, in visits: whoever asks for fixed columns does for each.
const DRAW: u64 = 32;

/// A gathered column as (table, column).
type Gathered = (usize, usize);

/// What binds a gathered column.
pub(super) struct Binding {
    single: usize,
    /// The fixed column that multiplies it there; None for 1.
    selector: Option<usize>,
}

/// Gathered columns, and the fixed columns s for which the table has the constraint y - s y.
pub(super) type Zeroed = BTreeSet<(Gathered, usize)>;

/// R2.
pub(super) fn read_in_numerators(subject: &Subject, cones: &mut Cones) -> Result<Zeroed, Error> {
    let mut zeroed = Zeroed::new();
    for y in subject.gathered() {
        let uses = &subject.uses.columns[y.0][y.1];
        let readers: BTreeSet<usize> = uses
            .iter()
            .filter_map(|used| match used.reader {
                Reader::Numerator(single) => Some(subject.uses.singles[single].column),
                _ => None,
            })
            .collect();
        for used in uses {
            let name = || subject.name(used.table, used.reader);
            subject.ensure(y, 2, used.offset == 0, || {
                format!("{} reads it at row offset {}", name(), used.offset)
            })?;
            let holds = match used.reader {
                Reader::Numerator(_) => true,
                Reader::Constraint(constraint) => {
                    cones.charge(readers.len() as u64)?;
                    let selectors = zeroing(subject, cones, y, constraint)?;
                    zeroed.extend(selectors.iter().map(|&selector| (y, selector)));
                    !selectors.is_empty()
                        || readers.iter().any(|&column| subject.definitions.defines(y.0, column, constraint))
                }
                _ => false,
            };
            subject.ensure(y, 2, holds, || {
                format!(
                    "{} reads it; numerators of fractions may, and their columns' own constraints",
                    name()
                )
            })?;
        }
    }
    Ok(zeroed)
}

/// The fixed columns s for which a constraint is y - s y, up to sign.
fn zeroing(
    subject: &Subject,
    cones: &mut Cones,
    y: Gathered,
    constraint: usize,
) -> Result<Vec<usize>, Error> {
    let node = subject.circuit.tables[y.0].constraints[constraint].node;
    let points = &subject.points;
    let own = points.variable(Of::One, column(y.0, y.1));
    let value = points.of(Of::One, node);
    let mut selectors = fixed_columns(subject, cones, y.0, node)?;
    selectors.retain(|&selector| {
        let times = points.field.mul(&points.variable(Of::One, column(y.0, selector)), &own);
        points.field.equal(&value, &points.field.sub(&own, &times))
    });
    Ok(selectors)
}

/// The fixed columns that a node of the table reads on its own row.
fn fixed_columns(
    subject: &Subject,
    cones: &mut Cones,
    table: usize,
    node: NodeId,
) -> Result<Vec<usize>, Error> {
    let fixed = subject.circuit.tables[table].columns_of_phase(0);
    let columns = cones.reads(&[node])?.columns.into_iter().map(|(column, offset)| (column as usize, offset));
    let columns: Vec<usize> = columns
        .filter(|(column, offset)| fixed.contains(column) && *offset == 0)
        .map(|(column, _)| column)
        .collect();
    cones.charge(DRAW * columns.len() as u64)?;
    Ok(columns)
}

fn column(table: usize, column: usize) -> Node {
    Node::Column { table, column, offset: 0 }
}

/// R3.
pub(super) fn bound_once(subject: &Subject, cones: &mut Cones) -> Result<BTreeMap<Gathered, Binding>, Error> {
    let on_gathered = reads_gathered(subject);
    // Challenges that are known to be read in poles alone.
    let mut in_poles = BTreeSet::new();
    let mut bindings = BTreeMap::new();
    for y in subject.gathered() {
        let broken = |why: String| Err(subject.broken(y, 3, why));
        let binders = binders(subject, y);
        let &[index] = binders.as_slice() else {
            return broken(format!("{} fractions under later challenges bind it, not one", binders.len()));
        };
        let single = &subject.uses.singles[index];
        let name = &subject.circuit.tables[y.0].columns[single.column].name;
        let Some(challenge) = pole(subject, cones, single.table, single.denominator)? else {
            return broken(format!(
                "the denominator that binds it, in {name}, is not challenge - pole with a pole of fixed columns"
            ));
        };
        let Some(selector) = selector(subject, cones, y, single)? else {
            return broken(format!(
                "in the numerator that binds it, in {name}, no fixed column alone multiplies it"
            ));
        };
        let mut others = single.numerator_reads.sources(subject.circuit, y.0).filter(|&other| other != y);
        if let Some((table, other)) = others.find(|&(table, other)| on_gathered[table][other]) {
            let other = &subject.circuit.tables[table].columns[other].name;
            return broken(format!(
                "the numerator that binds it, in {name}, reads {other}, which depends on gathered columns"
            ));
        }
        if depends_on(subject, cones, single, challenge)? {
            return broken(format!(
                "the numerator that binds it, in {name}, depends on the challenge of its own denominator"
            ));
        }
        if in_poles.insert(challenge) {
            only_in_poles(subject, cones, y, challenge)?;
        }
        let group = group_of(subject, cones, y, (y.0, single.column))?;
        if !is_closed(subject, group) {
            return broken(format!(
                "the group of {name}, which binds it, is exported or has a public tensor"
            ));
        }
        bindings.insert(y, Binding { single: index, selector });
    }
    Ok(bindings)
}

/// Per table and column, whether it is gathered or depends on such a column.
fn reads_gathered(subject: &Subject) -> Vec<Vec<bool>> {
    let tables = subject.circuit.tables.iter();
    let mut reads: Vec<Vec<bool>> = tables.map(|table| vec![false; table.columns.len()]).collect();
    for &(table, column) in &subject.uses.order {
        let gathered =
            matches!(subject.circuit.tables[table].columns[column].generator, Some(Generator::Gather { .. }));
        let sources = &subject.uses.sources[table][column].columns;
        reads[table][column] = gathered || sources.iter().any(|&(table, column)| reads[table][column]);
    }
    reads
}

/// The single fractions that read a gathered column under a challenge drawn after it is committed.
fn binders(subject: &Subject, y: Gathered) -> Vec<usize> {
    let phase = subject.circuit.tables[y.0].columns[y.1].phase;
    let is_late = |&challenge: &usize| subject.circuit.challenges[challenge].phase as usize >= phase;
    let uses = subject.uses.columns[y.0][y.1].iter();
    uses.filter_map(|used| match used.reader {
        Reader::Numerator(single) => Some(single),
        _ => None,
    })
    .filter(|&single| subject.uses.singles[single].denominator_reads.challenges.iter().any(is_late))
    .collect()
}

/// The challenge c of a denominator c - a or a - c over fixed columns.
fn pole(
    subject: &Subject,
    cones: &mut Cones,
    table: usize,
    denominator: NodeId,
) -> Result<Option<usize>, Error> {
    let reads = cones.reads(&[denominator])?;
    let columns = &subject.circuit.tables[table].columns;
    let fixed = reads.each_column().all(|column| columns[column].phase == 0);
    let &[challenge] = reads.challenges.as_slice() else { return Ok(None) };
    if !fixed || reads.selectors || !reads.claimed_sums.is_empty() {
        return Ok(None);
    }
    let (points, variable) = (&subject.points, Node::Challenge(challenge));
    let (one, other) = (points.variable(Of::One, variable), points.variable(Of::Other, variable));
    let part = Points::part(cones, denominator, |node| node == variable)?;
    let Some(moved) = points.with(Of::One, cones, &part, |_| other)? else { return Ok(None) };
    let slope = points.field.sub(&points.of(Of::One, denominator), &moved);
    Ok(points.field.equal(&slope, &points.field.sub(&one, &other)).then_some(challenge))
}

/// What multiplies a gathered column in the numerator that binds it, up to sign: Some(None) for 1.
fn selector(
    subject: &Subject,
    cones: &mut Cones,
    y: Gathered,
    single: &Single,
) -> Result<Option<Option<usize>>, Error> {
    let (points, variable) = (&subject.points, column(y.0, y.1));
    let part = Points::part(cones, single.numerator, |node| node == variable)?;
    let Some(rest) = points.with(Of::One, cones, &part, |_| points.field.constant(0))? else {
        return Ok(None);
    };
    let slope = points.field.sub(&points.of(Of::One, single.numerator), &rest);
    let own = points.variable(Of::One, variable);
    if points.field.equal(&slope, &own) {
        return Ok(Some(None));
    }
    let fixed = fixed_columns(subject, cones, y.0, single.numerator)?;
    Ok(fixed.into_iter().find_map(|fixed| {
        let times = points.field.mul(&points.variable(Of::One, column(y.0, fixed)), &own);
        points.field.equal(&slope, &times).then_some(Some(fixed))
    }))
}

/// Whether the numerator is a function of the challenge.
fn depends_on(
    subject: &Subject,
    cones: &mut Cones,
    single: &Single,
    challenge: usize,
) -> Result<bool, Error> {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<_> = single.numerator_reads.sources(subject.circuit, single.table).collect();
    while let Some((table, column)) = stack.pop() {
        if seen.insert((table, column)) {
            let sources = &subject.uses.sources[table][column];
            cones.charge(1 + sources.columns.len() as u64)?;
            if sources.challenges.contains(&challenge) {
                return Ok(true);
            }
            stack.extend(&sources.columns);
        }
    }
    Ok(false)
}

/// Checks that a challenge that binds y is read in denominators challenge - pole alone, and that what is summed under it reaches
/// its group as it is.
fn only_in_poles(subject: &Subject, cones: &mut Cones, y: Gathered, challenge: usize) -> Result<(), Error> {
    let circuit = subject.circuit;
    let name = &circuit.challenges[challenge].name;
    for tensor in &circuit.publics {
        let read = [tensor.address_challenge, tensor.row_challenge, tensor.column_challenge];
        subject.ensure(y, 3, !read.contains(&(challenge as u32)), || {
            format!("challenge {name}, which binds it, is one of public tensor {}", tensor.name)
        })?;
    }
    for used in &subject.uses.challenges[challenge] {
        let holds = match used.reader {
            Reader::Denominator(single) => {
                let single = &subject.uses.singles[single];
                group_of(subject, cones, y, (single.table, single.column))?;
                pole(subject, cones, single.table, single.denominator)?.is_some()
            }
            Reader::Constraint(constraint) => subject.definitions.is_definition(used.table, constraint),
            Reader::Lookup(_) => true,
            _ => false,
        };
        subject.ensure(y, 3, holds, || {
            let (reader, table) = (subject.name(used.table, used.reader), &circuit.tables[used.table].name);
            format!(
                "in table {table}, {reader} reads challenge {name}, which binds it, not as challenge - pole with a pole of \
                 fixed columns"
            )
        })?;
    }
    Ok(())
}

/// The group in which a column of fractions under the challenge that binds y is summed: its claimed sum's, or that of the one
/// running column that adds it.
fn group_of(
    subject: &Subject,
    cones: &mut Cones,
    y: Gathered,
    (table, fraction): (usize, usize),
) -> Result<u32, Error> {
    let of = &subject.circuit.tables[table];
    let name = &of.columns[fraction].name;
    if let Some(Generator::RunningFraction { claimed_sum, .. }) = of.columns[fraction].generator {
        return Ok(subject.circuit.claimed_sums[claimed_sum].group);
    }
    let is_definition = |used: &&Use| match used.reader {
        Reader::Constraint(constraint) => subject.definitions.is_definition(used.table, constraint),
        _ => false,
    };
    let uses = &subject.uses.columns[table][fraction];
    cones.charge(uses.len() as u64)?;
    let mut others = uses.iter().filter(|used| !is_definition(used));
    if let (Some(&Use { reader: Reader::Add(running), offset: 0, .. }), None) = (others.next(), others.next())
    {
        if let Some(Generator::RunningFraction { add, claimed_sum, .. }) = of.columns[running].generator {
            let (points, variable) = (&subject.points, column(table, fraction));
            let part = Points::part(cones, add, |node| node == variable)?;
            let rest = points.with(Of::One, cones, &part, |_| points.field.constant(0))?;
            let coefficient = rest.map(|rest| points.field.sub(&points.of(Of::One, add), &rest));
            if coefficient == Some(points.variable(Of::One, variable)) {
                return Ok(subject.circuit.claimed_sums[claimed_sum].group);
            }
        }
    }
    let why = format!(
        "column {name} of table {} sums under the challenge that binds it, and is not added once, as it is, to one running sum \
         and read nowhere else",
        of.name
    );
    Err(subject.broken(y, 3, why))
}

/// Whether nothing but its claimed sums is of a group.
fn is_closed(subject: &Subject, group: u32) -> bool {
    let circuit = subject.circuit;
    !circuit.sum_groups[group as usize].exported
        && !circuit.publics.iter().any(|tensor| tensor.group == group)
}

/// R4.
pub(super) fn nothing_where_unbound(
    subject: &Subject,
    cones: &mut Cones,
    bindings: &BTreeMap<Gathered, Binding>,
    zeroed: &Zeroed,
) -> Result<(), Error> {
    let points = &subject.points;
    for (&y, binding) in bindings {
        let Some(selector) = binding.selector.filter(|&selector| !zeroed.contains(&(y, selector))) else {
            continue;
        };
        let (own, switch) = (column(y.0, y.1), column(y.0, selector));
        for used in &subject.uses.columns[y.0][y.1] {
            let Reader::Numerator(single) = used.reader else { continue };
            if single == binding.single {
                continue;
            }
            let numerator = subject.uses.singles[single].numerator;
            let part = Points::part(cones, numerator, |node| node == own || node == switch)?;
            let mut at = |of: Of| {
                points.with(Of::One, cones, &part, |node| match node == switch {
                    true => points.field.constant(0),
                    false => points.variable(of, own),
                })
            };
            let (one, other) = (at(Of::One)?, at(Of::Other)?);
            subject.ensure(y, 4, one.is_some() && one == other, || {
                let switch = &subject.circuit.tables[y.0].columns[selector].name;
                format!(
                    "{} depends on it where {switch}, which binds it, is 0, and no constraint says that it is 0 there",
                    subject.name(y.0, used.reader)
                )
            })?;
        }
    }
    Ok(())
}

impl Subject<'_> {
    fn gathered(&self) -> impl Iterator<Item = Gathered> + '_ {
        self.columns().filter(|&(table, column)| {
            matches!(self.circuit.tables[table].columns[column].generator, Some(Generator::Gather { .. }))
        })
    }

    fn ensure(
        &self,
        y: Gathered,
        rule: usize,
        holds: bool,
        why: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        ensure_rule(self.circuit, y.0, y.1, rule, holds, why)
    }

    fn broken(&self, y: Gathered, rule: usize, why: String) -> Error {
        broken(self.circuit, y.0, y.1, rule, why)
    }
}
