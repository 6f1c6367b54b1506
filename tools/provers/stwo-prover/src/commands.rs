//! The verbs that need the prover.

use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lindero_package::{digest, ColumnFile, Error, Package, Statement};
use lindero_prover_stwo::files;
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::{
    self, Failure, FixedFiles, Keep, Kept, Parts, Prepared, Stage, TreeZero, Twiddles,
};
use lindero_stwo_verifier::security::Regime;
use lindero_stwo_verifier::{verify, Key, KeySet, Member, Target};
use serde_json::{json, Value};

use crate::arguments::Arguments;
use crate::{report, End};

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Input(error) => End::BadInput(error),
            Failure::Witness(error) => End::NoProof(error),
        }
    }
}

/// Starts the threads and the progress, from the options that all verbs share.
pub fn prepare(arguments: &mut Arguments) -> Result<Arc<Progress>, End> {
    let threads = arguments.optional("threads")?.unwrap_or(0);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::new(format!("cannot start {threads} threads: {error}")))?;
    let descriptor: Option<u32> = arguments.optional("progress-fd")?;
    // Opening it by name leaves the descriptor itself to whoever passed it.
    let open = |fd: u32| {
        let path = format!("/dev/fd/{fd}");
        OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|e| Error::new(format!("cannot write to descriptor {fd}: {e}")))
    };
    Ok(Arc::new(Progress::new(descriptor.map(open).transpose()?)))
}

fn regime(arguments: &mut Arguments) -> Result<Regime, Error> {
    let name: Option<String> = arguments.optional("regime")?;
    let parse = |name: &str| Regime::parse(name).map_err(|error| error.within("option --regime"));
    name.as_deref().map_or(Ok(Target::DEFAULT.regime), parse)
}

fn target(arguments: &mut Arguments) -> Result<Target, Error> {
    let mut number = |name: &str, default| Ok::<_, Error>(arguments.optional(name)?.unwrap_or(default));
    Ok(Target {
        bits: number("security-bits", Target::DEFAULT.bits)?,
        log_blowup: number("log-blowup", Target::DEFAULT.log_blowup)?,
        pow_bits: number("pow-bits", Target::DEFAULT.pow_bits)?,
        fold_step: number("fold-step", Target::DEFAULT.fold_step)?,
        log_last_layer_degree: number("log-last-layer-degree", Target::DEFAULT.log_last_layer_degree)?,
        regime: regime(arguments)?,
    })
}

pub fn parameters(mut arguments: Arguments) -> Result<Value, End> {
    let folder: PathBuf = arguments.required("package")?;
    let target = target(&mut arguments)?;
    arguments.finish()?;
    let package = Package::open(&folder)?;
    let (layouts, sizes) = prover::sizes(&package)?;
    let parameters = target.parameters(&package.bundle, &layouts, &sizes)?;
    let blocks = package.bundle.most_blocks();
    Ok(json!({
        "parameters": report::parameters(&parameters),
        "security": report::security(&sizes, &parameters, target.bits, target.regime, blocks),
    }))
}

pub fn setup(mut arguments: Arguments, progress: &Progress) -> Result<Value, End> {
    let (folder, output): (PathBuf, PathBuf) =
        (arguments.required("package")?, arguments.required("output")?);
    let (target, keep) = (target(&mut arguments)?, keep(&mut arguments)?);
    arguments.finish()?;
    let package = Package::open(&folder)?;
    let (key, kept) = prover::setup_keeping(&package, &target, &keep, progress)?;
    let mut report = report::key(&Key::decode(&key)?);
    report["key_bytes"] = json!(key.len());
    let missing: Vec<&String> = kept.iter().filter_map(|kept| kept.missing.as_ref()).collect();
    report["fixed_files"] = sizes(&kept);
    report["fixed_files"]["missing"] = json!(missing.first());
    files::write(&output, &KeySet::encode(vec![key]))?;
    report["time"] = progress.summary();
    Ok(report)
}

/// Bytes of all members' files of a kind, if all have one.
fn sizes(kept: &[Kept]) -> Value {
    json!({
        "tree": kept.iter().map(|kept| kept.tree).sum::<Option<u64>>(),
        "rows": kept.iter().map(|kept| kept.rows).sum::<Option<u64>>(),
    })
}

pub fn check_fixed(mut arguments: Arguments, progress: &Progress) -> Result<Value, End> {
    let keyed = Keyed::open(&mut arguments)?;
    arguments.finish()?;
    let kept = prover::check_fixed(&keyed.package, &keyed.key, progress)?;
    Ok(json!({ "fixed_files": sizes(&kept), "time": progress.summary() }))
}

fn keep(arguments: &mut Arguments) -> Result<Keep, Error> {
    let most_bytes = arguments.optional("fixed-files-bytes")?.unwrap_or(Keep::DEFAULT.most_bytes);
    let kinds: Option<String> = arguments.optional("fixed-files")?;
    Ok(match kinds.as_deref() {
        None | Some("auto") => Keep { most_bytes, ..Keep::DEFAULT },
        Some("rows") => Keep { most_bytes, most_rows_bytes: u64::MAX, ..Keep::DEFAULT },
        Some("tree") => Keep { most_bytes, most_rows_bytes: 0, ..Keep::DEFAULT },
        Some("none") => Keep::NOTHING,
        Some(other) => return Err(Error::new(format!("option --fixed-files cannot be {other:?}"))),
    })
}

/// The package's key, out of the file's.
fn key_of(package: &Package, file: &[u8]) -> Result<Key, Error> {
    Key::decode(KeySet::decode(file)?.of_package(package)?)
}

pub fn commit(mut arguments: Arguments, progress: &Progress) -> Result<Value, End> {
    let (folder, key) = (arguments.required("package")?, arguments.content("key")?);
    let trace: PathBuf = arguments.required("trace")?;
    let name: Option<String> = arguments.optional("member")?;
    arguments.finish()?;
    let package = Package::open(&folder)?;
    let key = key_of(&package, &key)?;
    let member = match (&name, &key.members[..]) {
        (None, [member]) => member,
        (None, _) => return Err(Error::new("the bundle has several members: --member says which").into()),
        (Some(name), members) => members
            .iter()
            .find(|member| &member.name == name)
            .ok_or_else(|| Error::new(format!("the bundle has no member {name:?}")))?,
    };
    let trace = ColumnFile::open(&trace, &member.circuit, 1)?;
    progress.begin("commit_main");
    let root = prover::main_root(member, &trace)?;
    Ok(json!({
        "fixed_root": report::hexadecimal(&member.fixed_root),
        "main_root": report::hexadecimal(&root),
        "time": progress.summary(),
    }))
}

/// What a proof has of the fixed columns.
fn tree_zero(way: Option<&str>, folder: &Path, member: &Member) -> Result<TreeZero, Error> {
    Ok(match way {
        None | Some("files") => TreeZero::Kept(FixedFiles::open(folder, member)?),
        Some("tree") => TreeZero::Kept(FixedFiles::open(folder, member)?.map(FixedFiles::without_rows)),
        Some("compute") => TreeZero::Kept(None),
        Some("commit") => TreeZero::Committed,
        Some(other) => return Err(Error::new(format!("option --fixed-columns cannot be {other:?}"))),
    })
}

/// What proofs are of that have a key.
struct Keyed {
    package: Package,
    key: Key,
    /// How there is what of the fixed columns.
    way: Option<String>,
}

impl Keyed {
    fn open(arguments: &mut Arguments) -> Result<Self, Error> {
        let (folder, key) = (arguments.required("package")?, arguments.content("key")?);
        let way = arguments.optional("fixed-columns")?;
        let package = Package::open(&folder)?;
        let key = key_of(&package, &key)?;
        Ok(Keyed { package, key, way })
    }

    fn tree_zero(&self, member: usize) -> Result<TreeZero, Error> {
        tree_zero(self.way.as_deref(), &self.package.files[member].folder, &self.key.members[member])
    }

    fn prepare<'a>(&'a self, twiddles: &'a Twiddles, progress: &Progress) -> Result<Prepared<'a>, Failure> {
        Prepared::new(&self.package, &self.key, twiddles, &mut |member| self.tree_zero(member), progress)
    }

    /// The claim of a run, with the values of what it gives by digest; these also as they are.
    fn statement(&self, arguments: &mut Arguments) -> Result<(Statement, Option<Vec<u8>>), Error> {
        let (claim, openings) = (arguments.content("claim")?, arguments.optional_content("openings")?);
        let mut statement = Statement::decode(&claim, &self.package.bundle)?;
        if let Some(openings) = &openings {
            statement.open(openings, &self.package.bundle)?;
        }
        Ok((statement, openings))
    }
}

pub fn prove(mut arguments: Arguments, progress: &Arc<Progress>) -> Result<Value, End> {
    progress.begin("open");
    let keyed = Keyed::open(&mut arguments)?;
    let twiddles = Twiddles::of(&keyed.key, progress);
    let prepared = keyed.prepare(&twiddles, progress)?;
    prove_run(&keyed, &prepared, arguments, progress)
}

/// Proves run after run: each line of `input` has the options of one, and a line on standard output answers it.
pub fn prove_runs(
    mut arguments: Arguments,
    input: impl BufRead,
    progress: &Arc<Progress>,
) -> Result<Value, End> {
    progress.begin("open");
    let keyed = Keyed::open(&mut arguments)?;
    arguments.finish()?;
    let twiddles = Twiddles::of(&keyed.key, progress);
    let prepared = keyed.prepare(&twiddles, progress)?;
    let mut runs = 0;
    for line in input.lines() {
        let line = line.map_err(|error| Error::new(format!("cannot read the next run: {error}")))?;
        let proven =
            run_of(&line).map_err(End::from).and_then(|run| prove_run(&keyed, &prepared, run, progress));
        runs += usize::from(proven.is_ok());
        let answer = proven.unwrap_or_else(|end| {
            let (code, error) = end.failure();
            json!({"error": error.to_string(), "exit_code": code})
        });
        // Whoever asked may have gone away.
        writeln!(std::io::stdout(), "{answer}")
            .map_err(|error| Error::new(format!("cannot answer: {error}")))?;
        progress.restart();
    }
    Ok(json!({ "runs": runs }))
}

/// The options on a line.
fn run_of(line: &str) -> Result<Arguments, Error> {
    let words: Vec<String> = serde_json::from_str(line)
        .map_err(|error| Error::new(format!("a run is a JSON array of options: {error}")))?;
    Arguments::parse(words.into_iter())
}

fn prove_run(
    keyed: &Keyed,
    prepared: &Prepared,
    mut arguments: Arguments,
    progress: &Arc<Progress>,
) -> Result<Value, End> {
    progress.begin("open");
    let Keyed { package, key, .. } = keyed;
    let (statement, openings) = keyed.statement(&mut arguments)?;
    let traces: Vec<PathBuf> = arguments.several("trace")?;
    let output = arguments.required("output")?;
    let parts = arguments.optional::<PathBuf>("parts")?.map(|folder| Parts::open(&folder)).transpose()?;
    arguments.finish()?;
    let traces = package.open_traces(&traces)?;
    let proof = prepared.prove(&traces, &statement, parts.as_ref(), progress).and_then(|proof| {
        progress.begin("verify");
        verify(key, &proof, openings.as_deref()).map_err(|error| {
            Failure::Witness(error.within(match &parts {
                None => "the proof that was made is rejected; prove again with another nonce in the claim",
                Some(_) => {
                    "the proof that was made is rejected; prove again without the parts that were kept, \
                     and if that is rejected, too, with another nonce in the claim"
                }
            }))
        })?;
        progress.end();
        Ok(proof)
    });
    if prepared.has_files() && matches!(proof, Err(Failure::Witness(_))) {
        // It may be the columns, and not the witness.
        prover::check_fixed(package, key, progress)?;
    }
    let proof = proof?;
    let bytes = report::parts(key, &proof)?;
    files::write(&output, &proof)?;
    Ok(json!({
        "proof_digest": report::hexadecimal(&digest(&proof)),
        "proof_bytes": proof.len(),
        "blocks": statement.steps() * key.members.len(),
        "bytes": bytes,
        "claim_digest": report::hexadecimal(&statement.digest()),
        "time": progress.summary(),
    }))
}

pub fn prove_block(mut arguments: Arguments, progress: &Arc<Progress>) -> Result<Value, End> {
    progress.begin("open");
    let keyed = Keyed::open(&mut arguments)?;
    let (statement, _) = keyed.statement(&mut arguments)?;
    let (trace, parts) = (arguments.required("trace")?, arguments.required("parts")?);
    let block = arguments.optional("block")?.unwrap_or(0);
    arguments.finish()?;
    let Keyed { package, key, .. } = &keyed;
    let parts = Parts::open(&parts)?;
    let trace = ColumnFile::open(&trace, &key.members[block % key.members.len()].circuit, 1)?;
    let mut trees_zero = |member| keyed.tree_zero(member);
    let stage =
        prover::prove_block(&mut trees_zero, &parts, package, (block, trace), key, &statement, progress)?;
    let missing = match stage {
        Stage::Committed { missing } => missing,
        Stage::Proven => 0,
    };
    Ok(json!({
        "block": block,
        "proven": stage == Stage::Proven,
        "missing_roots": missing,
        "time": progress.summary(),
    }))
}

pub fn bare(mut arguments: Arguments, progress: &Arc<Progress>) -> Result<Value, End> {
    let keys = KeySet::decode(&arguments.content("key")?)?;
    arguments.finish()?;
    let key = Key::decode(keys.first())?;
    for member in &key.members {
        prover::prove_bare(member, progress)?;
    }
    Ok(json!({ "time": progress.summary() }))
}
