//! Whatever is done to the bytes of a proof or a key, verification ends with an error, not with a panic.

mod common;

use common::{
    add_to_claimed_sum, assert_rejected, check, hush, make_key, make_proof, message_of, naming, proven, QUICK,
};
use lindero_package::{decode_canonical, encode, proto};
use lindero_prover_stwo::damage::{Damage, Random};
use lindero_stwo_verifier::codec::{self, Commitment};
use lindero_stwo_verifier::security::Regime;
use lindero_stwo_verifier::{Key, Target};
use lindero_testkit::{samples, Sample};
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;

#[test]
fn keys_and_proofs_of_unsound_versions_are_refused_with_the_reason() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let mut old: proto::VerifyingKey = decode_canonical(&key, "the key").unwrap();
    old.backend = "stwo-2.3.0/3".to_string();
    let old = encode(&old);
    let refusal = |key: &[u8], proof: &[u8]| check(key, proof).unwrap_err().to_string();
    assert!(refusal(&old, &naming(&old, &proof)).contains("LINDERO-2026-1"));
    let mut message = message_of(&proof);
    message.format = 2;
    assert!(refusal(&key, &encode(&message)).contains("LINDERO-2026-1"));
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
    mutations(&samples::linked_blocks(0, 3), 300, 2);
    mutations(&samples::network_steps(0, 2), 300, 3);
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
    let message = message_of(&proof);
    type Change = fn(&mut proto::Proof);
    let changes: [(&str, Change); 17] = [
        ("format 3", |proof| proof.format = 3),
        ("format 2", |proof| proof.format = 2),
        ("the next format", |proof| proof.format += 1),
        ("no format", |proof| proof.format = 0),
        ("no key digest", |proof| proof.key_digest.clear()),
        ("no claim", |proof| proof.claim.clear()),
        ("a blank after the claim", |proof| proof.claim.push(b' ')),
        ("a fingerprint", |proof| proof.blocks[0].fingerprints.extend([0; 16])),
        ("no claimed sums", |proof| proof.blocks[0].claimed_sums.clear()),
        ("claimed sums exchanged", |proof| proof.blocks[0].claimed_sums.rotate_left(16)),
        ("one claimed sum more", |proof| proof.blocks[0].claimed_sums.extend([0; 16])),
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
    for word in 0..message.blocks[0].claimed_sums.len() / 4 {
        let mut changed = message.clone();
        let bytes = &mut changed.blocks[0].claimed_sums[4 * word..4 * word + 4];
        let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        bytes.copy_from_slice(&(value + 0x7fff_ffff).to_le_bytes());
        assert_rejected(&key, &encode(&changed), "a claimed sum that is not canonical");
    }
}

/// An unknown field, a field out of order and an overlong integer decode to the same message.
#[test]
fn other_encodings_of_the_same_message_are_rejected() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    for (name, bytes) in [("proof", &proof), ("key", &key)] {
        // Field 1, the format, is first: tag 8.
        let format = if name == "proof" { 4 } else { 2 };
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
    let message = message_of(&proof);
    let original = &message.blocks[0].commitment;
    let honest = codec::decode(&decoded.members[0], original).unwrap();
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

/// Claimed sums of a group changed so that they still cancel.
#[test]
fn claimed_sums_that_cancel_are_not_enough() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let circuit = Key::decode(&key).unwrap().members[0].circuit.clone();
    let message = message_of(&proof);
    let mut pairs = 0;
    for (i, a) in circuit.claimed_sums.iter().enumerate() {
        for (j, b) in circuit.claimed_sums.iter().enumerate().skip(i + 1) {
            if a.group != b.group {
                continue;
            }
            let mut changed = message.clone();
            for (claimed_sum, difference) in [(i, 1), (j, P - 1)] {
                add_to_claimed_sum(&mut changed.blocks[0], claimed_sum, difference);
            }
            assert_rejected(&key, &encode(&changed), &format!("claimed sums {i} and {j}"));
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
    let ours = message_of(&make_proof(&sample, &key).unwrap());
    let theirs = message_of(&make_proof(&other.labelled("other"), &key).unwrap());
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
            claimed_sums: take(1, &our_block.claimed_sums, &their_block.claimed_sums),
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
    let message = message_of(&proof);
    let mut commitment =
        lindero_stwo_verifier::codec::decode(&key.members[0], &message.blocks[0].commitment).unwrap();
    let opened = commitment.stark.0.sampled_values[1].iter_mut().find(|values| values.len() == 4).unwrap();
    assert_eq!(opened[1], opened[3]);
    opened[3] = opened[0];
    let commitment = lindero_stwo_verifier::codec::encode(&commitment);
    let changed = encode(&with_commitment(&message, commitment));
    let error = lindero_stwo_verifier::verify(&key, &changed, None).unwrap_err();
    assert!(error.to_string().contains("does not repeat"), "{error}");
}
