//! What both sides absorb and draw, in this order. Nothing is drawn before everything that it must bind is
//! absorbed.
//!
//! 1. the protocol's name and version, the parameters, SHA-256 of the key and of the claim, the number of blocks
//! 2. the root of tree 0; the root of tree 1 of every block, in order; grinding; the challenges of phase 1
//!
//! What follows is per block, on a channel of its own that goes on from all of the above:
//!
//! 3. the block's index; its roots of trees 0 and 1 once more, because Stwo absorbs what it commits
//! 4. the root of phase 2, if it has columns; grinding; the challenges of phase 2
//! 5. the root of phase 3, if it has columns; the block's claims and fingerprints
//! 6. Stwo's protocol: composition, out-of-domain values, FRI, grinding, queries

use lindero_package::Circuit;
use stwo::core::channel::{Blake2sChannel, Channel, MerkleChannel};
use stwo::core::fields::qm31::SecureField;
use stwo::core::vcs::blake2_hash::Blake2sHash;
use stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleChannel;

use crate::key::Key;

const PROTOCOL: &[u8; 32] = b"lindero/stwo proof, version 4\0\0\0";

/// Step 1, and the roots of step 2.
pub fn begin(key: &Key, claim: [u8; 32], main_roots: &[Blake2sHash]) -> Blake2sChannel {
    let mut channel = Blake2sChannel::default();
    absorb(&mut channel, PROTOCOL);
    key.config().mix_into(&mut channel);
    for digest in [&key.digest, &claim] {
        absorb(&mut channel, digest);
    }
    channel.mix_u64(main_roots.len() as u64);
    for &root in [Blake2sHash(key.fixed_root)].iter().chain(main_roots) {
        Blake2sMerkleChannel::mix_root(&mut channel, root);
    }
    channel
}

/// The channel of a block, from that behind step 2.
pub fn begin_block(bundle: &Blake2sChannel, index: usize) -> Blake2sChannel {
    let mut channel = bundle.clone();
    channel.mix_u64(index as u64);
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
