//! What a claim says about the public tensors, checked against the circuit that declares them.

use serde::{Deserialize, Serialize};

use crate::canonical::digest;
use crate::circuit::Circuit;
use crate::error::{ensure, Error};
use crate::proto::{public_tensor::Kind, PublicTensor};

/// The members of a claim (runtime/claim/CLAIM.md) that a prover or verifier of circuits needs. What the others mean
/// is not known here; all bytes of the claim are bound by its digest.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PublicPart {
    pub inputs: Vec<StatedTensor>,
    pub outputs: Vec<StatedTensor>,
}

/// A tensor with its values, or with the digest of an [`Opening`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StatedTensor {
    pub columns: u32,
    pub digest: Option<String>,
    pub exponent: i32,
    pub high: i64,
    pub low: i64,
    pub name: String,
    pub rows: u32,
    /// In the ONNX graph. Circuits have rows and columns: whoever reads the claim as a whole compares it with the key.
    #[serde(default)]
    pub shape: Vec<u64>,
    pub values: Option<Vec<i64>>,
}

/// Its canonical JSON, which is what serializing it gives, hashes to the digest in the claim.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    pub name: String,
    pub salt: String,
    pub values: Vec<i64>,
}

/// The public tensors as a claim states them, in the circuit's order. Each has the rows of all blocks, one block after the
/// other.
#[derive(Clone, Debug)]
pub struct Statement {
    blocks: usize,
    tensors: Vec<StatedTensor>,
    digest: [u8; 32],
    claim: Vec<u8>,
}

impl Statement {
    /// Reads the claim of a bundle of `blocks`, which must name exactly the public tensors of the circuit, in order, with values
    /// in range.
    pub fn decode(claim: &[u8], circuit: &Circuit, blocks: usize) -> Result<Self, Error> {
        ensure!(
            (1..=circuit.most_blocks).contains(&blocks),
            "there are {blocks} blocks, the circuit allows 1 to {}",
            circuit.most_blocks
        );
        let part: PublicPart = parse(claim, "the claim")?;
        let (mut inputs, mut outputs) = (part.inputs.into_iter(), part.outputs.into_iter());
        let mut tensors = Vec::with_capacity(circuit.publics.len());
        for tensor in &circuit.publics {
            let list = if tensor.kind() == Kind::Input { &mut inputs } else { &mut outputs };
            let Some(stated) = list.next() else {
                return Err(Error::new(format!("the claim lacks public tensor {}", tensor.name)));
            };
            check_tensor(&stated, tensor, blocks)?;
            tensors.push(stated);
        }
        ensure!(
            inputs.len() + outputs.len() == 0,
            "the claim has {} public tensors more than the circuit",
            inputs.len() + outputs.len()
        );
        Ok(Statement { blocks, tensors, digest: digest(claim), claim: claim.to_vec() })
    }

    /// Takes values for tensors that the claim gives by digest, from a JSON list of [`Opening`]s; each must hash to
    /// its digest.
    pub fn open(&mut self, openings: &[u8], circuit: &Circuit) -> Result<(), Error> {
        let openings: Vec<Opening> = parse(openings, "the openings")?;
        for opening in openings {
            let name = &opening.name;
            let Some(index) = self.tensors.iter().position(|tensor| &tensor.name == name) else {
                return Err(Error::new(format!("the claim has no tensor {name:?} to open")));
            };
            let stated = &mut self.tensors[index];
            ensure!(stated.values.is_none(), "tensor {name:?} is open already");
            let bytes = serde_json::to_vec(&opening).expect("an opening is strings and numbers");
            ensure!(
                stated.digest.as_deref() == Some(hexadecimal(&digest(&bytes)).as_str()),
                "the opening of {name:?} does not hash to the digest in the claim"
            );
            check_values(&opening.values, &circuit.publics[index], self.blocks)?;
            stated.values = Some(opening.values);
        }
        Ok(())
    }

    /// Takes values without a look at the digest, as a cheating prover would: for tests.
    #[doc(hidden)]
    pub fn open_unchecked(&mut self, tensor: usize, values: &[i64]) {
        self.tensors[tensor].values = Some(values.to_vec());
    }

    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The values of a public tensor, row-major, by its index in the circuit; `None` if the claim gives it by digest and
    /// it was not opened.
    pub fn values(&self, tensor: usize) -> Option<&[i64]> {
        self.tensors[tensor].values.as_deref()
    }

    /// Those of one block.
    pub fn values_of_block(&self, tensor: usize, block: usize) -> Option<&[i64]> {
        let values = self.values(tensor)?;
        values.chunks_exact(values.len() / self.blocks).nth(block)
    }

    /// Whether the claim gives the tensor by digest, opened or not.
    pub fn by_digest(&self, tensor: usize) -> bool {
        self.tensors[tensor].digest.is_some()
    }

    /// How many tensors the claim gives by digest.
    pub fn digests(&self) -> usize {
        self.tensors.iter().filter(|tensor| tensor.digest.is_some()).count()
    }

    /// The bytes of the claim.
    pub fn claim(&self) -> &[u8] {
        &self.claim
    }

    /// SHA-256 of the claim.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::new(format!("{what} is malformed: {error}")))
}

fn check_tensor(stated: &StatedTensor, tensor: &PublicTensor, blocks: usize) -> Result<(), Error> {
    ensure!(
        stated.name == tensor.name,
        "the claim has public tensor {:?} where the circuit has {:?}",
        stated.name,
        tensor.name
    );
    ensure!(
        (stated.rows as u64, stated.columns) == (rows(tensor, blocks), tensor.columns)
            && (stated.low, stated.high, stated.exponent) == (tensor.low, tensor.high, tensor.exponent),
        "public tensor {:?} has another shape, range or exponent in the claim than {blocks} blocks of the circuit have",
        tensor.name
    );
    match (&stated.values, &stated.digest) {
        (Some(values), None) => check_values(values, tensor, blocks),
        (None, Some(_)) => Ok(()),
        _ => Err(Error::new(format!("public tensor {:?} needs either values or a digest", tensor.name))),
    }
}

fn rows(tensor: &PublicTensor, blocks: usize) -> u64 {
    blocks as u64 * tensor.rows as u64
}

fn check_values(values: &[i64], tensor: &PublicTensor, blocks: usize) -> Result<(), Error> {
    let rows = rows(tensor, blocks);
    ensure!(
        values.len() as u128 == rows as u128 * tensor.columns as u128,
        "public tensor {:?} must be {rows} x {}",
        tensor.name,
        tensor.columns
    );
    let outside = values.iter().position(|v| !(tensor.low..=tensor.high).contains(v));
    match outside {
        None => Ok(()),
        Some(at) => Err(Error::new(format!(
            "public tensor {:?}: value {} at index {at} is outside [{}, {}]",
            tensor.name, values[at], tensor.low, tensor.high
        ))),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
