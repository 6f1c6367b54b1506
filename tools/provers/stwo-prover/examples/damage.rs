//! `damage KEY PROOF COUNT`: verifies COUNT damaged copies of the proof and of the key, for each kind of damage, and
//! fails if one of them is accepted or makes the verifier panic. A damaged key is also tried with a proof that
//! names it.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lindero_package::{decode_canonical, digest, encode, proto};
use lindero_prover_stwo::progress::Progress;
use lindero_stwo_verifier::{verify, Key};
use lindero_testkit::damage::{Damage, Random};
use serde_json::json;

#[derive(Default)]
struct Tally {
    tried: usize,
    /// Damaged to the same bytes.
    unchanged: usize,
    wrong: Vec<String>,
    slowest: Duration,
}

impl Tally {
    /// Verification must end with an error.
    fn must_reject(&mut self, key: &[u8], proof: &[u8], what: String) {
        let begun = Instant::now();
        let result =
            catch_unwind(AssertUnwindSafe(|| Key::decode(key).and_then(|key| verify(&key, proof)).is_ok()));
        self.slowest = self.slowest.max(begun.elapsed());
        self.tried += 1;
        match result {
            Ok(false) => {}
            Ok(true) => self.wrong.push(format!("accepted: {what}")),
            Err(_) => self.wrong.push(format!("panicked: {what}")),
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [key, proof, count] = arguments.as_slice() else {
        eprintln!("usage: damage KEY PROOF COUNT");
        return ExitCode::from(2);
    };
    let read = |path: &str| std::fs::read(path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    let (key, proof) = (read(key), read(proof));
    let count: usize = count.parse().expect("COUNT is a number");
    let message: proto::Proof = decode_canonical(&proof, "the proof").expect("the proof is canonical");
    let decoded = Key::decode(&key).expect("the key is accepted");
    verify(&decoded, &proof).expect("the proof is accepted as it stands");
    // Panics inside Stwo are caught by `verify`.
    std::panic::set_hook(Box::new(|_| {}));

    let mut tally = Tally::default();
    let mut random = Random(1);
    for damage in Damage::ALL {
        for _ in 0..count {
            let (at, changed) = damage.apply(&proof, &mut random);
            if changed == proof {
                tally.unchanged += 1;
            } else {
                tally.must_reject(&key, &changed, format!("proof, {damage:?} at {at}"));
            }
            let (at, changed) = damage.apply(&key, &mut random);
            if changed == key {
                tally.unchanged += 1;
                continue;
            }
            tally.must_reject(&changed, &proof, format!("key, {damage:?} at {at}"));
            let renamed = proto::Proof { key_digest: digest(&changed).to_vec(), ..message.clone() };
            tally.must_reject(
                &changed,
                &encode(&renamed),
                format!("key that the proof names, {damage:?} at {at}"),
            );
        }
    }
    let summary = json!({
        "tried": tally.tried,
        "unchanged": tally.unchanged,
        "accepted_or_panicked": tally.wrong,
        "slowest_ms": tally.slowest.as_secs_f64() * 1e3,
        "time": Progress::new(None).summary(),
    });
    println!("{summary}");
    ExitCode::from(!tally.wrong.is_empty() as u8)
}
