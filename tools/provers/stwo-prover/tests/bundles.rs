//! Blocks of a bundle belong to it and to their places, and its nonce to it: whatever is moved or changed, verification ends with an
//! error, not with a panic.

mod common;

use common::{
    add_to_claimed_sum, assert_rejected, check, hush, make_forgery, make_key, make_proof, message_of, proven,
    QUICK,
};
use lindero_package::{decode_canonical, digest, encode, proto};
use lindero_stwo_verifier::{Key, Target};
use lindero_testkit::samples;
use stwo::core::fields::m31::P;

/// Every claimed sum of a bundle, and every root.
#[test]
fn every_block_counts() {
    let (key, proof) = proven(&samples::linked_blocks(0, 3), &QUICK);
    hush();
    let message = message_of(&proof);
    for block in 0..3 {
        for word in 0..message.blocks[block].claimed_sums.len() / 4 {
            let mut changed = message.clone();
            changed.blocks[block].claimed_sums[4 * word] ^= 1;
            assert_rejected(
                &key,
                &encode(&changed),
                &format!("word {word} of the claimed sums of block {block}"),
            );
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
    let (key, proof) = proven(&samples::linked_blocks(0, 3), &QUICK);
    let ours = message_of(&proof);
    // Of another run; and the same run once more under another claim: only the challenges differ.
    let others = [samples::linked_blocks(1, 3), samples::linked_blocks(0, 3).labelled("again")];
    let others = others.map(|sample| message_of(&make_proof(&sample, &key).unwrap()));
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
            case(format!("claimed sums of {b} and {a} swapped"), &|blocks| {
                let (head, tail) = blocks.split_at_mut(a);
                std::mem::swap(&mut head[b].claimed_sums, &mut tail[0].claimed_sums);
            });
            case(format!("commitments of {b} and {a} swapped"), &|blocks| {
                let (head, tail) = blocks.split_at_mut(a);
                std::mem::swap(&mut head[b].commitment, &mut tail[0].commitment);
            });
        }
    }
    let claims: Vec<Vec<u8>> =
        (1..=samples::MOST_BLOCKS).map(|blocks| samples::linked_blocks(0, blocks).claim).collect();
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
    let sample = samples::linked_blocks(0, 3);
    let key = make_key(&sample, &QUICK).unwrap();
    let mut other = sample.clone();
    other.traces[2] = samples::linked_blocks(1, 3).traces[2].clone();
    let ours = message_of(&make_proof(&sample, &key).unwrap());
    let theirs = message_of(&make_forgery(&other, &key));
    assert_eq!(message_of(&make_forgery(&sample, &key)), ours, "proving is deterministic");
    hush();
    for block in 0..3 {
        assert_ne!(ours.blocks[block].claimed_sums, theirs.blocks[block].claimed_sums);
        let mut mixed = ours.clone();
        mixed.blocks[block] = theirs.blocks[block].clone();
        assert_rejected(&key, &encode(&mixed), &format!("block {block} of the other bundle"));
    }
}

/// Claimed sums of two blocks changed so that each sum and each link still cancels.
#[test]
fn claimed_sums_that_cancel_over_blocks_are_not_enough() {
    let (key, proof) = proven(&samples::linked_blocks(0, 2), &QUICK);
    let circuit = Key::decode(&key).unwrap().members[0].circuit.clone();
    let message = message_of(&proof);
    let claimed_sum_of =
        |name: &str| circuit.claimed_sums.iter().position(|claimed_sum| claimed_sum.name == name).unwrap();
    let (taken, left) = (claimed_sum_of("taken"), claimed_sum_of("left"));
    let mut changed = message.clone();
    add_to_claimed_sum(&mut changed.blocks[0], left, 1);
    add_to_claimed_sum(&mut changed.blocks[1], taken, P - 1);
    assert_rejected(&key, &encode(&changed), "a link that cancels");
    let mut changed = message.clone();
    add_to_claimed_sum(&mut changed.blocks[1], left, 1);
    assert_rejected(&key, &encode(&changed), "what the last block leaves");
}

/// With grinding before the challenges of phase 1, its nonce is in the proof: of 8 bytes, absorbed, and checked.
#[test]
fn the_nonce_of_a_bundle_counts() {
    let target = Target { bits: 110, pow_bits: 8, ..Target::DEFAULT };
    let sample = samples::linked_blocks(0, 2);
    let (key, proof) = proven(&sample, &target);
    assert!(Key::decode(&key).unwrap().parameters.challenge_pow_bits > 0);
    let message = message_of(&proof);
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

/// Blocks of members dropped, repeated, moved to another place of the step or of the run, or of another run or key.
#[test]
fn members_cannot_be_moved() {
    let (key, proof) = proven(&samples::network_steps(0, 2), &QUICK);
    let ours = message_of(&proof);
    let other = message_of(&make_proof(&samples::network_steps(1, 2), &key).unwrap());
    // The same circuits and columns under other names: another key.
    let mut renamed = samples::network_steps(0, 2);
    renamed.bundle.members[1].name = "other".into();
    let (other_key, of_other_key) = proven(&renamed, &QUICK);
    let of_other_key = message_of(&of_other_key);
    check(&key, &proof).unwrap();
    check(&other_key, &encode(&of_other_key)).unwrap();
    hush();
    let mut cases: Vec<(String, Vec<proto::Block>)> = Vec::new();
    let mut case = |what: String, change: &dyn Fn(&mut Vec<proto::Block>)| {
        let mut blocks = ours.blocks.clone();
        change(&mut blocks);
        cases.push((what, blocks));
    };
    case("a step dropped".into(), &|blocks| blocks.truncate(3));
    case("the steps swapped".into(), &|blocks| blocks.rotate_left(3));
    for a in 0..6 {
        case(format!("block {a} dropped"), &|blocks| drop(blocks.remove(a)));
        case(format!("block {a} twice"), &|blocks| blocks.insert(a, blocks[a].clone()));
        case(format!("block {a} of another run"), &|blocks| blocks[a] = other.blocks[a].clone());
        case(format!("block {a} of another key"), &|blocks| blocks[a] = of_other_key.blocks[a].clone());
        for b in 0..a {
            case(format!("blocks {b} and {a} swapped"), &|blocks| blocks.swap(a, b));
            case(format!("block {b} for {a}"), &|blocks| blocks[a] = blocks[b].clone());
        }
    }
    for (what, blocks) in cases {
        let moved = |claim: &Vec<u8>| {
            encode(&proto::Proof { claim: claim.clone(), blocks: blocks.clone(), ..ours.clone() })
        };
        assert_rejected(&key, &moved(&ours.claim), &what);
        for steps in [1, 2, 3] {
            if (steps, &blocks) != (2, &ours.blocks) {
                let claim = samples::network_steps(0, steps).claim;
                assert_rejected(&key, &moved(&claim), &format!("{what}, with a claim of {steps} steps"));
            }
        }
    }
    let renamed = proto::Proof { key_digest: ours.key_digest.clone(), ..of_other_key };
    assert_rejected(&key, &encode(&renamed), "another key's proof");
}

/// They are told apart by their roots alone.
#[test]
fn members_of_one_circuit_have_fixed_columns_of_their_own() {
    let sample = samples::twins();
    let (key, proof) = proven(&sample, &QUICK);
    check(&key, &proof).unwrap();
    let message: proto::VerifyingKey = decode_canonical(&key, "the key").unwrap();
    assert_eq!((message.circuits.len(), message.fixed_roots.len()), (1, 2));
    assert_ne!(message.fixed_roots[0], message.fixed_roots[1]);
    // The other member's trace is none.
    let mut exchanged = sample.clone();
    exchanged.traces.swap(0, 1);
    assert!(make_proof(&exchanged, &key).is_err());
    hush();
    let ours = message_of(&proof);
    type Blocks = Vec<proto::Block>;
    let changes: [(&str, fn(&mut Blocks)); 5] = [
        ("blocks swapped", |blocks| blocks.swap(0, 1)),
        ("the first twice", |blocks| blocks[1] = blocks[0].clone()),
        ("the second twice", |blocks| blocks[0] = blocks[1].clone()),
        ("the first dropped", |blocks| drop(blocks.remove(0))),
        ("the second dropped", |blocks| drop(blocks.remove(1))),
    ];
    let mut of_roots = message.clone();
    of_roots.fixed_roots.swap(0, 1);
    let of_roots = encode(&of_roots);
    let for_roots = proto::Proof { key_digest: digest(&of_roots).to_vec(), ..ours.clone() };
    assert_rejected(&of_roots, &encode(&for_roots), "roots swapped");
    for (what, change) in changes {
        for (key, proof) in [(&key, &ours), (&of_roots, &for_roots)] {
            let mut changed = proof.clone();
            change(&mut changed.blocks);
            assert_rejected(key, &encode(&changed), what);
        }
    }
}

/// Claimed sums of the ends of a link changed so that it still cancels.
#[test]
fn claimed_sums_that_cancel_over_members_are_not_enough() {
    let (key, proof) = proven(&samples::network_steps(0, 2), &QUICK);
    let decoded = Key::decode(&key).unwrap();
    let message = message_of(&proof);
    hush();
    for (index, ends) in decoded.bundle.links.iter().enumerate() {
        let place = |end: &lindero_package::End, step: usize| {
            let circuit = &decoded.members[end.member].circuit;
            let claimed_sum =
                circuit.claimed_sums.iter().position(|claimed_sum| claimed_sum.group as usize == end.group);
            (3 * (step - end.before as usize) + end.member, claimed_sum.unwrap())
        };
        let [(a, first), (b, second)] = [&ends[0], &ends[1]].map(|end| place(end, 1));
        let mut changed = message.clone();
        add_to_claimed_sum(&mut changed.blocks[a], first, 1);
        add_to_claimed_sum(&mut changed.blocks[b], second, P - 1);
        assert_rejected(&key, &encode(&changed), &format!("link {index}"));
    }
}

/// No member's challenges are its own: they depend on the main columns of all, and on the order of the key.
#[test]
fn challenges_depend_on_the_main_columns_of_all_members() {
    let sample = samples::network(0, 0, 0);
    let key = make_key(&sample, &QUICK).unwrap();
    let ours = message_of(&make_proof(&sample, &key).unwrap());
    hush();
    for member in 0..3 {
        let mut other = sample.clone();
        other.traces[member] = samples::network(1, 0, 0).traces[member].clone();
        let theirs = message_of(&make_forgery(&other, &key));
        for block in (0..3).filter(|&block| block != member) {
            assert_ne!(ours.blocks[block].claimed_sums, theirs.blocks[block].claimed_sums);
            let mut mixed = ours.clone();
            mixed.blocks[block] = theirs.blocks[block].clone();
            assert_rejected(&key, &encode(&mixed), &format!("member {block}, where {member} is another"));
        }
    }
}
