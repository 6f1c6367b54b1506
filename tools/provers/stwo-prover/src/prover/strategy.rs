//! What a prover does at each step where it has a choice.
//!
//! [`Honest`] is how proofs are made. The others are for tests: a cheating prover sees all challenges of earlier phases
//! before it commits a column or publishes a claimed sum, and may choose it as it likes.

use std::borrow::Cow;

use lindero_package::{Bundle, Circuit, Error, Stated};
use lindero_stwo_verifier::{check_sums, fingerprints, sums};
use stwo::core::fields::qm31::SecureField;
use stwo::core::vcs::blake2_hash::Blake2sHash;

use super::fill::Columns;

/// Where a block's proof stands.
pub struct Step<'s> {
    pub bundle: &'s Bundle,
    pub circuit: &'s Circuit,
    /// Of the block.
    pub stated: Stated<'s>,
    /// Which of how many: for forgers, who have all of them at hand.
    #[cfg_attr(not(feature = "forger"), allow(dead_code))]
    pub block: usize,
    #[cfg_attr(not(feature = "forger"), allow(dead_code))]
    pub blocks: usize,
    /// Those that are not drawn yet are zero.
    pub challenges: &'s [SecureField],
    /// Sums of the step before.
    pub before: Option<&'s [Vec<SecureField>]>,
    /// Sums of the members before this one.
    pub earlier: &'s [Vec<SecureField>],
}

/// What a block publishes besides its claimed sums, and what all of it sums to, per sum group.
pub struct Published {
    pub fingerprints: Vec<SecureField>,
    pub sums: Vec<SecureField>,
}

pub trait Strategy {
    /// The main columns of all blocks are committed: the roots that the transcript absorbs, in order.
    fn absorbed(&mut self, roots: Vec<Blake2sHash>) -> Vec<Blake2sHash> {
        roots
    }

    /// Of the challenges that all blocks share, in the order in which they are drawn, those that a block is proven under.
    fn drawn(&mut self, _block: usize, shared: &[SecureField]) -> Vec<SecureField> {
        shared.to_vec()
    }

    /// The columns of `phase` are filled as their generators say, and not committed yet.
    fn filled(
        &mut self,
        _step: &Step,
        _phase: usize,
        _columns: &mut Columns,
        _claimed_sums: &mut [SecureField],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// All columns are committed, and the claimed sums not published yet.
    fn publish(&mut self, step: &Step, claimed_sums: &mut [SecureField]) -> Result<Published, Error> {
        let Step { circuit, stated, challenges, .. } = *step;
        let fingerprints = fingerprints(circuit, stated, challenges)?;
        let sums = sums(circuit, stated, challenges, claimed_sums, &fingerprints)?;
        Ok(Published { fingerprints, sums })
    }

    fn check(&mut self, step: &Step, sums: &[SecureField]) -> Result<(), Error> {
        check_sums(step.bundle, step.before, &[step.earlier, &[sums.to_vec()]].concat())
    }

    /// The circuit whose constraints are proven: the one given, or one with other constraints on the same columns.
    fn proven<'c>(&mut self, circuit: &'c Circuit) -> Cow<'c, Circuit> {
        Cow::Borrowed(circuit)
    }
}

pub struct Honest;

impl Strategy for Honest {}

/// Proves without a look at the sums.
pub struct Unchecked;

impl Strategy for Unchecked {
    fn check(&mut self, _: &Step, _: &[SecureField]) -> Result<(), Error> {
        Ok(())
    }
}
