//! From natural row order to Stwo's.
//!
//! Natural row i stands at point i of the coset; in the circle domain, even rows come first and odd rows
//! last, backwards; Stwo's columns hold that order with the bits of the position reversed.

use lindero_package::{Circuit, ColumnFile, Error, Rule};
use lindero_stwo_verifier::FixedColumn;
use rayon::prelude::*;
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::utils::bit_reverse_index;
use stwo::prover::backend::simd::column::BaseColumn;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::backend::Column;
use stwo::prover::poly::circle::CircleEvaluation;
use stwo::prover::poly::BitReversedOrder;

pub type Evaluation = CircleEvaluation<SimdBackend, BaseField, BitReversedOrder>;

/// log2 of the side of a square of pairs that is moved at a time: its rows and columns are cache lines.
const LOG_TILE: u32 = 4;

/// A column in Stwo's order, its row i being `row(i)`; fails on the first value that is not a canonical
/// residue.
///
/// Position 2q holds row 2r and position 2q + 1 the row as far from the end, r being q with its bits
/// reversed. Both run over memory in strides of a power of two; going through the middle bits outside and the
/// outer bits inside keeps both in the cache.
fn permuted(log_height: u32, row: impl Fn(usize) -> u32) -> Result<Evaluation, u32> {
    let height = 1usize << log_height;
    // SAFETY: every element is written below before the column is read.
    let mut column = unsafe { BaseColumn::uninitialized(height) };
    let out = column.as_mut_slice();
    let bits = log_height - 1;
    let tile = LOG_TILE.min(bits / 2);
    let middle = bits - 2 * tile;
    let mut largest = 0;
    for mid in 0..1usize << middle {
        let mid_reversed = bit_reverse_index(mid, middle);
        for high in 0..1usize << tile {
            let high_reversed = bit_reverse_index(high, tile);
            for low in 0..1usize << tile {
                let q = (high << (middle + tile)) | (mid << tile) | low;
                let r = (bit_reverse_index(low, tile) << (middle + tile))
                    | (mid_reversed << tile)
                    | high_reversed;
                let (even, odd) = (row(2 * r), row(height - 1 - 2 * r));
                largest = largest.max(even).max(odd);
                out[2 * q] = BaseField::from_u32_unchecked(even);
                out[2 * q + 1] = BaseField::from_u32_unchecked(odd);
            }
        }
    }
    if largest >= P {
        return Err(largest);
    }
    Ok(Evaluation::new(CanonicCoset::new(log_height).circle_domain(), column))
}

/// A column of tree 0.
pub fn fixed_column(circuit: &Circuit, column: FixedColumn, file: &ColumnFile) -> Result<Evaluation, Error> {
    let log_height = column.log_height(circuit);
    let last = (1usize << log_height) - 1;
    match column {
        FixedColumn::IsFirst { .. } => permuted(log_height, |row| (row == 0) as u32),
        FixedColumn::IsLast { .. } => permuted(log_height, |row| (row == last) as u32),
        FixedColumn::Table { table, column, offset } => {
            let values = file.column(table, column);
            permuted(log_height, |row| values[row.wrapping_add_signed(offset as isize) & last])
        }
    }
    .map_err(|value| noncanonical("fixed.bin", value))
}

/// The columns of tree 1.
pub fn main_columns(circuit: &Circuit, file: &ColumnFile) -> Result<Vec<Evaluation>, Error> {
    let columns: Vec<(usize, usize)> = circuit
        .tables
        .iter()
        .enumerate()
        .flat_map(|(index, table)| table.columns_of_phase(1).map(move |column| (index, column)))
        .collect();
    let load = |&(table, column): &(usize, usize)| {
        let values = file.column(table, column);
        permuted(circuit.tables[table].log_height, |row| values[row]).map_err(|value| {
            let table = &circuit.tables[table];
            let place = format!("column {} of table {}", table.columns[column].name, table.name);
            noncanonical("the trace", value).within(place)
        })
    };
    columns.par_iter().map(load).collect()
}

/// A column of values that are known to be canonical.
pub fn canonical_column(log_height: u32, values: &[u32]) -> Evaluation {
    permuted(log_height, |row| values[row]).expect("the values are canonical")
}

fn noncanonical(file: &str, value: u32) -> Error {
    Error::of(
        Rule::ColumnFiles,
        format!("{file} holds {value}, which is not a canonical residue of the field"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use stwo::core::utils::{bit_reverse, coset_order_to_circle_domain_order};

    #[test]
    fn order_agrees_with_stwo() {
        for log_height in 5..13 {
            let natural: Vec<BaseField> = (0..1u32 << log_height).map(BaseField::from).collect();
            let mut expected = coset_order_to_circle_domain_order(&natural);
            bit_reverse(&mut expected);
            let loaded = permuted(log_height, |row| row as u32).unwrap();
            assert_eq!(loaded.values.as_slice(), expected, "height 2^{log_height}");
        }
    }

    #[test]
    fn values_at_or_above_the_modulus_are_refused() {
        assert_eq!(permuted(6, |row| if row == 17 { P } else { 1 }).err(), Some(P));
    }
}
