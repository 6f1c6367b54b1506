//! The verb `tamper`: changed proofs and keys, each of which the verifier must reject without a panic.

use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lindero_package::{decode_canonical, digest, encode, proto, Error};
use lindero_prover_stwo::damage::{Damage, Random};
use lindero_stwo_verifier::{verify, Key, KeySet, Member};
use serde_json::{json, Value};
use stwo::core::fields::m31::P;

/// At most this number of survivors are described.
const SURVIVORS: usize = 20;

/// What is changed.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// Bytes of the file.
    Proof,
    /// Bytes of one field of the proof, so that the message around them is right.
    ProofField,
    /// A word of the backend's proof becomes another residue, none, or a large count.
    Word,
    /// Roots exchanged, or one replaced.
    Roots,
    /// Claimed sums that still cancel, be it with those of another block, or do not.
    ClaimedSums,
    /// Blocks, of one member or of several, exchanged, dropped or repeated; parts of two blocks exchanged.
    Blocks,
    /// Bytes of the key file.
    Key,
    /// Bytes of the key, and the proof names the changed key.
    NamedKey,
    /// Bytes of one field of the key, or a number in it, and the proof names the changed key.
    NamedKeyField,
}

const TARGETS: [Target; 9] = [
    Target::Proof,
    Target::ProofField,
    Target::Word,
    Target::Roots,
    Target::ClaimedSums,
    Target::Key,
    Target::NamedKey,
    Target::NamedKeyField,
    // Last: a single block has none to be exchanged with.
    Target::Blocks,
];

struct Honest<'a> {
    /// A file with the proof's key alone: a change of another key would be none.
    key_file: &'a [u8],
    key_bytes: &'a [u8],
    proof_bytes: &'a [u8],
    key: Key,
    key_message: proto::VerifyingKey,
    proof: proto::Proof,
}

/// A changed pair: what is not changed is the honest one.
struct Changed {
    what: String,
    key: Option<Vec<u8>>,
    proof: Option<Vec<u8>>,
}

fn damaged(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    if bytes.is_empty() {
        bytes.push(random.next() as u8);
        return "a byte where there was none".into();
    }
    let damage = Damage::ALL[random.below(Damage::ALL.len())];
    let (at, changed) = damage.apply(bytes, random);
    *bytes = changed;
    format!("{damage:?} at {at}")
}

fn set_word(bytes: &mut [u8], word: usize, value: u32) {
    bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
}

fn word(bytes: &[u8], word: usize) -> u32 {
    u32::from_le_bytes(bytes[4 * word..4 * word + 4].try_into().expect("four bytes"))
}

fn add(bytes: &mut [u8], at: usize, delta: u32) {
    set_word(bytes, at, ((word(bytes, at) as u64 + delta as u64) % P as u64) as u32);
}

impl Honest<'_> {
    fn change(&self, target: Target, random: &mut Random) -> Changed {
        let mut proof = self.proof.clone();
        let block = random.below(proof.blocks.len());
        let member = &self.key.members[block % self.key.members.len()];
        let proof_with = |what, proof: proto::Proof| Changed { what, key: None, proof: Some(encode(&proof)) };
        let named = |what, key: Vec<u8>| {
            let proof = proto::Proof { key_digest: digest(&key).to_vec(), ..self.proof.clone() };
            Changed { what, key: Some(KeySet::encode(vec![key])), proof: Some(encode(&proof)) }
        };
        match target {
            Target::Proof => {
                let mut bytes = self.proof_bytes.to_vec();
                let what = damaged(&mut bytes, random);
                Changed { what, key: None, proof: Some(bytes) }
            }
            Target::ProofField => {
                let of_block = &mut proof.blocks[block];
                let fields = [
                    ("key digest", &mut proof.key_digest),
                    ("claim", &mut proof.claim),
                    ("nonce", &mut proof.nonce),
                    ("claimed sums", &mut of_block.claimed_sums),
                    ("fingerprints", &mut of_block.fingerprints),
                    ("commitment", &mut of_block.commitment),
                ];
                let chosen = random.below(fields.len());
                let (name, field) = fields.into_iter().nth(chosen).expect("below their number");
                let what = format!("{name}, block {block}, {}", damaged(field, random));
                proof_with(what, proof)
            }
            Target::Word => {
                let commitment = &mut proof.blocks[block].commitment;
                let at = random.below(commitment.len() / 4);
                let old = word(commitment, at);
                let value = match random.below(6) {
                    0 => old.wrapping_add(1),
                    1 => old.wrapping_sub(1),
                    2 => old.wrapping_add(P),
                    3 => 0,
                    4 => u32::MAX,
                    _ => random.next() as u32 % P,
                };
                set_word(commitment, at, value);
                proof_with(format!("word {at} of block {block} is {value} instead of {old}"), proof)
            }
            Target::Roots => {
                let roots = member.layout.log_heights.len() + 1;
                let commitment = &mut proof.blocks[block].commitment;
                let start = roots_start(member, commitment);
                let root = |i: usize| start + 32 * i..start + 32 * (i + 1);
                let a = random.below(roots);
                let b = (a + 1 + random.below(roots - 1)) % roots;
                let (first, second) = (commitment[root(a)].to_vec(), commitment[root(b)].to_vec());
                let swapped = random.below(2) == 0;
                commitment[root(b)].copy_from_slice(&first);
                if swapped {
                    commitment[root(a)].copy_from_slice(&second);
                }
                proof_with(format!("root {b} of block {block} is root {a}, swapped: {swapped}"), proof)
            }
            Target::ClaimedSums => {
                let other = random.below(proof.blocks.len());
                let claimed_sums = |block: usize| proof.blocks[block].claimed_sums.len() / 16;
                if claimed_sums(block) == 0 || claimed_sums(other) == 0 {
                    return proof_with("no claimed sum".into(), proof);
                }
                let (a, b) = (random.below(claimed_sums(block)), random.below(claimed_sums(other)));
                let (coordinate, delta) = (random.below(4), 1 + random.next() as u32 % (P - 1));
                let cancels = random.below(2) == 0;
                add(&mut proof.blocks[block].claimed_sums, 4 * a + coordinate, delta);
                if cancels {
                    add(&mut proof.blocks[other].claimed_sums, 4 * b + coordinate, P - delta);
                }
                let first = format!("claimed sum {a} of block {block} plus {delta}");
                proof_with(
                    format!("{first}, claimed sum {b} of block {other} makes up for it: {cancels}"),
                    proof,
                )
            }
            Target::Blocks => proof_with(change_blocks(&mut proof.blocks, random), proof),
            Target::Key => {
                let mut bytes = self.key_file.to_vec();
                let what = damaged(&mut bytes, random);
                Changed { what, key: Some(bytes), proof: None }
            }
            Target::NamedKey => {
                let mut bytes = self.key_bytes.to_vec();
                let what = damaged(&mut bytes, random);
                named(what, bytes)
            }
            Target::NamedKeyField => {
                let mut key = self.key_message.clone();
                let what = change_key_field(&mut key, random);
                named(what, encode(&key))
            }
        }
    }

    /// True: rejected. An error is a panic.
    fn rejects(&self, changed: &Changed) -> Result<bool, ()> {
        let proof = changed.proof.as_deref().unwrap_or(self.proof_bytes);
        catch_unwind(AssertUnwindSafe(|| match &changed.key {
            None => verify(&self.key, proof, None).is_err(),
            Some(file) => KeySet::decode(file)
                .and_then(|keys| Key::decode(keys.of_proof(proof)?))
                .and_then(|key| verify(&key, proof, None))
                .is_err(),
        }))
        .map_err(|_| ())
    }
}

/// Where the roots stand in the backend's proof: after the nonces.
fn roots_start(member: &Member, commitment: &[u8]) -> usize {
    commitment.windows(32).position(|bytes| bytes == member.fixed_root).unwrap_or(0)
}

fn change_blocks(blocks: &mut Vec<proto::Block>, random: &mut Random) -> String {
    let (a, b) = (random.below(blocks.len()), random.below(blocks.len()));
    let mut exchange = |part: fn(&mut proto::Block) -> &mut Vec<u8>| {
        let of_a = part(&mut blocks[a]).clone();
        let of_b = std::mem::replace(part(&mut blocks[b]), of_a);
        *part(&mut blocks[a]) = of_b;
    };
    let what = match random.below(7) {
        0 => {
            exchange(|block| &mut block.claimed_sums);
            "exchanged claimed sums"
        }
        1 => {
            exchange(|block| &mut block.fingerprints);
            "exchanged fingerprints"
        }
        2 => {
            exchange(|block| &mut block.commitment);
            "exchanged commitments"
        }
        3 => {
            blocks.swap(a, b);
            "exchanged places"
        }
        4 => {
            blocks.insert(b, blocks[a].clone());
            "the first once more before the second"
        }
        5 => {
            blocks[b] = blocks[a].clone();
            "the first in place of the second"
        }
        _ => {
            blocks.remove(a);
            "the first dropped"
        }
    };
    format!("blocks {a} and {b}: {what}")
}

fn change_key_field(key: &mut proto::VerifyingKey, random: &mut Random) -> String {
    let (circuit, root) = (random.below(key.circuits.len()), random.below(key.fixed_roots.len()));
    let mut bundle = encode(key.bundle.get_or_insert_with(Default::default));
    let bytes = [
        ("circuit", &mut key.circuits[circuit]),
        ("fixed root", &mut key.fixed_roots[root]),
        ("model", &mut key.model),
        ("bundle", &mut bundle),
    ];
    type Number = fn(&mut proto::StwoParameters) -> &mut u32;
    let numbers: [(&str, Number); 10] = [
        ("log_blowup", |p| &mut p.log_blowup),
        ("queries", |p| &mut p.queries),
        ("pow_bits", |p| &mut p.pow_bits),
        ("fold_step", |p| &mut p.fold_step),
        ("log_last_layer_degree", |p| &mut p.log_last_layer_degree),
        ("challenge_pow_bits", |p| &mut p.challenge_pow_bits),
        ("composition_pow_bits", |p| &mut p.composition_pow_bits),
        ("out_of_domain_pow_bits", |p| &mut p.out_of_domain_pow_bits),
        ("batching_pow_bits", |p| &mut p.batching_pow_bits),
        ("fold_pow_bits", |p| &mut p.fold_pow_bits),
    ];
    let chosen = random.below(bytes.len() + numbers.len());
    let count = bytes.len();
    let field = bytes.into_iter().nth(chosen);
    let what = field.map(|(name, field)| format!("{name}, {}", damaged(field, random)));
    if let Some(what) = what {
        if let Ok(changed) = decode_canonical(&bundle, "the bundle") {
            key.bundle = Some(changed);
        }
        return what;
    }
    let (name, number) = numbers[chosen - count];
    let number = number(key.stwo.get_or_insert_with(Default::default));
    let old = *number;
    *number = match random.below(4) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => 0,
        _ => random.next() as u32,
    };
    let new = *number;
    // A key that promises fewer bits allows weaker parameters, but it is another key.
    let security = key.security.get_or_insert_with(Default::default);
    if random.below(2) == 0 {
        security.bits = random.below(security.bits as usize + 1) as u32;
    }
    format!("{name} is {new} instead of {old}, {} bits promised", security.bits)
}

#[derive(Clone, Default)]
struct Tally {
    tried: usize,
    unchanged: usize,
    rejected: usize,
    survived: usize,
}

#[derive(Default)]
struct Tallies {
    kinds: BTreeMap<&'static str, Tally>,
    survivors: Vec<String>,
    slowest: Duration,
}

fn name(target: Target) -> &'static str {
    match target {
        Target::Proof => "proof: bytes",
        Target::ProofField => "proof: bytes of a field",
        Target::Word => "proof: words, counts",
        Target::Roots => "proof: roots",
        Target::ClaimedSums => "proof: claimed sums",
        Target::Blocks => "proof: blocks",
        Target::Key => "key: bytes",
        Target::NamedKey => "key: bytes, named by the proof",
        Target::NamedKeyField => "key: fields, named by the proof",
    }
}

/// `count` changes, over all kinds in turn; each depends on the seed and its number alone.
pub fn tamper(
    key_file: &[u8],
    proof: &[u8],
    count: usize,
    seed: u64,
    threads: usize,
) -> Result<Value, Error> {
    let keys = KeySet::decode(key_file)?;
    let key = keys.of_proof(proof)?;
    let key_file = &KeySet::encode(vec![key.to_vec()])[..];
    let honest = Honest {
        key_file,
        key_bytes: key,
        proof_bytes: proof,
        key: Key::decode(key)?,
        key_message: decode_canonical(key, "the key")?,
        proof: decode_canonical(proof, "the proof")?,
    };
    verify(&honest.key, proof, None)?;
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        threads => threads,
    };
    let targets = &TARGETS[..TARGETS.len() - (honest.proof.blocks.len() == 1) as usize];
    let (next, tallies) = (AtomicUsize::new(0), Mutex::new(Tallies::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| loop {
                let trial = next.fetch_add(1, Ordering::Relaxed);
                if trial >= count {
                    break;
                }
                let target = targets[trial % targets.len()];
                let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (trial as u64) << 20);
                let changed = honest.change(target, &mut random);
                let same = |changed: &Option<Vec<u8>>, bytes| changed.as_deref().is_none_or(|c| c == bytes);
                let unchanged = same(&changed.key, key_file) && same(&changed.proof, proof);
                let begun = Instant::now();
                let verdict = if unchanged { Ok(true) } else { honest.rejects(&changed) };
                let mut tallies = tallies.lock().expect("no thread panics with the lock");
                tallies.slowest = tallies.slowest.max(begun.elapsed());
                let tally = tallies.kinds.entry(name(target)).or_default();
                tally.tried += 1;
                match verdict {
                    _ if unchanged => tally.unchanged += 1,
                    Ok(true) => tally.rejected += 1,
                    _ => {
                        tally.survived += 1;
                        let verdict = if verdict.is_ok() { "accepted" } else { "panicked" };
                        let line = format!("{verdict}: trial {trial}, {}: {}", name(target), changed.what);
                        if tallies.survivors.len() < SURVIVORS {
                            tallies.survivors.push(line);
                        }
                    }
                }
            });
        }
    });
    let mut tallies = tallies.into_inner().expect("no thread panics with the lock");
    tallies.survivors.sort();
    let object = |t: &Tally| json!({"tried": t.tried, "unchanged": t.unchanged, "rejected": t.rejected, "survived": t.survived});
    let mut all = Tally::default();
    for t in tallies.kinds.values() {
        all.tried += t.tried;
        all.unchanged += t.unchanged;
        all.rejected += t.rejected;
        all.survived += t.survived;
    }
    let mut report = object(&all);
    report["kinds"] = tallies.kinds.iter().map(|(name, t)| (name.to_string(), object(t))).collect();
    report["survivors"] = json!(tallies.survivors);
    report["slowest_ms"] = json!(tallies.slowest.as_secs_f64() * 1e3);
    Ok(report)
}
