//! Canonical bytes: of the many encodings that protocol buffers allow for a message, one is accepted.

use prost::encoding::{decode_key, skip_field, DecodeContext};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::error::{ensure, Error};
use crate::format_rules::{obey, Rule};

/// Decodes a message and requires that encoding it again gives the same bytes. This rejects unknown fields,
/// trailing bytes, fields out of order or repeated, default values written out and overlong integers.
pub fn decode_canonical<M: Message + Default>(bytes: &[u8], what: &str) -> Result<M, Error> {
    let message = M::decode(bytes)
        .map_err(|error| Error::of(Rule::Encoding, format!("{what} is malformed: {error}")))?;
    obey!(
        Encoding,
        message.encoded_len() == bytes.len() && message.encode_to_vec() == bytes,
        "{what} is not in canonical encoding: it holds unknown, reordered or padding bytes"
    );
    Ok(message)
}

/// Refuses more than `most` fields of the message itself, repeated ones counted each time: an empty message takes two bytes of a
/// file, and a hundred once it is decoded. To be called before that.
pub fn ensure_field_count(mut bytes: &[u8], what: &str, most: usize) -> Result<(), Error> {
    let mut skip = || {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        skip_field(wire_type, tag, &mut bytes, DecodeContext::default())
    };
    // Where skipping fails, at the end too, decoding says what is wrong.
    let mut fields = 0;
    while skip().is_ok() {
        fields += 1;
        ensure!(fields <= most, "{what} has more than {most} parts");
    }
    Ok(())
}

pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_as_far_as_they_can_be_read() {
        // Two empty messages of field 4, a varint of field 1; then a length that is not there.
        for (bytes, fields) in [(&[0x22, 0, 0x22, 0, 0x08, 3][..], 3), (&[], 0), (&[0x22, 0, 0x22, 9], 1)] {
            for most in 0..5 {
                let refused = ensure_field_count(bytes, "it", most).is_err();
                assert_eq!(refused, fields > most, "{bytes:?}, {most}");
            }
        }
    }
}
