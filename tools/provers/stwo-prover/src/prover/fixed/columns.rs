//! The columns of tree 0 as `fixed.bin` has them, and what a proof needs of them without their extension.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytemuck::cast_slice;
use lindero_package::{Circuit, ColumnFile, Scheduler};
use lindero_stwo_verifier::{FixedColumn, Layout, Member};
use rayon::prelude::*;
use stwo::core::circle::CirclePoint;
use stwo::core::fields::m31::BaseField;
use stwo::core::fields::qm31::SecureField;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::utils::bit_reverse_index;
use stwo::prover::backend::simd::m31::{PackedM31, N_LANES};
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::secure_column::SecureColumnByCoords;

use super::super::component::fixed_column;
use super::extend::Extend;
use super::hoist::Hoisted;
use super::kernels;
use super::rows::Rows;

/// Tree 0 in natural order of rows; mapped, but for what the layout adds.
pub struct FixedColumns<'a> {
    member: &'a Member,
    columns: Vec<Cow<'a, [PackedM31]>>,
    /// By ascending height, as tables of a proof are in Stwo's leaves.
    groups: Vec<Group>,
}

/// The columns of one height.
struct Group {
    log_height: u32,
    /// Ascending.
    indices: Vec<usize>,
    rows: Rows,
}

/// What a height adds to the numerators of the quotients at the point out of domain, as Stwo accumulates them.
pub struct Numerators {
    pub values: SecureColumnByCoords<SimdBackend>,
    pub first_linear_term: SecureField,
}

impl<'a> FixedColumns<'a> {
    pub fn new(member: &'a Member, file: &'a ColumnFile) -> Self {
        let (circuit, layout) = (&member.circuit, &member.layout);
        let column = |&column: &FixedColumn| match column {
            FixedColumn::IsFirst { log_height } => Cow::Owned(unit(log_height, 0)),
            FixedColumn::IsLast { log_height } => Cow::Owned(unit(log_height, (1 << log_height) - 1)),
            FixedColumn::Table { table, column, offset: 0 } => {
                Cow::Borrowed(cast_slice(file.column(table, column)))
            }
            FixedColumn::Table { table, column, offset } => {
                let values = file.column(table, column);
                let last = values.len() - 1;
                Cow::Owned(packed(values.len(), |row| {
                    values[row.wrapping_add_signed(offset as isize) & last]
                }))
            }
        };
        let groups = by_height(circuit, layout)
            .into_iter()
            .map(|(log_height, indices)| Group { log_height, indices, rows: Rows::new(log_height) })
            .collect();
        FixedColumns { member, columns: layout.fixed.par_iter().map(column).collect(), groups }
    }

    fn of(&self, indices: &[usize]) -> Vec<&[PackedM31]> {
        indices.iter().map(|&index| &*self.columns[index]).collect()
    }

    /// Values at a point on the lifted domain, per column.
    pub fn evaluate(&self, point: CirclePoint<SecureField>) -> Vec<SecureField> {
        let mut values = vec![SecureField::default(); self.columns.len()];
        for group in &self.groups {
            let point = point.repeated_double(self.member.layout.max_log_height - group.log_height);
            let found = group.rows.evaluate(&self.of(&group.indices), point);
            group.indices.iter().zip(found).for_each(|(&index, value)| values[index] = value);
        }
        values
    }

    /// Rows of the extended columns at positions of the lifted domain: `[column][position]`.
    pub fn open(&self, positions: &[usize]) -> Vec<Vec<BaseField>> {
        let log_blowup = self.member.parameters.log_blowup;
        let mut values = vec![Vec::new(); self.columns.len()];
        for group in &self.groups {
            let log_size = group.log_height + log_blowup;
            let domain = CanonicCoset::new(log_size).circle_domain();
            let shift = self.member.layout.max_log_height - group.log_height;
            let at = |&position: &usize| domain.at(bit_reverse_index(lowered(position, shift), log_size));
            let points: Vec<CirclePoint<BaseField>> = positions.iter().map(at).collect();
            let found = group.rows.evaluate_base(&self.of(&group.indices), &points);
            group.indices.iter().zip(found).for_each(|(&index, found)| values[index] = found);
        }
        values
    }

    /// Per height, ascending: the numerators of all its columns that are opened, by the coefficients (a, b, c) of their lines.
    pub fn numerators(
        &self,
        lines: &[Option<(SecureField, SecureField, SecureField)>],
        extend: &Extend,
    ) -> BTreeMap<u32, Numerators> {
        let of_group = |group: &Group| {
            let (mut first_linear_term, mut constant) = (SecureField::default(), SecureField::default());
            let (mut opened, mut coefficients) = (Vec::new(), Vec::new());
            for &index in &group.indices {
                if let Some((a, b, c)) = lines[index] {
                    first_linear_term += a;
                    constant -= b;
                    opened.push(index);
                    coefficients.push(c);
                }
            }
            let planes = combination(&self.of(&opened), &coefficients, constant, group.log_height);
            let columns = planes.each_ref().map(|plane| extend.numerators(cast_slice(plane)));
            (group.log_height, Numerators { values: SecureColumnByCoords { columns }, first_linear_term })
        };
        self.groups
            .iter()
            .filter(|group| group.indices.iter().any(|&i| lines[i].is_some()))
            .map(of_group)
            .collect()
    }

    /// The columns that constraints read beside what is hoisted, on the domain of constraints; nothing for the others.
    pub fn extend(&self, hoisted: &Hoisted, extend: &Extend) -> Vec<Vec<PackedM31>> {
        let circuit = &self.member.circuit;
        let mut needed = vec![false; self.columns.len()];
        let mut scheduler = Scheduler::new(circuit);
        for (index, table) in circuit.tables.iter().enumerate() {
            let roots: Vec<u32> = table.constraints.iter().map(|constraint| constraint.node).collect();
            for node in scheduler.schedule(circuit, &roots, |node| !hoisted.has(node)) {
                let column = fixed_column(circuit, index, circuit.nodes[node as usize]);
                column
                    .into_iter()
                    .for_each(|column| needed[self.member.layout.fixed_position(column)] = true);
            }
        }
        self.columns
            .par_iter()
            .zip(needed)
            .map(|(column, needed)| if needed { extend.constraints(cast_slice(column)) } else { Vec::new() })
            .collect()
    }
}

/// The sum of columns times coefficients, and a constant, by coordinates.
pub fn combination(
    columns: &[&[PackedM31]],
    coefficients: &[SecureField],
    constant: SecureField,
    log_height: u32,
) -> [Vec<PackedM31>; 4] {
    let packs = (1usize << log_height) / N_LANES;
    let ones = vec![
        PackedM31::broadcast(BaseField::from(1u32));
        if constant == SecureField::default() { 0 } else { packs }
    ];
    let mut columns = columns.to_vec();
    let mut coefficients: Vec<[BaseField; 4]> = coefficients.iter().map(|c| c.to_m31_array()).collect();
    if !ones.is_empty() {
        columns.push(&ones);
        coefficients.push(constant.to_m31_array());
    }
    let mut planes: [Vec<PackedM31>; 4] =
        std::array::from_fn(|_| vec![PackedM31::broadcast(BaseField::from(0u32)); packs]);
    kernels::combine(&columns, &coefficients, planes.each_mut().map(Vec::as_mut_slice));
    planes
}

/// Per height, its columns of tree 0, ascending.
pub fn by_height(circuit: &Circuit, layout: &Layout) -> BTreeMap<u32, Vec<usize>> {
    let mut by_height: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, column) in layout.fixed.iter().enumerate() {
        by_height.entry(column.log_height(circuit)).or_default().push(index);
    }
    by_height
}

/// Where the value of a short column stands that a position of the lifted domain reads.
pub fn lowered(position: usize, shift: u32) -> usize {
    (position >> (shift + 1) << 1) + (position & 1)
}

fn packed(rows: usize, value: impl Fn(usize) -> u32) -> Vec<PackedM31> {
    let lane = |pack: usize, lane: usize| BaseField::from_u32_unchecked(value(pack * N_LANES + lane));
    (0..rows / N_LANES).map(|pack| PackedM31::from_array(std::array::from_fn(|i| lane(pack, i)))).collect()
}

fn unit(log_height: u32, at: usize) -> Vec<PackedM31> {
    packed(1 << log_height, |row| (row == at) as u32)
}
