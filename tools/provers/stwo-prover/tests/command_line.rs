//! The program: files, exit codes, what it prints.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::Folder;
use lindero_testkit::samples;

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lindero-prover-stwo")).args(words).current_dir(folder).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

const SETUP: &[&str] =
    &["setup", "--package", ".", "-o", "model.key", "--security-bits", "20", "--pow-bits", "4"];
const PROVE: &[&str] = &[
    "prove",
    "--package",
    ".",
    "--key",
    "model.key",
    "--trace",
    "trace.bin",
    "--claim",
    "claim.json",
    "-o",
    "run.proof",
];

const CHECK_FIXED: &[&str] = &["check-fixed", "--package", ".", "--key", "model.key"];

fn proven() -> Folder {
    let folder = Folder::new(&samples::everything());
    for words in [SETUP, PROVE] {
        let output = run(&folder.0, words);
        assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    }
    folder
}

#[test]
fn a_proof_and_its_key_are_enough_to_verify() {
    let made = proven();
    let empty = Folder(made.0.with_extension("empty"));
    std::fs::create_dir_all(&empty.0).unwrap();
    for file in ["model.key", "run.proof"] {
        std::fs::copy(made.0.join(file), empty.0.join(file)).unwrap();
    }
    let output = run(&empty.0, &["verify", "--key", "model.key", "--proof", "run.proof"]);
    assert_eq!(code(&output), 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "accepted");
    assert_eq!(report["statement"][0]["name"], "input");
    assert_eq!(report["statement"][0]["values"].as_array().unwrap().len(), 64);
    assert_eq!(std::fs::read_dir(&empty.0).unwrap().count(), 2, "verify writes nothing");
}

const PROVE_RUNS: &[&str] = &["prove-runs", "--package", ".", "--key", "model.key"];

/// What `prove-runs` answers to these lines, the last line being of all of them.
fn prove_runs(folder: &Path, lines: &[String]) -> Vec<serde_json::Value> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lindero-prover-stwo"))
        .args(PROVE_RUNS)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    let lines = lines.join("\n");
    let asking = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = program.wait_with_output().unwrap();
    asking.join().unwrap();
    assert_eq!(code(&output), 0);
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn options_of_run(trace: &str, output: &str) -> String {
    serde_json::json!(["--trace", trace, "--claim", "claim.json", "-o", output]).to_string()
}

#[test]
fn runs_are_proven_one_after_the_other() {
    let made = proven();
    let path = |name: &str| made.0.join(name);
    let mut trace = std::fs::read(path("trace.bin")).unwrap();
    trace[0] ^= 1;
    std::fs::write(path("wrong.bin"), &trace).unwrap();
    let lines = [
        options_of_run("trace.bin", "first.proof"),
        options_of_run("wrong.bin", "wrong.proof"),
        options_of_run("missing.bin", "missing.proof"),
        "no array".to_string(),
        r#"["--key", "other.key"]"#.to_string(),
        options_of_run("trace.bin", "last.proof"),
    ];
    let answers = prove_runs(&made.0, &lines);
    let codes: Vec<_> = answers.iter().map(|answer| answer["exit_code"].as_i64().unwrap_or(0)).collect();
    assert_eq!(codes, [0, 3, 2, 2, 2, 0, 0], "{answers:?}");
    assert_eq!(answers[6]["runs"], 2);
    let expected = std::fs::read(path("run.proof")).unwrap();
    for name in ["first.proof", "last.proof"] {
        assert!(std::fs::read(path(name)).unwrap() == expected, "{name}");
    }
    assert!(!path("wrong.proof").exists() && !path("missing.proof").exists());
}

/// Each of them verifies, or there would be an error.
#[test]
fn a_thousand_runs_take_no_more_memory_than_a_hundred() {
    let made = proven();
    let lines = vec![options_of_run("trace.bin", "run.proof"); 1000];
    let answers = prove_runs(&made.0, &lines);
    assert_eq!(answers[1000]["runs"], 1000);
    let peak = |run: usize| answers[run]["time"]["peak_memory_bytes"].as_f64().unwrap();
    assert!(peak(999) < 1.1 * peak(99), "{} bytes, then {}", peak(99), peak(999));
}

#[test]
fn bare_times_the_trees_of_the_key() {
    let made = proven();
    let output = run(&made.0, &["bare", "--key", "model.key"]);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for stage in
        ["draw", "commit_fixed", "commit_main", "commit_fold", "commit_lookup", "out_of_domain", "fri"]
    {
        assert!(report["time"]["stages"][stage].is_number(), "{stage} is missing in {report}");
    }
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let made = proven();
    let path = |name: &str| made.0.join(name);
    let mut proof = std::fs::read(path("run.proof")).unwrap();
    proof.push(0);
    std::fs::write(path("long.proof"), &proof).unwrap();
    std::fs::write(path("empty"), b"").unwrap();
    let mut trace = std::fs::read(path("trace.bin")).unwrap();
    trace[0] ^= 1;
    std::fs::write(path("wrong.bin"), &trace).unwrap();
    std::fs::write(path("short.bin"), &trace[4..]).unwrap();
    let verify = |key: &str, proof: &str| code(&run(&made.0, &["verify", "--key", key, "--proof", proof]));
    assert_eq!(verify("model.key", "run.proof"), 0);
    assert_eq!(verify("model.key", "long.proof"), 4);
    assert_eq!(verify("model.key", "empty"), 4);
    assert_eq!(verify("empty", "run.proof"), 4);
    assert_eq!(verify("model.key", "missing"), 2);
    std::fs::write(path("openings"), b"[]").unwrap();
    let openings = |file| {
        code(&run(&made.0, &["verify", "--key", "model.key", "--proof", "run.proof", "--openings", file]))
    };
    assert_eq!((openings("openings"), openings("claim.json"), openings("missing")), (0, 4, 2));
    let prove = |trace: &str| {
        let words: Vec<&str> =
            PROVE.iter().map(|&word| if word == "trace.bin" { trace } else { word }).collect();
        code(&run(&made.0, &words))
    };
    assert_eq!(prove("wrong.bin"), 3);
    assert_eq!(prove("short.bin"), 2);
    for words in [&["verify"][..], &["frobnicate"], &["prove", "--package"], &["verify", "stray"]] {
        assert_eq!(code(&run(&made.0, words)), 2, "{words:?}");
    }
}

#[test]
fn outputs_replace_files_alone() {
    let made = proven();
    std::fs::create_dir(made.0.join("folder")).unwrap();
    // As good as a device, and nobody misses it.
    assert!(Command::new("mkfifo").arg(made.0.join("pipe")).status().unwrap().success());
    for place in ["folder", "pipe"] {
        let setup = run(&made.0, &["setup", "--package", ".", "--output", place, "--security-bits", "20"]);
        assert_eq!(code(&setup), 2, "{place}");
        assert!(String::from_utf8_lossy(&setup.stderr).contains("is not a file"), "{place}");
        assert!(!std::fs::metadata(made.0.join(place)).unwrap().is_file(), "{place}");
    }
}

/// PROVE with these traces.
fn prove_blocks<'a>(traces: &[&'a str]) -> Vec<&'a str> {
    let mut words: Vec<&str> = PROVE.to_vec();
    let at = words.iter().position(|&word| word == "--trace").unwrap();
    words.splice(at..at + 2, traces.iter().flat_map(|&trace| ["--trace", trace]));
    words
}

const TRACES: [&str; 3] = ["trace.bin", "trace1.bin", "trace2.bin"];

#[test]
fn a_bundle_takes_a_trace_per_block() {
    let folder = Folder::new(&samples::linked_blocks(0, 3));
    assert_eq!(code(&run(&folder.0, SETUP)), 0);
    let output = run(&folder.0, &[&prove_blocks(&TRACES)[..], &["--progress-fd", "2"]].concat());
    let lines = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(code(&output), 0, "{lines}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["blocks"], 3);
    // All are committed before the first one is proven, and all but the first once more in their turn.
    let events = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let begun: Vec<_> = events.filter(|event| event["event"] == "begin").collect();
    let blocks_of = |stage: &str| -> Vec<_> {
        begun.iter().filter(|event| event["stage"] == stage).map(|event| event["block"].as_u64()).collect()
    };
    assert_eq!(blocks_of("commit_main"), [1, 2, 0, 1, 2].map(Some));
    assert_eq!(blocks_of("composition"), [0, 1, 2].map(Some));
    assert_eq!((blocks_of("share_fixed"), blocks_of("verify")), (vec![None], vec![None]));
    assert!(begun.iter().filter(|event| event["block"].is_u64()).all(|event| event["blocks"] == 3));

    let output = run(&folder.0, &["verify", "--key", "model.key", "--proof", "run.proof"]);
    assert_eq!(code(&output), 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["blocks"], &report["statement"][0]["rows"]), (&3.into(), &192.into()));
    let sum: u64 = report["bytes"].as_object().unwrap().values().map(|bytes| bytes.as_u64().unwrap()).sum();
    let total = report["proof_bytes"].as_u64().unwrap();
    // The rest is nonces, roots, counts and the message around.
    assert!((total - 1500..total).contains(&sum), "{report}");

    assert_eq!(code(&run(&folder.0, &prove_blocks(&["trace1.bin", "trace.bin", "trace2.bin"]))), 3);
    assert_eq!(code(&run(&folder.0, &prove_blocks(&TRACES[..2]))), 2);
    assert_eq!(code(&run(&folder.0, &prove_blocks(&[]))), 2);
    assert_eq!(code(&run(&folder.0, &[PROVE, &["--claim", "claim.json"]].concat())), 2);
}

#[test]
fn tampered_bundles_are_rejected() {
    let folder = Folder::new(&samples::linked_blocks(0, 3));
    for words in [SETUP, &prove_blocks(&TRACES)] {
        assert_eq!(code(&run(&folder.0, words)), 0);
    }
    let words = ["tamper", "--key", "model.key", "--proof", "run.proof", "--count", "900"];
    let output = run(&folder.0, &words);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["tried"], &report["survived"]), (&900.into(), &0.into()), "{report}");
    assert!(report["kinds"]["proof: blocks"]["rejected"].as_u64().unwrap() > 50, "{report}");
}

#[test]
fn a_failed_prover_leaves_the_old_proof_and_no_other_file() {
    let made = proven();
    let before = std::fs::read(made.0.join("run.proof")).unwrap();
    let files = || std::fs::read_dir(&made.0).unwrap().count();
    let count = files();
    std::fs::write(
        made.0.join("trace.bin"),
        vec![0; std::fs::metadata(made.0.join("trace.bin")).unwrap().len() as usize],
    )
    .unwrap();
    assert_eq!(code(&run(&made.0, PROVE)), 3);
    assert_eq!(std::fs::read(made.0.join("run.proof")).unwrap(), before);
    assert_eq!(files(), count);
}

#[test]
fn progress_comes_as_json_lines() {
    let made = proven();
    let words: Vec<&str> = PROVE.iter().copied().chain(["--progress-fd", "2"]).collect();
    let output = run(&made.0, &words);
    assert_eq!(code(&output), 0);
    let lines = String::from_utf8(output.stderr).unwrap();
    let stages: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["event"] == "end")
        .map(|line| line["stage"].as_str().unwrap().to_string())
        .collect();
    for stage in
        ["share_fixed", "commit_main", "fill_lookup", "composition", "out_of_domain", "fri", "grinding"]
    {
        assert!(stages.iter().any(|s| s == stage), "{stage} is not among {stages:?}");
    }
}

#[test]
fn security_is_printed_by_regime_with_all_terms() {
    let made = proven();
    let report = |words: &[&str]| {
        let output = run(&made.0, words);
        assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let described = report(&["describe", "--key", "model.key"])["keys"][0].clone();
    let options = ["parameters", "--package", ".", "--security-bits", "20", "--pow-bits", "4"];
    let planned = report(&options);
    assert_eq!(described["parameters"], planned["parameters"], "setup takes what `parameters` says");
    assert_eq!(described["security"], planned["security"]);
    let regimes = described["security"]["regimes"].as_array().unwrap();
    let names: Vec<&str> = regimes.iter().map(|regime| regime["regime"].as_str().unwrap()).collect();
    assert_eq!(names, ["proven", "list-decoding", "best known attack"]);
    for regime in regimes {
        let terms = regime["terms"].as_object().unwrap();
        let least = terms.values().map(|bits| bits.as_f64().unwrap()).fold(f64::INFINITY, f64::min);
        assert_eq!(terms.len(), 6);
        assert_eq!(terms[regime["binding"].as_str().unwrap()].as_f64(), Some(least));
        assert!(regime["bits"].as_f64().unwrap() <= least, "{regime}");
    }
    let old = run(&made.0, &[&options[..], &["--regime", "conjectured"]].concat());
    assert_eq!(code(&old), 2);
    assert!(String::from_utf8_lossy(&old.stderr).contains("\"list-decoding\""));
}

/// Whoever looks at the exit code alone must not take it for an accepted proof.
#[test]
fn a_proof_with_values_by_digest_is_not_accepted_before_they_are_opened() {
    let (sample, opening) = common::hidden(&samples::everything());
    let made = Folder::new(&sample);
    std::fs::write(made.0.join("values"), common::file_of(&[opening])).unwrap();
    let with_values = |words: &[&str]| run(&made.0, &[words, &["--openings", "values"]].concat());
    assert_eq!(code(&run(&made.0, SETUP)), 0);
    assert_eq!(code(&with_values(PROVE)), 0);
    let verify = ["verify", "--key", "model.key", "--proof", "run.proof"];
    let output = run(&made.0, &verify);
    assert_eq!(code(&output), 5);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "unopened");
    assert_eq!(code(&with_values(&verify)), 0);
}

/// What setup left and what it was made from are not compared before a proof is made. No proof leaves if they differ.
#[test]
fn damaged_fixed_columns_make_no_proof() {
    let made = proven();
    let proof = std::fs::read(made.0.join("run.proof")).unwrap();
    let file = |suffix: &str| {
        let files = std::fs::read_dir(&made.0).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|found| found == suffix)).unwrap()
    };
    let cases = [
        (file("tree"), 96, "is damaged"),
        (file("rows"), 64, "is damaged"),
        (made.0.join("fixed.bin"), 0, "fixed.bin is not the one that the key was made from"),
    ];
    for (path, first, words) in cases {
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[first..].iter_mut().step_by(4).for_each(|byte| *byte ^= 1);
        std::fs::write(&path, changed).unwrap();
        let output = run(&made.0, CHECK_FIXED);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 2, "{}: {error}", path.display());
        assert!(error.contains(words), "{}: {error}", path.display());
        std::fs::remove_file(made.0.join("run.proof")).unwrap();
        let output = run(&made.0, PROVE);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 2, "{}: {error}", path.display());
        assert!(error.contains(words), "{}: {error}", path.display());
        assert!(!made.0.join("run.proof").exists(), "{}", path.display());
        // One word that no proof may come to read.
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, changed).unwrap();
        assert_eq!(code(&run(&made.0, CHECK_FIXED)), 2, "{}", path.display());
        std::fs::write(&path, whole).unwrap();
        assert_eq!(code(&run(&made.0, CHECK_FIXED)), 0);
        assert_eq!(code(&run(&made.0, PROVE)), 0);
    }
    for way in ["files", "tree", "compute", "commit"] {
        assert_eq!(code(&run(&made.0, &[PROVE, &["--fixed-columns", way]].concat())), 0, "{way}");
        assert!(std::fs::read(made.0.join("run.proof")).unwrap() == proof, "{way}");
    }
    assert_eq!(code(&run(&made.0, &[PROVE, &["--fixed-columns", "otherwise"]].concat())), 2);
    // One changed value of the columns, at a time: nothing or the very proof.
    let path = made.0.join("fixed.bin");
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by((whole.len() / 12).next_multiple_of(4)) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let output = run(&made.0, CHECK_FIXED);
        assert_eq!(code(&output), 2, "byte {at}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_file(made.0.join("run.proof")).unwrap();
        let output = run(&made.0, PROVE);
        assert_eq!(code(&output), 2, "byte {at}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!made.0.join("run.proof").exists(), "byte {at}");
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(code(&run(&made.0, PROVE)), 0);
    }
}
