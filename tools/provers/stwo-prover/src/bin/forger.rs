//! Shows the verifier what a forger makes of a trace and a claim. For tests/soundness alone.

#[path = "../arguments.rs"]
mod arguments;

use std::path::PathBuf;
use std::time::Instant;

use arguments::Arguments;
use lindero_package::{decode_canonical, encode, proto, Error, Package, Statement};
use lindero_prover_stwo::files;
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::forger::{
    forge, Attempt, Freedom, Kind, Protocol, Report, Rows, Side, NOTHING_TO_MOVE,
};
use lindero_prover_stwo::prover::{setup, Failure};
use lindero_stwo_verifier::{verify, Key, KeySet, Target};
use serde_json::{json, Value};

const USAGE: &str = "\
usage: lindero-forger --package FOLDER --claim FILE --trace FILE ... [--freedoms all|links|free|none|blocks]
                      [--openings FILE] [--fixed FOLDER] [--blocks-of PROOF] [--seed 1] [--save FOLDER]

Commits the traces, one per block, and then makes use of every freedom that it finds to have the proof say what the claim says.
Prints a JSON object per attempt: what was tried, what the verifier said. --freedoms links: what moves the sums of links. blocks:
only what can be done to the blocks of a run that holds. --fixed: the package whose key the verifier has, if the forger commits the fixed columns of another one.
--blocks-of: a proof of another run, of which each block is put in the place of the same one. --save: where the key (`key`) and
the last proof (`proof`) go.
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

/// What is done with the blocks: with the traces before they are committed, or with the proof's blocks.
#[derive(Clone, Copy, PartialEq)]
enum Blocks {
    InOrder,
    StepsReversed,
    FirstStepTwice,
    FirstDropped,
    LastDropped,
    FirstRepeated,
    LastRepeated,
    FirstForLast,
    Exchanged,
    /// One of the other proof.
    Foreign {
        block: usize,
    },
}

#[derive(Clone, Copy, PartialEq)]
struct Trial {
    attempt: Attempt,
    blocks: Blocks,
}

struct Lie<'a> {
    package: &'a Package,
    key: &'a Key,
    /// The key that the verifier has.
    shown_to: &'a Key,
    statement: Statement,
    openings: Option<Vec<u8>>,
    /// Of another run.
    other: Option<proto::Proof>,
}

fn run(mut arguments: Arguments) -> Result<(), Error> {
    let package = Package::open_ignoring_rules(&arguments.required("package")?)?;
    let claim = arguments.content("claim")?;
    let traces: Vec<PathBuf> = arguments.several("trace")?;
    let freedoms: String = arguments.optional("freedoms")?.unwrap_or_else(|| "all".into());
    let openings = arguments.optional_content("openings")?;
    let fixed: Option<PathBuf> = arguments.optional("fixed")?;
    let other = arguments.optional_content("blocks-of")?;
    let seed = arguments.optional("seed")?.unwrap_or(1);
    let save: Option<PathBuf> = arguments.optional("save")?;
    arguments.finish()?;
    let key_bytes = setup(&package, &TARGET, &Progress::new(None))?;
    let key = Key::decode_ignoring_rules(&key_bytes)?;
    let shown_to = fixed.map(|folder| key_of(&Package::open_ignoring_rules(&folder)?)).transpose()?;
    let shown_to = shown_to.as_ref().unwrap_or(&key);
    let mut statement = Statement::decode(&claim, &package.bundle)?;
    if let Some(openings) = &openings {
        statement.open(openings, &package.bundle)?;
    }
    let other = other.map(|bytes| decode_canonical(&bytes, "the other proof")).transpose()?;
    let lie = Lie { package: &package, key: &key, shown_to, statement, openings, other };
    let mut last: Option<(Trial, Made)> = None;
    for trial in lie.trials(&freedoms, seed)? {
        // Most of what is done with blocks is done with those of one proof.
        let made = match last.take() {
            Some((before, made)) if same_proof(&before, &trial) => made,
            _ => match lie.make(&traces, &trial)? {
                Some(made) => made,
                None => continue,
            },
        };
        let (said, proof) = lie.show(&made, &trial)?;
        println!("{said}");
        if let Some(folder) = &save {
            files::write(&folder.join("key"), &KeySet::encode(vec![key_bytes.clone()]))?;
            files::write(&folder.join("proof"), &proof)?;
        }
        last = Some((trial, made));
    }
    Ok(())
}

fn key_of(package: &Package) -> Result<Key, Error> {
    Key::decode_ignoring_rules(&setup(package, &TARGET, &Progress::new(None))?)
}

/// A proof, what the forger did for it, and the seconds that it took.
struct Made {
    proof: Vec<u8>,
    report: Report,
    seconds: f64,
}

fn same_proof(a: &Trial, b: &Trial) -> bool {
    let order = |trial: &Trial| match trial.blocks {
        blocks @ (Blocks::StepsReversed | Blocks::FirstStepTwice) => blocks,
        _ => Blocks::InOrder,
    };
    a.attempt == b.attempt && order(a) == order(b)
}

/// What constraints notice, all of it.
fn noticed() -> Vec<Freedom> {
    let mut freedoms = vec![Freedom::ClaimedSums, Freedom::Fingerprints];
    for phase in [2, 3] {
        for kind in [Kind::Gathered, Kind::Generated, Kind::Step] {
            for rows in [Rows::First, Rows::Last, Rows::Padding, Rows::Used] {
                freedoms.push(Freedom::Forced { phase, kind, rows });
            }
        }
        freedoms.push(Freedom::Forced { phase, kind: Kind::Constant, rows: Rows::Used });
    }
    freedoms
}

impl Lie<'_> {
    fn trials(&self, freedoms: &str, seed: u64) -> Result<Vec<Trial>, Error> {
        let trial = |freedom| {
            let attempt = Attempt { freedom, side: Side::Later, protocol: Protocol::Kept, seed };
            Trial { attempt, blocks: Blocks::InOrder }
        };
        let earlier =
            |trial: Trial| Trial { attempt: Attempt { side: Side::Earlier, ..trial.attempt }, ..trial };
        let (nothing, free) = (trial(Freedom::Nothing), trial(Freedom::Free));
        Ok(match freedoms {
            "none" => vec![nothing],
            "free" => vec![nothing, free],
            "blocks" => self.of_blocks(nothing),
            "links" => {
                let step = Freedom::Forced { phase: 2, kind: Kind::Step, rows: Rows::Used };
                let sums = [Freedom::ClaimedSums, step].map(trial);
                let own = [Freedom::Partners, Freedom::OtherSums].map(trial);
                [&[nothing, free][..], &sums, &sums.map(earlier), &own].concat()
            }
            "all" => {
                let mut trials = vec![nothing, free];
                trials.extend(self.of_blocks(free));
                trials.extend(noticed().into_iter().map(trial));
                if !self.key.bundle.links.is_empty() {
                    trials.extend(noticed().into_iter().map(trial).map(earlier));
                    trials.extend([Freedom::Partners, Freedom::OtherSums].map(trial));
                }
                trials
            }
            _ => {
                return Err(Error::new(format!(
                    "--freedoms {freedoms}: it is all, links, free, none or blocks"
                )))
            }
        })
    }

    /// Whatever can be done with the blocks of a run.
    fn of_blocks(&self, trial: Trial) -> Vec<Trial> {
        let blocks = self.statement.steps() * self.key.members.len();
        let with = |blocks| Trial { blocks, ..trial };
        let mut trials = Vec::new();
        if let Some(other) = &self.other {
            let both = other.blocks.len().min(blocks);
            trials.extend((0..both).map(|block| with(Blocks::Foreign { block })));
        }
        if blocks == 1 {
            return trials;
        }
        let of_proof = [
            Blocks::FirstDropped,
            Blocks::LastDropped,
            Blocks::FirstRepeated,
            Blocks::LastRepeated,
            Blocks::FirstForLast,
            Blocks::Exchanged,
        ];
        trials.extend(of_proof.map(with));
        if self.statement.steps() > 1 {
            trials.extend([Blocks::StepsReversed, Blocks::FirstStepTwice].map(with));
        }
        let under = |protocol| {
            let attempt = Attempt { freedom: Freedom::Free, protocol, ..trial.attempt };
            Trial { attempt, blocks: Blocks::InOrder }
        };
        trials.extend([Protocol::RootsReversed, Protocol::OwnChallenges { block: blocks / 2 }].map(under));
        trials
    }

    /// Nothing if no cell of the kind moves a sum that has to come out.
    fn make(&self, traces: &[PathBuf], trial: &Trial) -> Result<Option<Made>, Error> {
        let (begun, members) = (Instant::now(), self.key.members.len());
        let mut steps: Vec<&[PathBuf]> = traces.chunks(members).collect();
        match trial.blocks {
            Blocks::StepsReversed => steps.reverse(),
            Blocks::FirstStepTwice => steps[1] = steps[0],
            _ => {}
        }
        let traces = self.package.open_traces(&steps.concat())?;
        match forge(self.package, &traces, self.key, &self.statement, trial.attempt) {
            Ok((proof, report)) => Ok(Some(Made { proof, report, seconds: begun.elapsed().as_secs_f64() })),
            Err(Failure::Input(error)) if error.to_string() == NOTHING_TO_MOVE => Ok(None),
            Err(Failure::Input(error) | Failure::Witness(error)) => Err(error),
        }
    }

    /// What the verifier says of it, and the proof that it was shown.
    fn show(&self, made: &Made, trial: &Trial) -> Result<(Value, Vec<u8>), Error> {
        let begun = Instant::now();
        let mut message: proto::Proof = decode_canonical(&made.proof, "the proof")?;
        message.key_digest = self.shown_to.digest.to_vec();
        let last = message.blocks.len() - 1;
        let blocks = &mut message.blocks;
        match trial.blocks {
            Blocks::InOrder | Blocks::StepsReversed | Blocks::FirstStepTwice => {}
            Blocks::FirstDropped => drop(blocks.remove(0)),
            Blocks::LastDropped => drop(blocks.pop()),
            Blocks::FirstRepeated => blocks.insert(0, blocks[0].clone()),
            Blocks::LastRepeated => blocks.push(blocks[last].clone()),
            Blocks::FirstForLast => blocks[last] = blocks[0].clone(),
            Blocks::Exchanged => blocks.swap(last - 1, last),
            Blocks::Foreign { block } => {
                let other = self.other.as_ref().expect("asked for with another proof");
                blocks[block] = other.blocks[block].clone();
            }
        }
        let proof = encode(&message);
        let (accepted, said) = match verify(self.shown_to, &proof, self.openings.as_deref()) {
            Ok(verdict) if verdict.unopened.is_empty() => (true, "accepted".to_string()),
            Ok(_) => (false, "a tensor is unopened".to_string()),
            Err(error) => (false, error.to_string()),
        };
        let seconds = made.seconds + begun.elapsed().as_secs_f64();
        Ok((describe(trial, &made.report, accepted, &said, seconds), proof))
    }
}

fn describe(trial: &Trial, report: &Report, accepted: bool, said: &str, seconds: f64) -> Value {
    let Report { cells, free, directions, used, cancelled, dropped } = report;
    let freedom = match trial.attempt.freedom {
        Freedom::Nothing => "nothing".to_string(),
        Freedom::Free => "every cell that no constraint binds".to_string(),
        Freedom::ClaimedSums => "claimed sums".to_string(),
        Freedom::Partners => "claimed sums with those of the other ends of links".to_string(),
        Freedom::OtherSums => "claimed sums of other links".to_string(),
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
    let at = match trial.attempt.side {
        Side::Earlier => ", at the earlier end",
        Side::Later => "",
    };
    json!({
        "freedom": format!("{freedom}{at}"), "blocks": of_blocks(trial), "cells": cells, "free": free,
        "directions": directions, "used": used, "dropped": dropped, "cancelled": cancelled, "accepted": accepted,
        "said": said, "seconds": seconds,
    })
}

fn of_blocks(trial: &Trial) -> String {
    let said = match (trial.attempt.protocol, trial.blocks) {
        (Protocol::RootsReversed, _) => "roots in another order",
        (Protocol::OwnChallenges { block }, _) => {
            return format!("block {block} under challenges of its own")
        }
        (Protocol::Kept, Blocks::InOrder) => "",
        (Protocol::Kept, Blocks::StepsReversed) => "steps reversed",
        (Protocol::Kept, Blocks::FirstStepTwice) => "the first step twice",
        (Protocol::Kept, Blocks::FirstDropped) => "the first block dropped",
        (Protocol::Kept, Blocks::LastDropped) => "the last block dropped",
        (Protocol::Kept, Blocks::FirstRepeated) => "the first block repeated",
        (Protocol::Kept, Blocks::LastRepeated) => "the last block repeated",
        (Protocol::Kept, Blocks::FirstForLast) => "the first block in place of the last",
        (Protocol::Kept, Blocks::Exchanged) => "the last two blocks exchanged",
        (Protocol::Kept, Blocks::Foreign { block }) => return format!("block {block} of the other proof"),
    };
    said.to_string()
}
