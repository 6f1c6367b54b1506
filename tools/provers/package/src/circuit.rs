//! The validated form of `circuit.proto`, with indices as `usize` and nodes as an enum.

use crate::canonical::decode_canonical;
use crate::error::Error;
use crate::facts::NodeFacts;
use crate::proto;
use crate::validate;

/// Index into [`Circuit::nodes`].
pub type NodeId = u32;

pub const LAST_PHASE: usize = 3;

/// See circuit.proto, which is normative; [`Circuit::decode`] guarantees what it demands.
#[derive(Clone, Debug)]
pub struct Circuit {
    pub modulus: u32,
    pub extension_degree: u32,
    pub tables: Vec<Table>,
    pub nodes: Vec<Node>,
    /// One entry per node.
    pub facts: Vec<NodeFacts>,
    pub challenges: Vec<proto::Challenge>,
    pub claimed_sums: Vec<proto::ClaimedSum>,
    /// Per claimed sum, its running column as (table, column).
    pub claimed_sum_columns: Vec<(usize, usize)>,
    pub sum_groups: Vec<proto::SumGroup>,
    pub publics: Vec<proto::PublicTensor>,
    pub buses: Vec<proto::Bus>,
    pub segments: Vec<proto::Segment>,
    /// What the adaptive rules took, in visits of nodes.
    pub work: u64,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub log_height: u32,
    /// Ordered by phase.
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    pub lookups: Vec<proto::Lookup>,
    pub instances: Vec<proto::Instance>,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub phase: usize,
    /// Present exactly in phases 2 and 3.
    pub generator: Option<Generator>,
}

#[derive(Clone, Debug)]
pub enum Generator {
    Expression {
        value: NodeId,
    },
    /// `rows`: the longest run, as the circuit says.
    Scan {
        mul: NodeId,
        add: NodeId,
        rows: u32,
    },
    /// `column[i] = numerator[i] / denominator[i]`
    Fraction {
        numerator: NodeId,
        denominator: NodeId,
    },
    /// `column[i] = column[i-1] + add[i] + numerator[i] / denominator[i]`; the last row is the claimed sum.
    RunningFraction {
        numerator: NodeId,
        denominator: NodeId,
        add: NodeId,
        claimed_sum: usize,
    },
    /// Sources ascend by base and do not overlap.
    Gather {
        index: NodeId,
        sources: Vec<proto::GatherSource>,
    },
}

#[derive(Clone, Debug)]
pub struct Constraint {
    pub name: String,
    pub node: NodeId,
    pub kind: proto::constraint::Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Constant(u32),
    Column { table: usize, column: usize, offset: i32 },
    Challenge(usize),
    ClaimedSum(usize),
    IsFirst,
    IsLast,
    Add(NodeId, NodeId),
    Sub(NodeId, NodeId),
    Mul(NodeId, NodeId),
    Neg(NodeId),
    Inverse(NodeId),
}

impl Node {
    /// The nodes that this one reads.
    pub fn operands(&self) -> impl DoubleEndedIterator<Item = NodeId> {
        let (a, b) = match *self {
            Node::Add(a, b) | Node::Sub(a, b) | Node::Mul(a, b) => (Some(a), Some(b)),
            Node::Neg(a) | Node::Inverse(a) => (Some(a), None),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }
}

impl Circuit {
    /// Decodes and validates the bytes of `circuit.pb`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut circuit = validate::circuit(decode_canonical(bytes, "circuit.pb")?)?;
        circuit.work = validate::adaptive_rules(&circuit, bytes)?;
        Ok(circuit)
    }

    /// The same for a circuit that may leave a prover free to cheat: for tests that show that it does.
    #[cfg(feature = "forger")]
    pub fn decode_ignoring_rules(bytes: &[u8]) -> Result<Self, Error> {
        validate::circuit(decode_canonical(bytes, "circuit.pb")?)
    }

    pub fn max_log_height(&self) -> u32 {
        self.tables.iter().map(|table| table.log_height).max().unwrap_or(0)
    }

    /// Indices of the challenges drawn after `phase` is committed.
    pub fn challenges_after(&self, phase: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.challenges.len()).filter(move |&index| self.challenges[index].phase as usize == phase)
    }

    /// In which a claimed sum is known: that of its running column.
    pub fn claimed_sum_phase(&self, claimed_sum: usize) -> usize {
        let (table, column) = self.claimed_sum_columns[claimed_sum];
        self.tables[table].columns[column].phase
    }

    pub fn facts(&self, node: NodeId) -> NodeFacts {
        self.facts[node as usize]
    }
}

impl Table {
    pub fn height(&self) -> usize {
        1 << self.log_height
    }

    /// Indices into [`Table::columns`].
    pub fn columns_of_phase(&self, phase: usize) -> std::ops::Range<usize> {
        let first = self.columns.partition_point(|column| column.phase < phase);
        let end = self.columns.partition_point(|column| column.phase <= phase);
        first..end
    }
}

impl Generator {
    /// Numerator and denominator, if it is a fraction.
    pub fn fraction(&self) -> Option<(NodeId, NodeId)> {
        match *self {
            Generator::Fraction { numerator, denominator }
            | Generator::RunningFraction { numerator, denominator, .. } => Some((numerator, denominator)),
            _ => None,
        }
    }

    /// The nodes that the generator evaluates on each row.
    pub fn roots(&self) -> Vec<NodeId> {
        match self {
            Generator::Expression { value } => vec![*value],
            Generator::Scan { mul, add, .. } => vec![*mul, *add],
            Generator::Fraction { numerator, denominator } => vec![*numerator, *denominator],
            Generator::RunningFraction { numerator, denominator, add, .. } => {
                vec![*numerator, *denominator, *add]
            }
            Generator::Gather { index, .. } => vec![*index],
        }
    }
}
