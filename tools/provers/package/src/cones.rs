//! What nodes read, and a limit to the work of finding out.
//!
//! The rules look at the cones of many nodes, and cones of different nodes may be mostly the same: a circuit of n nodes
//! can be written whose cones have n^2 nodes together. So every visit of a node counts, and a circuit that takes more than
//! [`MOST_VISITS`] is refused.

use crate::circuit::{Circuit, Node, NodeId};
use crate::error::Error;
use crate::format_rules::obey;
use crate::order::operands_first;

/// A char GPT takes 100,000. Used up, it is seconds.
pub(crate) const MOST_VISITS: u64 = 1 << 26;

/// The same limit for the circuits of a bundle together. Each is to be counted before the next one is decoded.
#[derive(Default)]
pub struct Work(u64);

impl Work {
    pub fn count(&mut self, circuit: &Circuit) -> Result<(), Error> {
        self.0 = self.0.saturating_add(circuit.work);
        obey!(
            Work,
            self.0 <= MOST_VISITS,
            "checking the rules takes more than {MOST_VISITS} visits of nodes, of all circuits together"
        );
        Ok(())
    }
}

/// Walks cones.
pub(crate) struct Cones<'a> {
    pub circuit: &'a Circuit,
    /// Per node, the last round that saw it.
    seen: Vec<u32>,
    round: u32,
    visits: u64,
    /// Per node, room for who walks a cone.
    pub places: Vec<NodeId>,
}

/// What a node reads; each list ascends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Columns of the node's table, with the offsets at which they are read.
    pub columns: Vec<(u32, i32)>,
    pub challenges: Vec<usize>,
    pub claimed_sums: Vec<usize>,
    /// `is_first` or `is_last`.
    pub selectors: bool,
}

impl<'a> Cones<'a> {
    pub fn new(circuit: &'a Circuit) -> Self {
        Cones {
            circuit,
            seen: vec![0; circuit.nodes.len()],
            round: 0,
            visits: 0,
            places: vec![0; circuit.nodes.len()],
        }
    }

    pub fn visits(&self) -> u64 {
        self.visits
    }

    /// Counts visits, before they are made.
    pub fn charge(&mut self, visits: u64) -> Result<(), Error> {
        self.visits = self.visits.saturating_add(visits);
        obey!(
            Work,
            self.visits <= MOST_VISITS,
            "checking the rules takes more than {MOST_VISITS} visits of nodes: the circuit's cones overlap too much"
        );
        Ok(())
    }

    /// The nodes that `roots` depend on, these included, operands first.
    pub fn of(&mut self, roots: &[NodeId]) -> Result<Vec<NodeId>, Error> {
        self.round += 1;
        operands_first(self.circuit, roots, |node| self.is_new(node))
    }

    /// Whether this round has not seen the node yet. It has now.
    fn is_new(&mut self, node: NodeId) -> Result<bool, Error> {
        if self.seen[node as usize] == self.round {
            return Ok(false);
        }
        self.charge(1)?;
        self.seen[node as usize] = self.round;
        Ok(true)
    }

    pub fn reads(&mut self, roots: &[NodeId]) -> Result<Reads, Error> {
        let mut reads = Reads::default();
        for node in self.of(roots)? {
            match self.circuit.nodes[node as usize] {
                Node::Column { column, offset, .. } => reads.columns.push((column as u32, offset)),
                Node::Challenge(challenge) => reads.challenges.push(challenge),
                Node::ClaimedSum(claimed_sum) => reads.claimed_sums.push(claimed_sum),
                Node::IsFirst | Node::IsLast => reads.selectors = true,
                _ => {}
            }
        }
        for list in [&mut reads.challenges, &mut reads.claimed_sums] {
            list.sort_unstable();
            list.dedup();
        }
        reads.columns.sort_unstable();
        reads.columns.dedup();
        // Whoever asks keeps them: time stands for memory.
        self.charge(8 * (reads.columns.len() + reads.challenges.len() + reads.claimed_sums.len()) as u64)?;
        Ok(reads)
    }

    /// The factors of a denominator: the operands of products, recursively; signs do not matter. Each node once.
    pub fn factors(&mut self, denominator: NodeId) -> Result<Vec<NodeId>, Error> {
        self.round += 1;
        let mut factors = Vec::new();
        let mut stack = vec![denominator];
        while let Some(node) = stack.pop() {
            if !self.is_new(node)? {
                continue;
            }
            match self.circuit.nodes[node as usize] {
                Node::Mul(a, b) => stack.extend([b, a]),
                Node::Neg(a) => stack.push(a),
                _ => factors.push(node),
            }
        }
        Ok(factors)
    }
}

impl Reads {
    /// Columns, each once.
    pub fn each_column(&self) -> impl Iterator<Item = usize> + '_ {
        let groups = self.columns.chunk_by(|a, b| a.0 == b.0);
        groups.map(|group| group[0].0 as usize)
    }

    /// What a node of the table is a function of, challenges aside, as (table, column): its columns, and those of its claimed
    /// sums.
    pub fn sources<'a>(
        &'a self,
        circuit: &'a Circuit,
        table: usize,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        let claimed_sums =
            self.claimed_sums.iter().map(|&claimed_sum| circuit.claimed_sum_columns[claimed_sum]);
        self.each_column().map(move |column| (table, column)).chain(claimed_sums)
    }
}
