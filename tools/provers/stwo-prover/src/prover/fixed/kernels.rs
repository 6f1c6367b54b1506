//! Sums of products over columns, reduced as seldom as 64 bits allow.
//!
//! Four products of values up to P are below 2^64 - 2^34 + 5, and what [`fold`] leaves is below 2^34 - 4. So a lane takes four
//! products between two folds. The compiler makes vector code of any width of this.

use std::simd::cmp::SimdOrd;
use std::simd::num::SimdUint;
use std::simd::Simd;

use rayon::prelude::*;
use stwo::core::fields::m31::{BaseField, P};
use stwo::prover::backend::simd::m31::PackedM31;

type Wide = Simd<u64, 8>;

/// Packs of all columns that are read before the next ones: the weights of a block stay in the cache.
pub const BLOCK: usize = 64;

/// The sixteen values, in 64 bits each: those at even places, those at odd ones.
#[inline(always)]
fn widen(values: PackedM31) -> [Wide; 2] {
    let pairs = Wide::from_array(bytemuck::cast(values));
    [pairs & Wide::splat(u32::MAX as u64), pairs >> Wide::splat(32)]
}

/// A smaller number of the same residue.
#[inline(always)]
fn fold(sums: Wide) -> Wide {
    (sums & Wide::splat(P as u64)) + (sums >> Wide::splat(31))
}

#[inline(always)]
fn canonical(sums: Wide) -> Wide {
    let sums = fold(fold(sums));
    sums.simd_min(sums - Wide::splat(P as u64))
}

#[inline(always)]
fn narrow([even, odd]: [Wide; 2]) -> PackedM31 {
    let pairs = canonical(even) | (canonical(odd) << Wide::splat(32));
    bytemuck::cast(pairs.to_array())
}

/// Sums over all rows of a column times a weight, for all columns and all weights: `[column][weight]`. The weights come block by
/// block, from `fill(first pack, out)` with `out` as `[weight][pack]`, so that they are never in memory as a whole.
pub fn dots(
    columns: &[&[PackedM31]],
    weights: usize,
    fill: impl Fn(usize, &mut [PackedM31]) + Sync,
) -> Vec<Vec<BaseField>> {
    let packs = columns.first().map_or(0, |column| column.len());
    assert!(columns.iter().all(|column| column.len() == packs), "columns have equal heights");
    let (block, padded) = (BLOCK.min(packs), weights.next_multiple_of(WEIGHTS));
    let zero = PackedM31::broadcast(BaseField::from(0u32));
    let blocks = packs / block.max(1);
    // Folded sums of eight lanes are below 2^37, and a table has at most 2^20 blocks.
    let no_sums = || vec![0u64; columns.len() * padded];
    let sums = (0..blocks)
        .into_par_iter()
        .with_min_len(blocks.div_ceil(64))
        .fold(
            || (no_sums(), vec![zero; padded * block]),
            |(mut sums, mut values), index| {
                fill(index * block, &mut values[..weights * block]);
                add_block(columns, index * block, &values, block, &mut sums);
                (sums, values)
            },
        )
        .map(|(sums, _)| sums)
        .reduce(no_sums, |mut a, b| {
            a.iter_mut().zip(&b).for_each(|(a, b)| *a = (*a % P as u64) + b % P as u64);
            a
        });
    let value = |&sum: &u64| BaseField::from_u32_unchecked((sum % P as u64) as u32);
    sums.chunks(padded.max(1)).map(|sums| sums[..weights].iter().map(value).collect()).collect()
}

/// Sizes of the square of sums that stay in registers.
const WEIGHTS: usize = 4;
const COLUMNS: usize = 2;

fn add_block(columns: &[&[PackedM31]], first: usize, weights: &[PackedM31], block: usize, sums: &mut [u64]) {
    let padded = weights.len() / block;
    for (columns, sums) in columns.chunks(COLUMNS).zip(sums.chunks_mut(COLUMNS * padded)) {
        // An odd last column is taken twice.
        let of = |index: usize| &columns[index.min(columns.len() - 1)][first..first + block];
        let columns: [&[PackedM31]; COLUMNS] = std::array::from_fn(of);
        for (group, weights) in weights.chunks_exact(WEIGHTS * block).enumerate() {
            let weights: [&[PackedM31]; WEIGHTS] =
                std::array::from_fn(|weight| &weights[weight * block..(weight + 1) * block]);
            for (sums, products) in sums.chunks_mut(padded).zip(products(columns, weights)) {
                for (sum, product) in sums[group * WEIGHTS..].iter_mut().zip(products) {
                    *sum += product;
                }
            }
        }
    }
}

#[inline(always)]
fn products(columns: [&[PackedM31]; COLUMNS], weights: [&[PackedM31]; WEIGHTS]) -> [[u64; WEIGHTS]; COLUMNS] {
    let mut sums = [[Wide::splat(0); WEIGHTS]; COLUMNS];
    let packs = columns[0].len();
    for pack in (0..packs).step_by(2) {
        for pack in pack..(pack + 2).min(packs) {
            let columns = columns.map(|column| widen(column[pack]));
            for (weight, values) in weights.iter().enumerate() {
                let [even, odd] = widen(values[pack]);
                for (sums, column) in sums.iter_mut().zip(columns) {
                    sums[weight] += column[0] * even;
                    sums[weight] += column[1] * odd;
                }
            }
        }
        sums.iter_mut().flatten().for_each(|sums| *sums = fold(*sums));
    }
    sums.map(|sums| sums.map(|sums| sums.reduce_sum()))
}

/// The sum of columns times coefficients of the extension field, by coordinates; canonical.
pub fn combine(columns: &[&[PackedM31]], coefficients: &[[BaseField; 4]], out: [&mut [PackedM31]; 4]) {
    assert_eq!(columns.len(), coefficients.len());
    let [a, b, c, d] = out;
    (a.par_chunks_mut(BLOCK), b.par_chunks_mut(BLOCK))
        .into_par_iter()
        .zip((c.par_chunks_mut(BLOCK), d.par_chunks_mut(BLOCK)))
        .enumerate()
        .for_each(|(block, ((a, b), (c, d)))| {
            combine_block(columns, coefficients, block * BLOCK, [a, b, c, d]);
        });
}

fn combine_block(
    columns: &[&[PackedM31]],
    coefficients: &[[BaseField; 4]],
    first: usize,
    out: [&mut [PackedM31]; 4],
) {
    const GROUP: usize = 8;
    let packs = out[0].len();
    let mut sums = [[[Wide::splat(0); 2]; 4]; BLOCK];
    for (columns, coefficients) in columns.chunks(GROUP).zip(coefficients.chunks(GROUP)) {
        let coefficients: Vec<[Wide; 4]> =
            coefficients.iter().map(|c| c.map(|c| Wide::splat(c.0 as u64))).collect();
        for (pack, sums) in sums[..packs].iter_mut().enumerate() {
            let mut now = *sums;
            for (columns, coefficients) in columns.chunks(4).zip(coefficients.chunks(4)) {
                for (column, coefficient) in columns.iter().zip(coefficients) {
                    let [even, odd] = widen(column[first + pack]);
                    for (sums, &coefficient) in now.iter_mut().zip(coefficient) {
                        sums[0] += even * coefficient;
                        sums[1] += odd * coefficient;
                    }
                }
                now.iter_mut().flatten().for_each(|sums| *sums = fold(*sums));
            }
            *sums = now;
        }
    }
    for (coordinate, out) in out.into_iter().enumerate() {
        out.iter_mut().zip(&sums).for_each(|(out, sums)| *out = narrow(sums[coordinate]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_traits::Zero;

    /// Columns of numbers that look random, the largest residue and P itself among them.
    fn columns(count: usize, packs: usize, salt: u32) -> Vec<Vec<PackedM31>> {
        let value = |column: usize, row: usize| {
            let mixed =
                (column as u32 * 0x9e37_79b9).wrapping_add(row as u32).wrapping_mul(0x85eb_ca6b) ^ salt;
            BaseField::from_u32_unchecked(match mixed % 7 {
                0 => P - 1,
                1 => P,
                _ => mixed >> 1,
            })
        };
        let pack =
            |column, pack| PackedM31::from_array(std::array::from_fn(|i| value(column, 16 * pack + i)));
        (0..count).map(|column| (0..packs).map(|at| pack(column, at)).collect()).collect()
    }

    fn values(column: &[PackedM31]) -> Vec<BaseField> {
        column.iter().flat_map(|pack| pack.to_array()).collect()
    }

    #[test]
    fn dots_are_sums_of_products() {
        for (count, weights, packs) in [(1, 1, 2), (2, 4, 64), (3, 5, 32), (5, 7, 1024)] {
            let (f, w) = (columns(count, packs, 1), columns(weights, packs, 2));
            let slices: Vec<&[PackedM31]> = f.iter().map(Vec::as_slice).collect();
            let fill = |first: usize, out: &mut [PackedM31]| {
                let block = out.len() / weights;
                out.chunks_mut(block)
                    .zip(&w)
                    .for_each(|(out, w)| out.copy_from_slice(&w[first..first + block]));
            };
            let found = dots(&slices, weights, fill);
            for (column, found) in f.iter().zip(found) {
                for (weight, found) in w.iter().zip(found) {
                    let mut sum = BaseField::zero();
                    values(column).into_iter().zip(values(weight)).for_each(|(f, w)| sum += f * w);
                    assert_eq!(found, sum, "{count} columns, {weights} weights, {packs} packs");
                }
            }
        }
    }

    #[test]
    fn nothing_overflows() {
        let largest = vec![bytemuck::cast::<_, PackedM31>([P; 16]); 256];
        let found = dots(&[&largest], 1, |_, out| out.copy_from_slice(&largest[..out.len()]));
        assert_eq!(found, [[BaseField::zero()]]);
        let mut out = vec![vec![largest[0]; 256]; 4];
        let [a, b, c, d] = out.each_mut_of_four();
        combine(&[&largest[..]; 19], &[[BaseField::from_u32_unchecked(P); 4]; 19], [a, b, c, d]);
        assert!(out.iter().flat_map(|plane| bytemuck::cast_slice::<_, u32>(plane)).all(|&value| value == 0));
    }

    trait EachOfFour {
        fn each_mut_of_four(&mut self) -> [&mut [PackedM31]; 4];
    }

    impl EachOfFour for Vec<Vec<PackedM31>> {
        fn each_mut_of_four(&mut self) -> [&mut [PackedM31]; 4] {
            let mut planes = self.iter_mut();
            std::array::from_fn(|_| planes.next().unwrap().as_mut_slice())
        }
    }

    #[test]
    fn combinations_are_sums_by_coordinate() {
        for (count, packs) in [(0, 2), (1, 2), (4, 64), (13, 130)] {
            let f = columns(count, packs, 3);
            let slices: Vec<&[PackedM31]> = f.iter().map(Vec::as_slice).collect();
            let coefficients: Vec<[BaseField; 4]> = (0..count)
                .map(|c| std::array::from_fn(|k| BaseField::from(P - 1 - (5 * c + k) as u32)))
                .collect();
            let mut out = vec![columns(1, packs, 4).remove(0); 4];
            combine(&slices, &coefficients, out.each_mut_of_four());
            for (coordinate, out) in out.iter().enumerate() {
                for (row, found) in bytemuck::cast_slice::<_, u32>(out).iter().enumerate() {
                    let mut sum = BaseField::zero();
                    for (column, coefficient) in f.iter().zip(&coefficients) {
                        sum += column[row / 16].to_array()[row % 16] * coefficient[coordinate];
                    }
                    assert_eq!(*found, sum.0, "coordinate {coordinate}, row {row}");
                }
            }
        }
    }
}
