//! What both sides absorb and draw, in this order. Nothing is drawn before everything that it must bind is
//! absorbed.
//!
//! 1. the protocol's name and version, the parameters, SHA-256 of model.key and of the claim
//! 2. roots of trees 0 and 1; grinding; the challenges of phase 1
//! 3. the root of phase 2, if it has columns; grinding; the challenges of phase 2
//! 4. the root of phase 3, if it has columns; the circuit's claims and the fingerprints
//! 5. Stwo's protocol: composition, out-of-domain values, FRI, grinding, queries

use lindero_package::Circuit;
use stwo::core::channel::{Blake2sChannel, Channel};
use stwo::core::fields::qm31::SecureField;

use crate::key::Key;

const PROTOCOL: &[u8; 32] = b"lindero/stwo proof, version 2\0\0\0";

/// Step 1.
pub fn begin(key: &Key, claim: [u8; 32]) -> Blake2sChannel {
    let mut channel = Blake2sChannel::default();
    absorb(&mut channel, PROTOCOL);
    key.config().mix_into(&mut channel);
    for digest in [&key.digest, &claim] {
        absorb(&mut channel, digest);
    }
    channel
}

/// Draws the challenges of `phase` into their places.
pub fn draw_challenges(
    channel: &mut Blake2sChannel,
    circuit: &Circuit,
    phase: usize,
    challenges: &mut [SecureField],
) {
    let drawn = channel.draw_secure_felts(circuit.challenges_after(phase).count());
    for (index, value) in circuit.challenges_after(phase).zip(drawn) {
        challenges[index] = value;
    }
}

/// Whether grinding comes before the challenges of `phase`.
pub fn grinds(key: &Key, phase: usize) -> bool {
    key.parameters.challenge_pow_bits > 0 && key.circuit.challenges_after(phase).next().is_some()
}

pub fn absorb_claims(channel: &mut Blake2sChannel, claims: &[SecureField], fingerprints: &[SecureField]) {
    channel.mix_felts(claims);
    channel.mix_felts(fingerprints);
}

fn absorb(channel: &mut Blake2sChannel, bytes: &[u8; 32]) {
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    channel.mix_u32s(&words);
}
