//! A block's proof in the making, in which a forger tries what other values of single cells lead to.

use std::collections::{BTreeMap, BTreeSet};

use bytemuck::cast_slice_mut;
use lindero_package::{Error, Generator, NodeId};
use lindero_stwo_verifier::{fingerprints, sums, uniform_values};
use num_traits::Zero;
use rayon::prelude::*;
use stwo::core::fields::qm31::SecureField;
use stwo::prover::backend::simd::m31::{PackedM31, N_LANES};

use super::links::Equations;
use super::structure::{Place, Structure};
use crate::prover::field::{broadcast, Extension};
use crate::prover::fill::{element, Columns, Planes};
use crate::prover::interpreter::{run, Registers};
use crate::prover::neighbours::Natural;
use crate::prover::program::{Known, Program, BLOCK};
use crate::prover::strategy::Step;

/// What is added to cells: of a sum along the rows, to the step at a row.
#[derive(Clone, Default)]
pub struct Change {
    pub cells: Vec<(Place, usize, SecureField)>,
    /// Running sums whose claimed sum stays as it was.
    pub kept: Vec<Place>,
}

impl Change {
    pub fn cell(place: Place, row: usize, value: SecureField) -> Self {
        Change { cells: vec![(place, row, value)], kept: Vec::new() }
    }

    /// Adds a multiple of another one.
    pub fn add(&mut self, other: &Change, factor: SecureField) {
        self.cells.extend(other.cells.iter().map(|&(place, row, value)| (place, row, factor * value)));
        self.kept.extend(&other.kept);
    }
}

pub struct World<'w, 'a> {
    pub structure: &'w Structure<'w>,
    columns: &'w mut Columns<'a>,
    /// Those that are not drawn yet are guesses.
    challenges: Vec<SecureField>,
    pub claimed_sums: Vec<SecureField>,
    /// Uniform nodes that phases 2 and 3 know.
    uniform: BTreeMap<usize, Vec<SecureField>>,
    equations: &'w Equations,
    /// Per group, what its claimed sums and those of its equation in this block must sum to zero with.
    others: Vec<SecureField>,
}

impl<'w, 'a> World<'w, 'a> {
    /// `totals` are the sums of all blocks, those of later ones as far as they are known.
    pub fn new(
        structure: &'w Structure<'w>,
        step: &Step,
        challenges: &[SecureField],
        columns: &'w mut Columns<'a>,
        claimed_sums: &[SecureField],
        equations: &'w Equations,
        totals: &[Vec<SecureField>],
    ) -> Result<Self, Error> {
        let circuit = structure.circuit;
        let published = fingerprints(circuit, step.stated, challenges)?;
        let none = vec![SecureField::zero(); circuit.claimed_sums.len()];
        let mut others = sums(circuit, step.stated, challenges, &none, &published)?;
        if !totals.is_empty() {
            others.iter_mut().zip(equations.others(totals)).for_each(|(rest, other)| *rest += other);
        }
        let mut uniform = BTreeMap::new();
        for phase in [2, 3] {
            uniform.insert(phase, uniform_values(circuit, challenges, claimed_sums, phase)?);
        }
        let (challenges, claimed_sums) = (challenges.to_vec(), claimed_sums.to_vec());
        Ok(World { structure, columns, challenges, claimed_sums, uniform, equations, others })
    }

    /// Takes other guesses for the challenges of phase 2.
    pub fn redraw(&mut self, challenges: Vec<SecureField>) -> Result<(), Error> {
        self.challenges = challenges;
        self.uniform
            .insert(3, uniform_values(self.structure.circuit, &self.challenges, &self.claimed_sums, 3)?);
        self.fill(&self.structure.places(3).collect())
    }

    /// Fills these columns, in order.
    pub fn fill(&mut self, places: &BTreeSet<Place>) -> Result<(), Error> {
        for (phase, batch) in &self.structure.batches {
            let batch: Vec<Place> = batch.iter().copied().filter(|place| places.contains(place)).collect();
            if !batch.is_empty() {
                self.columns.fill_batches(&[batch], &self.uniform[phase], &mut self.claimed_sums)?;
            }
        }
        Ok(())
    }

    /// What does not cancel yet, per group: of each that its equation has.
    pub fn rests(&self) -> Vec<SecureField> {
        let mut own = vec![SecureField::zero(); self.others.len()];
        for (claimed_sum, &value) in self.structure.circuit.claimed_sums.iter().zip(&self.claimed_sums) {
            own[claimed_sum.group as usize] += value;
        }
        let mut rests = self.equations.of_block(&own);
        rests.iter_mut().zip(&self.others).for_each(|(rest, &other)| *rest += other);
        rests
    }

    /// Makes the change, fills what follows from it, and looks at the world; then all is as before.
    pub fn trial<R>(&mut self, change: &Change, look: impl FnOnce(&mut Self) -> R) -> Result<R, Error> {
        let rows = self.planes_of(change);
        self.trial_of(rows, &change.kept, look)
    }

    /// The same for whole columns of additions.
    pub fn trial_of<R>(
        &mut self,
        rows: BTreeMap<Place, Planes>,
        kept: &[Place],
        look: impl FnOnce(&mut Self) -> R,
    ) -> Result<R, Error> {
        let cone = self.structure.cone(rows.keys().copied());
        let (claimed_sums, added) = (self.claimed_sums.clone(), self.columns.added.clone());
        let take = |columns: &mut Columns, place| columns.filled.remove(place).map(|planes| (*place, planes));
        let before: Vec<(Place, Planes)> =
            cone.iter().filter_map(|place| take(self.columns, place)).collect();
        let result = self.make(rows, kept, &cone).map(|()| look(self));
        self.columns.filled.extend(before);
        self.columns.added = added;
        self.claimed_sums = claimed_sums;
        result
    }

    /// Makes the change for good.
    pub fn commit(&mut self, change: &Change) -> Result<(), Error> {
        let rows = self.planes_of(change);
        let cone = self.structure.cone(rows.keys().copied());
        self.make(rows, &change.kept, &cone)
    }

    fn make(
        &mut self,
        rows: BTreeMap<Place, Planes>,
        kept: &[Place],
        cone: &BTreeSet<Place>,
    ) -> Result<(), Error> {
        let claimed_sums = self.claimed_sums.clone();
        for (place, rows) in rows {
            match self.columns.added.get_mut(&place) {
                None => drop(self.columns.added.insert(place, rows)),
                Some(added) => {
                    for (added, rows) in added.iter_mut().zip(&rows) {
                        added.iter_mut().zip(rows).for_each(|(added, &value)| *added += value);
                    }
                }
            }
        }
        self.fill(cone)?;
        for &place in kept {
            if let Some(claimed_sum) = self.claimed_sum_of(place) {
                self.claimed_sums[claimed_sum] = claimed_sums[claimed_sum];
            }
        }
        Ok(())
    }

    pub fn claimed_sum_of(&self, place: Place) -> Option<usize> {
        match *self.structure.generator(place) {
            Generator::RunningFraction { claimed_sum, .. } => Some(claimed_sum),
            _ => None,
        }
    }

    fn planes_of(&self, change: &Change) -> BTreeMap<Place, Planes> {
        let mut rows: BTreeMap<Place, Planes> = BTreeMap::new();
        for &(place, row, value) in &change.cells {
            let height = self.structure.circuit.tables[place.0].height();
            let planes = rows.entry(place).or_insert_with(|| zeros(height));
            let sum = element(planes, row) + value;
            for (plane, coordinate) in planes.iter_mut().zip(sum.to_m31_array()) {
                cast_slice_mut::<_, u32>(plane)[row] = coordinate.0;
            }
        }
        rows
    }

    /// The steps of a running sum, row by row.
    pub fn steps(&self, place: Place) -> Vec<SecureField> {
        let planes = self.columns.planes(place.0, place.1);
        let rows = self.structure.circuit.tables[place.0].height();
        let mut before = SecureField::zero();
        (0..rows)
            .map(|row| {
                let value = element(planes, row);
                value - std::mem::replace(&mut before, value)
            })
            .collect()
    }

    /// Per row of a table, whether a constraint of those that read one of the columns fails.
    pub fn failing_rows(&self, table: usize, read: &BTreeSet<Place>) -> Result<Vec<bool>, Error> {
        let roots: Vec<NodeId> = self.structure.constraints[table]
            .iter()
            .filter(|(_, columns)| columns.iter().any(|&column| read.contains(&(table, column))))
            .map(|&(node, _)| node)
            .collect();
        let uniform = uniform_values(self.structure.circuit, &self.challenges, &self.claimed_sums, 4)?;
        Ok(self.nonzero_rows(table, &roots, &uniform))
    }

    /// The constraints that fail anywhere, as table and index.
    pub fn failing_constraints(&self) -> Result<Vec<(usize, usize)>, Error> {
        let uniform = uniform_values(self.structure.circuit, &self.challenges, &self.claimed_sums, 4)?;
        let mut failing = Vec::new();
        for (table, constraints) in self.structure.constraints.iter().enumerate() {
            let all: Vec<NodeId> = constraints.iter().map(|&(node, _)| node).collect();
            if !self.nonzero_rows(table, &all, &uniform).contains(&true) {
                continue;
            }
            for (index, &(node, _)) in constraints.iter().enumerate() {
                if self.nonzero_rows(table, &[node], &uniform).contains(&true) {
                    failing.push((table, index));
                }
            }
        }
        Ok(failing)
    }

    /// On which rows of a table one of the nodes is not zero.
    fn nonzero_rows(&self, table: usize, roots: &[NodeId], uniform: &[SecureField]) -> Vec<bool> {
        let height = self.structure.circuit.tables[table].height();
        let mut nonzero = vec![false; height];
        let (packs, columns) = (height / N_LANES, &*self.columns);
        let bind = |node| columns.bind(table, node);
        let program = Program::new(self.structure.circuit, roots, uniform, &Known::new(), bind);
        let block = BLOCK.min(packs);
        let registers = || Registers::new(&program, block);
        nonzero.par_chunks_mut(block * N_LANES).enumerate().for_each_init(
            registers,
            |registers, (at, nonzero)| {
                run(&program, &Natural, at * block, registers, |_, values| {
                    for (pack, nonzero) in nonzero.chunks_exact_mut(N_LANES).enumerate() {
                        let value = values.at(pack).map(|plane| plane.to_array());
                        for (lane, nonzero) in nonzero.iter_mut().enumerate() {
                            *nonzero |= value.iter().any(|plane| !plane[lane].is_zero());
                        }
                    }
                });
            },
        );
        nonzero
    }
}

pub fn zeros(height: usize) -> Planes {
    let [a, b, c, d]: Extension = broadcast(SecureField::zero());
    let plane = |zero: PackedM31| vec![zero; height / N_LANES];
    [plane(a), plane(b), plane(c), plane(d)]
}
