//! Writes the files of tree 0: into a folder of limited size, one writer at a time, each file whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{sync_channel, Receiver};
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use bytemuck::cast_slice;
use lindero_package::Error;
use rayon::prelude::*;
use rustix::fs::{fallocate, flock, FallocateFlags, FlockOperation};
use stwo::core::fields::m31::P;
use stwo::prover::backend::simd::column::BaseColumn;

use super::commit::{MerkleTree, Take};
use super::files::{part_name, suffix, Kind, Shape, Source, HEADER};

/// What to leave beside a package.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub tree: bool,
    /// Only with the tree, and if they take no more bytes than this: beside a large model, writing gigabytes takes as long as some
    /// proofs save by them.
    pub most_rows_bytes: u64,
    /// Of all such files of the package, those of other parameters among them.
    pub most_bytes: u64,
}

impl Keep {
    pub const NOTHING: Keep = Keep { tree: false, most_rows_bytes: 0, most_bytes: 0 };
    pub const DEFAULT: Keep = Keep { tree: true, most_rows_bytes: 256 << 20, most_bytes: 8 << 30 };
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

/// Leaves what is to be kept of what `commit` makes. That it cannot is no error: then proofs take longer.
pub fn write(
    package: &Path,
    shape: &Shape,
    keep: &Keep,
    commit: impl FnOnce(Take) -> Result<MerkleTree, Error>,
) -> Result<(MerkleTree, Kept), Error> {
    let begin = |kind| Part::new(package, shape, kind, keep.most_bytes);
    let with_rows = keep.tree && shape.bytes(Kind::Rows) <= keep.most_rows_bytes;
    let (tree, rows) = match with_rows.then(|| begin(Kind::Rows)) {
        Some(Ok(part)) => write_beside(part, commit)?,
        begun => (commit(&mut |_| ())?, begun),
    };
    let nodes = |part: Part| part.with(|file| write_tree(file, &tree));
    let mut kept = Kept::default();
    let mut finish =
        |part: io::Result<Part>| match part.and_then(|part| part.finish(package, shape, &tree.root())) {
            Ok(Kind::Tree) => kept.tree = Some(shape.bytes(Kind::Tree)),
            Ok(Kind::Rows) => kept.rows = Some(shape.bytes(Kind::Rows)),
            Err(error) => kept.missing = Some(error.to_string()),
        };
    if let Some(part) = rows {
        finish(part);
    }
    // Only now: there is one lock.
    if keep.tree {
        finish(begin(Kind::Tree).and_then(nodes));
    }
    Ok((tree, kept))
}

type Columns = Vec<Arc<BaseColumn>>;

/// Writes each batch of columns while the next one is made.
fn write_beside(
    part: Part,
    commit: impl FnOnce(Take) -> Result<MerkleTree, Error>,
) -> Result<(MerkleTree, Option<io::Result<Part>>), Error> {
    let (sender, receiver) = sync_channel(0);
    let writer = thread::spawn(|| write_batches(part, receiver));
    // Once nobody receives, the writer has an error to tell.
    let tree = commit(&mut |columns| drop(sender.send(columns.to_vec())));
    drop(sender);
    let part = writer.join().expect("writing does not panic");
    Ok((tree?, Some(part)))
}

fn write_batches(mut part: Part, batches: Receiver<Columns>) -> io::Result<Part> {
    for columns in batches {
        part = part.with(|file| {
            write_rows(file, &columns)?;
            // What is on its way to the disk now need not be waited for in the end.
            file.sync_data()
        })?;
    }
    Ok(part)
}

/// A file that is not whole yet, and is removed if it does not become so.
struct Part {
    path: PathBuf,
    kind: Kind,
    file: File,
    /// The lock of the folder goes with the descriptor, whatever becomes of the process.
    folder: File,
}

impl Part {
    /// Waits until nobody else writes. A full disk shows before hours of writing; where the file system knows no such thing, it
    /// shows later.
    fn new(package: &Path, shape: &Shape, kind: Kind, most_bytes: u64) -> io::Result<Self> {
        let path = package.join(part_name(kind));
        let begin = || {
            let folder = File::open(package)?;
            flock(&folder, FlockOperation::LockExclusive)?;
            // Rows are of no use without the tree, which is written last.
            let tree = if kind == Kind::Rows { shape.bytes(Kind::Tree) } else { 0 };
            make_room(package, shape.bytes(kind) + tree, most_bytes)?;
            let file = File::create(&path)?;
            let part = Part { path: path.clone(), kind, file, folder };
            match fallocate(&part.file, FallocateFlags::empty(), 0, shape.bytes(kind)) {
                Err(rustix::io::Errno::NOSPC) => return Err(rustix::io::Errno::NOSPC.into()),
                _ => (&part.file).write_all(&[0; HEADER as usize])?,
            }
            Ok(part)
        };
        begin().map_err(|error| within(&path, error))
    }

    fn with(mut self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        write(&mut self.file).map_err(|error| within(&self.path, error))?;
        Ok(self)
    }

    /// Gives it its header and name.
    fn finish(self, package: &Path, shape: &Shape, root: &[u8; 32]) -> io::Result<Kind> {
        let end = || {
            self.file.write_all_at(&shape.header(root, self.kind), 0)?;
            self.file.sync_all()?;
            fs::rename(&self.path, shape.path(package, root, self.kind))?;
            self.folder.sync_all().map(|()| self.kind)
        };
        end().map_err(|error| within(&self.path, error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // With its name it is no part.
        let _ = fs::remove_file(&self.path);
    }
}

fn within(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}

/// Removes what writers that died have left, and the oldest files, of other columns or parameters, until `bytes` more fit.
fn make_room(folder: &Path, bytes: u64, most_bytes: u64) -> io::Result<()> {
    let (mut total, mut others): (u64, Vec<(SystemTime, u64, PathBuf)>) = (bytes, Vec::new());
    if bytes > most_bytes {
        return Err(io::Error::other(format!("{bytes} bytes are more than the {most_bytes} allowed")));
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match suffix(&path) {
            // The lock is ours, so nobody writes it.
            Some("part") => fs::remove_file(&path)?,
            Some("tree" | "rows") => {
                let metadata = fs::metadata(&path)?;
                total += metadata.len();
                others.push((metadata.modified()?, metadata.len(), path));
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
    Ok(())
}

fn write_tree(file: &mut impl Write, tree: &MerkleTree) -> io::Result<()> {
    for nodes in tree.0.iter().flat_map(|layer| layer.chunks(1 << 15)) {
        let bytes: Vec<u8> = nodes.iter().flat_map(|node| node.0).collect();
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// What there is of the files of a package must be what `commit` makes, whose root must be this one. Says what there is.
pub fn check(
    package: &Path,
    shape: &Shape,
    root: &[u8; 32],
    commit: impl FnOnce(Take) -> Result<MerkleTree, Error>,
) -> Result<Kept, Error> {
    let open = |kind| shape.open(package, root, kind);
    let (rows, nodes) = (open(Kind::Rows)?, open(Kind::Tree)?);
    let mut compare = rows.as_ref().map(Source::compare);
    let mut same = Ok(());
    let tree = commit(&mut |columns| {
        if let (Some(compare), true) = (&mut compare, same.is_ok()) {
            same = write_rows(compare, columns);
        }
    })?;
    if let Some(rows) = &rows {
        same.map_err(|error| rows.damaged(error))?;
    }
    if let Some(nodes) = &nodes {
        write_tree(&mut nodes.compare(), &tree).map_err(|error| nodes.damaged(error))?;
    }
    let bytes = |file: Option<Source>, kind| file.map(|_| shape.bytes(kind));
    Ok(Kept { tree: bytes(nodes, Kind::Tree), rows: bytes(rows, Kind::Rows), missing: None })
}

/// A batch, row by row.
fn write_rows(file: &mut impl Write, columns: &[Arc<BaseColumn>]) -> io::Result<()> {
    /// Cache lines of a column that are read at a time.
    const RUN: usize = 64;
    let columns: Vec<&[u32]> = columns.iter().map(|column| cast_slice(&column.data)).collect();
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
        file.write_all(cast_slice(words))?;
    }
    Ok(())
}
