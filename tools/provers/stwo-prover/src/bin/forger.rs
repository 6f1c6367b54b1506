//! Shows the verifier what a forger makes of a trace and a claim. For tests/soundness alone.

#[path = "../arguments.rs"]
mod arguments;

use std::path::PathBuf;
use std::time::Instant;

use arguments::Arguments;
use lindero_package::{decode_canonical, encode, proto, ColumnFile, Error, Package, Statement};
use lindero_prover_stwo::files;
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::forger::{forge, Freedom, Kind, Report, Rows, NOTHING_TO_MOVE};
use lindero_prover_stwo::prover::{setup, Failure};
use lindero_stwo_verifier::{verify, Key, KeySet, Target};
use serde_json::{json, Value};

const USAGE: &str = "\
usage: lindero-forger --package FOLDER --claim FILE --trace FILE ... [--freedoms all|free|none] [--openings FILE]
                      [--fixed FOLDER] [--seed 1] [--save FOLDER]

Commits the traces, one per block, and then makes use of every freedom that it finds to have the proof say what the claim says.
Prints a JSON object per attempt: what was tried, what the verifier said. --fixed: the package whose key the verifier has, if
the forger commits the fixed columns of another one. --save: where the key (`key`) and the last proof (`proof`) go.
";

/// Quick: what is looked at is everything but the number of queries.
const TARGET: Target = Target { bits: 20, log_blowup: 1, pow_bits: 4, ..Target::DEFAULT };

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        eprint!("{USAGE}");
        std::process::exit(2);
    }
    // A proof without sense may make Stwo panic inside `verify`, which turns that into a rejection.
    std::panic::set_hook(Box::new(|_| {}));
    if let Err(error) = Arguments::parse(words.into_iter()).and_then(run) {
        eprintln!("lindero-forger: {error}");
        std::process::exit(2);
    }
}

/// What an attempt does with the blocks, besides a freedom.
#[derive(Clone, Copy, PartialEq)]
enum Blocks {
    InOrder,
    Reversed,
    FirstTwice,
    LastDropped,
    LastRepeated,
}

struct Lie<'a> {
    package: &'a Package,
    key: &'a Key,
    /// The key that the verifier has.
    shown_to: &'a Key,
    statement: Statement,
    openings: Option<Vec<u8>>,
    seed: u64,
}

fn run(mut arguments: Arguments) -> Result<(), Error> {
    let package = Package::open_ignoring_rules(&arguments.required("package")?)?;
    let claim = arguments.content("claim")?;
    let traces: Vec<PathBuf> = arguments.several("trace")?;
    let freedoms: String = arguments.optional("freedoms")?.unwrap_or_else(|| "all".into());
    let openings = arguments.optional_content("openings")?;
    let other: Option<PathBuf> = arguments.optional("fixed")?;
    let seed = arguments.optional("seed")?.unwrap_or(1);
    let save: Option<PathBuf> = arguments.optional("save")?;
    arguments.finish()?;
    let key_bytes = setup(&package, &TARGET, &Progress::new(None))?;
    let key = Key::decode_ignoring_rules(&key_bytes)?;
    let shown_to = other.map(|folder| key_of(&Package::open_ignoring_rules(&folder)?)).transpose()?;
    let shown_to = shown_to.as_ref().unwrap_or(&key);
    let mut statement = Statement::decode(&claim, &package.bundle)?;
    if let Some(openings) = &openings {
        statement.open(openings, &package.bundle)?;
    }
    let lie = Lie { package: &package, key: &key, shown_to, statement, openings, seed };
    for (freedom, blocks) in attempts(&freedoms, traces.len()) {
        let mut traces = traces.clone();
        match blocks {
            Blocks::Reversed => traces.reverse(),
            Blocks::FirstTwice => traces[1] = traces[0].clone(),
            Blocks::InOrder | Blocks::LastDropped | Blocks::LastRepeated => {}
        }
        let traces = package.open_traces(&traces)?;
        let Some((said, proof)) = lie.attempt(&traces, freedom, blocks)? else { continue };
        println!("{said}");
        if let Some(folder) = &save {
            files::write(&folder.join("key"), &KeySet::encode(vec![key_bytes.clone()]))?;
            files::write(&folder.join("proof"), &proof)?;
        }
    }
    Ok(())
}

fn key_of(package: &Package) -> Result<Key, Error> {
    Key::decode_ignoring_rules(&setup(package, &TARGET, &Progress::new(None))?)
}

fn attempts(freedoms: &str, blocks: usize) -> Vec<(Freedom, Blocks)> {
    let mut attempts = vec![(Freedom::Nothing, Blocks::InOrder)];
    if freedoms != "none" {
        attempts.push((Freedom::Free, Blocks::InOrder));
    }
    if freedoms != "all" {
        return attempts;
    }
    attempts.extend([(Freedom::ClaimedSums, Blocks::InOrder), (Freedom::Fingerprints, Blocks::InOrder)]);
    for phase in [2, 3] {
        for kind in [Kind::Gathered, Kind::Generated, Kind::Step] {
            for rows in [Rows::First, Rows::Last, Rows::Padding, Rows::Used] {
                attempts.push((Freedom::Forced { phase, kind, rows }, Blocks::InOrder));
            }
        }
        attempts.push((Freedom::Forced { phase, kind: Kind::Constant, rows: Rows::Used }, Blocks::InOrder));
    }
    if blocks > 1 {
        for order in [Blocks::Reversed, Blocks::FirstTwice, Blocks::LastDropped, Blocks::LastRepeated] {
            attempts.push((Freedom::Free, order));
        }
    }
    attempts
}

impl Lie<'_> {
    /// What came of it; nothing if no cell of the kind moves a sum that has to come out.
    fn attempt(
        &self,
        traces: &[ColumnFile],
        freedom: Freedom,
        blocks: Blocks,
    ) -> Result<Option<(Value, Vec<u8>)>, Error> {
        let begun = Instant::now();
        let made = forge(self.package, traces, self.key, &self.statement, freedom, self.seed);
        let (mut proof, report) = match made {
            Ok(made) => made,
            Err(Failure::Input(error)) if error.to_string() == NOTHING_TO_MOVE => return Ok(None),
            Err(Failure::Input(error) | Failure::Witness(error)) => return Err(error),
        };
        let mut message: proto::Proof = decode_canonical(&proof, "the proof")?;
        match blocks {
            Blocks::LastDropped => drop(message.blocks.pop()),
            Blocks::LastRepeated => message.blocks.extend(message.blocks.last().cloned()),
            Blocks::InOrder | Blocks::Reversed | Blocks::FirstTwice => {}
        }
        message.key_digest = self.shown_to.digest.to_vec();
        if blocks != Blocks::InOrder || self.shown_to.digest != self.key.digest {
            proof = encode(&message);
        }
        let verdict = verify(self.shown_to, &proof, self.openings.as_deref());
        let (accepted, said) = match &verdict {
            Ok(verdict) if verdict.unopened.is_empty() => (true, "accepted".to_string()),
            Ok(_) => (false, "a tensor is unopened".to_string()),
            Err(error) => (false, error.to_string()),
        };
        Ok(Some((describe(freedom, blocks, &report, accepted, &said, begun), proof)))
    }
}

fn describe(
    freedom: Freedom,
    blocks: Blocks,
    report: &Report,
    accepted: bool,
    said: &str,
    begun: Instant,
) -> Value {
    let Report { cells, free, directions, used, cancelled, dropped } = report;
    let freedom = match freedom {
        Freedom::Nothing => "nothing".to_string(),
        Freedom::Free => "every cell that no constraint binds".to_string(),
        Freedom::ClaimedSums => "claimed sums".to_string(),
        Freedom::Fingerprints => "fingerprints".to_string(),
        Freedom::Forced { phase, kind: Kind::Constant, .. } => format!("a sum's constant, phase {phase}"),
        Freedom::Forced { phase, kind, rows } => {
            let what = match kind {
                Kind::Gathered => "gathered cell",
                Kind::Generated => "generated cell",
                Kind::Step | Kind::Constant => "step of a sum",
            };
            let row = match rows {
                Rows::Free => "free",
                Rows::First => "first",
                Rows::Last => "last",
                Rows::Padding => "padding",
                Rows::Used => "used",
            };
            format!("{what}, {row} row, phase {phase}")
        }
    };
    let order = match blocks {
        Blocks::InOrder => "",
        Blocks::Reversed => "blocks reversed",
        Blocks::FirstTwice => "the first block twice",
        Blocks::LastDropped => "the last block dropped",
        Blocks::LastRepeated => "the last block repeated",
    };
    json!({
        "freedom": freedom, "blocks": order, "cells": cells, "free": free, "directions": directions,
        "used": used, "dropped": dropped, "cancelled": cancelled, "accepted": accepted, "said": said,
        "seconds": begun.elapsed().as_secs_f64(),
    })
}
