//! The verbs that need the prover.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lindero_package::{digest, ColumnFile, Error, Package, Statement};
use lindero_prover_stwo::progress::Progress;
use lindero_prover_stwo::prover::{self, Failure, FixedFiles, Keep, TreeZero};
use lindero_stwo_verifier::security::Regime;
use lindero_stwo_verifier::{verify, Key, KeySet, Member, Target};
use serde_json::{json, Value};

use crate::arguments::Arguments;
use crate::{files, report, End};

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
    report["fixed_files"] = json!({
        "tree": kept.iter().map(|kept| kept.tree).sum::<Option<u64>>(),
        "rows": kept.iter().map(|kept| kept.rows).sum::<Option<u64>>(),
        "missing": missing.first(),
    });
    files::write(&output, &KeySet::encode(vec![key]))?;
    report["time"] = progress.summary();
    Ok(report)
}

fn keep(arguments: &mut Arguments) -> Result<Keep, Error> {
    let most_bytes = arguments.optional("fixed-files-bytes")?.unwrap_or(Keep::DEFAULT.most_bytes);
    let kinds: Option<String> = arguments.optional("fixed-files")?;
    Ok(match kinds.as_deref() {
        None | Some("rows") => Keep { most_bytes, ..Keep::DEFAULT },
        Some("tree") => Keep { most_bytes, rows: false, ..Keep::DEFAULT },
        Some("none") => Keep::NOTHING,
        Some(other) => return Err(Error::new(format!("option --fixed-files cannot be {other:?}"))),
    })
}

/// The package's key, out of the file's.
fn key_of(package: &Package, file: &[u8]) -> Result<Key, Error> {
    Key::decode(KeySet::decode(file)?.of_package(package)?)
}

pub fn commit(mut arguments: Arguments, progress: &Progress) -> Result<Value, End> {
    let (folder, key) = (arguments.required("package")?, files::read(&arguments.required("key")?)?);
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

pub fn prove(mut arguments: Arguments, progress: &Arc<Progress>) -> Result<Value, End> {
    progress.begin("open");
    let (folder, key) = (arguments.required("package")?, files::read(&arguments.required("key")?)?);
    let traces: Vec<PathBuf> = arguments.several("trace")?;
    let claim = files::read(&arguments.required("claim")?)?;
    let output = arguments.required("output")?;
    let openings = files::read_optional(&mut arguments, "openings")?;
    let way: Option<String> = arguments.optional("fixed-columns")?;
    arguments.finish()?;
    let package = Package::open(&folder)?;
    let key = key_of(&package, &key)?;
    let traces = package.open_traces(&traces)?;
    let mut statement = Statement::decode(&claim, &package.bundle)?;
    if let Some(openings) = &openings {
        statement.open(openings, &package.bundle)?;
    }
    let mut from_files = false;
    let mut trees_zero = |member: usize| {
        let tree_zero = tree_zero(way.as_deref(), &package.files[member].folder, &key.members[member])?;
        from_files |= matches!(tree_zero, TreeZero::Kept(Some(_)));
        Ok(tree_zero)
    };
    let proof = prover::prove_with(&mut trees_zero, &package, &traces, &key, &statement, progress).and_then(
        |proof| {
            progress.begin("verify");
            verify(&key, &proof, openings.as_deref()).map_err(|error| {
                Failure::Witness(error.within(
                    "the proof that was made is rejected; prove again with another nonce in the claim",
                ))
            })?;
            progress.end();
            Ok(proof)
        },
    );
    if from_files && matches!(proof, Err(Failure::Witness(_))) {
        // It may be the columns, and not the witness.
        prover::check_fixed(&package, &key, progress)?;
    }
    let proof = proof?;
    let parts = report::parts(&key, &proof)?;
    files::write(&output, &proof)?;
    Ok(json!({
        "proof_digest": report::hexadecimal(&digest(&proof)),
        "proof_bytes": proof.len(),
        "blocks": statement.steps() * key.members.len(),
        "bytes": parts,
        "claim_digest": report::hexadecimal(&statement.digest()),
        "time": progress.summary(),
    }))
}

pub fn bare(mut arguments: Arguments, progress: &Arc<Progress>) -> Result<Value, End> {
    let keys = KeySet::decode(&files::read(&arguments.required("key")?)?)?;
    arguments.finish()?;
    let key = Key::decode(keys.first())?;
    for member in &key.members {
        prover::prove_bare(member, progress)?;
    }
    Ok(json!({ "time": progress.summary() }))
}
