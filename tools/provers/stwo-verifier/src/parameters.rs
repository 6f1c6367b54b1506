//! Parameters of the polynomial commitment scheme, as the key states them.

use lindero_package::{proto, Error};
use stwo::core::fri::FriConfig;
use stwo::core::pcs::PcsConfig;

/// FRI parameters and grinding. See [`crate::security`] for what they give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    pub log_blowup: u32,
    pub queries: u32,
    /// Grinding before the queries are drawn.
    pub pow_bits: u32,
    /// Grinding before the circuit's challenges are drawn, once per phase; 0 for none.
    pub challenge_pow_bits: u32,
    /// Grinding before the random coefficient of the composition, before the point out of domain, before the
    /// random coefficient of the quotients, and before the challenge of each fold; 0 for none.
    pub composition_pow_bits: u32,
    pub out_of_domain_pow_bits: u32,
    pub batching_pow_bits: u32,
    pub fold_pow_bits: u32,
    pub fold_step: u32,
    pub log_last_layer_degree: u32,
}

pub const MAX_QUERIES: u32 = 512;
pub const MAX_POW_BITS: u32 = 30;
const MAX_LOG_BLOWUP: u32 = 4;
const MAX_FOLD_STEP: u32 = 4;
const MAX_LOG_LAST_LAYER_DEGREE: u32 = 10;
/// The circle over the base field has 2^31 points.
const MAX_LOG_DOMAIN: u32 = 30;

impl Parameters {
    /// Checks the limits that Stwo asserts, for tables of at most 2^`max_log_height` rows.
    pub fn check(&self, max_log_height: u32) -> Result<(), Error> {
        let fits = (1..=MAX_LOG_BLOWUP).contains(&self.log_blowup)
            && (1..=MAX_QUERIES).contains(&self.queries)
            && self.grindings().iter().all(|&bits| bits <= MAX_POW_BITS)
            && (1..=MAX_FOLD_STEP.min(max_log_height)).contains(&self.fold_step)
            && self.log_last_layer_degree <= MAX_LOG_LAST_LAYER_DEGREE.min(max_log_height - self.fold_step)
            && max_log_height + 1 + self.log_blowup <= MAX_LOG_DOMAIN;
        if fits {
            return Ok(());
        }
        Err(Error::new(format!(
            "parameters {self:?} do not fit tables of 2^{max_log_height} rows or this backend"
        )))
    }

    /// Bits of every kind of grinding.
    fn grindings(&self) -> [u32; 6] {
        [
            self.pow_bits,
            self.challenge_pow_bits,
            self.composition_pow_bits,
            self.out_of_domain_pow_bits,
            self.batching_pow_bits,
            self.fold_pow_bits,
        ]
    }

    /// All trees are lifted to the height of the tallest table, so that one query position serves them all.
    pub fn config(&self, max_log_height: u32) -> PcsConfig {
        PcsConfig {
            pow_bits: self.pow_bits,
            fri_config: FriConfig::new(
                self.log_last_layer_degree,
                self.log_blowup,
                self.queries as usize,
                self.fold_step,
            ),
            lifting_log_size: Some(max_log_height + self.log_blowup),
        }
    }

    /// FRI's layers after the first, which folds `fold_step` times; then each layer folds up to as often, down to the last
    /// polynomial.
    pub fn inner_layers(&self, max_log_height: u32) -> usize {
        (max_log_height - self.fold_step - self.log_last_layer_degree).div_ceil(self.fold_step) as usize
    }
}

impl From<proto::StwoParameters> for Parameters {
    fn from(message: proto::StwoParameters) -> Self {
        Parameters {
            log_blowup: message.log_blowup,
            queries: message.queries,
            pow_bits: message.pow_bits,
            challenge_pow_bits: message.challenge_pow_bits,
            composition_pow_bits: message.composition_pow_bits,
            out_of_domain_pow_bits: message.out_of_domain_pow_bits,
            batching_pow_bits: message.batching_pow_bits,
            fold_pow_bits: message.fold_pow_bits,
            fold_step: message.fold_step,
            log_last_layer_degree: message.log_last_layer_degree,
        }
    }
}

impl From<Parameters> for proto::StwoParameters {
    fn from(parameters: Parameters) -> Self {
        proto::StwoParameters {
            log_blowup: parameters.log_blowup,
            queries: parameters.queries,
            pow_bits: parameters.pow_bits,
            fold_step: parameters.fold_step,
            log_last_layer_degree: parameters.log_last_layer_degree,
            challenge_pow_bits: parameters.challenge_pow_bits,
            composition_pow_bits: parameters.composition_pow_bits,
            out_of_domain_pow_bits: parameters.out_of_domain_pow_bits,
            batching_pow_bits: parameters.batching_pow_bits,
            fold_pow_bits: parameters.fold_pow_bits,
        }
    }
}
