//! Commits the columns of tree 0 some at a time, so that no more of them are extended at once than fit beside a large model.

use std::collections::BTreeMap;
use std::sync::Arc;

use lindero_package::{Circuit, ColumnFile, Error};
use lindero_stwo_verifier::Layout;
use rayon::prelude::*;
use stwo::core::fields::m31::BaseField;
use stwo::core::poly::circle::CanonicCoset;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleHasher;
use stwo::prover::backend::simd::column::BaseColumn;
use stwo::prover::backend::simd::SimdBackend;
use stwo::prover::backend::Column;
use stwo::prover::poly::twiddles::TwiddleTree;
use stwo::prover::vcs_lifted::ops::MerkleOpsLifted as Hash;

use super::super::load::fixed_column;
use super::columns::lowered;
use super::files::Shape;
use super::leaves::Leaves;
use super::tree::Layers;
use super::Rows;

/// The Merkle tree, layer by layer from the root on.
pub struct MerkleTree(pub Vec<Vec<Blake2sHash>>);

impl MerkleTree {
    pub fn root(&self) -> [u8; 32] {
        self.0[0][0].0
    }
}

/// Takes the extended columns of a batch ([`Shape::batches`]), in Stwo's order of rows.
pub type Take<'a> = &'a mut dyn FnMut(&[Arc<BaseColumn>]);

pub fn commit(
    circuit: &Circuit,
    layout: &Layout,
    shape: &Shape,
    file: &ColumnFile,
    twiddles: &TwiddleTree<SimdBackend>,
    take: Take,
) -> Result<MerkleTree, Error> {
    let mut leaves = Leaves::new();
    for batch in shape.batches() {
        let domain = CanonicCoset::new(batch.log_rows).circle_domain();
        let extend = |&index: &usize| {
            let column = fixed_column(circuit, layout.fixed[index], file)?;
            let polynomial = column.interpolate_with_twiddles(twiddles);
            Ok(Arc::new(polynomial.evaluate_with_twiddles(domain, twiddles).values))
        };
        let columns = batch.columns.par_iter().map(extend).collect::<Result<Vec<_>, Error>>()?;
        take(&columns);
        leaves.absorb(&columns);
    }
    let mut layers = vec![leaves.finish(shape.log_lifted())];
    while layers[layers.len() - 1].len() > 1 {
        let below = &layers[layers.len() - 1];
        layers.push(<SimdBackend as Hash<Blake2sMerkleHasher>>::build_next_layer(below));
    }
    layers.reverse();
    Ok(MerkleTree(layers))
}

/// Tree 0 in memory: what takes the place of files.
pub struct InMemory {
    tree: MerkleTree,
    /// By column, if they are kept.
    extended: Option<Vec<Arc<BaseColumn>>>,
}

impl InMemory {
    pub fn new(
        shape: &Shape,
        with_rows: bool,
        commit: impl FnOnce(Take) -> Result<MerkleTree, Error>,
    ) -> Result<Self, Error> {
        let mut all: Vec<Arc<BaseColumn>> = Vec::new();
        let tree = commit(&mut |columns| {
            if with_rows {
                all.extend_from_slice(columns);
            }
        })?;
        let batches = shape.batches();
        let indices = batches.iter().flat_map(|batch| batch.columns);
        let by_index: BTreeMap<&usize, Arc<BaseColumn>> = indices.zip(all).collect();
        Ok(InMemory { tree, extended: with_rows.then(|| by_index.into_values().collect()) })
    }
}

impl Layers for InMemory {
    fn log_size(&self) -> u32 {
        self.tree.0.len() as u32 - 1
    }

    fn node(&self, layer: u32, index: usize) -> Result<Blake2sHash, Error> {
        Ok(self.tree.0[layer as usize][index])
    }

    fn damage(&self) -> Error {
        Error::new("fixed.bin has changed while it was read")
    }
}

impl Rows for InMemory {
    fn open(&self, positions: &[usize]) -> Result<Option<Vec<Vec<BaseField>>>, Error> {
        let open = |column: &Arc<BaseColumn>| {
            let shift = self.log_size() - column.len().ilog2();
            positions.iter().map(|&position| column.at(lowered(position, shift))).collect()
        };
        Ok(self.extended.as_ref().map(|columns| columns.iter().map(open).collect()))
    }
}
