//! Whatever is done to the bytes of a proof or a key, verification ends with an error, not with a panic.

mod common;

use std::panic::{catch_unwind, AssertUnwindSafe};

use common::{check, proven, QUICK};
use lindero_package::{decode_canonical, encode, proto};
use lindero_testkit::samples;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// One of: a bit flipped, the end cut off, bytes appended, a byte inserted, a byte removed, a range zeroed.
fn mutate(bytes: &[u8], random: &mut Random) -> (String, Vec<u8>) {
    let mut out = bytes.to_vec();
    let at = random.below(bytes.len());
    let what = match random.below(8) {
        0..=3 => {
            let bit = random.below(8);
            out[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        4 => {
            out.truncate(at);
            format!("cut to {at} bytes")
        }
        5 => {
            let added = 1 + random.below(10);
            out.extend((0..added).map(|_| random.next() as u8));
            format!("{added} bytes appended")
        }
        6 => {
            out.insert(at, random.next() as u8);
            format!("a byte inserted at {at}")
        }
        _ => {
            out.remove(at);
            format!("byte {at} removed")
        }
    };
    (what, out)
}

fn assert_rejected(key: &[u8], proof: &[u8], what: &str) {
    match catch_unwind(AssertUnwindSafe(|| check(key, proof).map(|_| ()))) {
        Err(_) => panic!("panicked: {what}"),
        Ok(Ok(())) => panic!("accepted: {what}"),
        Ok(Err(_)) => {}
    }
}

fn mutations(count: usize, seed: u64) {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    check(&key, &proof).unwrap();
    // Stwo's own panics are caught and expected; their messages would drown ours.
    std::panic::set_hook(Box::new(|info| {
        if info.location().is_some_and(|location| location.file().contains("mutations.rs")) {
            eprintln!("{info}");
        }
    }));
    let mut random = Random(seed);
    for _ in 0..count {
        let (what, changed) = mutate(&proof, &mut random);
        if changed != proof {
            assert_rejected(&key, &changed, &format!("proof with {what}"));
        }
        let (what, changed) = mutate(&key, &mut random);
        if changed != key {
            assert_rejected(&changed, &proof, &format!("key with {what}"));
        }
    }
}

#[test]
fn random_mutations_are_rejected() {
    mutations(400, 1);
}

/// `cargo test --release -- --ignored`
#[test]
#[ignore = "takes a minute"]
fn many_random_mutations_are_rejected() {
    mutations(10_000, 2);
}

#[test]
#[ignore = "takes a minute"]
fn every_byte_counts() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    std::panic::set_hook(Box::new(|_| {}));
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
    let changes: [(&str, Change); 12] = [
        ("format 2", |proof| proof.format = 2),
        ("no format", |proof| proof.format = 0),
        ("no key digest", |proof| proof.key_digest.clear()),
        ("no statement", |proof| proof.statement.clear()),
        ("a document", |proof| proof.document.push(0)),
        ("no claims", |proof| proof.claims.clear()),
        ("claims exchanged", |proof| proof.claims.rotate_left(16)),
        ("one claim more", |proof| proof.claims.extend([0; 16])),
        ("no commitment", |proof| proof.commitment.clear()),
        ("a zero more in the commitment", |proof| proof.commitment.push(0)),
        ("a word more in the commitment", |proof| proof.commitment.extend([0; 4])),
        ("roots exchanged", |proof| proof.commitment[..64].rotate_left(32)),
    ];
    for (what, change) in changes {
        let mut changed = message.clone();
        change(&mut changed);
        assert_rejected(&key, &encode(&changed), what);
    }
    // Field elements plus the modulus: the same value, other bytes.
    for word in 0..message.claims.len() / 4 {
        let mut changed = message.clone();
        let bytes = &mut changed.claims[4 * word..4 * word + 4];
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
        // Field 1, the format, is first: tag 8, value 1.
        assert_eq!(bytes[..2], [8, 1], "{name}");
        let unknown = [bytes.as_slice(), &[0x78, 1]].concat();
        let repeated = [bytes.as_slice(), &[8, 1]].concat();
        let moved = [&bytes[2..], &[8, 1]].concat();
        let overlong = [&[8, 0x81, 0], &bytes[2..]].concat();
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

#[test]
fn a_key_that_promises_too_much_is_refused() {
    let (key, _) = proven(&samples::everything(), &QUICK);
    let mut message: proto::VerifyingKey = decode_canonical(&key, "the key").unwrap();
    message.security.as_mut().unwrap().bits = 96;
    let error = lindero_stwo_verifier::Key::decode(&encode(&message)).err().unwrap().to_string();
    assert!(error.contains("promises"), "{error}");
}

/// The column of the sample that is read at three offsets is opened a fourth time, one period on.
#[test]
fn a_column_that_does_not_repeat_is_rejected() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let key = lindero_stwo_verifier::Key::decode(&key).unwrap();
    let message: proto::Proof = decode_canonical(&proof, "the proof").unwrap();
    let mut commitment = lindero_stwo_verifier::codec::decode(&key, &message.commitment).unwrap();
    let opened = commitment.stark.0.sampled_values[1].iter_mut().find(|values| values.len() == 4).unwrap();
    assert_eq!(opened[1], opened[3]);
    opened[3] = opened[0];
    let commitment = lindero_stwo_verifier::codec::encode(&key, &commitment);
    let error =
        lindero_stwo_verifier::verify(&key, &encode(&proto::Proof { commitment, ..message })).unwrap_err();
    assert!(error.to_string().contains("does not repeat"), "{error}");
}
