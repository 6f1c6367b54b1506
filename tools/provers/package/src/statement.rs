//! What a claim says about the public tensors, checked against the circuits that declare them.

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::canonical::digest;
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

/// The public tensors as a claim states them, in the order of the members and of their circuits. Each has the rows of all steps,
/// one step after the other.
#[derive(Clone, Debug)]
pub struct Statement {
    steps: usize,
    tensors: Vec<StatedTensor>,
    digest: [u8; 32],
    claim: Vec<u8>,
}

impl Statement {
    /// Reads the claim of a run of a bundle, which must name exactly the public tensors of its members, in order, with values in
    /// range. How many steps the run has is what the rows of the first one say.
    pub fn decode(claim: &[u8], bundle: &Bundle) -> Result<Self, Error> {
        let part: PublicPart = parse(claim, "the claim")?;
        let (mut inputs, mut outputs) = (part.inputs.into_iter(), part.outputs.into_iter());
        let mut stated = Vec::new();
        for tensor in bundle.publics() {
            let list = if tensor.kind() == Kind::Input { &mut inputs } else { &mut outputs };
            let Some(next) = list.next() else {
                return Err(Error::new(format!("the claim lacks public tensor {}", tensor.name)));
            };
            stated.push(next);
        }
        ensure!(
            inputs.len() + outputs.len() == 0,
            "the claim has {} public tensors more than the circuit",
            inputs.len() + outputs.len()
        );
        let steps = match (stated.first(), bundle.publics().next()) {
            (Some(stated), Some(tensor)) => (stated.rows / tensor.rows).max(1) as usize,
            _ => 1,
        };
        ensure!(
            steps <= bundle.most_steps,
            "the claim is of {steps} steps, the key allows 1 to {}",
            bundle.most_steps
        );
        for (stated, tensor) in stated.iter().zip(bundle.publics()) {
            check_tensor(stated, tensor, steps)?;
        }
        Ok(Statement { steps, tensors: stated, digest: digest(claim), claim: claim.to_vec() })
    }

    /// Takes values for tensors that the claim gives by digest, from a JSON list of [`Opening`]s; each must hash to
    /// its digest.
    pub fn open(&mut self, openings: &[u8], bundle: &Bundle) -> Result<(), Error> {
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
            let tensor = bundle.publics().nth(index).expect("a tensor of the claim is one of the bundle");
            check_values(&opening.values, tensor, self.steps)?;
            stated.values = Some(opening.values);
        }
        Ok(())
    }

    /// Takes values without a look at the digest, as a cheating prover would: for tests.
    #[doc(hidden)]
    pub fn open_unchecked(&mut self, tensor: usize, values: &[i64]) {
        self.tensors[tensor].values = Some(values.to_vec());
    }

    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The values of a public tensor, row-major, by its index in the bundle; `None` if the claim gives it by digest and
    /// it was not opened.
    pub fn values(&self, tensor: usize) -> Option<&[i64]> {
        self.tensors[tensor].values.as_deref()
    }

    /// What it says of a member in a step.
    pub fn at(&self, bundle: &Bundle, member: usize, step: usize) -> Stated<'_> {
        let tensors = &self.tensors[bundle.members[member].publics.clone()];
        Stated { tensors, step, steps: self.steps }
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

/// The public tensors of a member in a step, by their index in its circuit.
#[derive(Clone, Copy)]
pub struct Stated<'s> {
    tensors: &'s [StatedTensor],
    step: usize,
    steps: usize,
}

impl<'s> Stated<'s> {
    /// Row-major; `None` if the claim gives the tensor by digest and it was not opened.
    pub fn values(&self, tensor: usize) -> Option<&'s [i64]> {
        let values = self.tensors[tensor].values.as_deref()?;
        values.chunks_exact(values.len() / self.steps).nth(self.step)
    }

    /// Whether the claim gives the tensor by digest, opened or not.
    pub fn by_digest(&self, tensor: usize) -> bool {
        self.tensors[tensor].digest.is_some()
    }

    /// How many tensors the claim gives by digest.
    pub fn digests(&self) -> usize {
        self.tensors.iter().filter(|tensor| tensor.digest.is_some()).count()
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::new(format!("{what} is malformed: {error}")))
}

fn check_tensor(stated: &StatedTensor, tensor: &PublicTensor, steps: usize) -> Result<(), Error> {
    ensure!(
        stated.name == tensor.name,
        "the claim has public tensor {:?} where the key has {:?}",
        stated.name,
        tensor.name
    );
    ensure!(
        (stated.rows as u64, stated.columns) == (rows(tensor, steps), tensor.columns)
            && (stated.low, stated.high, stated.exponent) == (tensor.low, tensor.high, tensor.exponent),
        "public tensor {:?} has another shape, range or exponent in the claim than {steps} steps have",
        tensor.name
    );
    match (&stated.values, &stated.digest) {
        (Some(values), None) => check_values(values, tensor, steps),
        (None, Some(_)) => Ok(()),
        _ => Err(Error::new(format!("public tensor {:?} needs either values or a digest", tensor.name))),
    }
}

fn rows(tensor: &PublicTensor, steps: usize) -> u64 {
    steps as u64 * tensor.rows as u64
}

fn check_values(values: &[i64], tensor: &PublicTensor, steps: usize) -> Result<(), Error> {
    let rows = rows(tensor, steps);
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
