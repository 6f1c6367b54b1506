//! The prover: everything that needs Stwo's `prover` feature.

mod bare;
mod blocks;
mod component;
mod field;
mod fill;
mod fixed;
#[cfg(feature = "forger")]
pub mod forger;
mod grind;
mod interpreter;
mod load;
mod neighbours;
mod open;
mod parts;
mod prepared;
mod program;
mod prove;
mod stages;
mod strategy;

use lindero_package::Error;

pub use bare::prove_bare;
pub use fixed::{FixedFiles, Keep, Kept};
pub use grind::{Grind, HONEST};
pub use parts::Parts;
pub use prepared::{Prepared, TreeZero, TreesZero, Twiddles};
pub use prove::{
    check_fixed, main_root, prove, prove_block, prove_grinding, prove_unchecked, prove_with, setup,
    setup_keeping, sizes, Stage,
};

/// Why there is no proof.
#[derive(Debug)]
pub enum Failure {
    /// The files do not belong together or are malformed.
    Input(Error),
    /// The files are well-formed, but there is nothing to prove: a constraint, claimed sum or denominator fails.
    Witness(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Input(error)
    }
}
