//! Orders in which a prover evaluates nodes and fills columns.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::circuit::{Circuit, Generator, NodeId};
use crate::cones::Cones;
use crate::error::Error;
use crate::format_rules::Rule;

/// All nodes that `roots` depend on, operands first, depth first: a value is computed shortly before it is
/// needed, so that few are alive at a time. Takes time linear in the circuit.
pub fn schedule(circuit: &Circuit, roots: &[NodeId]) -> Vec<NodeId> {
    Scheduler::new(circuit).schedule(circuit, roots, |_| true)
}

/// Makes schedules of a circuit, each in time linear in itself.
pub struct Scheduler {
    /// Per node, the last round that saw it.
    seen: Vec<u32>,
    round: u32,
}

impl Scheduler {
    pub fn new(circuit: &Circuit) -> Self {
        Scheduler { seen: vec![0; circuit.nodes.len()], round: 0 }
    }

    /// As [`schedule`], but without the nodes that are not wanted, and what is below them alone.
    pub fn schedule(
        &mut self,
        circuit: &Circuit,
        roots: &[NodeId],
        is_wanted: impl Fn(NodeId) -> bool,
    ) -> Vec<NodeId> {
        self.round += 1;
        let is_new = |node: NodeId| {
            let last = std::mem::replace(&mut self.seen[node as usize], self.round);
            Ok::<_, Infallible>(last != self.round && is_wanted(node))
        };
        let Ok(order) = operands_first(circuit, roots, is_new);
        order
    }
}

/// The order of [`schedule`] of the nodes that are new, asked when they are come to.
pub(crate) fn operands_first<E>(
    circuit: &Circuit,
    roots: &[NodeId],
    mut is_new: impl FnMut(NodeId) -> Result<bool, E>,
) -> Result<Vec<NodeId>, E> {
    let mut order = Vec::new();
    // An explicit stack: a DAG may be as deep as it is long. An entry comes back as `ready` once its operands
    // are out.
    let mut stack = Vec::new();
    for &root in roots {
        stack.push((root, false));
        while let Some((node, ready)) = stack.pop() {
            if ready {
                order.push(node);
            } else if is_new(node)? {
                stack.push((node, true));
                stack.extend(circuit.nodes[node as usize].operands().rev().map(|operand| (operand, false)));
            }
        }
    }
    Ok(order)
}

/// The generated columns of `phase` as (table, column), in batches: a column reads columns of earlier phases
/// and of earlier batches only. Fails if generators depend on each other in a circle.
pub fn fill_order(circuit: &Circuit, phase: usize) -> Result<Vec<Vec<(usize, usize)>>, Error> {
    fill_order_of(&mut Cones::new(circuit), phase)
}

/// Of a column that is not in a batch yet.
#[derive(Default)]
struct Waiting {
    /// What reads it.
    users: Vec<(usize, usize)>,
    /// How many columns of the phase, not in a batch yet, it reads itself.
    sources: usize,
}

pub(crate) fn fill_order_of(cones: &mut Cones, phase: usize) -> Result<Vec<Vec<(usize, usize)>>, Error> {
    let circuit = cones.circuit;
    let mut waiting: BTreeMap<(usize, usize), Waiting> = BTreeMap::new();
    for (index, table) in circuit.tables.iter().enumerate() {
        for column in table.columns_of_phase(phase) {
            if let Some(generator) = &table.columns[column].generator {
                let sources = same_phase_sources(cones, index, generator, phase)?;
                waiting.entry((index, column)).or_default().sources = sources.len();
                for source in sources {
                    waiting.entry(source).or_default().users.push((index, column));
                }
            }
        }
    }
    let mut batches = Vec::new();
    let mut batch: Vec<_> =
        waiting.iter().filter(|(_, of)| of.sources == 0).map(|(&column, _)| column).collect();
    while !batch.is_empty() {
        let mut next = Vec::new();
        for column in &batch {
            for user in waiting.remove(column).unwrap_or_default().users {
                if let Some(of) = waiting.get_mut(&user) {
                    of.sources -= 1;
                    if of.sources == 0 {
                        next.push(user);
                    }
                }
            }
        }
        next.sort_unstable();
        batches.push(std::mem::replace(&mut batch, next));
    }
    if let Some(&(table, column)) = waiting.keys().next() {
        let table = &circuit.tables[table];
        let column = &table.columns[column].name;
        return Err(Error::of(
            Rule::Cycles,
            format!("the generator of column {column} of table {} depends on itself", table.name),
        ));
    }
    Ok(batches)
}

/// Each once.
fn same_phase_sources(
    cones: &mut Cones,
    table: usize,
    generator: &Generator,
    phase: usize,
) -> Result<Vec<(usize, usize)>, Error> {
    let circuit = cones.circuit;
    let mut columns: Vec<(usize, usize)> = match generator {
        Generator::Gather { sources, .. } => {
            cones.charge(sources.len() as u64)?;
            sources.iter().map(|source| (source.table as usize, source.column as usize)).collect()
        }
        _ => cones.reads(&generator.roots())?.each_column().map(|column| (table, column)).collect(),
    };
    columns.retain(|&(table, column)| circuit.tables[table].columns[column].phase == phase);
    columns.sort_unstable();
    columns.dedup();
    Ok(columns)
}
