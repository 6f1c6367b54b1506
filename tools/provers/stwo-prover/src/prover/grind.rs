//! The prover's side of the grinding before challenges.

use std::fmt::{self, Debug};
use std::sync::Arc;

use lindero_stwo_verifier::channel::{GrindingChannel, GrindingMerkleChannel, Nonces};
use stwo::core::channel::Blake2sChannel;
use stwo::core::proof_of_work::GrindOps;
use stwo::prover::backend::simd::SimdBackend;

use crate::progress::Progress;

/// Finds a nonce for a channel and a number of bits, or what takes its place.
pub type Grind = fn(&Blake2sChannel, u32) -> u64;

/// What a prover that is not lying does: on all threads, and always with the same result.
pub const HONEST: Grind = <SimdBackend as GrindOps<Blake2sChannel>>::grind;

/// The channel of a prover, which finds its nonces as it goes.
pub type ProverChannel = GrindingChannel<Search>;
pub type ProverMerkleChannel = GrindingMerkleChannel<Search>;

/// Searches in a stage of its own, so that luck is not in the time of others.
#[derive(Clone)]
pub struct Search {
    grind: Grind,
    progress: Option<Arc<Progress>>,
}

impl Search {
    pub fn new(grind: Grind, progress: &Arc<Progress>) -> Self {
        Search { grind, progress: Some(progress.clone()) }
    }
}

impl Default for Search {
    fn default() -> Self {
        Search { grind: HONEST, progress: None }
    }
}

impl Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Search")
    }
}

impl Nonces for Search {
    fn next(&mut self, channel: &Blake2sChannel, pow_bits: u32) -> Option<u64> {
        let search = || (self.grind)(channel, pow_bits);
        Some(match &self.progress {
            Some(progress) => progress.interrupt("grinding", search),
            None => search(),
        })
    }

    fn are_left(&self) -> bool {
        false
    }
}
