//! Who reads which column and which challenge.

use crate::circuit::{Circuit, Generator, Node, NodeId};
use crate::cones::{Cones, Reads};
use crate::error::Error;
use crate::format_rules::obey;
use crate::order::fill_order_of;
use crate::proto;

/// What splitting a fraction once takes, in visits: memory, too, is bounded by them.
const SPLIT: u64 = 64;
/// Single fractions of a column.
const MOST_FRACTIONS: usize = 1024;

/// One of the fractions that a column sums.
pub(super) struct Single {
    pub table: usize,
    pub column: usize,
    pub numerator: NodeId,
    pub denominator: NodeId,
    pub numerator_reads: Reads,
    pub denominator_reads: Reads,
}

/// What reads, by index into the table's columns, constraints or lookups, or into [`Uses::singles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Numerator(usize),
    Denominator(usize),
    /// `add` of a running fraction.
    Add(usize),
    /// An expression or a scan.
    Value(usize),
    /// A gathered column reads it as a source.
    Source(usize),
    Constraint(usize),
    Lookup(usize),
}

#[derive(Clone, Copy)]
pub(super) struct Use {
    /// Of the reader.
    pub table: usize,
    pub reader: Reader,
    /// At which a column is read.
    pub offset: i32,
}

/// What a generated column is a function of.
#[derive(Default)]
pub(super) struct Sources {
    /// As (table, column); of a claimed sum, its running column.
    pub columns: Vec<(usize, usize)>,
    pub challenges: Vec<usize>,
}

pub(super) struct Uses {
    /// By table and column.
    pub singles: Vec<Single>,
    /// Per table and column of phases 2 and 3.
    pub columns: Vec<Vec<Vec<Use>>>,
    pub challenges: Vec<Vec<Use>>,
    /// Per table and column; empty in phases 0 and 1.
    pub sources: Vec<Vec<Sources>>,
    /// Generated columns as (table, column), after what they are functions of.
    pub order: Vec<(usize, usize)>,
}

impl Uses {
    pub fn of(cones: &mut Cones) -> Result<Self, Error> {
        let circuit = cones.circuit;
        let mut uses = Uses {
            singles: Vec::new(),
            columns: circuit.tables.iter().map(|table| vec![Vec::new(); table.columns.len()]).collect(),
            challenges: vec![Vec::new(); circuit.challenges.len()],
            sources: Vec::new(),
            order: Vec::new(),
        };
        for phase in 2..=crate::circuit::LAST_PHASE {
            uses.order.extend(fill_order_of(cones, phase)?.into_iter().flatten());
        }
        for (index, table) in circuit.tables.iter().enumerate() {
            let mut sources = Vec::new();
            for (column, of) in table.columns.iter().enumerate() {
                sources.push(match &of.generator {
                    None => Sources::default(),
                    Some(generator) => uses.generator(cones, index, column, generator)?,
                });
            }
            uses.sources.push(sources);
            for (constraint, of) in table.constraints.iter().enumerate() {
                uses.node(cones, index, Reader::Constraint(constraint), of.node)?;
            }
            for (lookup, of) in table.lookups.iter().enumerate() {
                for &node in of.tuple.iter().chain([&of.multiplicity]) {
                    uses.node(cones, index, Reader::Lookup(lookup), node)?;
                }
            }
        }
        Ok(uses)
    }

    fn generator(
        &mut self,
        cones: &mut Cones,
        table: usize,
        column: usize,
        generator: &Generator,
    ) -> Result<Sources, Error> {
        if let Generator::Gather { sources, .. } = generator {
            return Ok(self.gather(table, column, sources));
        }
        let circuit = cones.circuit;
        let mut all = Sources::default();
        let mut include = |reads: &Reads| {
            all.columns.extend(reads.sources(circuit, table));
            all.challenges.extend(&reads.challenges);
        };
        if let Some((numerator, denominator)) = generator.fraction() {
            let parts = split(cones, numerator, denominator).map_err(|error| {
                let of = &circuit.tables[table];
                error
                    .within(format!("column {}", of.columns[column].name))
                    .within(format!("table {}", of.name))
            })?;
            for (numerator, denominator) in parts {
                let index = self.singles.len();
                let numerator_reads = self.node(cones, table, Reader::Numerator(index), numerator)?;
                let denominator_reads = self.node(cones, table, Reader::Denominator(index), denominator)?;
                include(&numerator_reads);
                include(&denominator_reads);
                let single =
                    Single { table, column, numerator, denominator, numerator_reads, denominator_reads };
                self.singles.push(single);
            }
        }
        match *generator {
            Generator::RunningFraction { add, .. } => {
                include(&self.node(cones, table, Reader::Add(column), add)?);
            }
            Generator::Expression { value } => {
                include(&self.node(cones, table, Reader::Value(column), value)?);
            }
            Generator::Scan { mul, add, .. } => {
                include(&self.node(cones, table, Reader::Value(column), mul)?);
                include(&self.node(cones, table, Reader::Value(column), add)?);
            }
            _ => {}
        }
        all.columns.sort_unstable();
        all.columns.dedup();
        all.challenges.sort_unstable();
        all.challenges.dedup();
        Ok(all)
    }

    fn gather(&mut self, table: usize, column: usize, sources: &[proto::GatherSource]) -> Sources {
        let columns: Vec<_> = sources.iter().map(|of| (of.table as usize, of.column as usize)).collect();
        for &(from, source) in &columns {
            self.columns[from][source].push(Use { table, reader: Reader::Source(column), offset: 0 });
        }
        Sources { columns, challenges: Vec::new() }
    }

    fn node(
        &mut self,
        cones: &mut Cones,
        table: usize,
        reader: Reader,
        node: NodeId,
    ) -> Result<Reads, Error> {
        // Nothing but phases 0 and 1: who reads those is no question, and constraints of that kind are many.
        let is_root = matches!(reader, Reader::Constraint(_) | Reader::Lookup(_));
        if is_root && cones.circuit.facts(node).ready < 2 {
            return Ok(Reads::default());
        }
        let reads = cones.reads(&[node])?;
        for &(column, offset) in &reads.columns {
            if cones.circuit.tables[table].columns[column as usize].phase >= 2 {
                self.columns[table][column as usize].push(Use { table, reader, offset });
            }
        }
        for &challenge in &reads.challenges {
            self.challenges[challenge].push(Use { table, reader, offset: 0 });
        }
        Ok(reads)
    }
}

/// A sum of fractions over a common denominator, (n1 * d2 + n2 * d1) / (d1 * d2), is that of n1 / d1 and n2 / d2, each of which
/// may be one again.
fn split(cones: &mut Cones, numerator: NodeId, denominator: NodeId) -> Result<Vec<(NodeId, NodeId)>, Error> {
    let mut singles = Vec::new();
    let mut stack = vec![(numerator, denominator)];
    while let Some((numerator, denominator)) = stack.pop() {
        cones.charge(SPLIT)?;
        match halves(cones.circuit, numerator, denominator) {
            Some([first, second]) => stack.extend([second, first]),
            None => singles.push((numerator, denominator)),
        }
        // The halves may be the same nodes: 2^k fractions of k nodes.
        obey!(
            Fractions,
            stack.len() + singles.len() <= MOST_FRACTIONS,
            "sums more than {MOST_FRACTIONS} fractions"
        );
    }
    Ok(singles)
}

fn halves(circuit: &Circuit, numerator: NodeId, denominator: NodeId) -> Option<[(NodeId, NodeId); 2]> {
    let node = |id: NodeId| circuit.nodes[id as usize];
    let (Node::Add(left, right), Node::Mul(d1, d2)) = (node(numerator), node(denominator)) else {
        return None;
    };
    let (Node::Mul(n1, by2), Node::Mul(n2, by1)) = (node(left), node(right)) else { return None };
    (by1 == d1 && by2 == d2).then_some([(n1, d1), (n2, d2)])
}
