//! Writes the files of tree 0: into a folder of limited size, one writer at a time, each file whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use lindero_package::Error;
use rayon::prelude::*;
use rustix::fs::{fallocate, flock, FallocateFlags, FlockOperation};
use stwo::core::fields::m31::P;

use super::super::prove::Tree;
use super::files::{suffix, Kind, Shape};

/// What to leave beside a package.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub tree: bool,
    /// Only with the tree.
    pub rows: bool,
    /// Of all such files of the package, those of other parameters among them.
    pub most_bytes: u64,
}

impl Keep {
    pub const NOTHING: Keep = Keep { tree: false, rows: false, most_bytes: 0 };
    pub const DEFAULT: Keep = Keep { tree: true, rows: true, most_bytes: 8 << 30 };
}

/// What was left.
#[derive(Debug, Default)]
pub struct Kept {
    /// Bytes of each kind that is there now.
    pub tree: Option<u64>,
    pub rows: Option<u64>,
    /// Why not all that was wanted.
    pub missing: Option<String>,
}

/// Leaves what is to be kept. That it cannot is no error: then proofs take longer.
pub fn write(package: &Path, shape: &Shape, tree: &Tree, keep: &Keep) -> Kept {
    let mut kept = Kept::default();
    for (kind, wanted) in [(Kind::Tree, keep.tree), (Kind::Rows, keep.tree && keep.rows)] {
        if !wanted || kept.missing.is_some() {
            continue;
        }
        match write_file(package, shape, tree, kind, keep.most_bytes) {
            Ok(()) if kind == Kind::Tree => kept.tree = Some(shape.bytes(kind)),
            Ok(()) => kept.rows = Some(shape.bytes(kind)),
            Err(error) => kept.missing = Some(error.to_string()),
        }
    }
    kept
}

fn write_file(package: &Path, shape: &Shape, tree: &Tree, kind: Kind, most_bytes: u64) -> io::Result<()> {
    let (path, bytes) = (shape.path(package, kind), shape.bytes(kind));
    if bytes > most_bytes {
        return Err(io::Error::other(format!("{bytes} bytes are more than the {most_bytes} allowed")));
    }
    // One writer at a time. The lock goes with the descriptor, whatever becomes of the process.
    let folder = File::open(package).map_err(|error| within(&path, error))?;
    flock(&folder, FlockOperation::LockExclusive)?;
    // It has the name of its content; that it is whole is checked.
    if shape.open(package, kind).is_ok_and(|file| file.is_some()) {
        return Ok(());
    }
    let others = [shape.path(package, Kind::Tree), shape.path(package, Kind::Rows)];
    make_room(package, &others, bytes, most_bytes).map_err(|error| within(&path, error))?;
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = write_part(&part, shape, tree, kind).and_then(|()| fs::rename(&part, &path));
    if let Err(error) = written {
        let _ = fs::remove_file(&part);
        return Err(within(&path, error));
    }
    folder.sync_all()
}

fn within(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}

/// Removes what writers that died have left, and the oldest files of other columns or parameters until `bytes` more fit.
fn make_room(folder: &Path, ours: &[PathBuf], bytes: u64, most_bytes: u64) -> io::Result<()> {
    let (mut total, mut others): (u64, Vec<(SystemTime, u64, PathBuf)>) = (bytes, Vec::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match suffix(&path) {
            // The lock is ours, so nobody writes it.
            Some("part") => fs::remove_file(&path)?,
            Some("tree" | "rows") => {
                let metadata = fs::metadata(&path)?;
                total += metadata.len();
                if !ours.contains(&path) {
                    others.push((metadata.modified()?, metadata.len(), path));
                }
            }
            _ => {}
        }
    }
    others.sort();
    for (_, length, path) in others {
        if total <= most_bytes {
            break;
        }
        fs::remove_file(path)?;
        total -= length;
    }
    if total > most_bytes {
        return Err(io::Error::other(format!("{total} bytes are more than the {most_bytes} allowed")));
    }
    Ok(())
}

fn write_part(part: &Path, shape: &Shape, tree: &Tree, kind: Kind) -> io::Result<()> {
    let mut file = File::create(part)?;
    // A full disk shows before hours of writing; where the file system knows no such thing, it shows later.
    match fallocate(&file, FallocateFlags::empty(), 0, shape.bytes(kind)) {
        Err(rustix::io::Errno::NOSPC) => return Err(rustix::io::Errno::NOSPC.into()),
        _ => file.write_all(&shape.header(kind))?,
    }
    write_content(&mut file, shape, tree, kind)?;
    file.sync_all()
}

/// All but the header.
fn write_content(file: &mut impl Write, shape: &Shape, tree: &Tree, kind: Kind) -> io::Result<()> {
    match kind {
        Kind::Tree => {
            for layer in &tree.commitment.layers {
                for nodes in layer.chunks(1 << 15) {
                    let bytes: Vec<u8> = nodes.iter().flat_map(|node| node.0).collect();
                    file.write_all(&bytes)?;
                }
            }
        }
        Kind::Rows => {
            for (_, columns) in &shape.groups {
                let column =
                    |&index: &usize| bytemuck::cast_slice(&tree.polynomials[index].evals.values.data[..]);
                write_rows(file, &columns.iter().map(column).collect::<Vec<&[u32]>>())?;
            }
        }
    }
    Ok(())
}

/// What there is of the files of a package must be what `tree` has. Returns bytes of each.
pub fn check(package: &Path, shape: &Shape, tree: &Tree) -> Result<Kept, Error> {
    let mut kept = Kept::default();
    for (kind, bytes) in [(Kind::Tree, &mut kept.tree), (Kind::Rows, &mut kept.rows)] {
        let Some(source) = shape.open(package, kind)? else { continue };
        write_content(&mut source.compare(), shape, tree, kind).map_err(|error| source.damaged(error))?;
        *bytes = Some(shape.bytes(kind));
    }
    Ok(kept)
}

/// Columns of one height, row by row.
fn write_rows(file: &mut impl Write, columns: &[&[u32]]) -> io::Result<()> {
    /// Cache lines of a column that are read at a time.
    const RUN: usize = 64;
    let (rows, width) = (columns[0].len(), columns.len());
    let at_once = (((4 << 20) / width).next_multiple_of(RUN)).min(rows);
    let mut words = vec![0u32; at_once * width];
    for first in (0..rows).step_by(at_once) {
        let words = &mut words[..at_once.min(rows - first) * width];
        words.par_chunks_mut(RUN * width).enumerate().for_each(|(run, words)| {
            for (index, column) in columns.iter().enumerate() {
                let values = &column[first + run * RUN..];
                for (row, &value) in words.chunks_exact_mut(width).zip(values) {
                    // Stwo's columns may hold the modulus for zero.
                    row[index] = if value == P { 0 } else { value };
                }
            }
        });
        file.write_all(bytemuck::cast_slice(words))?;
    }
    Ok(())
}
