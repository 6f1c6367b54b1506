//! Whatever is done to the bytes of a proof or a key, verification ends with an error, not with a panic.

mod common;

use std::panic::{catch_unwind, AssertUnwindSafe};

use common::{check, make_forgery, make_key, make_proof, proven, QUICK};
use lindero_package::{decode_canonical, digest, encode, proto};
use lindero_prover_stwo::damage::{Damage, Random};
use lindero_stwo_verifier::codec::{self, Commitment};
use lindero_stwo_verifier::security::Regime;
use lindero_stwo_verifier::{Key, Target};
use lindero_testkit::{samples, Sample};
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;

fn assert_rejected(key: &[u8], proof: &[u8], what: &str) {
    match catch_unwind(AssertUnwindSafe(|| check(key, proof).map(|_| ()))) {
        Err(_) => panic!("panicked: {what}"),
        Ok(Ok(())) => panic!("accepted: {what}"),
        Ok(Err(_)) => {}
    }
}

/// The proof with the digest of another key.
fn naming(key: &[u8], proof: &[u8]) -> Vec<u8> {
    let mut message: proto::Proof = decode_canonical(proof, "the proof").unwrap();
    message.key_digest = digest(key).to_vec();
    encode(&message)
}

#[test]
fn keys_and_proofs_of_unsound_versions_are_refused_with_the_reason() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let mut old: proto::VerifyingKey = decode_canonical(&key, "the key").unwrap();
    old.backend = "stwo-2.3.0/3".to_string();
    let old = encode(&old);
    let refusal = |key: &[u8], proof: &[u8]| check(key, proof).unwrap_err().to_string();
    assert!(refusal(&old, &naming(&old, &proof)).contains("LINDERO-2026-1"));
    let mut message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    message.format = 2;
    assert!(refusal(&key, &encode(&message)).contains("LINDERO-2026-1"));
}

/// Stwo's own panics are caught and expected; their messages would drown ours.
fn hush() {
    std::panic::set_hook(Box::new(|info| {
        if info.location().is_some_and(|location| location.file().contains("mutations.rs")) {
            eprintln!("{info}");
        }
    }));
}

fn mutations(sample: &Sample, count: usize, seed: u64) {
    let (key, proof) = proven(sample, &QUICK);
    check(&key, &proof).unwrap();
    hush();
    let mut random = Random(seed);
    for round in 0..count {
        let damage = Damage::ALL[round % Damage::ALL.len()];
        let (at, changed) = damage.apply(&proof, &mut random);
        if changed != proof {
            assert_rejected(&key, &changed, &format!("proof, {damage:?} at {at}"));
        }
        let (at, changed) = damage.apply(&key, &mut random);
        if changed != key {
            assert_rejected(&changed, &proof, &format!("key, {damage:?} at {at}"));
            assert_rejected(&changed, &naming(&changed, &proof), &format!("named key, {damage:?} at {at}"));
        }
    }
}

/// The verb `tamper` does the same to any proof.
#[test]
fn random_mutations_are_rejected() {
    mutations(&samples::everything(), 1200, 1);
    mutations(&samples::carrying_blocks(0, 3), 300, 2);
}

#[test]
#[ignore = "takes a minute"]
fn every_byte_counts() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    hush();
    let mut random = Random(3);
    for at in 0..proof.len() {
        let mut changed = proof.clone();
        changed[at] ^= 1 << random.below(8);
        assert_rejected(&key, &changed, &format!("byte {at} of the proof changed"));
    }
    for at in 0..key.len() {
        for bit in 0..8 {
            let mut changed = key.clone();
            changed[at] ^= 1 << bit;
            assert_rejected(&changed, &proof, &format!("bit {bit} of byte {at} of the key changed"));
        }
    }
}

/// Mutations that know the encoding: the outer message stays canonical.
#[test]
fn well_formed_mutations_are_rejected() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    type Change = fn(&mut proto::Proof);
    let changes: [(&str, Change); 16] = [
        ("format 2", |proof| proof.format = 2),
        ("the next format", |proof| proof.format += 1),
        ("no format", |proof| proof.format = 0),
        ("no key digest", |proof| proof.key_digest.clear()),
        ("no claim", |proof| proof.claim.clear()),
        ("a blank after the claim", |proof| proof.claim.push(b' ')),
        ("a fingerprint", |proof| proof.blocks[0].fingerprints.extend([0; 16])),
        ("no claims", |proof| proof.blocks[0].claims.clear()),
        ("claims exchanged", |proof| proof.blocks[0].claims.rotate_left(16)),
        ("one claim more", |proof| proof.blocks[0].claims.extend([0; 16])),
        ("no commitment", |proof| proof.blocks[0].commitment.clear()),
        ("a zero more in the commitment", |proof| proof.blocks[0].commitment.push(0)),
        ("a word more in the commitment", |proof| proof.blocks[0].commitment.extend([0; 4])),
        ("a nonce where there is no grinding", |proof| proof.nonce.extend([0; 8])),
        ("a byte for a nonce", |proof| proof.nonce.push(0)),
        ("roots exchanged", |proof| proof.blocks[0].commitment[..64].rotate_left(32)),
    ];
    for (what, change) in changes {
        let mut changed = message.clone();
        change(&mut changed);
        assert_rejected(&key, &encode(&changed), what);
    }
    // Field elements plus the modulus: the same value, other bytes.
    for word in 0..message.blocks[0].claims.len() / 4 {
        let mut changed = message.clone();
        let bytes = &mut changed.blocks[0].claims[4 * word..4 * word + 4];
        let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        bytes.copy_from_slice(&(value + 0x7fff_ffff).to_le_bytes());
        assert_rejected(&key, &encode(&changed), "a claim that is not canonical");
    }
}

/// An unknown field, a field out of order and an overlong integer decode to the same message.
#[test]
fn other_encodings_of_the_same_message_are_rejected() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    for (name, bytes) in [("proof", &proof), ("key", &key)] {
        // Field 1, the format, is first: tag 8.
        let format = if name == "proof" { 3 } else { 1 };
        assert_eq!(bytes[..2], [8, format], "{name}");
        let unknown = [bytes.as_slice(), &[0x78, 1]].concat();
        let repeated = [bytes.as_slice(), &[8, format]].concat();
        let moved = [&bytes[2..], &[8, format]].concat();
        let overlong = [&[8, 0x80 | format, 0], &bytes[2..]].concat();
        for (what, changed) in [
            ("unknown field", unknown),
            ("field repeated", repeated),
            ("field moved", moved),
            ("overlong", overlong),
        ] {
            let (key, proof) = if name == "proof" { (&key, &changed) } else { (&changed, &proof) };
            assert_rejected(key, proof, &format!("{name}: {what}"));
        }
    }
}

type Stark = stwo::core::pcs::quotients::CommitmentSchemeProof<
    stwo::core::vcs_lifted::blake2_merkle::Blake2sMerkleHasher,
>;

/// Changes to a decoded proof, of which the encoding is right again.
fn changes_of_parts(honest: &Commitment) -> Vec<(String, Commitment)> {
    let mut changes = Vec::new();
    let mut change = |what: String, apply: &dyn Fn(&mut Stark)| {
        let mut changed = honest.clone();
        apply(&mut changed.stark.0);
        changes.push((what, changed));
    };
    let one = SecureField::from(BaseField::from(1u32));
    let proof = &honest.stark.0;
    for i in 0..proof.commitments.len() {
        for j in 0..i {
            change(format!("roots {i} and {j} exchanged"), &|proof| proof.commitments.swap(i, j));
        }
    }
    for (tree, columns) in proof.sampled_values.iter().enumerate() {
        for (column, values) in columns.iter().enumerate() {
            for point in 0..values.len() {
                change(format!("value {point} of column {column} of tree {tree}"), &|proof| {
                    proof.sampled_values[tree][column][point] += one;
                });
            }
        }
    }
    for (tree, columns) in proof.queried_values.iter().enumerate() {
        for column in 0..columns.len() {
            change(format!("opened row of column {column} of tree {tree}"), &|proof| {
                proof.queried_values[tree][column][0] += BaseField::from(1u32);
            });
        }
        change(format!("path of tree {tree} without its first hash"), &|proof| {
            proof.decommitments[tree].hash_witness.remove(0);
        });
        change(format!("path of tree {tree} with a hash more"), &|proof| {
            proof.decommitments[tree].hash_witness.push(proof.commitments[0]);
        });
        change(format!("path of tree {tree} backwards"), &|proof| {
            proof.decommitments[tree].hash_witness.reverse();
        });
    }
    change("a query less".into(), &|proof| {
        proof.queried_values.iter_mut().flatten().for_each(|values| values.truncate(values.len() - 1));
    });
    change("no queries".into(), &|proof| {
        proof.queried_values.iter_mut().flatten().for_each(Vec::clear);
        proof.decommitments.iter_mut().for_each(|witness| witness.hash_witness.clear());
        let fri = &mut proof.fri_proof;
        for layer in std::iter::once(&mut fri.first_layer).chain(&mut fri.inner_layers) {
            layer.fri_witness.clear();
            layer.decommitment.hash_witness.clear();
        }
    });
    change("the nonce".into(), &|proof| proof.proof_of_work += 1);
    for coefficient in 0..proof.fri_proof.last_layer_poly.len() {
        change(format!("coefficient {coefficient} of the last layer"), &|proof| {
            proof.fri_proof.last_layer_poly[coefficient] += one;
        });
    }
    change("first FRI root".into(), &|proof| proof.fri_proof.first_layer.commitment = proof.commitments[1]);
    change("first FRI value".into(), &|proof| proof.fri_proof.first_layer.fri_witness[0] += one);
    change("a FRI value more".into(), &|proof| proof.fri_proof.first_layer.fri_witness.push(one));
    change("a FRI value less".into(), &|proof| proof.fri_proof.first_layer.fri_witness.truncate(1));
    changes
}

/// The proof with another commitment in its first block.
fn with_commitment(message: &proto::Proof, commitment: Vec<u8>) -> proto::Proof {
    let mut changed = message.clone();
    changed.blocks[0].commitment = commitment;
    changed
}

#[test]
fn every_part_of_a_proof_counts() {
    // More than one FRI layer.
    let target = Target { fold_step: 2, log_last_layer_degree: 1, ..QUICK };
    let (key, proof) = proven(&samples::everything(), &target);
    hush();
    let decoded = Key::decode(&key).unwrap();
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    let original = &message.blocks[0].commitment;
    let honest = codec::decode(&decoded, original).unwrap();
    assert_eq!(&codec::encode(&honest), original);
    let with = |commitment: Vec<u8>| encode(&with_commitment(&message, commitment));
    for (what, changed) in changes_of_parts(&honest) {
        assert_rejected(&key, &with(codec::encode(&changed)), &what);
    }
    // Counts and residues as large as can be.
    for word in 0..original.len() / 4 {
        for value in [u32::MAX, P, 0x7fff_0000] {
            let mut commitment = original.clone();
            commitment[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
            if &commitment != original {
                assert_rejected(&key, &with(commitment), &format!("word {word} set to {value:#x}"));
            }
        }
    }
}

/// Claims of a group changed so that they still cancel.
#[test]
fn claims_that_cancel_are_not_enough() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let circuit = Key::decode(&key).unwrap().circuit;
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    let mut pairs = 0;
    for (i, a) in circuit.claims.iter().enumerate() {
        for (j, b) in circuit.claims.iter().enumerate().skip(i + 1) {
            if a.group != b.group {
                continue;
            }
            let mut changed = message.clone();
            for (claim, difference) in [(i, 1), (j, P - 1)] {
                let word: &mut [u8; 4] =
                    (&mut changed.blocks[0].claims[16 * claim..16 * claim + 4]).try_into().unwrap();
                let value = (u32::from_le_bytes(*word) as u64 + difference as u64) % P as u64;
                *word = (value as u32).to_le_bytes();
            }
            assert_rejected(&key, &encode(&changed), &format!("claims {i} and {j}"));
            pairs += 1;
        }
    }
    assert!(pairs > 0);
}

/// Two proofs under one key, with parts of one put into the other.
#[test]
fn parts_of_another_run_are_rejected() {
    let sample = samples::everything();
    let key = make_key(&sample, &QUICK).unwrap();
    let other = samples::everything_of_run(1);
    assert_ne!(sample.claim, other.claim);
    let read = |proof: &[u8]| -> proto::Proof { decode_canonical(proof, "the proof").unwrap() };
    let ours = read(&make_proof(&sample, &key).unwrap());
    let theirs = read(&make_proof(&other.labelled("other"), &key).unwrap());
    check(&key, &encode(&theirs)).unwrap();
    hush();
    for parts in 1..7 {
        let take = |part: usize, ours: &Vec<u8>, theirs: &Vec<u8>| {
            if parts >> part & 1 == 1 {
                theirs.clone()
            } else {
                ours.clone()
            }
        };
        let (our_block, their_block) = (&ours.blocks[0], &theirs.blocks[0]);
        let block = proto::Block {
            claims: take(1, &our_block.claims, &their_block.claims),
            commitment: take(2, &our_block.commitment, &their_block.commitment),
            ..our_block.clone()
        };
        let claim = take(0, &ours.claim, &theirs.claim);
        let mixed = proto::Proof { claim, blocks: vec![block], ..ours.clone() };
        assert_rejected(&key, &encode(&mixed), &format!("parts {parts:03b} of another run"));
    }
}

/// A key may not promise more than its parameters give; and a weaker key that promises less is another key.
#[test]
fn weakened_keys_are_refused() {
    let target = Target { bits: 40, log_blowup: 2, regime: Regime::ListDecoding, ..QUICK };
    let (key, proof) = proven(&samples::everything(), &target);
    hush();
    type Change = fn(&mut proto::StwoParameters);
    let changes: [(&str, Change); 13] = [
        ("one query less", |p| p.queries -= 1),
        ("one query", |p| p.queries = 1),
        ("no query", |p| p.queries = 0),
        ("a smaller blowup", |p| p.log_blowup -= 1),
        ("no grinding", |p| p.pow_bits = 0),
        ("more queries, no grinding", |p| (p.queries, p.pow_bits) = (2 * p.queries, 0)),
        ("another fold", |p| p.fold_step -= 1),
        ("another last layer", |p| p.log_last_layer_degree -= 1),
        ("grinding before challenges", |p| p.challenge_pow_bits += 1),
        ("grinding before the composition", |p| p.composition_pow_bits += 1),
        ("grinding before the point out of domain", |p| p.out_of_domain_pow_bits += 1),
        ("grinding before the batching", |p| p.batching_pow_bits += 1),
        ("grinding before folds", |p| p.fold_pow_bits += 1),
    ];
    let message: proto::VerifyingKey = decode_canonical(&key, "the key").unwrap();
    for (what, change) in changes {
        for bits in [40, 96, 1, 0] {
            let mut weak = message.clone();
            change(weak.stwo.as_mut().unwrap());
            weak.security.as_mut().unwrap().bits = bits;
            let weak = encode(&weak);
            assert_rejected(&weak, &proof, &format!("{what}, {bits} bits promised"));
            assert_rejected(&weak, &naming(&weak, &proof), &format!("{what}, {bits} bits promised, named"));
        }
    }
    let mut greedy = message.clone();
    greedy.security.as_mut().unwrap().bits = 96;
    let error = Key::decode(&encode(&greedy)).err().unwrap().to_string();
    assert!(error.contains("promises 96 bits"), "{error}");
    let refusal = |change: &dyn Fn(&mut proto::VerifyingKey)| {
        let mut changed = message.clone();
        change(&mut changed);
        Key::decode(&encode(&changed)).err().unwrap().to_string()
    };
    // Nor by another regime; that of earlier versions is none.
    let regime =
        |key: &mut proto::VerifyingKey, regime| key.security.as_mut().unwrap().regime = regime as i32;
    let error = refusal(&|key| regime(key, proto::security_target::Regime::Proven));
    assert!(error.contains("promises 40 bits of security (proven)"), "{error}");
    let error = refusal(&|key| regime(key, proto::security_target::Regime::None));
    assert!(error.contains("no regime that this version knows"), "{error}");
}

/// The column of the sample that is read at three offsets is opened a fourth time, one period on.
#[test]
fn a_column_that_does_not_repeat_is_rejected() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let key = lindero_stwo_verifier::Key::decode(&key).unwrap();
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    let mut commitment = lindero_stwo_verifier::codec::decode(&key, &message.blocks[0].commitment).unwrap();
    let opened = commitment.stark.0.sampled_values[1].iter_mut().find(|values| values.len() == 4).unwrap();
    assert_eq!(opened[1], opened[3]);
    opened[3] = opened[0];
    let commitment = lindero_stwo_verifier::codec::encode(&commitment);
    let changed = encode(&with_commitment(&message, commitment));
    let error = lindero_stwo_verifier::verify(&key, &changed, None).unwrap_err();
    assert!(error.to_string().contains("does not repeat"), "{error}");
}

/// Every claim of a bundle, and every root.
#[test]
fn every_block_counts() {
    let (key, proof) = proven(&samples::carrying_blocks(0, 3), &QUICK);
    hush();
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    for block in 0..3 {
        for word in 0..message.blocks[block].claims.len() / 4 {
            let mut changed = message.clone();
            changed.blocks[block].claims[4 * word] ^= 1;
            assert_rejected(&key, &encode(&changed), &format!("word {word} of the claims of block {block}"));
        }
        for root in 0..5 {
            let mut changed = message.clone();
            changed.blocks[block].commitment[32 * root] ^= 1;
            assert_rejected(&key, &encode(&changed), &format!("root {root} of block {block}"));
        }
    }
}

/// Blocks of a bundle in other places, of another bundle, or with parts of each other; with the claim as it is, and with the
/// one that such a bundle would have.
#[test]
fn blocks_cannot_be_moved() {
    let read = |proof: &[u8]| -> proto::Proof { decode_canonical(proof, "the proof").unwrap() };
    let (key, proof) = proven(&samples::carrying_blocks(0, 3), &QUICK);
    let ours = read(&proof);
    // Of another run; and the same run once more under another claim: only the challenges differ.
    let others = [samples::carrying_blocks(1, 3), samples::carrying_blocks(0, 3).labelled("again")];
    let others = others.map(|sample| read(&make_proof(&sample, &key).unwrap()));
    hush();
    let mut cases: Vec<(String, Vec<proto::Block>)> = Vec::new();
    let mut case = |what: String, change: &dyn Fn(&mut Vec<proto::Block>)| {
        let mut blocks = ours.blocks.clone();
        change(&mut blocks);
        cases.push((what, blocks));
    };
    case("all dropped".into(), &|blocks| blocks.clear());
    for a in 0..3 {
        case(format!("block {a} dropped"), &|blocks| drop(blocks.remove(a)));
        case(format!("blocks from {a} on dropped"), &|blocks| blocks.truncate(a));
        case(format!("block {a} twice"), &|blocks| blocks.insert(a, blocks[a].clone()));
        case(format!("block {a} at the end"), &|blocks| blocks.push(blocks[a].clone()));
        for (index, other) in others.iter().enumerate() {
            case(format!("block {a} of bundle {index}"), &|blocks| blocks[a] = other.blocks[a].clone());
            case(format!("bundle {index} from block {a} on"), &|blocks| {
                blocks[a..].clone_from_slice(&other.blocks[a..]);
            });
        }
        for b in 0..a {
            case(format!("blocks {b} and {a} swapped"), &|blocks| blocks.swap(a, b));
            case(format!("block {a} for {b}"), &|blocks| blocks[b] = blocks[a].clone());
            case(format!("block {b} for {a}"), &|blocks| blocks[a] = blocks[b].clone());
            case(format!("claims of {b} and {a} swapped"), &|blocks| {
                let (head, tail) = blocks.split_at_mut(a);
                std::mem::swap(&mut head[b].claims, &mut tail[0].claims);
            });
            case(format!("commitments of {b} and {a} swapped"), &|blocks| {
                let (head, tail) = blocks.split_at_mut(a);
                std::mem::swap(&mut head[b].commitment, &mut tail[0].commitment);
            });
        }
    }
    let claims: Vec<Vec<u8>> =
        (1..=samples::MOST_BLOCKS).map(|blocks| samples::carrying_blocks(0, blocks).claim).collect();
    for (what, blocks) in cases {
        let moved = |claim: &Vec<u8>| {
            encode(&proto::Proof { claim: claim.clone(), blocks: blocks.clone(), ..ours.clone() })
        };
        assert_rejected(&key, &moved(&ours.claim), &what);
        for claim in &claims {
            if (claim, &blocks) != (&ours.claim, &ours.blocks) {
                assert_rejected(&key, &moved(claim), &format!("{what}, with a claim of other rows"));
            }
        }
        for other in &others {
            // The other bundle as a whole is a proof.
            if blocks != other.blocks {
                assert_rejected(&key, &moved(&other.claim), &format!("{what}, with another claim"));
            }
        }
    }
}

/// Two bundles of one claim that differ in the main columns of the last block: they share no challenge, so no block fits the other.
#[test]
fn challenges_depend_on_the_main_columns_of_all_blocks() {
    let sample = samples::carrying_blocks(0, 3);
    let key = make_key(&sample, &QUICK).unwrap();
    let mut other = sample.clone();
    other.traces[2] = samples::carrying_blocks(1, 3).traces[2].clone();
    let read = |proof: &[u8]| -> proto::Proof { decode_canonical(proof, "the proof").unwrap() };
    let ours = read(&make_proof(&sample, &key).unwrap());
    let theirs = read(&make_forgery(&other, &key));
    assert_eq!(read(&make_forgery(&sample, &key)), ours, "proving is deterministic");
    hush();
    for block in 0..3 {
        assert_ne!(ours.blocks[block].claims, theirs.blocks[block].claims);
        let mut mixed = ours.clone();
        mixed.blocks[block] = theirs.blocks[block].clone();
        assert_rejected(&key, &encode(&mixed), &format!("block {block} of the other bundle"));
    }
}

/// Claims of two blocks changed so that each sum and each carry still cancels.
#[test]
fn claims_that_cancel_over_blocks_are_not_enough() {
    let (key, proof) = proven(&samples::carrying_blocks(0, 2), &QUICK);
    let circuit = Key::decode(&key).unwrap().circuit;
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    let claim_of = |group: u32| circuit.claims.iter().position(|claim| claim.group == group).unwrap();
    let (taken, left) = (claim_of(circuit.carries[0].r#in), claim_of(circuit.carries[0].out));
    let add = |message: &mut proto::Proof, block: usize, claim: usize, delta: u32| {
        let word: &mut [u8; 4] =
            (&mut message.blocks[block].claims[16 * claim..16 * claim + 4]).try_into().unwrap();
        *word = (((u32::from_le_bytes(*word) as u64 + delta as u64) % P as u64) as u32).to_le_bytes();
    };
    let mut changed = message.clone();
    add(&mut changed, 0, left, 1);
    add(&mut changed, 1, taken, P - 1);
    assert_rejected(&key, &encode(&changed), "a carry that cancels");
    let mut changed = message.clone();
    add(&mut changed, 1, left, 1);
    assert_rejected(&key, &encode(&changed), "what the last block leaves");
}

/// With grinding before the challenges of phase 1, its nonce is in the proof: of 8 bytes, absorbed, and checked.
#[test]
fn the_nonce_of_a_bundle_counts() {
    let target = Target { bits: 110, pow_bits: 8, ..Target::DEFAULT };
    let sample = samples::carrying_blocks(0, 2);
    let (key, proof) = proven(&sample, &target);
    assert!(Key::decode(&key).unwrap().parameters.challenge_pow_bits > 0);
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    check(&key, &proof).unwrap();
    assert_eq!(message.nonce.len(), 8);
    hush();
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 5] = [
        ("one more", |nonce| nonce[0] = nonce[0].wrapping_add(1)),
        ("zero", |nonce| nonce.fill(0)),
        ("none", |nonce| nonce.clear()),
        ("a byte less", |nonce| nonce.truncate(7)),
        ("a byte more", |nonce| nonce.push(0)),
    ];
    for (what, change) in changes {
        let mut changed = message.clone();
        change(&mut changed.nonce);
        if changed != message {
            assert_rejected(&key, &encode(&changed), what);
        }
    }
}
