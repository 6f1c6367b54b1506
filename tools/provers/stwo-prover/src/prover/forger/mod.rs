//! A forger: a cheating prover that adapts.
//!
//! It is given a trace and a claim that do not belong together, and commits the trace. Then, before each later phase, it
//! sees what the sums come to under the challenges drawn so far, looks for every freedom that the circuit leaves it, and
//! solves for values that make the sums come out. It knows circuits by their structure alone, so that a freedom that nobody
//! thought of is found as well. What it makes is shown to the real verifier: see tests/soundness/README.md.
//!
//! Where constraints would notice what it does, it proves the others: it takes the noticed ones for zero.

mod scan;
mod solve;
mod structure;
mod world;

use std::borrow::Cow;
use std::sync::Arc;

use lindero_package::{
    Bundle, Circuit, ColumnFile, Error, Node, NodeFacts, NodeId, Package, Scope, Statement,
};
use lindero_stwo_verifier::{sums, uniform_values, Key};
use num_traits::{One, Zero};
use stwo::core::fields::qm31::SecureField;

use scan::{Direction, Scan};
pub use scan::{Findings, Kind, Rows};
use structure::Structure;
use world::{Change, World};

use super::fill::Columns;
use super::grind::HONEST;
use super::program::Known;
use super::prove::{prove_bundle, Means, TreeZero};
use super::strategy::{Published, Step, Strategy};
use super::Failure;
use crate::progress::Progress;

/// What a forger makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Nothing: shows which check the lie itself runs into.
    Nothing,
    /// Everything that no constraint notices.
    Free,
    /// Cells of a kind, noticed or not.
    Forced { phase: usize, kind: Kind, rows: Rows },
    /// Claimed sums other than the last rows of their columns.
    ClaimedSums,
    /// Fingerprints of other values than those that the digests are of.
    Fingerprints,
}

/// What came of it.
#[derive(Clone, Default)]
pub struct Report {
    /// Cells that were looked at, and those among them that no constraint binds.
    pub cells: usize,
    pub free: usize,
    /// Directions that were tried for what they do to the sums.
    pub directions: usize,
    /// The cells that were chosen.
    pub used: Vec<String>,
    /// Whether all sums came out.
    pub cancelled: bool,
    /// Constraints that were taken for zero.
    pub dropped: Vec<String>,
}

/// Why an attempt ends without a proof: it would be that of [`Freedom::Nothing`].
pub const NOTHING_TO_MOVE: &str = "no cell of the kind moves a sum that fails";

/// Makes a proof of the traces and the claim, with a freedom.
pub fn forge(
    package: &Package,
    traces: &[ColumnFile],
    key: &Key,
    statement: &Statement,
    freedom: Freedom,
    seed: u64,
) -> Result<(Vec<u8>, Report), Failure> {
    let [member] = &key.members[..] else {
        return Err(Failure::Input(Error::new("the forger knows bundles of one member only")));
    };
    let mut forger = Forger {
        package,
        traces,
        structure: Structure::new(&member.circuit)?,
        freedom,
        scan: Scan::new(seed),
        report: Report { cancelled: true, ..Report::default() },
        dropped: Vec::new(),
        moved: false,
    };
    let progress = Arc::new(Progress::new(None));
    let means = Means { grind: HONEST, trees_zero: &mut |_| Ok(TreeZero::Committed), parts: None };
    let proof = prove_bundle(package, traces, key, statement, &progress, &mut forger, means)?;
    Ok((proof, forger.report))
}

struct Forger<'a> {
    package: &'a Package,
    traces: &'a [ColumnFile],
    structure: Structure<'a>,
    freedom: Freedom,
    scan: Scan,
    report: Report,
    /// Of the block at hand.
    dropped: Vec<(usize, usize)>,
    moved: bool,
}

impl Strategy for Forger<'_> {
    fn filled(
        &mut self,
        step: &Step,
        phase: usize,
        columns: &mut Columns,
        claimed_sums: &mut [SecureField],
    ) -> Result<(), Error> {
        let next = self.sums_of_next(step)?;
        let (challenges, last_phase) = (self.guess(step, phase), self.last_phase());
        let structure = &self.structure;
        let mut world = World::new(structure, step, &challenges, columns, claimed_sums, next.as_deref())?;
        if phase == 2 {
            world.fill(&structure.places(3).collect())?;
        }
        let mut use_it = Use {
            bundle: step.bundle,
            scan: &mut self.scan,
            report: &mut self.report,
            phase,
            next: next.is_some(),
        };
        let moved = match self.freedom {
            Freedom::Free => use_it.free(&mut world, step)?,
            Freedom::Forced { phase: of, kind, rows } if of == phase => {
                use_it.forced(&mut world, kind, rows)?
            }
            Freedom::ClaimedSums if phase == last_phase => use_it.claimed_sums(&mut world),
            _ => false,
        };
        self.moved |= moved;
        if phase == last_phase {
            self.dropped = world.failing_constraints()?;
        }
        claimed_sums.copy_from_slice(&world.claimed_sums);
        Ok(())
    }

    fn publish(&mut self, step: &Step, claimed_sums: &mut [SecureField]) -> Result<Published, Error> {
        let Step { circuit, stated, block, blocks, challenges, .. } = *step;
        let mut fingerprints = lindero_stwo_verifier::fingerprints(circuit, stated, challenges)?;
        let mut totals = sums(circuit, stated, challenges, claimed_sums, &fingerprints)?;
        if self.freedom == Freedom::Fingerprints {
            let by_digest = (0..circuit.publics.len()).filter(|&tensor| stated.by_digest(tensor));
            for (tensor, fingerprint) in by_digest.zip(&mut fingerprints) {
                let tensor = &circuit.publics[tensor];
                let rest = std::mem::replace(&mut totals[tensor.group as usize], SecureField::zero());
                *fingerprint += if tensor.negative { rest } else { -rest };
                self.moved |= !rest.is_zero();
                self.report.used.push(format!("the fingerprint of {}", tensor.name));
            }
        }
        let last = block + 1 == blocks;
        if last && !self.moved && !matches!(self.freedom, Freedom::Nothing | Freedom::Free) {
            return Err(Error::new(NOTHING_TO_MOVE));
        }
        Ok(Published { fingerprints, sums: totals })
    }

    /// Whatever the sums are, the proof is made; the verifier shall say what is wrong with it.
    fn check(&mut self, step: &Step, sums: &[SecureField]) -> Result<(), Error> {
        let sums = [sums.to_vec()];
        self.report.cancelled &= lindero_stwo_verifier::check_sums(step.bundle, step.before, &sums).is_ok();
        Ok(())
    }

    fn proven<'c>(&mut self, circuit: &'c Circuit) -> Cow<'c, Circuit> {
        if self.dropped.is_empty() {
            return Cow::Borrowed(circuit);
        }
        let mut rest = circuit.clone();
        let zero = rest.nodes.len() as NodeId;
        rest.nodes.push(Node::Constant(0));
        rest.facts.push(NodeFacts {
            scope: Scope::Uniform,
            extension: false,
            degree: 0,
            ready: 0,
            claimed_sums: false,
        });
        for (table, constraint) in self.dropped.drain(..) {
            let table = &mut rest.tables[table];
            let constraint = &mut table.constraints[constraint];
            constraint.node = zero;
            self.report.dropped.push(format!("{}.{}", table.name, constraint.name));
        }
        Cow::Owned(rest)
    }
}

impl Forger<'_> {
    fn last_phase(&self) -> usize {
        self.structure.batches.last().map_or(2, |&(phase, _)| phase)
    }

    /// The challenges, those that are not drawn yet at random.
    fn guess(&mut self, step: &Step, phase: usize) -> Vec<SecureField> {
        let mut challenges = step.challenges.to_vec();
        for drawn_later in phase..3 {
            step.circuit
                .challenges_after(drawn_later)
                .for_each(|index| challenges[index] = self.scan.element());
        }
        challenges
    }

    /// What the next block takes from this one is known as soon as the challenges of phase 1 are: it is the same for all
    /// blocks.
    fn sums_of_next(&self, step: &Step) -> Result<Option<Vec<SecureField>>, Error> {
        let next = step.block + 1;
        if step.bundle.links.is_empty() || next == self.traces.len() {
            return Ok(None);
        }
        let mut claimed_sums = vec![SecureField::zero(); step.circuit.claimed_sums.len()];
        let uniform = uniform_values(step.circuit, step.challenges, &claimed_sums, 2)?;
        let mut columns =
            Columns::new(step.circuit, &self.package.files[0].fixed, &self.traces[next], Known::new());
        columns.fill(2, &uniform, &mut claimed_sums)?;
        let mut totals = vec![SecureField::zero(); step.circuit.sum_groups.len()];
        for (claimed_sum, value) in step.circuit.claimed_sums.iter().zip(claimed_sums) {
            totals[claimed_sum.group as usize] += value;
        }
        Ok(Some(totals))
    }
}

/// A freedom in use, in one phase of one block.
struct Use<'u> {
    bundle: &'u Bundle,
    scan: &'u mut Scan,
    report: &'u mut Report,
    phase: usize,
    /// Whether the sums of the next block are known.
    next: bool,
}

impl Use<'_> {
    /// Whether it is the next step that reads the group.
    fn is_left(&self, group: usize) -> bool {
        self.bundle.links.iter().flatten().any(|end| end.before && end.group == group)
    }

    /// The groups that this phase decides, with or without what the block leaves.
    fn groups(&self, structure: &Structure, left: bool) -> Vec<usize> {
        (0..structure.last_phase.len())
            .filter(|&group| {
                structure.last_phase[group] == self.phase && (left && self.next || !self.is_left(group))
            })
            .collect()
    }

    fn free(&mut self, world: &mut World, step: &Step) -> Result<bool, Error> {
        let found = self.scan.free(world, self.phase)?;
        self.report.cells += found.cells;
        self.report.free += found.free;
        let (structure, phase) = (world.structure, self.phase);
        let later: Vec<usize> = (0..structure.last_phase.len())
            .filter(|&group| structure.is_later(group as u32, phase))
            .collect();
        let is_seen = |direction: &Direction| later.iter().any(|&group| !direction.effect[group].is_zero());
        // What later sums do not see comes first, or what they see as they are known to.
        let (mut seen, mut directions): (Vec<_>, Vec<_>) = found.directions.into_iter().partition(is_seen);
        if !later.is_empty() {
            directions.extend(self.pairs(world, step)?);
            for direction in &seen {
                if scan::effect(world, &direction.change)? == direction.effect {
                    directions.push(direction.clone());
                }
            }
        }
        self.report.directions += seen.len() + directions.len();
        for unseen in [true, false] {
            for left in [true, false] {
                let groups = self.groups(structure, left);
                if self.all_zero(world, &groups) {
                    return Ok(true);
                }
                let unmoved = if unseen { &later[..] } else { &[] };
                if self.cancel(world, &directions, &groups, unmoved)? {
                    return Ok(true);
                }
            }
            directions.append(&mut seen);
        }
        Ok(false)
    }

    fn all_zero(&self, world: &World, groups: &[usize]) -> bool {
        let rests = world.rests();
        groups.iter().all(|&group| rests[group].is_zero())
    }

    /// Makes the sums of the groups come out, and leaves others unmoved; false, and nothing is changed, if the directions do
    /// not suffice.
    fn cancel(
        &mut self,
        world: &mut World,
        directions: &[Direction],
        groups: &[usize],
        unmoved: &[usize],
    ) -> Result<bool, Error> {
        let mut wanted = negated(world.rests());
        unmoved.iter().for_each(|&group| wanted[group] = SecureField::zero());
        if let Some(factors) = solve::combine(directions, &[groups, unmoved].concat(), &wanted) {
            let change = combined(directions, &factors);
            // Where it is not linear they do not.
            if world.trial(&change, |world| self.all_zero(world, groups))? {
                return self.commit(world, &change).map(|()| true);
            }
        }
        self.in_denominators(world, directions, groups, &wanted)
    }

    fn pairs(&self, world: &mut World, step: &Step) -> Result<Vec<Direction>, Error> {
        // A scan of its own for the guesses: the other is at work.
        let mut guesses = Scan::new(step.block as u64 ^ 0x5eed);
        let mut scan = Scan::new(step.block as u64 ^ 0xface);
        let mut redraw = |world: &mut World| {
            let mut challenges = step.challenges.to_vec();
            step.circuit.challenges_after(2).for_each(|index| challenges[index] = guesses.element());
            world.redraw(challenges)
        };
        scan.pairs(world, &mut redraw, self.phase)
    }

    /// One cell that a denominator reads.
    fn in_denominators(
        &mut self,
        world: &mut World,
        directions: &[Direction],
        groups: &[usize],
        wanted: &[SecureField],
    ) -> Result<bool, Error> {
        let failing: Vec<usize> = groups.iter().copied().filter(|&group| !wanted[group].is_zero()).collect();
        let &[group] = &failing[..] else { return Ok(false) };
        let before = world.rests();
        for direction in directions {
            let mut twice = direction.change.clone();
            twice.add(&direction.change, SecureField::one());
            let two = world.trial(&twice, |world| world.rests()[group] - before[group])?;
            let factor = solve::in_a_denominator(direction.effect[group], two, wanted[group]);
            let Some(factor) = factor else { continue };
            let mut change = Change::default();
            change.add(&direction.change, factor);
            let comes_out =
                world.trial(&change, |world| groups.iter().all(|&group| world.rests()[group].is_zero()))?;
            if comes_out {
                return self.commit(world, &change).map(|()| true);
            }
        }
        Ok(false)
    }

    fn forced(&mut self, world: &mut World, kind: Kind, rows: Rows) -> Result<bool, Error> {
        let Findings { cells, directions, .. } = self.scan.forced(world, self.phase, kind, rows)?;
        self.report.cells += cells;
        self.report.directions += directions.len();
        let mut moved = false;
        for group in self.groups(world.structure, true) {
            let wanted = negated(world.rests());
            let mover = directions.iter().find(|direction| !direction.effect[group].is_zero());
            // What moves nothing is done all the same.
            let mover = mover.or(directions.first().filter(|_| kind == Kind::Constant));
            let (false, Some(direction)) = (wanted[group].is_zero(), mover) else { continue };
            let direction = std::slice::from_ref(direction);
            let factors = solve::combine(direction, &[group], &wanted);
            let change = combined(direction, &factors.unwrap_or_else(|| vec![SecureField::one()]));
            self.commit(world, &change)?;
            moved = true;
        }
        Ok(moved)
    }

    fn claimed_sums(&mut self, world: &mut World) -> bool {
        let circuit = world.structure.circuit;
        let mut moved = false;
        for group in 0..circuit.sum_groups.len() {
            let rest = world.rests()[group];
            let is_left = self.is_left(group);
            let claimed_sum =
                circuit.claimed_sums.iter().position(|claimed_sum| claimed_sum.group as usize == group);
            let (false, false, Some(claimed_sum)) = (is_left, rest.is_zero(), claimed_sum) else { continue };
            world.claimed_sums[claimed_sum] -= rest;
            self.report.used.push(format!("the claimed sum {}", circuit.claimed_sums[claimed_sum].name));
            moved = true;
        }
        moved
    }

    fn commit(&mut self, world: &mut World, change: &Change) -> Result<(), Error> {
        for &((table, column), row, _) in &change.cells {
            let table = &world.structure.circuit.tables[table];
            self.report.used.push(format!("{}.{}, row {row}", table.name, table.columns[column].name));
        }
        world.commit(change)
    }
}

fn combined(directions: &[Direction], factors: &[SecureField]) -> Change {
    let mut change = Change::default();
    for (direction, &factor) in directions.iter().zip(factors) {
        if !factor.is_zero() {
            change.add(&direction.change, factor);
        }
    }
    change
}

fn negated(rests: Vec<SecureField>) -> Vec<SecureField> {
    rests.into_iter().map(|rest| -rest).collect()
}
