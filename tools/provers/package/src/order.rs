//! Orders in which a prover evaluates nodes and fills columns.

use std::collections::BTreeMap;

use crate::circuit::{Circuit, Generator, Node, NodeId};
use crate::error::{ensure, Error};

/// All nodes that `roots` depend on, operands first, depth first: a value is computed shortly before it is
/// needed, so that few are alive at a time. Takes time linear in the circuit.
pub fn schedule(circuit: &Circuit, roots: &[NodeId]) -> Vec<NodeId> {
    let mut seen = vec![false; circuit.nodes.len()];
    let mut order = Vec::new();
    // An explicit stack: a DAG may be as deep as it is long. An entry comes back as `ready` once its operands
    // are out.
    let mut stack = Vec::new();
    for &root in roots {
        stack.push((root, false));
        while let Some((node, ready)) = stack.pop() {
            if ready {
                order.push(node);
            } else if !std::mem::replace(&mut seen[node as usize], true) {
                stack.push((node, true));
                stack.extend(circuit.nodes[node as usize].operands().rev().map(|operand| (operand, false)));
            }
        }
    }
    order
}

/// The generated columns of `phase` as (table, column), in batches: a column reads columns of earlier phases
/// and of earlier batches only. Fails if generators depend on each other in a circle.
pub fn fill_order(circuit: &Circuit, phase: usize) -> Result<Vec<Vec<(usize, usize)>>, Error> {
    let mut waiting: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
    for (table_index, table) in circuit.tables.iter().enumerate() {
        for column in table.columns_of_phase(phase) {
            if let Some(generator) = &table.columns[column].generator {
                waiting.insert((table_index, column), same_phase_sources(circuit, generator, phase));
            }
        }
    }
    let mut batches = Vec::new();
    while !waiting.is_empty() {
        let batch: Vec<_> = waiting
            .iter()
            .filter(|(_, sources)| sources.iter().all(|source| !waiting.contains_key(source)))
            .map(|(&column, _)| column)
            .collect();
        let circle = waiting.keys().next().copied().unwrap_or_default();
        ensure!(
            !batch.is_empty(),
            "the generator of column {} of table {} depends on itself",
            circuit.tables[circle.0].columns[circle.1].name,
            circuit.tables[circle.0].name
        );
        waiting.retain(|column, _| batch.binary_search(column).is_err());
        batches.push(batch);
    }
    Ok(batches)
}

fn same_phase_sources(circuit: &Circuit, generator: &Generator, phase: usize) -> Vec<(usize, usize)> {
    if let Generator::Gather { sources, .. } = generator {
        return sources.iter().map(|source| (source.table as usize, source.column as usize)).collect();
    }
    schedule(circuit, &generator.roots())
        .into_iter()
        .filter_map(|node| match circuit.nodes[node as usize] {
            Node::Column { table, column, .. } => Some((table, column)),
            _ => None,
        })
        .filter(|&(table, column)| circuit.tables[table].columns[column].phase == phase)
        .collect()
}
