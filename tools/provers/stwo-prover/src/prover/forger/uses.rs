//! What a forger does with the columns of one phase of one block, to have its sums come out.

use lindero_package::Error;
use num_traits::{One, Zero};
use stwo::core::fields::qm31::SecureField;

use super::links::Equations;
use super::scan::{self, Direction, Findings, Kind, Rows, Scan};
use super::solve;
use super::structure::Structure;
use super::world::{Change, World};
use super::{Report, Side};
use crate::prover::strategy::Step;

/// A freedom in use.
pub struct Use<'u> {
    pub equations: &'u Equations,
    pub side: Side,
    pub scan: &'u mut Scan,
    pub report: &'u mut Report,
    pub phase: usize,
    /// Of the member, where there are several.
    pub name: &'u str,
}

impl Use<'_> {
    /// The groups of this phase whose equations are complete with this block, and those of which a later block has the other
    /// end.
    fn groups(&self, structure: &Structure) -> [Vec<usize>; 2] {
        let of_phase =
            (0..structure.last_phase.len()).filter(|&group| structure.last_phase[group] == self.phase);
        let (left, decided) = of_phase
            .filter(|&group| self.equations.is_left(group) || self.equations.is_decided(group))
            .partition(|&group| self.equations.is_left(group));
        [decided, left]
    }

    /// Those whose errors are this block's to make up for.
    fn own_groups(&self, structure: &Structure) -> Vec<usize> {
        let [decided, left] = self.groups(structure);
        match self.side {
            Side::Earlier => [decided, left].concat(),
            Side::Later => decided,
        }
    }

    pub fn free(&mut self, world: &mut World, step: &Step) -> Result<bool, Error> {
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
        let [decided, left] = self.groups(structure);
        for unseen in [true, false] {
            let unmoved = if unseen { &later[..] } else { &[] };
            if self.cancel(world, &directions, &[&decided[..], &left].concat(), unmoved)? {
                return Ok(true);
            }
            if self.cancel(world, &directions, &decided, unmoved)? {
                self.cancel_some(world, &directions, decided, &left, unmoved)?;
                return Ok(true);
            }
            directions.append(&mut seen);
        }
        Ok(false)
    }

    /// As many of the equations that a later block completes as can be had; the others are left to that block.
    fn cancel_some(
        &mut self,
        world: &mut World,
        directions: &[Direction],
        mut done: Vec<usize>,
        left: &[usize],
        unmoved: &[usize],
    ) -> Result<(), Error> {
        for &group in left {
            done.push(group);
            if !self.cancel(world, directions, &done, unmoved)? {
                done.pop();
            }
        }
        Ok(())
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
        if self.all_zero(world, groups) {
            return Ok(true);
        }
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

    pub fn forced(&mut self, world: &mut World, kind: Kind, rows: Rows) -> Result<bool, Error> {
        let Findings { cells, directions, .. } = self.scan.forced(world, self.phase, kind, rows)?;
        self.report.cells += cells;
        self.report.directions += directions.len();
        let mut moved = false;
        for group in self.own_groups(world.structure) {
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

    /// Publishes others than the last rows of their columns.
    pub fn claimed_sums(&mut self, world: &mut World) -> bool {
        let of_side = |group: &usize| self.equations.is_decided(*group) || self.side == Side::Earlier;
        let groups = (0..world.structure.last_phase.len()).filter(of_side).collect::<Vec<_>>();
        let mut moved = false;
        for group in groups {
            let rest = world.rests()[group];
            moved |= !rest.is_zero() && self.claim(world, group, -rest);
        }
        moved
    }

    /// Alters both ends of each link, so that they cancel as they did.
    pub fn partners(&mut self, world: &mut World) -> bool {
        let mut moved = false;
        for group in 0..world.structure.last_phase.len() {
            if self.equations.is_left(group) {
                let other = self.scan.element();
                moved |= self.claim(world, group, other);
            }
        }
        self.side = Side::Later;
        moved | self.claimed_sums(world)
    }

    /// Makes up for the error of a link in another sum of the block, of a link if there is another one.
    pub fn other_sums(&mut self, world: &mut World) -> bool {
        let groups: Vec<usize> = (0..world.structure.last_phase.len()).collect();
        let linked = |group: &usize| self.equations.is_linked(*group);
        let (linked, alone): (Vec<usize>, Vec<usize>) = groups.into_iter().partition(linked);
        let failing =
            |group: &&usize| self.equations.is_decided(**group) && !world.rests()[**group].is_zero();
        let Some(&group) = linked.iter().find(failing) else { return false };
        let rest = world.rests()[group];
        let others = linked.iter().chain(&alone).filter(|&&other| other != group);
        others.copied().collect::<Vec<_>>().into_iter().any(|other| self.claim(world, other, -rest))
    }

    /// Adds to a claimed sum of the group, if it has one.
    fn claim(&mut self, world: &mut World, group: usize, value: SecureField) -> bool {
        let claimed_sums = &world.structure.circuit.claimed_sums;
        let Some(index) = claimed_sums.iter().position(|of| of.group as usize == group) else { return false };
        world.claimed_sums[index] += value;
        self.report.used.push(format!("{}the claimed sum {}", self.name, claimed_sums[index].name));
        true
    }

    fn commit(&mut self, world: &mut World, change: &Change) -> Result<(), Error> {
        for &((table, column), row, _) in &change.cells {
            let table = &world.structure.circuit.tables[table];
            let column = &table.columns[column].name;
            self.report.used.push(format!("{}{}.{column}, row {row}", self.name, table.name));
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
