//! The public values of a run, checked against the circuit that declares them.

use crate::canonical::{decode_canonical, digest, encode};
use crate::circuit::Circuit;
use crate::error::{ensure, Error};
use crate::proto;

/// The values of all public tensors, in the circuit's order, each in its declared range.
#[derive(Clone, Debug)]
pub struct Statement {
    message: proto::Statement,
    bytes: Vec<u8>,
}

impl Statement {
    /// Decodes a statement file, which must name exactly the public tensors of the circuit, in order, with
    /// values in range.
    pub fn decode(bytes: &[u8], circuit: &Circuit) -> Result<Self, Error> {
        let message: proto::Statement = decode_canonical(bytes, "the statement")?;
        Self::check(&message, circuit)?;
        Ok(Statement { message, bytes: bytes.to_vec() })
    }

    pub fn new(message: proto::Statement, circuit: &Circuit) -> Result<Self, Error> {
        Self::check(&message, circuit)?;
        Ok(Statement { bytes: encode(&message), message })
    }

    fn check(message: &proto::Statement, circuit: &Circuit) -> Result<(), Error> {
        ensure!(
            message.format == 1,
            "statement format {} is not supported (this reads format 1)",
            message.format
        );
        ensure!(
            message.tensors.len() == circuit.publics.len(),
            "the statement has {} public tensors, the circuit {}",
            message.tensors.len(),
            circuit.publics.len()
        );
        for (value, tensor) in message.tensors.iter().zip(&circuit.publics) {
            ensure!(
                value.name == tensor.name && value.kind == tensor.kind,
                "the statement has public tensor {} where the circuit has {}",
                value.name,
                tensor.name
            );
            ensure!(
                value.rows == tensor.rows
                    && value.columns == tensor.columns
                    && value.values.len() as u64 == tensor.rows as u64 * tensor.columns as u64,
                "public tensor {} must be {} x {}",
                tensor.name,
                tensor.rows,
                tensor.columns
            );
            if let Some(at) = value.values.iter().position(|v| !(tensor.low..=tensor.high).contains(v)) {
                ensure!(
                    false,
                    "public tensor {}: value {} at index {at} is outside [{}, {}]",
                    tensor.name,
                    value.values[at],
                    tensor.low,
                    tensor.high
                );
            }
        }
        Ok(())
    }

    /// The values of a public tensor, row-major, by its index in the circuit.
    pub fn values(&self, tensor: usize) -> &[i64] {
        &self.message.tensors[tensor].values
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn digest(&self) -> [u8; 32] {
        digest(&self.bytes)
    }
}
