//! Tree 0 without its extension.
//!
//! The fixed columns are the same for all proofs under a key, and most of a large model's cells. Of their commitment, a proof needs
//! little: values out of domain and at the queries, which are sums over the rows ([`rows`]); one linear combination, for the
//! quotients; on the domain of constraints, the columns that other columns are multiplied with, and for the others sums
//! ([`hoist`]); and Merkle paths ([`tree`]).

mod columns;
mod commit;
mod extend;
mod files;
mod hoist;
mod kernels;
mod leaves;
mod rows;
mod tree;
mod write;

use std::collections::BTreeMap;

use lindero_package::{ColumnFile, Error};
use lindero_stwo_verifier::Member;
use stwo::core::circle::CirclePoint;
use stwo::core::fields::m31::BaseField;
use stwo::core::fields::qm31::SecureField;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleHasher;
use stwo::core::vcs_lifted::verifier::MerkleVerifierLifted;
use stwo::prover::backend::simd::m31::PackedM31;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::poly::twiddles::TwiddleTree;

use columns::FixedColumns;
pub use columns::Numerators;
pub use commit::{commit, InMemory, MerkleTree, Take};
use extend::Extend;
pub use files::{FixedFiles, Kind, Shape};
use hoist::Hoisted;
pub use tree::{Layers, Paths};
pub use write::{check, write, Keep, Kept};

use super::program::Known;

/// Tree 0 of a bundle.
pub struct Fixed<'a> {
    member: &'a Member,
    columns: FixedColumns<'a>,
    extend: Extend<'a>,
    store: Box<dyn Store + 'a>,
}

/// Rows of the extended columns, where they are kept.
pub trait Rows {
    /// The values at positions of the lifted domain, ascending: `[column][position]`; None if they must be computed.
    fn open(&self, positions: &[usize]) -> Result<Option<Vec<Vec<BaseField>>>, Error>;
}

/// What is kept of tree 0.
pub trait Store: Layers + Rows {}

impl<Any: Layers + Rows> Store for Any {}

/// What the blocks of a bundle have in common once the challenges of phase 1 are drawn.
#[derive(Default)]
pub struct Shared {
    hoisted: Hoisted,
    /// The columns that constraints read beside what is hoisted, on their domain.
    extended: Vec<Vec<PackedM31>>,
}

impl<'a> Fixed<'a> {
    /// `file` holds canonical values, or what is proven is rejected.
    pub fn new(
        member: &'a Member,
        file: &'a ColumnFile,
        store: impl Store + 'a,
        twiddles: &'a TwiddleTree<SimdBackend>,
    ) -> Self {
        let log_heights = member.circuit.tables.iter().map(|table| table.log_height);
        Fixed {
            member,
            columns: FixedColumns::new(member, file),
            extend: Extend::new(log_heights, member.parameters.log_blowup, twiddles),
            store: Box::new(store),
        }
    }

    /// `uniform` has the uniform nodes that are known after the challenges of phase 1.
    pub fn share(&self, file: &ColumnFile, uniform: &[SecureField]) -> Shared {
        let hoisted = Hoisted::new(&self.member.circuit, file, uniform, &self.extend);
        let extended = self.columns.extend(&hoisted, &self.extend);
        Shared { hoisted, extended }
    }

    /// Values at a point on the lifted domain, per column.
    pub fn evaluate(&self, point: CirclePoint<SecureField>) -> Vec<SecureField> {
        self.columns.evaluate(point)
    }

    /// See [`FixedColumns::numerators`].
    pub fn numerators(
        &self,
        lines: &[Option<(SecureField, SecureField, SecureField)>],
    ) -> BTreeMap<u32, Numerators> {
        self.columns.numerators(lines, &self.extend)
    }

    /// The columns' values at positions of the lifted domain, ascending, with their paths, which lead to the key's root.
    pub fn open(&self, positions: &[usize]) -> Result<(Vec<Vec<BaseField>>, Paths), Error> {
        let values = match self.store.open(positions)? {
            Some(values) => values,
            None => self.columns.open(positions),
        };
        let paths = tree::paths(&*self.store, positions)?;
        let log_blowup = self.member.parameters.log_blowup;
        let log_sizes = self.member.layout.log_heights[0].iter().map(|height| height + log_blowup).collect();
        let root = Blake2sHash(self.member.fixed_root);
        let height = self.store.log_size();
        MerkleVerifierLifted::<Blake2sMerkleHasher>::new(root, log_sizes, Some(height))
            .verify(positions, values.clone(), paths.clone())
            .map_err(|_| self.store.damage())?;
        Ok((values, paths))
    }
}

impl Shared {
    /// Nodes that need not be computed when columns are filled.
    pub fn known_rows(&self) -> Known<'_> {
        self.hoisted.rows()
    }

    /// Those that need not be computed on the domain of constraints.
    pub fn known_extended(&self) -> Known<'_> {
        self.hoisted.extended()
    }

    pub fn extended(&self) -> &[Vec<PackedM31>] {
        &self.extended
    }
}
