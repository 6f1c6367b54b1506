//! Every challenge costs what the key says: nonces must be there, right, in their place, and no more.

mod common;

use std::cell::Cell;

use common::{check, make_key, make_proof, make_proof_grinding, message_of, naming, with_parameters, QUICK};
use lindero_package::{encode, proto};
use lindero_prover_stwo::prover::HONEST;
use lindero_stwo_verifier::channel::{Challenge, Draw};
use lindero_stwo_verifier::{codec, transcript, Key, Target};
use lindero_testkit::{samples, Sample};
use stwo::core::channel::Blake2sChannel;

/// Bits before the circuit's challenges, composition, out of domain, batching, folds.
type Bits = [u32; 5];

/// Several layers of FRI, so that there are several folds.
const FOLDS: Target = Target { fold_step: 2, log_last_layer_degree: 1, ..QUICK };

const ALL_DIFFER: Bits = [5, 7, 8, 9, 10];

fn key_with(sample: &Sample, bits: Bits) -> Vec<u8> {
    with_parameters(&make_key(sample, &FOLDS).unwrap(), |p| set(p, bits))
}

fn set(p: &mut proto::StwoParameters, bits: Bits) {
    p.challenge_pow_bits = bits[0];
    p.composition_pow_bits = bits[1];
    p.out_of_domain_pow_bits = bits[2];
    p.batching_pow_bits = bits[3];
    p.fold_pow_bits = bits[4];
}

/// `bits` for one kind of draw alone.
fn alone(kind: usize, bits: u32) -> Bits {
    let mut all = [0; 5];
    all[kind] = bits;
    all
}

fn refusal(key: &[u8], proof: &[u8], what: &str) -> String {
    match check(key, proof) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("accepted: {what}"),
    }
}

fn ground(draws: &[Draw]) -> usize {
    draws.iter().filter(|draw| draw.pow_bits > 0).count()
}

fn cases() -> [(&'static str, Sample); 3] {
    [
        ("one block", samples::everything()),
        ("no challenge of phase 1", samples::range_lookup(7, 4, 5)),
        ("three blocks", samples::linked_blocks(0, 3)),
    ]
}

#[test]
fn honest_proofs_are_accepted_whatever_the_bits() {
    let bits = [
        [0; 5],
        ALL_DIFFER,
        [10, 0, 9, 0, 1],
        alone(0, 6),
        alone(1, 6),
        alone(2, 6),
        alone(3, 6),
        alone(4, 6),
    ];
    for (name, sample) in cases() {
        for bits in bits {
            let encoded = key_with(&sample, bits);
            let key = Key::decode(&encoded).unwrap();
            let proof = make_proof(&sample, &encoded).unwrap();
            let verdict = check(&encoded, &proof).unwrap_or_else(|error| panic!("{name}, {bits:?}: {error}"));
            let (of_bundle, of_block) =
                (transcript::draws_of_bundle(&key), transcript::draws_of_block(&key.members[0]));
            let message = message_of(&proof);
            assert_eq!(message.nonce.len(), 8 * ground(&of_bundle), "{name}, {bits:?}");
            for block in &message.blocks {
                let commitment = codec::decode(&key.members[0], &block.commitment).unwrap();
                assert_eq!(commitment.nonces.len(), ground(&of_block), "{name}, {bits:?}");
                assert_eq!(codec::encode(&commitment), block.commitment);
            }
            // What was drawn is what the list says, and each draw paid for.
            assert_eq!(verdict.drawn.len(), 1 + message.blocks.len());
            for (index, drawn) in verdict.drawn.iter().enumerate() {
                let draws: Vec<Draw> = drawn.iter().map(|drawn| drawn.draw).collect();
                assert_eq!(&draws, if index == 0 { &of_bundle } else { &of_block }, "{name}, {bits:?}");
                assert!(drawn.iter().all(|drawn| drawn.nonce.is_some() == (drawn.draw.pow_bits > 0)));
            }
        }
    }
}

/// The order of the draws, and the bits of each, written out once.
#[test]
fn the_draws_are_those_of_the_protocol() {
    let key = Key::decode(&key_with(&samples::everything(), ALL_DIFFER)).unwrap();
    let bits = |draws: Vec<Draw>| -> Vec<_> { draws.iter().map(|d| (d.challenge, d.pow_bits)).collect() };
    assert_eq!(bits(transcript::draws_of_bundle(&key)), [(Challenge::Circuit { phase: 1 }, 5)]);
    // 2^7 rows: folded by 4, 4, 4 to 2 coefficients.
    let expected = [
        (Challenge::Circuit { phase: 2 }, 5),
        (Challenge::Composition, 7),
        (Challenge::OutOfDomain, 8),
        (Challenge::Batching, 9),
        (Challenge::Fold { layer: 0 }, 10),
        (Challenge::Fold { layer: 1 }, 10),
        (Challenge::Fold { layer: 2 }, 10),
    ];
    assert_eq!(bits(transcript::draws_of_block(&key.members[0])), expected);
}

/// The nonces of the bundle, or of a block, after a change.
fn changed(
    key: &Key,
    message: &proto::Proof,
    block: Option<usize>,
    change: &dyn Fn(&mut Vec<u64>),
) -> Vec<u8> {
    let mut message = message.clone();
    match block {
        None => {
            let mut nonces = codec::decode_nonces(&transcript::draws_of_bundle(key), &message.nonce).unwrap();
            change(&mut nonces);
            message.nonce = codec::encode_nonces(&nonces);
        }
        Some(block) => {
            let bytes = &mut message.blocks[block].commitment;
            let mut commitment = codec::decode(&key.members[0], bytes).unwrap();
            change(&mut commitment.nonces);
            *bytes = codec::encode(&commitment);
        }
    }
    encode(&message)
}

#[test]
fn every_nonce_counts() {
    let sample = samples::linked_blocks(0, 2);
    let encoded = key_with(&sample, ALL_DIFFER);
    let key = Key::decode(&encoded).unwrap();
    let proof = make_proof(&sample, &encoded).unwrap();
    let message = message_of(&proof);
    let mut tried = 0;
    for block in [None, Some(0), Some(1)] {
        let draws = if block.is_none() {
            transcript::draws_of_bundle(&key)
        } else {
            transcript::draws_of_block(&key.members[0])
        };
        let count = ground(&draws);
        let mut rejected = |what: String, change: &dyn Fn(&mut Vec<u64>)| {
            let changed = changed(&key, &message, block, change);
            if changed != proof {
                refusal(&encoded, &changed, &format!("block {block:?}: {what}"));
                tried += 1;
            }
        };
        for at in 0..count {
            rejected(format!("nonce {at} plus one"), &|nonces| nonces[at] += 1);
            rejected(format!("nonce {at} is zero"), &|nonces| nonces[at] = 0);
            rejected(format!("high bit of nonce {at}"), &|nonces| nonces[at] ^= 1 << 63);
            rejected(format!("nonce {at} dropped"), &|nonces| nonces.truncate(nonces.len() - 1));
            rejected(format!("nonce {at} twice"), &|nonces| nonces.insert(at, nonces[at]));
            for other in 0..at {
                rejected(format!("nonces {other} and {at} swapped"), &|nonces| nonces.swap(other, at));
            }
        }
        rejected("none".into(), &|nonces| nonces.clear());
        rejected("one more".into(), &|nonces| nonces.push(0));
    }
    assert!(tried > 100, "{tried}");
}

/// With few bits a changed nonce is often good for them: then the challenges after it are others.
#[test]
fn another_good_nonce_makes_another_proof() {
    let sample = samples::everything();
    let encoded = key_with(&sample, [1; 5]);
    let key = Key::decode(&encoded).unwrap();
    let message = message_of(&make_proof(&sample, &encoded).unwrap());
    let draws = ground(&transcript::draws_of_block(&key.members[0]));
    let mut good = 0;
    for at in 0..draws {
        for other in 1..=8 {
            let changed = changed(&key, &message, Some(0), &|nonces| nonces[at] += other);
            let why = refusal(&encoded, &changed, &format!("nonce {at} plus {other}"));
            good += !why.contains("lacks the grinding") as usize;
        }
    }
    assert!(good > draws, "{good}");
}

#[test]
fn a_prover_that_does_not_grind_is_rejected() {
    let names = [
        "the challenges of phase",
        "the coefficient of the constraints",
        "the point out of domain",
        "the coefficient of the quotients",
        "the fold of FRI's layer",
    ];
    for (name, sample) in cases() {
        for (kind, challenge) in names.iter().enumerate() {
            let key = key_with(&sample, alone(kind, 12));
            let expected = format!("lacks the grinding before {challenge}");
            for (what, grind) in [
                ("none at all", (|_, _| 0) as lindero_prover_stwo::prover::Grind),
                ("a bit less", |channel, bits| HONEST(channel, bits - 1)),
                ("for another channel", |_, bits| HONEST(&Default::default(), bits)),
            ] {
                let proof = make_proof_grinding(&sample, &key, grind);
                let why = refusal(&key, &proof, &format!("{name}, {challenge}: {what}"));
                assert!(why.contains(&expected), "{name}, {challenge}, {what}: {why}");
            }
            check(&key, &make_proof_grinding(&sample, &key, HONEST)).unwrap();
        }
    }
}

thread_local! {
    /// Calls of [`lazy_once`] until it is lazy.
    static CALLS_LEFT: Cell<usize> = const { Cell::new(0) };
}

fn lazy_once(channel: &Blake2sChannel, bits: u32) -> u64 {
    let left = CALLS_LEFT.get();
    CALLS_LEFT.set(left.wrapping_sub(1));
    if left == 0 {
        0
    } else {
        HONEST(channel, bits)
    }
}

/// A prover that leaves out the grinding before a single draw is rejected for that draw, whichever it is.
#[test]
fn every_draw_is_paid_for() {
    for (name, sample) in cases() {
        let key = key_with(&sample, [12; 5]);
        let drawn = check(&key, &make_proof(&sample, &key).unwrap()).unwrap().drawn;
        for (at, drawn) in drawn.iter().flatten().enumerate() {
            CALLS_LEFT.set(at);
            let proof = make_proof_grinding(&sample, &key, lazy_once);
            let why = refusal(&key, &proof, &format!("{name}, draw {at}"));
            let expected = format!("lacks the grinding before {}", drawn.draw.challenge);
            assert!(why.ends_with(&expected), "{name}, draw {at}: {why}");
        }
        CALLS_LEFT.set(usize::MAX);
        check(&key, &make_proof_grinding(&sample, &key, lazy_once)).unwrap();
    }
}

#[test]
fn a_key_that_asks_for_more_than_the_proof_has_rejects_it() {
    for (name, sample) in cases() {
        let fewer = key_with(&sample, ALL_DIFFER);
        let proof = make_proof(&sample, &fewer).unwrap();
        check(&fewer, &proof).unwrap();
        for kind in 0..5 {
            for more in [1, 10] {
                let mut bits = ALL_DIFFER;
                bits[kind] += more;
                let key = key_with(&sample, bits);
                refusal(&key, &proof, &format!("{name}: {more} more of kind {kind}"));
                refusal(&key, &naming(&key, &proof), &format!("{name}: {more} more of kind {kind}, named"));
            }
            // Nor does one that asks for less: the bits are in the transcript.
            let mut bits = ALL_DIFFER;
            bits[kind] = 0;
            let key = key_with(&sample, bits);
            refusal(&key, &naming(&key, &proof), &format!("{name}: none of kind {kind}"));
        }
    }
}

#[test]
fn a_key_cannot_ask_for_more_than_can_be_found() {
    for kind in 0..5 {
        let key = key_with(&samples::everything(), alone(kind, 31));
        let error = Key::decode(&key).err().expect("31 bits are too many").to_string();
        assert!(error.contains("do not fit"), "{error}");
    }
}
