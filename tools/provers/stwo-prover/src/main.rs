//! The command line of the Stwo prover.

#[cfg(feature = "forger")]
compile_error!(
    "the feature `forger` is for the program of that name alone: its prover and its readers are lax"
);

#[cfg(feature = "prover")]
mod allocator;
mod arguments;
#[cfg(feature = "prover")]
mod commands;
mod report;
mod tamper;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use lindero_package::{digest, Error};
use lindero_prover_stwo::files;
use lindero_stwo_verifier::{verify, Key, KeySet};
use serde_json::json;

const USAGE: &str = "\
usage: lindero-prover-stwo VERB --option value ...

  setup   --package FOLDER --output KEY
          [--security-bits 96] [--regime proven|list-decoding] [--log-blowup 2] [--pow-bits 20]
          [--fold-step 3] [--log-last-layer-degree 5] [--fixed-files auto|rows|tree|none] [--fixed-files-bytes 8589934592]
          Chooses parameters and commits the fixed columns; writes a key file with this key alone. --pow-bits is an
          upper limit of each grinding. Leaves files in the package's folder with which proofs are faster: the Merkle tree and
          the rows of the fixed columns, or the tree alone, as long as all such files of the package take no more bytes.
  check-fixed --package FOLDER --key KEY
          Commits the fixed columns again: they and what setup left beside them must be what the key was made from.
  parameters --package FOLDER [the same options]
          Prints which parameters setup would choose, and what they give.
  describe --key KEY
          Prints parameters and security of each key of the file.
  commit  --package FOLDER --key KEY --trace FILE [--member NAME]
          Prints the roots of the fixed and the main columns.
  prove   --package FOLDER --key KEY --trace FILE ... --claim FILE --output PROOF [--openings FILE]
          One --trace per step and member of the bundle, the members of a step in their order. The claim is kept in the proof and bound by it. Openings hold the
          values that it gives by digest.
          [--fixed-columns files|tree|compute|commit]: with the files of setup, where they are (default); with that of the tree
          alone; without; or with all that Stwo's own prover wants. Slower in this order, and the same proof.
          [--parts FOLDER]: what is done of the proof is kept there, and what is there is not done again.
  prove-block --package FOLDER --key KEY --trace FILE --claim FILE --parts FOLDER [--block 0] [--openings FILE] [--fixed-columns ...]
          The part of `prove` that is of one block, given its trace: commits it, and proves it if all blocks are committed in the
          parts. When each block is proven, `prove` with these parts puts them together.
  prove-runs --package FOLDER --key KEY [--fixed-columns ...]
          Proves run after run, and does once what they have in common. Each line of standard input is a JSON array of the options of
          `prove` that are of one run, [\"--trace\", \"trace.bin\", \"--claim\", ...], and each is answered by a line on standard output:
          what `prove` prints, or {\"error\": ..., \"exit_code\": ...}. Ends where its input does, and prints how many runs were proven.
  verify  --key KEY --proof PROOF [--openings FILE] [--transcript FILE]
          Knows of the claim only what it says about public tensors; `lindero verify` knows the rest. Writes every challenge of
          an accepted proof to the transcript, with the nonce before it.
  tamper  --key KEY --proof PROOF [--count 1000] [--seed 1] [--threads 0]
          Verifies COUNT changed copies of the proof and the key, and counts those that are not rejected.
  bare    --key KEY
          For benchmarks: the time of Stwo alone, on random columns of the first key's sizes. Proves nothing.

  version
          Prints version, commit and formats.

A KEY file holds a key per bucket of a model: commit and prove take that of the package, verify and tamper the
one that the proof names.

setup, check-fixed, parameters, commit, prove, prove-block, prove-runs and bare also take
  --progress-fd N   JSON lines on this file descriptor
  --threads N       0: one per processor

Prints one JSON object on standard output. Exits with 0 (done, accepted), 2 (bad input), 3 (no proof could be made),
4 (rejected),
5 (it holds, but for values that the claim gives by digest and --openings does not have).
";

/// How the program ends when it fails.
pub enum End {
    BadInput(Error),
    #[cfg(feature = "prover")]
    NoProof(Error),
    Rejected(Error),
    /// The proof holds, but for values that are given by digest: its report.
    Unopened(serde_json::Value),
}

impl End {
    /// The exit code, and what to say.
    fn failure(self) -> (u8, Error) {
        match self {
            End::BadInput(error) => (2, error),
            #[cfg(feature = "prover")]
            End::NoProof(error) => (3, error),
            End::Rejected(error) => (4, error),
            End::Unopened(_) => {
                let error =
                    "the claim gives values by digest, which are not tied to the run: --openings has them";
                (5, Error::new(error))
            }
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        End::BadInput(error)
    }
}

fn main() -> ExitCode {
    #[cfg(feature = "prover")]
    allocator::keep_freed_memory();
    let mut words = std::env::args().skip(1);
    let verb = words.next().unwrap_or_default();
    if matches!(verb.as_str(), "" | "help" | "--help" | "-h") {
        print!("{USAGE}");
        return if verb.is_empty() { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    if matches!(verb.as_str(), "version" | "--version") {
        println!("{}", version());
        return ExitCode::SUCCESS;
    }
    let result = Arguments::parse(words).map_err(End::from).and_then(|arguments| run(&verb, arguments));
    let end = match result {
        Ok(report) => {
            println!("{report}");
            return ExitCode::SUCCESS;
        }
        Err(end) => end,
    };
    match &end {
        End::Unopened(report) => println!("{report}"),
        End::Rejected(error) => println!("{}", json!({"verdict": "rejected", "reason": error.to_string()})),
        _ => {}
    }
    let (code, error) = end.failure();
    eprintln!("lindero-prover-stwo {verb}: {error}");
    ExitCode::from(code)
}

fn version() -> String {
    format!(
        "lindero-prover-stwo {} (commit {})\nformats: circuit {}, key {}, proof {}, {}",
        env!("CARGO_PKG_VERSION"),
        env!("LINDERO_COMMIT"),
        lindero_package::CIRCUIT_FORMAT,
        lindero_stwo_verifier::KEY_FORMAT,
        lindero_stwo_verifier::PROOF_FORMAT,
        lindero_stwo_verifier::BACKEND,
    )
}

fn run(verb: &str, mut arguments: Arguments) -> Result<serde_json::Value, End> {
    match verb {
        "verify" => {
            // A malformed proof may make Stwo panic inside `verify`, which turns that into a rejection.
            std::panic::set_hook(Box::new(|_| {}));
            verify_files(arguments)
        }
        "describe" => describe(arguments),
        "tamper" => {
            std::panic::set_hook(Box::new(|_| {}));
            tamper_files(arguments)
        }
        #[cfg(feature = "prover")]
        "setup" | "parameters" | "commit" | "prove" | "prove-block" | "prove-runs" | "check-fixed"
        | "bare" => {
            let progress = commands::prepare(&mut arguments)?;
            match verb {
                "setup" => commands::setup(arguments, &progress),
                "check-fixed" => commands::check_fixed(arguments, &progress),
                "parameters" => commands::parameters(arguments),
                "commit" => commands::commit(arguments, &progress),
                "bare" => commands::bare(arguments, &progress),
                "prove-block" => commands::prove_block(arguments, &progress),
                "prove-runs" => commands::prove_runs(arguments, std::io::stdin().lock(), &progress),
                _ => commands::prove(arguments, &progress),
            }
        }
        _ => Err(End::BadInput(Error::new(format!("verb {verb:?} does not exist; see --help")))),
    }
}

fn describe(mut arguments: Arguments) -> Result<serde_json::Value, End> {
    let keys = KeySet::decode(&arguments.content("key")?)?;
    arguments.finish()?;
    let reports = keys.all().map(|key| Ok(report::key(&Key::decode(key)?)));
    Ok(json!({ "keys": reports.collect::<Result<Vec<_>, Error>>()? }))
}

fn tamper_files(mut arguments: Arguments) -> Result<serde_json::Value, End> {
    let key = arguments.content("key")?;
    let proof = arguments.content("proof")?;
    let count = arguments.optional("count")?.unwrap_or(1000);
    let seed = arguments.optional("seed")?.unwrap_or(1);
    let threads = arguments.optional("threads")?.unwrap_or(0);
    arguments.finish()?;
    tamper::tamper(&key, &proof, count, seed, threads).map_err(End::Rejected)
}

fn verify_files(mut arguments: Arguments) -> Result<serde_json::Value, End> {
    let key = arguments.content("key")?;
    let proof = arguments.content("proof")?;
    let openings = arguments.optional_content("openings")?;
    let transcript: Option<PathBuf> = arguments.optional("transcript")?;
    arguments.finish()?;
    let begun = Instant::now();
    let key =
        KeySet::decode(&key).and_then(|keys| Key::decode(keys.of_proof(&proof)?)).map_err(End::Rejected)?;
    let decoded = begun.elapsed();
    let verdict = verify(&key, &proof, openings.as_deref()).map_err(End::Rejected)?;
    let seconds = json!({
        "read_key": decoded.as_secs_f64(),
        "verify": (begun.elapsed() - decoded).as_secs_f64(),
    });
    if let Some(path) = transcript {
        files::write(&path, report::transcript(&verdict).to_string().as_bytes())?;
    }
    let mut report = report::verdict(&key, &verdict);
    report["proof_digest"] = json!(report::hexadecimal(&digest(&proof)));
    report["proof_bytes"] = json!(proof.len());
    report["blocks"] = json!(verdict.statement.steps() * key.members.len());
    report["bytes"] = report::parts(&key, &proof)?;
    report["seconds"] = seconds;
    if verdict.unopened.is_empty() {
        Ok(report)
    } else {
        Err(End::Unopened(report))
    }
}
