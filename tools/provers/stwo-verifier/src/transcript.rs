//! What both sides absorb and draw, in this order. Nothing is drawn before everything that it must bind is
//! absorbed. `g:` is grinding with a number of bits, a field of the key's parameters: a nonce, which is absorbed, or nothing at all
//! where there are none ([`channel`](crate::channel)).
//!
//! 1. the protocol's name and version; SHA-256 of the key, which has the bits of all grinding, and of the claim; the number of
//!    members and of steps; of each member, in the key's order: Stwo's parameters, SHA-256 of its circuit, the number of its tables
//!    and the log heights of these, the root of tree 0
//! 2. of each block, those of a step in the order of the members, one step after the other: the step, the member, the root of
//!    tree 1; then `challenge_pow_bits:` the challenges of phase 1 of all members, by name, in the order in which the names first
//!    appear
//!
//! What follows is per block, on a channel of its own that goes on from all of the above:
//!
//! 3. the block's index; its roots of trees 0 and 1 once more, because Stwo absorbs what it commits
//! 4. the root of phase 2, if it has columns; `challenge_pow_bits:` the challenges of phase 2
//! 5. the root of phase 3, if it has columns; the block's claimed sums; its fingerprints
//!
//! Stwo's protocol:
//!
//! 6. `composition_pow_bits:` the coefficient that combines the constraints; the root of the composition polynomial
//! 7. `out_of_domain_pow_bits:` the point out of domain; the values there
//! 8. `batching_pow_bits:` the coefficient that combines the quotients
//! 9. of each layer of FRI: its root; `fold_pow_bits:` the coefficient that folds it
//! 10. the coefficients of FRI's last polynomial; `pow_bits:` (Stwo's own grinding) the positions of the queries
//!
//! A phase without challenges has no grinding. [`draws_of_bundle`] and [`draws_of_block`] are the same list as data: a draw that is not
//! in it is an error.

use lindero_package::Circuit;
use num_traits::Zero;
use stwo::core::channel::{Blake2sChannel, Channel, MerkleChannel};
use stwo::core::fields::qm31::SecureField;
use stwo::core::vcs::blake2_hash::Blake2sHash;

use crate::channel::{Absorbed, Challenge, Draw, GrindingChannel, GrindingMerkleChannel, Nonces};
use crate::key::{Key, Member};

const PROTOCOL: &[u8; 32] = b"lindero/stwo proof, version 5\0\0\0";

/// What is drawn in step 2.
pub fn draws_of_bundle(key: &Key) -> Vec<Draw> {
    let pow_bits = key.parameters.challenge_pow_bits;
    draw_of_circuit(1, key.bundle.challenges.len(), pow_bits).into_iter().collect()
}

/// What is drawn in steps 4 to 9.
pub fn draws_of_block(member: &Member) -> Vec<Draw> {
    let parameters = &member.parameters;
    let one = |challenge, after, pow_bits| Draw { challenge, after, count: 1, pow_bits };
    let layers = 1 + parameters.inner_layers(member.layout.max_log_height);
    let late = member.circuit.challenges_after(2).count();
    let mut draws: Vec<Draw> = draw_of_circuit(2, late, parameters.challenge_pow_bits).into_iter().collect();
    draws.extend([
        one(Challenge::Composition, Absorbed::Elements, parameters.composition_pow_bits),
        one(Challenge::OutOfDomain, Absorbed::Root, parameters.out_of_domain_pow_bits),
        one(Challenge::Batching, Absorbed::Elements, parameters.batching_pow_bits),
    ]);
    let fold = |layer| one(Challenge::Fold { layer }, Absorbed::Root, parameters.fold_pow_bits);
    draws.extend((0..layers).map(fold));
    draws
}

/// All challenges of a phase are drawn at once.
fn draw_of_circuit(phase: usize, count: usize, pow_bits: u32) -> Option<Draw> {
    (count > 0).then_some(Draw {
        challenge: Challenge::Circuit { phase },
        after: Absorbed::Root,
        count,
        pow_bits,
    })
}

/// Step 1, and the roots of step 2: of all blocks, in order. The nonces are the bundle's.
pub fn begin<N: Nonces>(
    key: &Key,
    claim: [u8; 32],
    main_roots: &[Blake2sHash],
    nonces: N,
) -> GrindingChannel<N> {
    let mut channel = GrindingChannel::new(Blake2sChannel::default(), draws_of_bundle(key), nonces);
    absorb(&mut channel, PROTOCOL);
    for digest in [&key.digest, &claim] {
        absorb(&mut channel, digest);
    }
    let steps = main_roots.len() / key.members.len();
    channel.mix_u64(key.members.len() as u64);
    channel.mix_u64(steps as u64);
    for member in &key.members {
        member.config().mix_into(&mut channel);
        absorb(&mut channel, &member.circuit_digest);
        channel.mix_u64(member.circuit.tables.len() as u64);
        for table in &member.circuit.tables {
            channel.mix_u64(table.log_height as u64);
        }
        GrindingMerkleChannel::mix_root(&mut channel, Blake2sHash(member.fixed_root));
    }
    for ((step, member), &root) in key.bundle.blocks(steps).zip(main_roots) {
        channel.mix_u64(step as u64);
        channel.mix_u64(member as u64);
        GrindingMerkleChannel::mix_root(&mut channel, root);
    }
    channel
}

/// The channel of a block, from that after step 2. The nonces are the block's.
pub fn begin_block<N: Nonces>(
    member: &Member,
    bundle: &GrindingChannel<N>,
    index: usize,
    nonces: N,
) -> GrindingChannel<N> {
    let mut channel = GrindingChannel::new(bundle.inner().clone(), draws_of_block(member), nonces);
    channel.mix_u64(index as u64);
    channel
}

/// Draws the challenges that all blocks share.
pub fn draw_shared(channel: &mut impl Channel, key: &Key) -> Vec<SecureField> {
    match key.bundle.challenges.len() {
        0 => Vec::new(),
        count => channel.draw_secure_felts(count),
    }
}

/// Of the shared challenges, the member's in their places; those of phase 2 are zero.
pub fn challenges_of(member: &Member, shared: &[SecureField]) -> Vec<SecureField> {
    let mut challenges = vec![SecureField::zero(); member.circuit.challenges.len()];
    for &(place, index) in member.shared.iter() {
        challenges[place] = shared[index];
    }
    challenges
}

/// Draws the challenges of phase 2 into their places.
pub fn draw_late(channel: &mut impl Channel, circuit: &Circuit, challenges: &mut [SecureField]) {
    let places: Vec<usize> = circuit.challenges_after(2).collect();
    if places.is_empty() {
        return;
    }
    let drawn = channel.draw_secure_felts(places.len());
    for (index, value) in places.into_iter().zip(drawn) {
        challenges[index] = value;
    }
}

pub fn absorb_claimed_sums(
    channel: &mut impl Channel,
    claimed_sums: &[SecureField],
    fingerprints: &[SecureField],
) {
    channel.mix_felts(claimed_sums);
    channel.mix_felts(fingerprints);
}

fn absorb(channel: &mut impl Channel, bytes: &[u8; 32]) {
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    channel.mix_u32s(&words);
}
