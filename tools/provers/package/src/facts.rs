//! What can be said about a node without evaluating it.

use crate::circuit::{Circuit, Node};
use crate::error::Error;
use crate::format_rules::obey;

/// Where a node has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The same on all rows of all tables: constants, challenges, claimed sums.
    Uniform,
    /// Depends on the row, but reads no column: `is_first`, `is_last`.
    AnyTable,
    Table(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    pub scope: Scope,
    /// In the extension field; else in the base field.
    pub extension: bool,
    /// In the columns, selectors included; saturates.
    pub degree: u32,
    /// The earliest phase whose columns may read the node. Of a claimed sum: the one after its running column's.
    pub ready: usize,
    pub claimed_sums: bool,
}

/// Facts of the node after those in `circuit.facts`, which are the earlier nodes'.
pub(crate) fn of_node(circuit: &Circuit, node: Node) -> Result<NodeFacts, Error> {
    let leaf =
        |scope, extension, degree, ready| NodeFacts { scope, extension, degree, ready, claimed_sums: false };
    Ok(match node {
        Node::Constant(_) => leaf(Scope::Uniform, false, 0, 0),
        Node::Challenge(index) => leaf(Scope::Uniform, true, 0, circuit.challenges[index].phase as usize + 1),
        Node::ClaimedSum(index) => NodeFacts {
            claimed_sums: true,
            ..leaf(Scope::Uniform, true, 0, circuit.claimed_sum_phase(index) + 1)
        },
        Node::IsFirst | Node::IsLast => leaf(Scope::AnyTable, false, 1, 0),
        Node::Column { table, column, .. } => {
            let phase = circuit.tables[table].columns[column].phase;
            leaf(Scope::Table(table), phase >= 2, 1, phase)
        }
        Node::Neg(a) => circuit.facts(a),
        Node::Inverse(a) => {
            let facts = circuit.facts(a);
            obey!(
                Inverses,
                facts.scope == Scope::Uniform && !facts.claimed_sums,
                "an inverse reads a column, a selector or a claimed sum; it may hold constants and challenges only"
            );
            facts
        }
        Node::Add(a, b) | Node::Sub(a, b) | Node::Mul(a, b) => {
            let (a, b) = (circuit.facts(a), circuit.facts(b));
            let product = matches!(node, Node::Mul(..));
            NodeFacts {
                scope: join(a.scope, b.scope)?,
                extension: a.extension || b.extension,
                degree: if product { a.degree.saturating_add(b.degree) } else { a.degree.max(b.degree) },
                ready: a.ready.max(b.ready),
                claimed_sums: a.claimed_sums || b.claimed_sums,
            }
        }
    })
}

fn join(a: Scope, b: Scope) -> Result<Scope, Error> {
    match (a, b) {
        (Scope::Uniform, other) | (other, Scope::Uniform) => Ok(other),
        (Scope::AnyTable, other) | (other, Scope::AnyTable) => Ok(other),
        (Scope::Table(x), Scope::Table(y)) => {
            obey!(OneTable, x == y, "mixes columns of tables {x} and {y}");
            Ok(a)
        }
    }
}
