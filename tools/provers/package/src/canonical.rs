//! Canonical bytes: of the many encodings that protocol buffers allow for a message, one is accepted.

use prost::Message;
use sha2::{Digest, Sha256};

use crate::error::{ensure, Error};

/// Decodes a message and requires that encoding it again gives the same bytes. This rejects unknown fields,
/// trailing bytes, fields out of order or repeated, default values written out and overlong integers.
pub fn decode_canonical<M: Message + Default>(bytes: &[u8], what: &str) -> Result<M, Error> {
    let message = M::decode(bytes).map_err(|error| Error::new(format!("{what} is malformed: {error}")))?;
    ensure!(
        message.encoded_len() == bytes.len() && message.encode_to_vec() == bytes,
        "{what} is not in canonical encoding: it holds unknown, reordered or padding bytes"
    );
    Ok(message)
}

pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
