//! Fills the columns of the challenge phases from their generators, in natural row order.
//!
//! The columns of a table that do not depend on each other are filled together: one program computes all
//! their operands block by block, in parallel, and the denominators of a block are inverted at once. What
//! runs along the rows (scans, running sums) follows, in parallel over the columns.

use std::collections::BTreeMap;

use bytemuck::{cast_slice, cast_slice_mut};
use lindero_package::{fill_order, Circuit, ColumnFile, Error, Generator, Node};
use num_traits::Zero;
use rayon::prelude::*;
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;
use stwo::core::fields::FieldExpOps;
use stwo::prover::backend::simd::m31::{PackedM31, N_LANES};
use stwo::prover::backend::simd::qm31::PackedQM31;

use super::field::{broadcast, Combine, Extension};
use super::interpreter::{run, Registers};
use super::neighbours::Natural;
use super::program::{Binding, Known, Program, BLOCK};

/// The four coordinates of an extension column in natural row order, canonical.
pub type Planes = [Vec<PackedM31>; 4];

/// All columns that are known so far.
pub struct Columns<'a> {
    circuit: &'a Circuit,
    fixed: &'a ColumnFile,
    main: &'a ColumnFile,
    pub(super) filled: BTreeMap<(usize, usize), Planes>,
    /// Nodes whose values are there already, by rows.
    known: Known<'a>,
    /// Per table height: is_first, is_last.
    selectors: BTreeMap<u32, [Vec<PackedM31>; 2]>,
    /// What a cheating prover adds to the rows that a generator gives, before sums run along them; empty for an honest one.
    #[cfg(feature = "forger")]
    pub added: BTreeMap<(usize, usize), Planes>,
}

impl<'a> Columns<'a> {
    /// `fixed` and `main` must hold canonical residues; `known` has nodes whose values are there already.
    pub fn new(circuit: &'a Circuit, fixed: &'a ColumnFile, main: &'a ColumnFile, known: Known<'a>) -> Self {
        let mut selectors = BTreeMap::new();
        if circuit.nodes.iter().any(|node| matches!(node, Node::IsFirst | Node::IsLast)) {
            for table in &circuit.tables {
                let zero = vec![PackedM31::broadcast(0u32.into()); table.height() / N_LANES];
                let mut pair = [zero.clone(), zero];
                cast_slice_mut::<_, u32>(&mut pair[0])[0] = 1;
                cast_slice_mut::<_, u32>(&mut pair[1])[table.height() - 1] = 1;
                selectors.insert(table.log_height, pair);
            }
        }
        Columns {
            circuit,
            fixed,
            main,
            filled: BTreeMap::new(),
            known,
            selectors,
            #[cfg(feature = "forger")]
            added: BTreeMap::new(),
        }
    }

    /// A filled column.
    pub fn planes(&self, table: usize, column: usize) -> &Planes {
        &self.filled[&(table, column)]
    }

    pub(super) fn bind(&self, table: usize, node: Node) -> Binding<'_> {
        let selector = |index: usize| {
            let log_height = self.circuit.tables[table].log_height;
            Binding { columns: [&self.selectors[&log_height][index], &[], &[], &[]], offset: 0 }
        };
        match node {
            Node::IsFirst => selector(0),
            Node::IsLast => selector(1),
            Node::Column { table, column, offset } => {
                let columns: [&[PackedM31]; 4] = match self.circuit.tables[table].columns[column].phase {
                    0 => [cast_slice(self.fixed.column(table, column)), &[], &[], &[]],
                    1 => [cast_slice(self.main.column(table, column)), &[], &[], &[]],
                    _ => self.planes(table, column).each_ref().map(Vec::as_slice),
                };
                Binding { columns, offset }
            }
            _ => unreachable!("only columns and selectors are bound"),
        }
    }

    /// Fills the columns of `phase`. `uniform` holds the uniform nodes that are known; claimed sums are put in
    /// their places.
    pub fn fill(
        &mut self,
        phase: usize,
        uniform: &[SecureField],
        claimed_sums: &mut [SecureField],
    ) -> Result<(), Error> {
        self.fill_batches(&fill_order(self.circuit, phase)?, uniform, claimed_sums)
    }

    /// Fills columns in the order of [`fill_order`].
    pub fn fill_batches(
        &mut self,
        batches: &[Vec<(usize, usize)>],
        uniform: &[SecureField],
        claimed_sums: &mut [SecureField],
    ) -> Result<(), Error> {
        for batch in batches {
            // Sorted by table and column.
            let tables: Vec<&[(usize, usize)]> = batch.chunk_by(|a, b| a.0 == b.0).collect();
            let filled: Vec<Vec<Planes>> = tables
                .par_iter()
                .map(|columns| self.fill_table(columns, uniform))
                .collect::<Result<_, Error>>()?;
            for (&place, planes) in tables.into_iter().flatten().zip(filled.into_iter().flatten()) {
                let column = &self.circuit.tables[place.0].columns[place.1];
                if let Some(Generator::RunningFraction { claimed_sum, .. }) = column.generator {
                    let last = self.circuit.tables[place.0].height() - 1;
                    claimed_sums[claimed_sum] = element(&planes, last);
                }
                self.filled.insert(place, planes);
            }
        }
        Ok(())
    }

    /// Columns of one table that do not depend on each other.
    fn fill_table(&self, columns: &[(usize, usize)], uniform: &[SecureField]) -> Result<Vec<Planes>, Error> {
        let table_index = columns[0].0;
        let table = &self.circuit.tables[table_index];
        let generators: Vec<&Generator> = columns
            .iter()
            .map(|&(_, column)| {
                table.columns[column].generator.as_ref().expect("the order lists generated columns")
            })
            .collect();
        let plan = Plan::new(&generators);
        let program = Program::new(self.circuit, &plan.roots, uniform, &self.known, |node| {
            self.bind(table_index, node)
        });
        let packs = table.height() / N_LANES;
        let mut outputs: Vec<Planes> = (0..plan.outputs)
            .map(|_| std::array::from_fn(|_| vec![PackedM31::broadcast(0u32.into()); packs]))
            .collect();
        plan.run(&program, packs, &mut outputs).map_err(|row| {
            Error::new(format!(
                "table {}: a denominator is zero near row {row}; the witness is wrong, or a challenge was drawn badly",
                table.name
            ))
        })?;
        let factors = outputs.split_off(generators.len());
        let columns: Vec<_> = generators.iter().zip(&plan.scans).zip(columns).collect();
        outputs.par_iter_mut().zip(columns).try_for_each(|(planes, ((generator, scan), &place))| {
            self.finish(place, generator, scan.map(|scan| &factors[scan]), planes)
        })?;
        Ok(outputs)
    }

    /// Makes the column of what its generator gives row by row; a scan's factors are in planes of their own.
    fn finish(
        &self,
        place: (usize, usize),
        generator: &Generator,
        factors: Option<&Planes>,
        planes: &mut Planes,
    ) -> Result<(), Error> {
        if let Generator::Gather { sources, .. } = generator {
            *planes = self.gather_rows(sources, &planes[0])?;
        }
        self.add(place, planes);
        match generator {
            Generator::Scan { .. } => scan_rows(planes, factors.expect("a scan has factors")),
            Generator::RunningFraction { .. } => planes.par_iter_mut().for_each(|plane| sum_rows(plane)),
            Generator::Expression { .. } | Generator::Fraction { .. } | Generator::Gather { .. } => {}
        }
        planes.iter_mut().for_each(|plane| reduce(plane));
        Ok(())
    }

    /// An honest prover has nothing to add.
    #[cfg(not(feature = "forger"))]
    fn add(&self, _: (usize, usize), _: &mut Planes) {}

    #[cfg(feature = "forger")]
    fn add(&self, place: (usize, usize), planes: &mut Planes) {
        let Some(added) = self.added.get(&place) else { return };
        for (plane, added) in planes.iter_mut().zip(added) {
            plane.iter_mut().zip(added).for_each(|(value, &added)| *value += added);
        }
    }

    fn gather_rows(
        &self,
        sources: &[lindero_package::proto::GatherSource],
        index: &[PackedM31],
    ) -> Result<Planes, Error> {
        let index: Vec<u32> =
            cast_slice::<_, u32>(index).iter().map(|&i| if i == P { 0 } else { i }).collect();
        let mut planes: Planes =
            std::array::from_fn(|_| vec![PackedM31::broadcast(0u32.into()); index.len() / N_LANES]);
        let found: Vec<Option<(&Planes, usize)>> = index
            .par_iter()
            .map(|&index| {
                let Some(row) = index.checked_sub(1) else { return Ok(None) };
                let after = sources.partition_point(|source| source.base <= row);
                let source = after.checked_sub(1).map(|at| &sources[at]).filter(|s| row - s.base < s.rows);
                let source = source.ok_or_else(|| {
                    Error::new(format!(
                        "a gather index, {index}, is in no source: fixed.bin is not the circuit's"
                    ))
                })?;
                let planes = self.planes(source.table as usize, source.column as usize);
                Ok(Some((planes, (row - source.base) as usize)))
            })
            .collect::<Result<_, Error>>()?;
        planes.par_iter_mut().enumerate().for_each(|(coordinate, plane)| {
            for (out, found) in cast_slice_mut::<_, u32>(plane).iter_mut().zip(&found) {
                *out = found.map_or(0, |(planes, row)| cast_slice::<_, u32>(&planes[coordinate])[row]);
            }
        });
        Ok(planes)
    }
}

/// Where the roots of a table's program go.
struct Plan {
    roots: Vec<u32>,
    targets: Vec<Target>,
    /// One per column, then one per scan: its factors.
    outputs: usize,
    /// Per column, the index of its factors after the columns.
    scans: Vec<Option<usize>>,
    /// Per fraction, its output and whether it has an addend.
    fractions: Vec<(usize, bool)>,
}

#[derive(Clone, Copy)]
enum Target {
    Output(usize),
    Denominator(usize),
    Addend(usize),
}

impl Plan {
    fn new(generators: &[&Generator]) -> Self {
        let mut plan = Plan {
            roots: Vec::new(),
            targets: Vec::new(),
            outputs: generators.len(),
            scans: Vec::new(),
            fractions: Vec::new(),
        };
        for (column, generator) in generators.iter().enumerate() {
            let fraction = plan.fractions.len();
            let mut scan = None;
            let targets = match generator {
                Generator::Expression { .. } | Generator::Gather { .. } => vec![Target::Output(column)],
                Generator::Scan { .. } => {
                    scan = Some(plan.outputs - generators.len());
                    plan.outputs += 1;
                    vec![Target::Output(plan.outputs - 1), Target::Output(column)]
                }
                Generator::Fraction { .. } => {
                    plan.fractions.push((column, false));
                    vec![Target::Output(column), Target::Denominator(fraction)]
                }
                Generator::RunningFraction { .. } => {
                    plan.fractions.push((column, true));
                    vec![Target::Output(column), Target::Denominator(fraction), Target::Addend(fraction)]
                }
            };
            plan.scans.push(scan);
            plan.roots.extend(generator.roots());
            plan.targets.extend(targets);
        }
        plan
    }

    /// Runs the program on all rows. Fails with a row of the block in which a denominator is zero.
    fn run(&self, program: &Program, packs: usize, outputs: &mut [Planes]) -> Result<(), usize> {
        let block = BLOCK.min(packs);
        let mut blocks: Vec<Vec<[&mut [PackedM31]; 4]>> = (0..packs / block).map(|_| Vec::new()).collect();
        for planes in outputs {
            let mut chunks = planes.each_mut().map(|plane| plane.chunks_mut(block));
            for block in &mut blocks {
                block.push(chunks.each_mut().map(|chunks| chunks.next().expect("planes have equal length")));
            }
        }
        let zero = broadcast(SecureField::zero());
        let scratch = || {
            let fractions = vec![zero; self.fractions.len() * block];
            (Registers::new(program, block), fractions.clone(), fractions.clone(), fractions)
        };
        blocks.par_iter_mut().enumerate().try_for_each_init(scratch, |state, (index, outputs)| {
            let (registers, denominators, addends, products) = state;
            run(program, &Natural, index * block, registers, |root, values| match self.targets[root] {
                Target::Output(output) => values.copy_to(&mut outputs[output]),
                Target::Denominator(fraction) => {
                    (0..block).for_each(|pack| denominators[fraction * block + pack] = values.at(pack));
                }
                Target::Addend(fraction) => {
                    (0..block).for_each(|pack| addends[fraction * block + pack] = values.at(pack));
                }
            });
            if !invert(denominators, products) {
                return Err(index * block * N_LANES);
            }
            for (fraction, &(output, has_addend)) in self.fractions.iter().enumerate() {
                for pack in 0..block {
                    let at = fraction * block + pack;
                    let planes = &mut outputs[output];
                    let numerator: Extension = std::array::from_fn(|i| planes[i][pack]);
                    let mut value = numerator.times(denominators[at]);
                    if has_addend {
                        value = value.plus(addends[at]);
                    }
                    planes.iter_mut().zip(value).for_each(|(plane, value)| plane[pack] = value);
                }
            }
            Ok(())
        })
    }
}

/// Inverts all values, with one inversion; false if one is zero.
fn invert(values: &mut [Extension], products: &mut [Extension]) -> bool {
    let mut product = broadcast(SecureField::from(BaseField::from(1u32)));
    for (&value, before) in values.iter().zip(products.iter_mut()) {
        *before = product;
        product = product.times(value);
    }
    let product = PackedQM31::from_packed_m31s(product);
    if product.to_array().iter().any(|lane| lane.is_zero()) {
        // A forger fills such a row with anything; zero, to begin with.
        return cfg!(feature = "forger") && {
            values.iter_mut().for_each(|value| *value = invert_or_zero(*value));
            true
        };
    }
    let mut inverse = product.inverse().into_packed_m31s();
    for (value, &before) in values.iter_mut().zip(products.iter()).rev() {
        (*value, inverse) = (inverse.times(before), inverse.times(*value));
    }
    true
}

fn invert_or_zero(value: Extension) -> Extension {
    let lanes = PackedQM31::from_packed_m31s(value).to_array();
    let inverses = lanes.map(|lane| if lane.is_zero() { lane } else { lane.inverse() });
    PackedQM31::from_array(inverses).into_packed_m31s()
}

/// Values of the field in [0, P] become canonical.
fn reduce(plane: &mut [PackedM31]) {
    cast_slice_mut::<_, u32>(plane)
        .iter_mut()
        .for_each(|value| *value = if *value == P { 0 } else { *value });
}

pub(super) fn element(planes: &Planes, row: usize) -> SecureField {
    let coordinate = |i: usize| BaseField::from_u32_unchecked(cast_slice::<_, u32>(&planes[i])[row]);
    SecureField::from_m31_array(std::array::from_fn(coordinate))
}

/// `column[i] = factor[i] * column[i-1] + column[i]`, from row 1 on.
fn scan_rows(planes: &mut Planes, factors: &Planes) {
    let rows = planes[0].len() * N_LANES;
    let mut current = element(planes, 0);
    let mut columns = planes.each_mut().map(|plane| cast_slice_mut::<_, u32>(plane));
    let factors = factors.each_ref().map(|plane| cast_slice::<_, u32>(plane));
    for row in 1..rows {
        let factor =
            SecureField::from_m31_array(factors.map(|plane| BaseField::from_u32_unchecked(plane[row])));
        let addend: [BaseField; 4] = std::array::from_fn(|i| BaseField::from_u32_unchecked(columns[i][row]));
        current = factor * current + SecureField::from_m31_array(addend);
        for (plane, value) in columns.iter_mut().zip(current.to_m31_array()) {
            plane[row] = value.0;
        }
    }
}

/// Inclusive running sums of one coordinate.
fn sum_rows(plane: &mut [PackedM31]) {
    let mut sum = 0u32;
    for value in cast_slice_mut::<_, u32>(plane) {
        sum += *value;
        sum -= if sum >= P { P } else { 0 };
        *value = sum;
    }
}
