//! Finds the directions in which a forger can move a block's sums, in the columns of one phase.
//!
//! Every row of a column is changed at once, all that follows is filled again, and the constraints tell on which rows
//! somebody notices. What a single cell does is then tried on that cell alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytemuck::cast_slice_mut;
use lindero_package::{Error, Generator};
use num_traits::{One, Zero};
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;
use stwo::core::fields::FieldExpOps;

use super::structure::Place;
use super::world::{zeros, Change, World};
use crate::damage::Random;
use crate::prover::fill::Planes;

/// What a forger may choose, by the structure of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Cells of columns that repeat cells of other columns.
    Gathered,
    /// Cells of columns that an expression, a fraction or a scan gives; of a scan, its steps.
    Generated,
    /// Steps of a running sum.
    Step,
    /// A running sum, and not its claimed sum, by the same on all rows.
    Constant,
}

/// Which rows of a column are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rows {
    /// Those on which no constraint notices.
    Free,
    First,
    Last,
    Padding,
    Used,
}

#[derive(Clone)]
pub struct Direction {
    pub kind: Kind,
    pub change: Change,
    /// What it adds to each group.
    pub effect: Vec<SecureField>,
}

/// What a scan looked at, and found.
#[derive(Clone, Default)]
pub struct Findings {
    pub cells: usize,
    /// Of these, cells that no constraint binds.
    pub free: usize,
    pub directions: Vec<Direction>,
}

/// Of a column, at most this number of rows of a kind and of what they do are tried one by one.
const TRIED: usize = 3;

pub fn kind_of(generator: &Generator) -> Kind {
    match generator {
        Generator::Gather { .. } => Kind::Gathered,
        Generator::RunningFraction { .. } => Kind::Step,
        Generator::Expression { .. } | Generator::Fraction { .. } | Generator::Scan { .. } => Kind::Generated,
    }
}

pub struct Scan {
    random: Random,
}

/// Of a column: where nobody notices a change, and what it does to the sums of its own table there.
struct Map {
    free: Vec<bool>,
    /// Per claimed sum of a running sum of the table that follows from the column, what each row adds, per unit.
    adds: BTreeMap<usize, Vec<SecureField>>,
}

impl Scan {
    pub fn new(seed: u64) -> Self {
        Scan { random: Random(seed) }
    }

    pub fn element(&mut self) -> SecureField {
        let mut coordinate = || BaseField::from_u32_unchecked(self.random.next() as u32 % P);
        SecureField::from_m31_array(std::array::from_fn(|_| coordinate()))
    }

    /// The directions that no constraint notices, in all columns of a phase.
    pub fn free(&mut self, world: &mut World, phase: usize) -> Result<Findings, Error> {
        let mut found = Findings::default();
        let places: Vec<Place> = world.structure.places(phase).collect();
        for &place in &places {
            let map = self.map(world, place)?;
            found.cells += map.free.len();
            found.free += map.free.iter().filter(|&&free| free).count();
            for row in self.rows(world, place, &map, Rows::Free) {
                let kind = kind_of(world.structure.generator(place));
                self.push(world, kind, Change::cell(place, row, SecureField::one()), false, &mut found)?;
            }
            if let Some(change) = constant(world, place) {
                self.push(world, Kind::Constant, change, false, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Directions of a kind, on such rows, whether or not a constraint notices.
    pub fn forced(
        &mut self,
        world: &mut World,
        phase: usize,
        kind: Kind,
        rows: Rows,
    ) -> Result<Findings, Error> {
        let mut found = Findings::default();
        let places: Vec<Place> = world.structure.places(phase).collect();
        for &place in &places {
            if kind == Kind::Constant {
                if let Some(change) = constant(world, place) {
                    found.cells += 1;
                    self.push(world, kind, change, true, &mut found)?;
                }
                continue;
            }
            if kind_of(world.structure.generator(place)) != kind {
                continue;
            }
            let map = self.map(world, place)?;
            found.cells += map.free.len();
            for row in self.rows(world, place, &map, rows).into_iter().take(1) {
                self.push(world, kind, Change::cell(place, row, SecureField::one()), true, &mut found)?;
            }
        }
        Ok(found)
    }

    fn push(
        &mut self,
        world: &mut World,
        kind: Kind,
        change: Change,
        noticed: bool,
        found: &mut Findings,
    ) -> Result<(), Error> {
        let cone = world.structure.cone(change.cells.iter().map(|&(place, ..)| place));
        let tables: BTreeSet<usize> = cone.iter().map(|&(table, _)| table).collect();
        let fails = world.trial(&change, |world| {
            let fails = |table: &usize| Ok(world.failing_rows(*table, &cone)?.contains(&true));
            Ok::<_, Error>(tables.iter().map(fails).collect::<Result<Vec<_>, Error>>()?.contains(&true))
        })??;
        if noticed || !fails {
            let effect = effect(world, &change)?;
            found.directions.push(Direction { kind, change, effect });
        }
        Ok(())
    }

    fn map(&mut self, world: &mut World, place: Place) -> Result<Map, Error> {
        let height = world.structure.circuit.tables[place.0].height();
        let mut planes: Planes = zeros(height);
        let units: Vec<SecureField> = (0..height).map(|_| self.element()).collect();
        for (coordinate, plane) in planes.iter_mut().enumerate() {
            let plane = cast_slice_mut::<_, u32>(plane);
            plane.iter_mut().zip(&units).for_each(|(cell, unit)| *cell = unit.to_m31_array()[coordinate].0);
        }
        let cone = world.structure.cone([place].into_iter());
        let of_table: Vec<(usize, Place)> = cone
            .iter()
            .filter(|&&(table, _)| table == place.0)
            .filter_map(|&at| world.claimed_sum_of(at).map(|claimed_sum| (claimed_sum, at)))
            .collect();
        let steps = |world: &World| -> Vec<Vec<SecureField>> {
            of_table.iter().map(|&(_, at)| world.steps(at)).collect()
        };
        let before = steps(world);
        let look = |world: &mut World| Ok::<_, Error>((world.failing_rows(place.0, &cone)?, steps(world)));
        let (failing, after) = world.trial_of(BTreeMap::from([(place, planes)]), &[], look)??;
        let offsets = world.structure.offsets(place.0, &cone);
        let reads =
            |row: usize, offset: i32| failing[row.wrapping_add_signed(-offset as isize) & (height - 1)];
        let free = (0..height).map(|row| !offsets.iter().any(|&offset| reads(row, offset))).collect();
        let adds =
            of_table.iter().zip(before.iter().zip(&after)).map(|(&(claimed_sum, _), (before, after))| {
                let added = before.iter().zip(after).zip(&units);
                (
                    claimed_sum,
                    added.map(|((&before, &after), &unit)| (after - before) * unit.inverse()).collect(),
                )
            });
        Ok(Map { free, adds: adds.collect() })
    }

    /// A few rows of a kind: of those that move sums of this phase alone, of those that move others, and of the rest.
    fn rows(&mut self, world: &World, place: Place, map: &Map, rows: Rows) -> Vec<usize> {
        let height = map.free.len();
        let is = |row: &usize| match rows {
            Rows::Free => map.free[*row],
            Rows::First => *row == 0,
            Rows::Last => *row == height - 1,
            Rows::Padding => world.structure.is_padding(place.0, *row),
            Rows::Used => !world.structure.is_padding(place.0, *row),
        };
        let phase = world.structure.phase(place);
        let moves = |row: usize, later: bool| {
            map.adds.iter().any(|(&claimed_sum, adds)| {
                world.structure.is_later(world.structure.circuit.claimed_sums[claimed_sum].group, phase)
                    == later
                    && !adds[row].is_zero()
            })
        };
        let mut of: [Vec<usize>; 3] = Default::default();
        for row in (0..height).filter(is) {
            let class = if moves(row, true) { 1 } else { 2 * !moves(row, false) as usize };
            of[class].push(row);
        }
        let mut chosen = Vec::new();
        for of in of {
            let mut picks = vec![0, of.len().saturating_sub(1)];
            picks.extend((2..TRIED).map(|_| self.random.below(of.len().max(1))));
            picks.sort_unstable();
            picks.dedup();
            chosen.extend(picks.into_iter().filter_map(|pick| of.get(pick).copied()));
        }
        chosen
    }

    /// Two cells that no constraint binds, and that one sum under a later challenge binds together: where both are
    /// moved, it stays. `other` is the same world under another guess of that challenge.
    pub fn pairs(
        &mut self,
        world: &mut World,
        redraw: &mut dyn FnMut(&mut World) -> Result<(), Error>,
        phase: usize,
    ) -> Result<Vec<Direction>, Error> {
        let places: Vec<Place> = world.structure.places(phase).collect();
        let places: Vec<Place> = places
            .into_iter()
            .filter(|&place| kind_of(world.structure.generator(place)) == Kind::Gathered)
            .collect();
        let first = places.iter().map(|&place| self.map(world, place)).collect::<Result<Vec<_>, Error>>()?;
        redraw(world)?;
        let second = places.iter().map(|&place| self.map(world, place)).collect::<Result<Vec<_>, Error>>()?;
        let mut at_pole: HashMap<(u32, [u32; 4]), (Place, usize, SecureField)> = HashMap::new();
        let mut found = Findings::default();
        for (&place, (one, two)) in places.iter().zip(first.iter().zip(&second)) {
            for (row, _) in one.free.iter().enumerate().filter(|(_, &free)| free) {
                let Some((group, one, two)) = later(world, one, two, row, phase) else { continue };
                let ratio = (one * two.inverse()).to_m31_array().map(|coordinate| coordinate.0);
                let Some(&(place_too, row_too, one_too)) = at_pole.get(&(group, ratio)) else {
                    at_pole.insert((group, ratio), (place, row, two));
                    continue;
                };
                if found.directions.len() < TRIED {
                    let mut change = Change::cell(place, row, SecureField::one());
                    change.cells.push((place_too, row_too, -two * one_too.inverse()));
                    self.push(world, Kind::Gathered, change, false, &mut found)?;
                }
            }
        }
        Ok(found.directions)
    }
}

/// What a row adds to a sum of a later phase, under two guesses of what is drawn before; if there is one such sum.
fn later(
    world: &World,
    one: &Map,
    two: &Map,
    row: usize,
    phase: usize,
) -> Option<(u32, SecureField, SecureField)> {
    let circuit = world.structure.circuit;
    let mut of_later = one.adds.iter().filter(|(&claimed_sum, adds)| {
        world.structure.is_later(circuit.claimed_sums[claimed_sum].group, phase) && !adds[row].is_zero()
    });
    let (&claimed_sum, adds) = of_later.next()?;
    let second = two.adds[&claimed_sum][row];
    (of_later.next().is_none() && !second.is_zero())
        .then(|| (circuit.claimed_sums[claimed_sum].group, adds[row], second))
}

/// What a change adds to each group.
pub fn effect(world: &mut World, change: &Change) -> Result<Vec<SecureField>, Error> {
    let before = world.rests();
    world.trial(change, |world| {
        world.rests().iter().zip(&before).map(|(&after, &before)| after - before).collect()
    })
}

fn constant(world: &World, place: Place) -> Option<Change> {
    world.claimed_sum_of(place)?;
    Some(Change { cells: vec![(place, 0, SecureField::one())], kept: vec![place] })
}
