//! The Merkle tree of tree 0: all that is kept of its commitment.

use lindero_package::Error;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleHasher;
use stwo::core::vcs_lifted::verifier::MerkleDecommitmentLifted;

pub type Paths = MerkleDecommitmentLifted<Blake2sMerkleHasher>;

/// Hashes of a tree: layer 0 is the root, layer i has 2^i nodes.
pub trait Layers: Sync {
    /// The number of layers below the root.
    fn log_size(&self) -> u32;
    fn node(&self, layer: u32, index: usize) -> Result<Blake2sHash, Error>;
    /// What is wrong if paths do not lead to the root.
    fn damage(&self) -> Error;
}

/// The paths of leaves in ascending order, as Stwo's prover gives them: going up, each sibling that is not on a path itself.
pub fn paths(tree: &(impl Layers + ?Sized), positions: &[usize]) -> Result<Paths, Error> {
    let mut witness = Vec::new();
    let mut nodes = positions.to_vec();
    nodes.dedup();
    for layer in (1..=tree.log_size()).rev() {
        let mut parents = Vec::with_capacity(nodes.len());
        for children in nodes.chunk_by(|a, b| a ^ 1 == *b) {
            if let [alone] = children {
                witness.push(tree.node(layer, alone ^ 1)?);
            }
            parents.push(children[0] >> 1);
        }
        nodes = parents;
    }
    Ok(MerkleDecommitmentLifted { hash_witness: witness })
}
