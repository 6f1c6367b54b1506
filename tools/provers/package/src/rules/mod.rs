//! The adaptive rules R0 to R7 (FORMAT.md has their text): a prover who chooses a cell of phase 2 or 3 after he has seen the
//! challenges drawn before it has nothing to choose. All of these cells, and all claimed sums, are functions of what was
//! committed in phases 0 and 1 and of the challenges.
//!
//! In one sentence each: generated columns have the constraint of their generator (R0); nothing divides by what could be zero
//! (R1); what is gathered is read in numerators only (R2), is bound by exactly one sum under a later challenge (R3), and
//! counts for nothing where that does not bind it (R4); no sum takes what was chosen after its challenges were drawn
//! (R5); running sums, of which the additive constant is free, are read by nobody (R6); sums that links compare are of main
//! and fixed columns (R7).
//!
//! Nodes are compared as polynomials, at random points; the circuit is not trusted, so work is limited ([`crate::cones`]).

mod definitions;
mod denominators;
mod gathers;
mod uses;

use crate::circuit::{Circuit, Generator};
use crate::cones::Cones;
use crate::error::Error;
use crate::points::Points;
use definitions::Definitions;
use uses::{Reader, Uses};

/// What all rules look at.
struct Subject<'a> {
    circuit: &'a Circuit,
    points: Points,
    uses: Uses,
    definitions: Definitions,
}

/// `bytes` are the circuit's; the rest of its structure has been checked.
pub(crate) fn check(bytes: &[u8], cones: &mut Cones) -> Result<(), Error> {
    let circuit = cones.circuit;
    let uses = Uses::of(cones)?;
    let points = Points::new(bytes, cones)?;
    let definitions = Definitions::find(circuit, &points)?;
    let subject = Subject { circuit, points, uses, definitions };
    denominators::lead(&subject, cones)?;
    let zeroed = gathers::read_in_numerators(&subject, cones)?;
    let bindings = gathers::bound_once(&subject, cones)?;
    gathers::nothing_where_unbound(&subject, cones, &bindings, &zeroed)?;
    denominators::drawn_late(&subject, cones)?;
    running_sums_are_not_read(&subject)?;
    crossing_sums_are_committed(&subject, cones)
}

/// R6.
fn running_sums_are_not_read(subject: &Subject) -> Result<(), Error> {
    for (table, column) in subject.columns() {
        let of = &subject.circuit.tables[table].columns[column];
        if !matches!(of.generator, Some(Generator::RunningFraction { .. })) {
            continue;
        }
        for used in &subject.uses.columns[table][column] {
            let own = match used.reader {
                Reader::Constraint(index) => subject.definitions.defines(table, column, index),
                _ => false,
            };
            ensure_rule(subject.circuit, table, column, 6, own, || {
                let reader = subject.name(used.table, used.reader);
                format!("{reader} reads this running sum; its own constraint alone may")
            })?;
        }
    }
    Ok(())
}

/// R7.
fn crossing_sums_are_committed(subject: &Subject, cones: &mut Cones) -> Result<(), Error> {
    let circuit = subject.circuit;
    for (table, column) in subject.columns() {
        let columns = &circuit.tables[table].columns;
        let Some(Generator::RunningFraction { add, claimed_sum, .. }) = columns[column].generator else {
            continue;
        };
        if !circuit.sum_groups[circuit.claimed_sums[claimed_sum].group as usize].exported {
            continue;
        }
        let added = cones.reads(&[add])?;
        let late = added.each_column().filter(|&part| columns[part].phase > 1);
        for part in std::iter::once(column).chain(late) {
            let nodes = match columns[part].generator {
                Some(Generator::Fraction { numerator, denominator })
                | Some(Generator::RunningFraction { numerator, denominator, .. }) => [numerator, denominator],
                _ => [add, add],
            };
            let reads = cones.reads(&nodes)?;
            let committed =
                reads.claimed_sums.is_empty() && reads.each_column().all(|read| columns[read].phase < 2);
            ensure_rule(circuit, table, column, 7, committed, || {
                format!(
                    "its sum group is exported, and {} in it is no fraction of committed columns",
                    columns[part].name
                )
            })?;
        }
    }
    Ok(())
}

impl Subject<'_> {
    /// All columns as (table, column).
    fn columns(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let tables = self.circuit.tables.iter().enumerate();
        tables.flat_map(|(index, table)| (0..table.columns.len()).map(move |column| (index, column)))
    }

    /// For messages.
    fn name(&self, table: usize, reader: Reader) -> String {
        let table = &self.circuit.tables[table];
        let column = |column: usize| &table.columns[column].name;
        let single = |index: usize| column(self.uses.singles[index].column);
        match reader {
            Reader::Numerator(index) => format!("a numerator of {}", single(index)),
            Reader::Denominator(index) => format!("a denominator of {}", single(index)),
            Reader::Value(index) => format!("the generator of {}", column(index)),
            Reader::Add(index) => format!("what {} adds", column(index)),
            Reader::Source(index) => format!("the gather {} of table {}", column(index), table.name),
            Reader::Constraint(index) => format!("constraint {}", table.constraints[index].name),
            Reader::Lookup(index) => format!("lookup {}", table.lookups[index].name),
        }
    }
}

/// An error that names the rule, unless `holds`.
fn ensure_rule(
    circuit: &Circuit,
    table: usize,
    column: usize,
    rule: usize,
    holds: bool,
    why: impl FnOnce() -> String,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(broken(circuit, table, column, rule, why()))
}

fn broken(circuit: &Circuit, table: usize, column: usize, rule: usize, why: String) -> Error {
    let table = &circuit.tables[table];
    let column = format!("column {}", table.columns[column].name);
    Error::new(format!("R{rule}: {why}")).within(column).within(format!("table {}", table.name))
}
