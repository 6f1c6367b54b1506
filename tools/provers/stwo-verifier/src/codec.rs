//! The bytes of a Stwo proof, of which there is one per block.
//!
//! Every length follows from the key, but for those that depend on which queries happen to coincide; these
//! are written as 32-bit counts and bounded. Integers are little-endian. A field element is a canonical residue in 4 bytes, an extension element four
//! of them, a hash 32 bytes. In order:
//!
//! - a nonce of 8 bytes for each draw of [`transcript::draws_of_block`] before which there is grinding, in their order
//! - roots: one per tree, the composition polynomial's last
//! - out-of-domain values: per tree, column and opening
//! - the nonce before the queries
//! - the number of distinct queries; per tree and column, the values at them
//! - per tree, the Merkle witness: count, hashes
//! - FRI's layers, first to last: root; count, values; count, hashes
//! - FRI's last polynomial, in Stwo's order of coefficients

use lindero_package::Error;
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;
use stwo::core::fri::{FriLayerProof, FriProof};
use stwo::core::pcs::quotients::CommitmentSchemeProof;
use stwo::core::pcs::TreeVec;
use stwo::core::poly::line::LinePoly;
use stwo::core::proof::StarkProof;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleHasher;
use stwo::core::vcs_lifted::verifier::MerkleDecommitmentLifted;

use crate::channel::Draw;
use crate::key::Member;
use crate::transcript;

pub type Stark = StarkProof<Blake2sMerkleHasher>;

/// A Stwo proof and the nonces of the grinding before its challenges.
#[derive(Clone, Debug)]
pub struct Commitment {
    pub nonces: Vec<u64>,
    pub stark: Stark,
}

pub fn encode(commitment: &Commitment) -> Vec<u8> {
    let mut out = encode_nonces(&commitment.nonces);
    let proof = &commitment.stark.0;
    proof.commitments.iter().for_each(|root| out.extend(root.0));
    proof.sampled_values.iter().flatten().flatten().for_each(|value| put_secure(&mut out, value));
    out.extend(proof.proof_of_work.to_le_bytes());
    let queries = proof.queried_values.iter().flatten().map(Vec::len).next().unwrap_or(0);
    put_count(&mut out, queries);
    proof.queried_values.iter().flatten().flatten().for_each(|value| out.extend(value.0.to_le_bytes()));
    proof.decommitments.iter().for_each(|witness| put_hashes(&mut out, &witness.hash_witness));
    for layer in std::iter::once(&proof.fri_proof.first_layer).chain(&proof.fri_proof.inner_layers) {
        out.extend(layer.commitment.0);
        put_count(&mut out, layer.fri_witness.len());
        layer.fri_witness.iter().for_each(|value| put_secure(&mut out, value));
        put_hashes(&mut out, &layer.decommitment.hash_witness);
    }
    proof.fri_proof.last_layer_poly.iter().for_each(|value| put_secure(&mut out, value));
    out
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend((count as u32).to_le_bytes());
}

fn put_secure(out: &mut Vec<u8>, value: &SecureField) {
    value.to_m31_array().iter().for_each(|coordinate| out.extend(coordinate.0.to_le_bytes()));
}

fn put_hashes(out: &mut Vec<u8>, hashes: &[Blake2sHash]) {
    put_count(out, hashes.len());
    hashes.iter().for_each(|hash| out.extend(hash.0));
}

/// Decodes a proof of the shape that the key prescribes; all bytes must be used. The configuration inside is
/// the key's.
pub fn decode(member: &Member, bytes: &[u8]) -> Result<Commitment, Error> {
    let mut reader = Reader { bytes };
    let nonces = reader.nonces(&transcript::draws_of_block(member))?;
    let counts = member.layout.sample_counts(&member.circuit);
    let commitments = reader.repeat(counts.len(), Reader::hash)?;
    let tree = |reader: &mut Reader, tree: &Vec<usize>| {
        tree.iter()
            .map(|&openings| reader.repeat(openings, Reader::secure))
            .collect::<Result<Vec<_>, Error>>()
    };
    let sampled_values =
        counts.iter().map(|counts| tree(&mut reader, counts)).collect::<Result<Vec<_>, Error>>()?;
    let proof_of_work = u64::from_le_bytes(reader.take()?);
    let max_queries = member.parameters.queries as usize;
    let queries = reader.count(max_queries)?;
    let columns = |reader: &mut Reader, columns: usize| {
        (0..columns).map(|_| reader.repeat(queries, Reader::base)).collect::<Result<Vec<_>, Error>>()
    };
    let queried_values =
        counts.iter().map(|tree| columns(&mut reader, tree.len())).collect::<Result<Vec<_>, Error>>()?;
    // A path has a node per level; folding needs the siblings of each query.
    let max_hashes = max_queries * (member.layout.max_log_height + member.parameters.log_blowup) as usize;
    let max_siblings = max_queries << member.parameters.fold_step;
    let witness = |reader: &mut Reader| -> Result<_, Error> {
        let count = reader.count(max_hashes)?;
        Ok(MerkleDecommitmentLifted { hash_witness: reader.repeat(count, Reader::hash)? })
    };
    let decommitments = counts.iter().map(|_| witness(&mut reader)).collect::<Result<Vec<_>, Error>>()?;
    let layer = |reader: &mut Reader| -> Result<_, Error> {
        let commitment = reader.hash()?;
        let siblings = reader.count(max_siblings)?;
        let fri_witness = reader.repeat(siblings, Reader::secure)?;
        Ok(FriLayerProof { fri_witness, decommitment: witness(reader)?, commitment })
    };
    let first_layer = layer(&mut reader)?;
    let inner_layers = member.parameters.inner_layers(member.layout.max_log_height);
    let inner_layers = (0..inner_layers).map(|_| layer(&mut reader)).collect::<Result<Vec<_>, Error>>()?;
    let coefficients = reader.repeat(1 << member.parameters.log_last_layer_degree, Reader::secure)?;
    reader.finish()?;
    let fri_proof = FriProof { first_layer, inner_layers, last_layer_poly: LinePoly::new(coefficients) };
    let proof = CommitmentSchemeProof {
        config: member.config(),
        commitments: TreeVec(commitments),
        sampled_values: TreeVec(sampled_values),
        decommitments: TreeVec(decommitments),
        queried_values: TreeVec(queried_values),
        proof_of_work,
        fri_proof,
    };
    Ok(Commitment { nonces, stark: StarkProof(proof) })
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (first, rest) =
            self.bytes.split_first_chunk().ok_or_else(|| Error::new("the proof is too short"))?;
        self.bytes = rest;
        Ok(*first)
    }

    fn finish(self) -> Result<(), Error> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(Error::new(format!("the proof has {left} bytes too many"))),
        }
    }

    fn nonces(&mut self, draws: &[Draw]) -> Result<Vec<u64>, Error> {
        let count = draws.iter().filter(|draw| draw.pow_bits > 0).count();
        self.repeat(count, |reader| Ok(u64::from_le_bytes(reader.take()?)))
    }

    /// A count that is at least 0 and at most `limit`.
    fn count(&mut self, limit: usize) -> Result<usize, Error> {
        let count = u32::from_le_bytes(self.take()?) as usize;
        if count > limit {
            return Err(Error::new(format!("the proof names {count} values where at most {limit} can be")));
        }
        Ok(count)
    }

    fn repeat<T>(&mut self, count: usize, read: fn(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        // Lengths come from a proof that may be shorter than it says: nothing is reserved ahead.
        (0..count).map(|_| read(self)).collect()
    }

    fn base(&mut self) -> Result<BaseField, Error> {
        let value = u32::from_le_bytes(self.take()?);
        if value >= P {
            return Err(Error::new("the proof holds a field element that is not canonical"));
        }
        Ok(BaseField::from_u32_unchecked(value))
    }

    fn secure(&mut self) -> Result<SecureField, Error> {
        Ok(SecureField::from_m31(self.base()?, self.base()?, self.base()?, self.base()?))
    }

    fn hash(&mut self) -> Result<Blake2sHash, Error> {
        Ok(Blake2sHash(self.take()?))
    }
}

/// 8 bytes each.
pub fn encode_nonces(nonces: &[u64]) -> Vec<u8> {
    nonces.iter().flat_map(|nonce| nonce.to_le_bytes()).collect()
}

/// Those of the draws before which there is grinding: no more bytes, and no fewer.
pub fn decode_nonces(draws: &[Draw], bytes: &[u8]) -> Result<Vec<u64>, Error> {
    let mut reader = Reader { bytes };
    let nonces = reader.nonces(draws)?;
    reader.finish()?;
    Ok(nonces)
}

/// Extension elements, 16 bytes each.
pub fn encode_elements(elements: &[SecureField]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * elements.len());
    elements.iter().for_each(|element| put_secure(&mut out, element));
    out
}

/// `what` names the elements in the error.
pub fn decode_elements(bytes: &[u8], count: usize, what: &str) -> Result<Vec<SecureField>, Error> {
    if bytes.len() != 16 * count {
        return Err(Error::new(format!("the proof must hold {count} {what} of 16 bytes")));
    }
    Reader { bytes }.repeat(count, Reader::secure)
}
