//! The leaves of a lifted Merkle tree, of columns that come some at a time: the same as Stwo's `build_leaves`, which wants all of
//! them in memory at once.

use std::array;
use std::simd::u32x16;
use std::sync::Arc;

use bytemuck::cast_slice;
use rayon::prelude::*;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::prover::backend::simd::blake2s::{
    compress_finalize, compress_unfinalized, untranspose_states, INITIAL_STATE,
};
use stwo::prover::backend::simd::column::BaseColumn;
use stwo::prover::backend::simd::m31::{LOG_N_LANES, N_LANES};

use super::columns::lowered;

/// Columns, a word each, that the hash takes at a time.
const BLOCK: usize = 16;
const BLOCK_BYTES: u64 = 4 * BLOCK as u64;

type State = [u32x16; 8];

pub struct Leaves {
    /// Of as many leaves as the tallest column hashed so far has rows, by packs.
    states: Vec<State>,
    hashed_bytes: u64,
    /// Not hashed yet: the last block is hashed in another way, and may be this one.
    waiting: Vec<Arc<BaseColumn>>,
}

impl Leaves {
    pub fn new() -> Self {
        Leaves { states: vec![INITIAL_STATE], hashed_bytes: 0, waiting: Vec::new() }
    }

    /// Columns must come by ascending height, of a pack of rows at least.
    pub fn absorb(&mut self, columns: &[Arc<BaseColumn>]) {
        self.waiting.extend_from_slice(columns);
        let whole = (self.waiting.len().max(1) - 1) / BLOCK * BLOCK;
        let columns: Vec<_> = self.waiting.drain(..whole).collect();
        let blocks: Vec<&[Arc<BaseColumn>]> = columns.chunks(BLOCK).collect();
        for blocks in blocks.chunk_by(|a, b| tallest(a) == tallest(b)) {
            self.lift(tallest(blocks[0]));
            let (log_packs, before) = (self.log_packs(), self.hashed_bytes);
            self.states.par_iter_mut().enumerate().for_each(|(pack, state)| {
                let mut bytes = before;
                for block in blocks {
                    bytes += BLOCK_BYTES;
                    *state = compress_unfinalized(*state, message(block, log_packs, pack), bytes);
                }
            });
            self.hashed_bytes += BLOCK_BYTES * blocks.len() as u64;
        }
    }

    /// Of a tree with 2^`log_size` leaves.
    pub fn finish(mut self, log_size: u32) -> Vec<Blake2sHash> {
        let last = std::mem::take(&mut self.waiting);
        self.lift(tallest(&last));
        let (log_packs, bytes) = (self.log_packs(), self.hashed_bytes + 4 * last.len() as u64);
        self.states.par_iter_mut().enumerate().for_each(|(pack, state)| {
            *state = compress_finalize(*state, message(&last, log_packs, pack), bytes);
        });
        self.lift(log_size - LOG_N_LANES);
        let hashes = |state: &State| -> [Blake2sHash; N_LANES] {
            let words: [[u32; N_LANES]; 8] = untranspose_states(*state).map(|words| words.to_array());
            let bytes: &[u8] = cast_slice(&words);
            array::from_fn(|i| Blake2sHash(bytes[32 * i..][..32].try_into().expect("a hash has 32 bytes")))
        };
        self.states.par_iter().flat_map_iter(hashes).collect()
    }

    fn log_packs(&self) -> u32 {
        self.states.len().ilog2()
    }

    /// Each leaf of more has the state of the one that it is lifted from.
    fn lift(&mut self, log_packs: u32) {
        let shift = log_packs - self.log_packs();
        if shift == 0 {
            return;
        }
        let states = &self.states;
        let lifted = |pack: usize| states[pack >> shift].map(|words| lifted(words, shift, pack));
        self.states = (0..1usize << log_packs).into_par_iter().map(lifted).collect();
    }
}

/// log2 of the packs of the last column.
fn tallest(columns: &[Arc<BaseColumn>]) -> u32 {
    columns.last().expect("there is a column").data.len().ilog2()
}

/// Up to a block of columns, at a pack of leaves.
fn message(columns: &[Arc<BaseColumn>], log_packs: u32, pack: usize) -> [u32x16; BLOCK] {
    let mut message = [u32x16::splat(0); BLOCK];
    for (words, column) in message.iter_mut().zip(columns) {
        let shift = log_packs - column.data.len().ilog2();
        *words = lifted(column.data[pack >> shift].into_simd(), shift, pack);
    }
    message
}

/// Of a pack of `words`, those that the leaves of pack `pack` of 2^`shift` times as many read.
fn lifted(words: u32x16, shift: u32, pack: usize) -> u32x16 {
    if shift == 0 {
        return words;
    }
    let first = N_LANES * (pack >> shift);
    u32x16::from_array(array::from_fn(|lane| words[lowered(N_LANES * pack + lane, shift) - first]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stwo::core::fields::m31::BaseField;
    use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleHasher;
    use stwo::prover::backend::simd::SimdBackend;
    use stwo::prover::vcs_lifted::ops::MerkleOpsLifted;

    /// Of some heights and numbers of columns, in batches that end anywhere.
    #[test]
    fn leaves_are_those_of_stwo() {
        for (heights, batch, log_size) in [
            (vec![(5, 1)], 1, 5),
            (vec![(4, 16)], 16, 6),
            (vec![(4, 17), (5, 15)], 4, 5),
            (vec![(5, 3), (6, 40), (9, 1), (10, 90)], 7, 10),
            (vec![(4, 33), (8, 31), (11, 2)], 64, 13),
        ] {
            let mut word = 1u32;
            let mut column = |log_height: u32| {
                let value = |_| {
                    word = word.wrapping_mul(0x9e37_79b9).wrapping_add(7);
                    BaseField::from(word >> 1)
                };
                Arc::new((0..1 << log_height).map(value).collect::<BaseColumn>())
            };
            let columns: Vec<Arc<BaseColumn>> = heights
                .iter()
                .flat_map(|&(height, count)| std::iter::repeat_n(height, count))
                .map(&mut column)
                .collect();
            let all: Vec<&BaseColumn> = columns.iter().map(|column| &**column).collect();
            let expected: Vec<Blake2sHash> =
                <SimdBackend as MerkleOpsLifted<Blake2sMerkleHasher>>::build_leaves(&all, log_size);
            let mut leaves = Leaves::new();
            columns.chunks(batch).for_each(|columns| leaves.absorb(columns));
            assert!(leaves.finish(log_size) == expected, "{heights:?}");
        }
    }
}
