//! Honest proofs are accepted; wrong witnesses, statements and keys are not.

mod common;

use common::{
    check, digest_of, file_of, hidden, make_dishonest_proof, make_forgery, make_forgery_with, make_key,
    make_proof, make_proof_with, message_of, proven, Folder, QUICK,
};
use lindero_package::{decode_canonical, encode, proto, Opening, StatedTensor, Statement};
use lindero_prover_stwo::prover::Failure;
use lindero_stwo_verifier::security::Regime;
use lindero_stwo_verifier::{verify, Key, KeySet, Target};
use lindero_testkit::{samples, Sample};

fn cases() -> Vec<(&'static str, Sample)> {
    vec![
        ("range lookup, range table shorter", samples::range_lookup(7, 4, 5)),
        ("range lookup, range table taller", samples::range_lookup(5, 2, 8)),
        ("range lookup over many blocks", samples::range_lookup(12, 6, 9)),
        ("every operation", samples::everything()),
        ("a link, one block", samples::linked_blocks(0, 1)),
        ("a link, three blocks", samples::linked_blocks(0, 3)),
        ("a link, most blocks", samples::linked_blocks(0, samples::MOST_BLOCKS)),
        ("three members", samples::network_steps(0, 1)),
        ("three members, three steps", samples::network_steps(0, 3)),
    ]
}

#[test]
fn honest_proofs_are_accepted() {
    for (name, sample) in cases() {
        let (key, proof) = proven(&sample, &QUICK);
        let verdict = check(&key, &proof).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(verdict.statement.claim(), sample.claim, "{name}");
    }
}

#[test]
fn every_blowup_works() {
    for log_blowup in 1..=3 {
        for (name, sample) in cases() {
            let (key, proof) = proven(&sample, &Target { log_blowup, ..QUICK });
            check(&key, &proof).unwrap_or_else(|error| panic!("{name}, blowup 2^{log_blowup}: {error}"));
        }
    }
}

#[test]
fn default_security_is_reached() {
    let target = Target { pow_bits: 8, ..Target::DEFAULT };
    let (key, proof) = proven(&samples::everything(), &target);
    check(&key, &proof).unwrap();
    let soundness = |key: &[u8]| Key::decode(key).unwrap().soundness(target.regime);
    assert!((96.0..98.0).contains(&soundness(&key).total()), "{:?}", soundness(&key));
    // A bundle takes more queries: as a whole it must not be weaker.
    let bundle = make_key(&samples::linked(0, 0, 0), &target).unwrap();
    assert!((96.0..98.0).contains(&soundness(&bundle).total()), "{:?}", soundness(&bundle));
}

#[test]
fn a_claim_is_bound_as_a_whole() {
    let sample = samples::everything().labelled("1");
    let key = make_key(&sample, &QUICK).unwrap();
    let proof = make_proof(&sample, &key).unwrap();
    assert_eq!(check(&key, &proof).unwrap().statement.claim(), sample.claim);
    let mut message = message_of(&proof);
    message.claim = sample.labelled("2").claim;
    assert!(check(&key, &encode(&message)).is_err());
}

/// The sample with a value of the trace changed, at a word of trace.bin.
fn with_cell(sample: &Sample, word: usize, change: impl Fn(u32) -> u32) -> Sample {
    let mut changed = sample.clone();
    let bytes: &mut [u8; 4] = (&mut changed.traces[0][4 * word..4 * word + 4]).try_into().unwrap();
    *bytes = change(u32::from_le_bytes(*bytes)).to_le_bytes();
    changed
}

#[test]
fn wrong_witnesses_have_no_proof() {
    let words = |sample: &Sample| sample.traces[0].len() / 4;
    for (name, sample) in cases() {
        let key = make_key(&sample, &QUICK).unwrap();
        // Every 37th cell reaches every column of the samples; each is constrained, looked up or public.
        for word in (0..words(&sample)).step_by(words(&sample) / 37) {
            let result = make_proof(&with_cell(&sample, word, |value| (value + 1) % 0x7fff_ffff), &key);
            assert!(matches!(result, Err(Failure::Witness(_))), "{name}: word {word} may be anything");
        }
    }
}

#[test]
fn cells_that_are_not_residues_are_refused() {
    let sample = samples::everything();
    let key = make_key(&sample, &QUICK).unwrap();
    let result = make_proof(&with_cell(&sample, 3, |value| value + 0x7fff_ffff), &key);
    assert!(matches!(result, Err(Failure::Input(_))));
}

#[test]
fn a_key_file_has_the_key_that_a_proof_or_a_package_asks_for() {
    let samples = [samples::everything(), samples::range_lookup(7, 4, 5)];
    let packages = samples.each_ref().map(|sample| Folder::new(sample).package().unwrap());
    let [(key, proof), (other_key, other_proof)] = samples.map(|sample| proven(&sample, &QUICK));
    let file = KeySet::encode(vec![other_key.clone(), key.clone()]);
    let both = KeySet::decode(&file).unwrap();
    assert_eq!(both.first(), other_key);
    for (key, proof, package) in [(&key, &proof, &packages[0]), (&other_key, &other_proof, &packages[1])] {
        assert_eq!(both.of_proof(proof).unwrap(), key);
        assert_eq!(both.of_package(package).unwrap(), key);
    }
    let one = KeySet::decode(&KeySet::encode(vec![key.clone()])).unwrap();
    assert!(one.of_proof(&other_proof).unwrap_err().to_string().contains("another key"));
    assert!(one.of_proof(&proof[1..]).is_err());
    assert!(one.of_package(&packages[1]).unwrap_err().to_string().contains("another circuit"));
    let trailing = [&file[..], &[0]].concat();
    for wrong in [&[][..], &KeySet::encode(vec![]), &key, &file[..file.len() - 1], &trailing] {
        assert!(KeySet::decode(wrong).is_err());
    }
}

#[test]
fn a_proof_of_another_key_is_rejected() {
    let (key, proof) = proven(&samples::everything(), &QUICK);
    // The same model with one fixed value changed has another root; with other parameters another digest.
    let mut other = samples::range_lookup(7, 4, 5);
    let (other_key, other_proof) = proven(&other, &QUICK);
    other.fixed[0] ^= 1;
    let changed_key = make_key(&other, &QUICK).unwrap();
    let stronger_key = make_key(&samples::everything(), &Target { bits: 24, ..QUICK }).unwrap();
    for (key, proof) in
        [(&key, &other_proof), (&other_key, &proof), (&changed_key, &other_proof), (&stronger_key, &proof)]
    {
        // Also with the digest in the proof put right.
        let mut message = message_of(proof);
        message.key_digest = lindero_package::digest(key).to_vec();
        assert!(check(key, proof).is_err());
        assert!(check(key, &encode(&message)).is_err());
    }
}

#[test]
fn a_statement_cannot_be_exchanged() {
    let sample = samples::everything();
    let (key, proof) = proven(&sample, &QUICK);
    let message = message_of(&proof);
    type Change = fn(&mut StatedTensor);
    let changes: [(&str, Change); 10] = [
        ("one value", |tensor| tensor.values.as_mut().unwrap()[5] += 1),
        ("two values swapped", |tensor| tensor.values.as_mut().unwrap().swap(0, 4)),
        ("a value out of range", |tensor| tensor.values.as_mut().unwrap()[0] = 256),
        ("a value plus the modulus", |tensor| tensor.values.as_mut().unwrap()[0] += 0x7fff_ffff),
        ("no values", |tensor| tensor.values = None),
        ("a digest beside the values", |tensor| tensor.digest = Some("00".repeat(32))),
        ("name", |tensor| tensor.name.push('x')),
        ("shape", |tensor| std::mem::swap(&mut tensor.rows, &mut tensor.columns)),
        ("range", |tensor| tensor.high += 1),
        ("exponent", |tensor| tensor.exponent += 1),
    ];
    for (name, change) in changes {
        let changed = sample.stating(|part| change(&mut part.inputs[0]));
        let changed = proto::Proof { claim: changed.claim, ..message.clone() };
        assert!(check(&key, &lindero_package::encode(&changed)).is_err(), "{name}");
    }
    // Nor can a prover start from a claim that its witness does not support.
    let lying = sample.stating(|part| part.inputs[0].values.as_mut().unwrap()[5] -= 1);
    assert!(matches!(make_proof(&lying, &key), Err(Failure::Witness(_))));
}

#[test]
fn a_digest_opens_to_the_values_of_the_run_alone() {
    let (sample, opening) = hidden(&samples::everything());
    let encoded = make_key(&sample, &QUICK).unwrap();
    let key = Key::decode(&encoded).unwrap();
    let openings = file_of(std::slice::from_ref(&opening));
    assert!(make_proof(&sample, &encoded).is_err(), "a prover needs the values");
    let proof = make_proof_with(&sample, &encoded, &openings).unwrap();
    let closed = verify(&key, &proof, None).unwrap();
    assert_eq!((closed.unopened, closed.statement.values(0)), (vec![0], None));
    let open = verify(&key, &proof, Some(&openings)).unwrap();
    assert_eq!((open.unopened, open.statement.values(0)), (vec![], Some(opening.values.as_slice())));
    type Change = fn(&mut Opening);
    let changes: [(&str, Change); 4] = [
        ("a value", |opening| opening.values[3] ^= 1),
        ("the salt", |opening| opening.salt.replace_range(0..1, "2")),
        ("the name", |opening| opening.name.push('x')),
        ("a value less", |opening| opening.values.truncate(63)),
    ];
    for (what, change) in changes {
        let mut changed = opening.clone();
        change(&mut changed);
        assert!(verify(&key, &proof, Some(&file_of(&[changed]))).is_err(), "{what}");
    }
    let twice = file_of(&[opening.clone(), opening.clone()]);
    assert!(verify(&key, &proof, Some(&twice)).is_err(), "twice");
    // A fingerprint that was changed afterwards, or left out.
    let message = message_of(&proof);
    let changes: [fn(&mut Vec<u8>); 3] = [|bytes| bytes[0] ^= 1, Vec::clear, |bytes| bytes.extend([0; 16])];
    for change in changes {
        let mut changed = message.clone();
        change(&mut changed.blocks[0].fingerprints);
        let changed = lindero_package::encode(&changed);
        assert!(verify(&key, &changed, None).is_err());
        assert!(verify(&key, &changed, Some(&openings)).is_err());
    }
}

/// What makes an unopened proof worthless: its prover may have used other values than those that the digest is of. The
/// opening is what finds out.
#[test]
fn a_digest_of_other_values_is_found_when_it_is_opened() {
    let honest = samples::everything();
    let (_, opening) = hidden(&honest);
    let mut other = opening.clone();
    other.values[5] ^= 1;
    let sample = honest.stating(|part| {
        part.inputs[0].values = None;
        part.inputs[0].digest = Some(digest_of(&other));
    });
    let encoded = make_key(&sample, &QUICK).unwrap();
    // An honest prover does not get that far ...
    assert!(matches!(
        make_proof_with(&sample, &encoded, &file_of(&[other.clone()])),
        Err(Failure::Witness(_))
    ));
    // ... a dishonest one takes the fingerprint that completes the sum: that of the values in its trace.
    let proof = make_dishonest_proof(&sample, &encoded, &opening.values);
    let key = Key::decode(&encoded).unwrap();
    assert_eq!(verify(&key, &proof, None).unwrap().unopened, vec![0], "nobody can tell yet");
    let error = verify(&key, &proof, Some(&file_of(&[other]))).unwrap_err().to_string();
    assert!(error.contains("fingerprint"), "{error}");
    assert!(
        verify(&key, &proof, Some(&file_of(&[opening]))).is_err(),
        "nor does the truth hash to the digest"
    );
}

/// The blocks of a run, and the states that they take.
fn blocks_of(run: usize, states: &[i64]) -> Vec<Sample> {
    states.iter().enumerate().map(|(block, &state)| samples::linked(run, block, state)).collect()
}

/// Runs of which every block is right by itself. Nothing but the links is wrong, and it is they that the verifier names.
#[test]
fn blocks_that_do_not_follow_each_other_are_rejected() {
    let key = make_key(&samples::linked(0, 0, 0), &QUICK).unwrap();
    let first = samples::left(0, 0, 0);
    let second = samples::left(0, 1, first);
    let honest = blocks_of(0, &[0, first, second]);
    check(&key, &make_forgery(&Sample::bundle(&honest), &key)).unwrap();
    let (other, swapped) = (samples::left(1, 0, 0), [&honest[1], &honest[0], &honest[2]]);
    let cases = [
        ("a first block that takes a state", 0, blocks_of(0, &[1])),
        (
            "a first block that takes a state, its followers right",
            0,
            blocks_of(0, &[5, first + 5, second + 5]),
        ),
        ("a state altered", 1, blocks_of(0, &[0, first + 1, second + 1])),
        ("the last state altered", 2, blocks_of(0, &[0, first, second + 1])),
        ("the last block starts anew", 2, blocks_of(0, &[0, first, 0])),
        ("a block swapped with the first", 0, swapped.map(Sample::clone).to_vec()),
        ("a block dropped", 1, vec![honest[0].clone(), honest[2].clone()]),
        ("the first block dropped", 0, honest[1..].to_vec()),
        ("a block repeated", 2, vec![honest[0].clone(), honest[1].clone(), honest[1].clone()]),
        ("the last block of another run", 1, vec![honest[0].clone(), samples::linked(1, 1, other)]),
    ];
    for (what, block, blocks) in cases {
        let sample = Sample::bundle(&blocks);
        assert!(matches!(make_proof(&sample, &key), Err(Failure::Witness(_))), "{what}: an honest prover");
        let error = check(&key, &make_forgery(&sample, &key)).expect_err(what).to_string();
        assert!(
            error.contains("taken") && error.contains("left in the step before do not cancel"),
            "{what}: {error}"
        );
        let named = blocks.len() == 1 || error.starts_with(&format!("step {block}:"));
        assert!(named, "{what}: {error}");
    }
    // Nobody reads what the last one leaves: a shorter run is a run.
    check(&key, &make_proof(&Sample::bundle(&honest[..2]), &key).unwrap()).unwrap();
}

/// A step of a network of which a member has other columns, and the error that names what is wrong with it.
type Lie = (&'static str, &'static str, fn(&mut Sample));

fn trace_of(sample: &mut Sample, member: usize, other: Sample) {
    sample.traces[member] = other.traces[member].clone();
}

/// Each member is right by itself.
#[test]
fn members_that_do_not_fit_each_other_are_rejected() {
    let honest = samples::network(0, 0, 0);
    let key = make_key(&honest, &QUICK).unwrap();
    check(&key, &make_proof(&honest, &key).unwrap()).unwrap();
    let other = || samples::network(1, 0, 0);
    let lies: [Lie; 4] = [
        // Of another run: its squares, and what it looks up.
        ("another input's squares", "member sums: link 0: the claimed sums of group edge", |sample| {
            let other = samples::network(1, 0, 0);
            sample.claim =
                sample.stating(|part| part.inputs[0] = StatedTensor { ..other_input(&other) }).claim;
            trace_of(sample, 0, other);
        }),
        ("another run's sums", "member sums: link 0: the claimed sums of group edge", |sample| {
            let other = samples::network(1, 0, 0);
            let total = other.decode().1.values(1).unwrap().to_vec();
            sample.claim = sample.stating(|part| part.outputs[0].values = Some(total)).claim;
            trace_of(sample, 1, other);
        }),
        ("another run's multiplicities", "member table: link 1: the claimed sums of group range", |sample| {
            trace_of(sample, 2, samples::network(1, 0, 0));
        }),
        ("a state in the first step", "member sums: link 3: the claimed sums of group taken", |sample| {
            let other = samples::network(0, 0, 5);
            let total = other.decode().1.values(1).unwrap().to_vec();
            sample.claim = sample.stating(|part| part.outputs[0].values = Some(total)).claim;
            trace_of(sample, 1, other);
        }),
    ];
    assert_ne!(other().traces, honest.traces);
    for (what, named, lie) in lies {
        let mut sample = honest.clone();
        lie(&mut sample);
        assert!(matches!(make_proof(&sample, &key), Err(Failure::Witness(_))), "{what}: an honest prover");
        let error = check(&key, &make_forgery(&sample, &key)).expect_err(what).to_string();
        assert!(error.starts_with(named), "{what}: {error}");
    }
    // Errors of two links do not make up for each other.
    let mut sample = honest.clone();
    trace_of(&mut sample, 2, other());
    sample.traces[1] = samples::network(0, 0, 5).traces[1].clone();
    assert!(check(&key, &make_forgery(&sample, &key)).is_err());
}

fn other_input(sample: &Sample) -> StatedTensor {
    let part: lindero_package::PublicPart = serde_json::from_slice(&sample.claim).unwrap();
    part.inputs[0].clone()
}

/// A key's circuits are those of its members, each once, and have a root each.
#[test]
fn a_key_holds_what_its_members_need() {
    let network = make_key(&samples::network(0, 0, 0), &QUICK).unwrap();
    let message: proto::VerifyingKey = decode_canonical(&network, "the key").unwrap();
    type Change = fn(&mut proto::VerifyingKey);
    let changes: [(&str, Change); 8] = [
        ("holds a circuit twice", |key| key.circuits[1] = key.circuits[0].clone()),
        ("the key has 4 circuits, but 3 members", |key| key.circuits.push(make_circuit())),
        ("a root of 32 bytes for each member", |key| drop(key.fixed_roots.pop())),
        ("a root of 32 bytes for each member", |key| key.fixed_roots[1].push(0)),
        ("a root of 32 bytes for each member", |key| key.fixed_roots.push(vec![0; 32])),
        ("lacks its parameters or its bundle", |key| key.bundle = None),
        ("F34", |key| key.bundle.as_mut().unwrap().members.swap(0, 1)),
        ("compile the model and prove the run again", |key| {
            (key.format, key.backend) = (1, "stwo-2.3.0/4".into());
        }),
    ];
    for (named, change) in changes {
        let mut changed = message.clone();
        change(&mut changed);
        let error = Key::decode(&encode(&changed)).err().expect(named).to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}

fn make_circuit() -> Vec<u8> {
    samples::range_lookup(7, 4, 5).circuit_bytes()
}

#[test]
fn a_bundle_has_at_most_the_steps_of_its_key() {
    let key = make_key(&samples::linked(0, 0, 0), &QUICK).unwrap();
    check(&key, &make_forgery(&samples::linked_blocks(0, 4), &key)).unwrap();
    let error = check(&key, &make_forgery(&samples::linked_blocks(0, 5), &key)).unwrap_err().to_string();
    assert!(error.contains("5 steps, the key allows 1 to 4"), "{error}");
    // A circuit without links is proven by itself.
    let (key, proof) = proven(&samples::everything(), &QUICK);
    let mut message = message_of(&proof);
    message.blocks.push(message.blocks[0].clone());
    assert!(check(&key, &encode(&message)).is_err());
    message.blocks.clear();
    assert!(check(&key, &encode(&message)).is_err());
}

/// Each public tensor of the sample is alone in its sum group.
#[test]
fn an_unopened_tensor_leaves_the_other_groups_proven() {
    let honest = samples::linked_blocks(0, 3);
    let key = make_key(&honest, &QUICK).unwrap();
    let (sample, opening) = hidden(&honest);
    let openings = file_of(std::slice::from_ref(&opening));
    let proof = make_proof_with(&sample, &key, &openings).unwrap();
    let decoded = Key::decode(&key).unwrap();
    assert_eq!(verify(&decoded, &proof, None).unwrap().unopened, vec![0]);
    assert_eq!(verify(&decoded, &proof, Some(&openings)).unwrap().unopened, Vec::<usize>::new());
    // Other values of one block, in the claim or of the digest, are found by the group or by the opening.
    for block in 0..3 {
        let lying = sample.stating(|part| part.outputs[0].values.as_mut().unwrap()[block] += 1);
        let open = |statement: &mut Statement| statement.open_unchecked(0, &opening.values);
        let error = verify(&decoded, &make_forgery_with(&lying, &key, open), None).unwrap_err().to_string();
        assert!(error.contains("group state do not cancel"), "{error}");
        let mut other = opening.clone();
        other.values[64 * block + 5] ^= 1;
        let lying = honest.stating(|part| {
            part.inputs[0].values = None;
            part.inputs[0].digest = Some(digest_of(&other));
        });
        let proof = make_dishonest_proof(&lying, &key, &opening.values);
        assert_eq!(verify(&decoded, &proof, None).unwrap().unopened, vec![0], "nobody can tell yet");
        let error = verify(&decoded, &proof, Some(&file_of(&[other]))).unwrap_err().to_string();
        assert!(error.contains("fingerprint"), "{error}");
    }
}

#[test]
fn unreachable_security_is_refused() {
    let sample = samples::range_lookup(12, 6, 9);
    for regime in [Regime::Proven, Regime::ListDecoding] {
        let much = Target { bits: 150, regime, ..Target::DEFAULT };
        let error = make_key(&sample, &much).unwrap_err().to_string();
        assert!(error.contains("out of reach") && error.contains(regime.name()), "{error}");
        assert!(make_key(&sample, &Target { bits: 100, ..much }).is_ok());
    }
}
