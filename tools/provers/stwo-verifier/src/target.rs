//! Which parameters give the security that is asked for.

use std::sync::Arc;

use lindero_package::{Bundle, Circuit, Error};

use crate::layout::Layout;
use crate::parameters::{Parameters, MAX_QUERIES};
use crate::security::{BundleSizes, Radius, Regime, LEAST_CHALLENGES};

/// What parameters are chosen for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub bits: u32,
    pub regime: Regime,
    pub log_blowup: u32,
    /// At most this much of each grinding.
    pub pow_bits: u32,
    pub fold_step: u32,
    pub log_last_layer_degree: u32,
}

/// Of the expected time of a proof, what may be spent on grinding.
const GRINDING_SHARE: f64 = 0.03;
/// Bits above the target that no term but the queries' is brought to: each leaves nothing to gain.
const MOST_SLACK: u32 = 8;

impl Target {
    /// Measured best on a char GPT, see tools/provers/README.md.
    pub const DEFAULT: Target = Target {
        bits: 96,
        regime: Regime::Proven,
        log_blowup: 2,
        pow_bits: 20,
        fold_step: 3,
        log_last_layer_degree: 5,
    };

    /// The fewest queries that reach the target, with the least grinding for that number.
    ///
    /// Within the time for grinding, each radius leaves a choice: more grinding for the other terms leaves more of the error to
    /// the queries, and less grinding before them.
    ///
    /// All members have the same parameters. `layouts` has those of the circuits, by their index.
    pub fn parameters(
        &self,
        bundle: &Bundle,
        layouts: &[Arc<Layout>],
        sizes: &BundleSizes,
    ) -> Result<Parameters, Error> {
        let of_member = |member: &lindero_package::Member| {
            most_hashes(&member.circuit, &layouts[member.circuit_index], self.log_blowup)
        };
        self.parameters_for(sizes, bundle.members.iter().map(of_member).sum())
    }

    fn parameters_for(&self, sizes: &BundleSizes, most_hashes: f64) -> Result<Parameters, Error> {
        let unground = self.unground(1, sizes.least_log_height());
        for member in &sizes.members {
            unground.check(member.log_height)?;
        }
        let choices =
            || sizes.radii(self.regime).flat_map(|radius| (0..=MOST_SLACK).map(move |slack| (radius, slack)));
        let within = |limit: f64| {
            choices()
                .filter_map(|(radius, slack)| self.choose(sizes, radius, slack, limit))
                .min_by(|a, b| a.queries.cmp(&b.queries).then(hashes(a, sizes).total_cmp(&hashes(b, sizes))))
        };
        // A small circuit may need more grinding than it is worth: what is asked for counts more.
        within(most_hashes).or_else(|| within(f64::INFINITY)).ok_or_else(|| self.out_of_reach(sizes))
    }

    /// With grinding that lifts all terms but the queries' `slack` bits above the target, and before the queries for the rest
    /// of the hashes. None if that is not enough.
    fn choose(
        &self,
        sizes: &BundleSizes,
        radius: Radius,
        slack: u32,
        most_hashes: f64,
    ) -> Option<Parameters> {
        let mut chosen = self.unground(MAX_QUERIES, sizes.least_log_height());
        let bare = sizes.at(&chosen, radius);
        let missing =
            |bits: f64| ((self.bits + slack) as f64 - bits).ceil().clamp(0.0, self.pow_bits as f64) as u32;
        let unfounded = LEAST_CHALLENGES - sizes.challenges_of_whole_tables(&chosen);
        let founded = unfounded.ceil().clamp(0.0, self.pow_bits as f64) as u32;
        chosen.challenge_pow_bits = missing(bare.challenges).max(founded);
        chosen.composition_pow_bits = missing(bare.constraints);
        chosen.out_of_domain_pow_bits = missing(bare.out_of_domain);
        chosen.batching_pow_bits = missing(bare.batching);
        chosen.fold_pow_bits = missing(bare.folds);
        let fits = |parameters: &Parameters| hashes(parameters, sizes) <= most_hashes;
        sizes.check_whole_tables(&chosen).ok()?;
        let enough = |parameters: &Parameters| sizes.at(parameters, radius).total() >= self.bits as f64;
        let with = |pow_bits| Parameters { pow_bits, ..chosen };
        chosen = (0..=self.pow_bits).rev().map(with).find(fits)?;
        if !enough(&chosen) {
            return None;
        }
        let all: Vec<u32> = (1..=MAX_QUERIES).collect();
        let fewer = all.partition_point(|&queries| !enough(&Parameters { queries, ..chosen }));
        chosen.queries = all[fewer];
        let with = |pow_bits| Parameters { pow_bits, ..chosen };
        (0..=chosen.pow_bits).map(with).find(enough)
    }

    /// Without grinding. Small circuits fold as far as they can.
    pub(crate) fn unground(&self, queries: u32, max_log_height: u32) -> Parameters {
        let fold_step = self.fold_step.min(max_log_height);
        Parameters {
            log_blowup: self.log_blowup,
            queries,
            pow_bits: 0,
            challenge_pow_bits: 0,
            composition_pow_bits: 0,
            out_of_domain_pow_bits: 0,
            batching_pow_bits: 0,
            fold_pow_bits: 0,
            fold_step,
            log_last_layer_degree: self.log_last_layer_degree.min(max_log_height - fold_step),
        }
    }

    fn out_of_reach(&self, sizes: &BundleSizes) -> Error {
        let most = Parameters {
            pow_bits: self.pow_bits,
            challenge_pow_bits: self.pow_bits,
            composition_pow_bits: self.pow_bits,
            out_of_domain_pow_bits: self.pow_bits,
            batching_pow_bits: self.pow_bits,
            fold_pow_bits: self.pow_bits,
            ..self.unground(MAX_QUERIES, sizes.least_log_height())
        };
        let bits = |radius| sizes.at(&most, radius).total();
        let cap = sizes.radii(self.regime).map(bits).fold(0.0, f64::max);
        match sizes.check_whole_tables(&most) {
            Err(error) if cap >= self.bits as f64 => return error,
            _ => {}
        }
        Error::new(format!(
            "{} bits are out of reach for this circuit in the {} regime: with {MAX_QUERIES} queries and at most {} bits of \
             each grinding it has {cap:.1}; ask for at most {}, or take another blowup or smaller tables",
            self.bits,
            self.regime.name(),
            self.pow_bits,
            cap.floor()
        ))
    }
}

/// Hashes that the grinding of a step's blocks takes on average.
fn hashes(parameters: &Parameters, sizes: &BundleSizes) -> f64 {
    let once = [
        parameters.pow_bits,
        parameters.challenge_pow_bits,
        parameters.composition_pow_bits,
        parameters.out_of_domain_pow_bits,
        parameters.batching_pow_bits,
    ];
    let expected = |bits: u32| if bits == 0 { 0.0 } else { (bits as f64).exp2() };
    let of_member = |log_height: u32| {
        let folds = (log_height - parameters.log_last_layer_degree).div_ceil(parameters.fold_step);
        once.into_iter().map(expected).sum::<f64>() + folds as f64 * expected(parameters.fold_pow_bits)
    };
    sizes.members.iter().map(|sizes| of_member(sizes.log_height)).sum()
}

/// Seconds of one thread, as measured with AVX-512 (`compiler/estimate/estimate.cc` has the same model): grinding and proving share
/// threads alike, so that only the ratio counts. All trees are as tall as the evaluation domain.
const SECONDS_PER_HASH: f64 = 25e-9;
const SECONDS_PER_CELL: f64 = 26e-9;
const SECONDS_PER_EXTENDED_CELL: f64 = 5e-9;
const SECONDS_PER_ROW: f64 = 0.7e-6;
const OVERHEAD_SECONDS: f64 = 0.01;

/// What grinding may take of the time that a block's proof is expected to take.
fn most_hashes(circuit: &Circuit, layout: &Layout, log_blowup: u32) -> f64 {
    let heights = layout.log_heights.iter().flatten();
    let cells: f64 = heights.map(|&log_height| (log_height as f64).exp2()).sum();
    let blowup = (log_blowup as f64).exp2();
    let rows = (circuit.max_log_height() as f64).exp2() * blowup;
    let seconds = OVERHEAD_SECONDS
        + cells * (SECONDS_PER_CELL + blowup * SECONDS_PER_EXTENDED_CELL)
        + rows * SECONDS_PER_ROW;
    GRINDING_SHARE * seconds / SECONDS_PER_HASH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::tests::CHAR_GPT;
    use crate::security::Sizes;

    /// A char GPT's proof takes about 0.8 s of a thread.
    const MOST_HASHES: f64 = 1e6;

    fn char_gpt() -> BundleSizes {
        CHAR_GPT.into()
    }

    fn chosen(sizes: &BundleSizes, target: Target) -> Parameters {
        target.parameters_for(sizes, MOST_HASHES).unwrap()
    }

    #[test]
    fn the_target_is_reached_with_as_few_queries_as_possible() {
        let proven = Target::DEFAULT;
        let assumed = Target { regime: Regime::ListDecoding, ..proven };
        // The shape of GPT-2, and bundles of 16 blocks of either.
        let gpt2 = Sizes {
            log_height: 20,
            quotients: 1128.0,
            constraints: 135.0,
            log_degrees: [31.0, 23.0],
            log_degrees_of_whole_tables: [48.3, 23.0],
        };
        let bundle = |sizes: Sizes| BundleSizes { log_steps: 4.0, ..sizes.into() };
        let both = BundleSizes { members: vec![CHAR_GPT, gpt2], ..CHAR_GPT.into() };
        for sizes in [CHAR_GPT.into(), bundle(CHAR_GPT), gpt2.into(), bundle(gpt2), both] {
            for target in [proven, assumed]
                .into_iter()
                .flat_map(|target| [1, 2, 3].map(|log_blowup| Target { log_blowup, ..target }))
            {
                let parameters = chosen(&sizes, target);
                let bits = |parameters: &Parameters| {
                    let at = |radius| sizes.at(parameters, radius).total();
                    sizes.radii(target.regime).map(at).fold(0.0, f64::max)
                };
                assert!(bits(&parameters) >= 96.0, "{parameters:?}");
                assert!(sizes.soundness(&parameters, target.regime).total() >= 96.0);
                assert!(hashes(&parameters, &sizes) <= MOST_HASHES, "{parameters:?}");
                let fewer = Parameters { queries: parameters.queries - 1, ..parameters };
                let less = Parameters { pow_bits: parameters.pow_bits - 1, ..parameters };
                assert!(bits(&fewer) < 96.0 && bits(&less) < 96.0, "{parameters:?}");
            }
        }
    }

    #[test]
    fn grinding_is_limited_by_its_time_and_by_the_option() {
        let target = Target { pow_bits: 12, ..Target::DEFAULT };
        let parameters = target.parameters_for(&char_gpt(), 1e9).unwrap();
        assert_eq!(parameters.pow_bits, 12);
        assert!(parameters.batching_pow_bits <= 12);
        let short = Target::DEFAULT.parameters_for(&char_gpt(), 5000.0).unwrap();
        let more = chosen(&char_gpt(), Target::DEFAULT).queries;
        assert!(hashes(&short, &char_gpt()) <= 5000.0 && short.queries > more, "{short:?}");
    }

    /// 124 bits less the degree, with the grinding; blocks count, the promise does not.
    #[test]
    fn false_lengths_of_folds_leave_60_bits() {
        let few = Target { bits: 40, ..Target::DEFAULT };
        let with = |degree, log_blocks| {
            let log_degrees_of_whole_tables = [degree, 17.0];
            let member = Sizes { log_degrees_of_whole_tables, ..CHAR_GPT };
            BundleSizes { log_steps: log_blocks, ..member.into() }
        };
        for (degree, log_blocks, grinding) in [(63.9, 0.0, 0), (64.5, 0.0, 1), (70.0, 0.0, 7), (63.9, 4.0, 4)]
        {
            let sizes = with(degree, log_blocks);
            let parameters = few.parameters_for(&sizes, 1e9).unwrap();
            assert_eq!(parameters.challenge_pow_bits, grinding, "{sizes:?}");
            sizes.check_whole_tables(&parameters).unwrap();
        }
        let error = few.parameters_for(&with(84.5, 0.0), 1e9).unwrap_err().to_string();
        assert!(error.contains("the challenges would have 59.5 bits, and 60 are asked for"), "{error}");
        let nothing = with(f64::NAN, 0.0);
        assert!(nothing.check_whole_tables(&few.parameters_for(&char_gpt(), 1e9).unwrap()).is_err());
    }

    #[test]
    fn a_target_out_of_reach_says_what_can_be_had() {
        let target = Target { bits: 130, ..Target::DEFAULT };
        let error = target.parameters_for(&char_gpt(), MOST_HASHES).unwrap_err().to_string();
        assert!(error.contains("130 bits are out of reach") && error.contains("proven regime"), "{error}");
    }

    /// By hand: grinding 2^18 + 2^9 + 4 folds of 2^3.
    #[test]
    fn hashes_are_those_of_all_grinding() {
        let bare = Target::DEFAULT.unground(40, CHAR_GPT.log_height);
        let parameters = Parameters { pow_bits: 18, batching_pow_bits: 9, fold_pow_bits: 3, ..bare };
        assert_eq!(hashes(&parameters, &char_gpt()), 262144.0 + 512.0 + 4.0 * 8.0);
        assert_eq!(hashes(&bare, &char_gpt()), 0.0);
    }
}
