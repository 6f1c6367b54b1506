//! Neighbouring rows in the two orders that columns have.

use bytemuck::{cast_slice, cast_slice_mut};
use stwo::core::utils::{bit_reverse_index, offset_bit_reversed_circle_domain_index};
use stwo::prover::backend::simd::m31::{PackedM31, LOG_N_LANES, N_LANES};

use super::interpreter::Neighbours;

/// Rows in their natural order.
pub struct Natural;

impl Neighbours for Natural {
    fn load(&self, column: &[PackedM31], offset: i32, first: usize, out: &mut [PackedM31]) {
        let (rows, out): (&[u32], &mut [u32]) = (cast_slice(column), cast_slice_mut(out));
        let begin = (first * N_LANES) as isize + offset as isize;
        let end = begin + out.len() as isize;
        if begin >= 0 && end <= rows.len() as isize {
            out.copy_from_slice(&rows[begin as usize..end as usize]);
        } else {
            for (row, out) in (begin..end).zip(out) {
                *out = rows[row.rem_euclid(rows.len() as isize) as usize];
            }
        }
    }
}

/// Rows of the evaluation domain of constraints, twice as long as the table, in Stwo's bit-reversed order.
///
/// Position p holds point h of the half coset (even p) or its conjugate (odd p), where h is p/2 with its bits
/// reversed. The next row is the next h at even, the previous h at odd positions. The positions of an aligned
/// block share the low bits of h, so the neighbours of a block are the even positions of one block and the
/// odd ones of another, but where a carry runs into the high bits.
pub struct Domain {
    /// Of the table.
    pub log_height: u32,
    /// Of the block, in positions.
    pub log_block: u32,
}

impl Neighbours for Domain {
    fn load(&self, column: &[PackedM31], offset: i32, first: usize, out: &mut [PackedM31]) {
        let log_domain = self.log_height + 1;
        let log_blocks = log_domain - self.log_block;
        let low = bit_reverse_index(first >> (self.log_block - LOG_N_LANES), log_blocks) as isize;
        let (ahead, behind) = (low + offset as isize, low - offset as isize);
        let within = 0..1isize << log_blocks;
        let (positions, out): (&[u32], &mut [u32]) = (cast_slice(column), cast_slice_mut(out));
        if within.contains(&ahead) && within.contains(&behind) {
            let block = |low: isize| {
                let begin = bit_reverse_index(low as usize, log_blocks) << self.log_block;
                &positions[begin..begin + out.len()]
            };
            let (even, odd) = (block(ahead), block(behind));
            for ((out, even), odd) in
                out.chunks_exact_mut(2).zip(even.chunks_exact(2)).zip(odd.chunks_exact(2))
            {
                out[0] = even[0];
                out[1] = odd[1];
            }
        } else {
            for (position, out) in (first * N_LANES..).zip(out) {
                *out = positions[offset_bit_reversed_circle_domain_index(
                    position,
                    self.log_height,
                    log_domain,
                    offset as isize,
                )];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stwo::core::fields::m31::M31;

    fn column(rows: usize) -> Vec<PackedM31> {
        let pack = |pack: usize| {
            PackedM31::from_array(std::array::from_fn(|lane| M31((pack * N_LANES + lane) as u32)))
        };
        (0..rows / N_LANES).map(pack).collect()
    }

    #[test]
    fn domain_blocks_agree_with_the_index_of_each_position() {
        for (log_height, log_block) in [(5, 5), (5, 6), (6, 4), (9, 6), (9, 8), (9, 10)] {
            let column = column(2 << log_height);
            for offset in [-1, 1] {
                let domain = Domain { log_height, log_block };
                let mut out = vec![PackedM31::broadcast(M31(0)); 1 << (log_block - LOG_N_LANES)];
                for first in (0..column.len()).step_by(out.len()) {
                    domain.load(&column, offset, first, &mut out);
                    for (i, &value) in cast_slice::<_, u32>(&out).iter().enumerate() {
                        let expected = offset_bit_reversed_circle_domain_index(
                            first * N_LANES + i,
                            log_height,
                            log_height + 1,
                            offset as isize,
                        );
                        assert_eq!(
                            value as usize, expected,
                            "height {log_height} block {log_block} offset {offset}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn natural_order_wraps_around() {
        let column = column(64);
        let mut out = vec![PackedM31::broadcast(M31(0)); 2];
        Natural.load(&column, -1, 0, &mut out);
        assert_eq!(cast_slice::<_, u32>(&out)[..3], [63, 0, 1]);
        Natural.load(&column, 1, 2, &mut out);
        assert_eq!(cast_slice::<_, u32>(&out)[29..], [62, 63, 0]);
    }
}
