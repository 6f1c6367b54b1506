//! Columns in natural order, extended to the first part of the domain that they would be committed on: all that constraints and
//! quotients read.

use std::collections::BTreeMap;

use stwo::core::poly::circle::{CanonicCoset, CircleDomain};
use stwo::prover::backend::simd::column::BaseColumn;
use stwo::prover::backend::simd::m31::PackedM31;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::poly::twiddles::{TwiddleBuffer, TwiddleTree};

use super::super::load::canonical_column;

type Twiddles = TwiddleTree<SimdBackend>;

pub struct Extend<'a> {
    twiddles: &'a Twiddles,
    /// By height: those for constraints, of twice as many points as rows, and those for numerators, of as many.
    parts: BTreeMap<u32, [Part; 2]>,
}

struct Part {
    domain: CircleDomain,
    twiddles: Twiddles,
}

impl Part {
    fn new(log_height: u32, log_blowup: u32, log_parts: u32, twiddles: &Twiddles) -> Self {
        let log_committed = log_height + log_blowup;
        let domain = CanonicCoset::new(log_committed).circle_domain().split(log_parts).0;
        let extract =
            |twiddles: &Vec<u32>| twiddles.extract_subdomain_twiddles(log_committed, domain.log_size());
        let twiddles = TwiddleTree {
            root_coset: domain.half_coset,
            twiddles: extract(&twiddles.twiddles),
            itwiddles: extract(&twiddles.itwiddles),
        };
        Part { domain, twiddles }
    }
}

impl<'a> Extend<'a> {
    pub fn new(log_heights: impl Iterator<Item = u32>, log_blowup: u32, twiddles: &'a Twiddles) -> Self {
        let part = |log_height, log_parts| Part::new(log_height, log_blowup, log_parts, twiddles);
        let mut parts = BTreeMap::new();
        for log_height in log_heights {
            parts
                .entry(log_height)
                .or_insert_with(|| [part(log_height, log_blowup - 1), part(log_height, log_blowup)]);
        }
        Extend { twiddles, parts }
    }

    /// On the domain of constraints.
    pub fn constraints(&self, natural: &[u32]) -> Vec<PackedM31> {
        self.extend(natural, 0).data
    }

    /// On the domain of numerators.
    pub fn numerators(&self, natural: &[u32]) -> BaseColumn {
        self.extend(natural, 1)
    }

    fn extend(&self, natural: &[u32], part: usize) -> BaseColumn {
        let log_height = natural.len().ilog2();
        let Part { domain, twiddles } = &self.parts[&log_height][part];
        let polynomial = canonical_column(log_height, natural).interpolate_with_twiddles(self.twiddles);
        polynomial.evaluate_with_twiddles(*domain, twiddles).values
    }
}
