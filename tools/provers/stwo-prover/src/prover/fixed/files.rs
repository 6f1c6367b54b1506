//! Files of tree 0, which setup leaves beside a package: with them, no proof commits the fixed columns again.
//!
//! Their names say what they hold: `fixed-ROOT-bBLOWUP-vFORMAT`, with `.tree` for the Merkle tree, layer by layer from the root on,
//! and `.rows` for the extended columns: in batches of columns, by ascending height, each row by row in the order of its domain.
//! Words are little-endian. A header says the same as the name, and what is read is checked against the root, so that damage is an
//! error. Nothing but time is lost with a file: what is not there is computed.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lindero_package::{Circuit, Error};
use lindero_stwo_verifier::{Layout, Member, Parameters};
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::vcs::blake2_hash::Blake2sHash;

use super::columns::{by_height, lowered};
use super::tree::Layers;
use super::Rows;

const PREFIX: &str = "fixed-";
const FORMAT: u32 = 2;
const MAGIC: &[u8; 16] = b"lindero fixed\0\0\0";
pub const HEADER: u64 = 64;
const NODE: u64 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tree,
    Rows,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Kind::Tree => "tree",
            Kind::Rows => "rows",
        }
    }
}

/// The name of a file of this process while it is written.
pub fn part_name(kind: Kind) -> String {
    format!("{PREFIX}{}.{}.part", std::process::id(), kind.suffix())
}

/// How a name ends, if it is that of such a file, whole or not.
pub fn suffix(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    name.starts_with(PREFIX).then(|| path.extension()?.to_str()).flatten()
}

/// What of a batch's extended columns is in memory at a time, and read at a time for a row of them.
const BATCH_BYTES: usize = 256 << 20;
/// However tall they are.
const LEAST_COLUMNS: usize = 16;

/// Some columns of the same height.
pub struct Batch<'a> {
    /// log2 of the rows when extended.
    pub log_rows: u32,
    pub columns: &'a [usize],
}

impl Batch<'_> {
    fn row_bytes(&self) -> usize {
        4 * self.columns.len()
    }

    fn bytes(&self) -> u64 {
        (self.row_bytes() as u64) << self.log_rows
    }
}

/// What follows from circuit and parameters.
pub struct Shape {
    log_blowup: u32,
    max_log_height: u32,
    columns: usize,
    /// By ascending height, its columns.
    groups: Vec<(u32, Vec<usize>)>,
}

impl Shape {
    pub fn new(circuit: &Circuit, layout: &Layout, parameters: &Parameters) -> Self {
        Shape {
            log_blowup: parameters.log_blowup,
            max_log_height: layout.max_log_height,
            columns: layout.fixed.len(),
            groups: by_height(circuit, layout).into_iter().collect(),
        }
    }

    pub fn of_member(member: &Member) -> Self {
        Shape::new(&member.circuit, &member.layout, &member.parameters)
    }

    /// In the order of leaves.
    pub fn batches(&self) -> Vec<Batch<'_>> {
        let mut batches = Vec::new();
        for (log_height, columns) in &self.groups {
            let log_rows = log_height + self.log_blowup;
            let most = LEAST_COLUMNS.max(BATCH_BYTES >> (log_rows + 2));
            batches.extend(columns.chunks(most).map(|columns| Batch { log_rows, columns }));
        }
        batches
    }

    pub fn path(&self, package: &Path, root: &[u8; 32], kind: Kind) -> PathBuf {
        let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
        package.join(format!("{PREFIX}{root}-b{}-v{FORMAT}.{}", self.log_blowup, kind.suffix()))
    }

    pub fn log_lifted(&self) -> u32 {
        self.max_log_height + self.log_blowup
    }

    /// Of a whole file.
    pub fn bytes(&self, kind: Kind) -> u64 {
        HEADER
            + match kind {
                Kind::Tree => NODE * ((2u64 << self.log_lifted()) - 1),
                Kind::Rows => self.batches().iter().map(Batch::bytes).sum(),
            }
    }

    pub fn header(&self, root: &[u8; 32], kind: Kind) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        for word in [FORMAT, kind as u32, self.log_blowup, self.log_lifted()] {
            header.extend(word.to_le_bytes());
        }
        header.extend(root);
        header
    }

    /// The file, if it is there; an error if it is not what its name says.
    pub fn open(&self, package: &Path, root: &[u8; 32], kind: Kind) -> Result<Option<Source>, Error> {
        let path = self.path(package, root, kind);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::new(format!("cannot open {}: {error}", path.display()))),
        };
        let source = Source { file, path };
        let expected = self.bytes(kind);
        let length = source.file.metadata().map_err(|error| source.damaged(error))?.len();
        if length != expected {
            return Err(source.damaged(format!("it has {length} bytes instead of {expected}")));
        }
        if source.read(0, HEADER as usize)? != self.header(root, kind) {
            return Err(source.damaged("its header is of another file"));
        }
        Ok(Some(source))
    }
}

/// A file that is read in places. Not mapped: if it is cut off while it is read, that is an error.
pub struct Source {
    file: File,
    path: PathBuf,
}

impl Source {
    fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, Error> {
        let mut read = vec![0; bytes];
        self.file.read_exact_at(&mut read, offset).map_err(|error| self.damaged(error))?;
        Ok(read)
    }

    /// What is written to it must be what the file has after its header.
    pub fn compare(&self) -> Compare<'_> {
        Compare { source: self, place: HEADER }
    }

    pub fn damaged(&self, why: impl std::fmt::Display) -> Error {
        Error::new(format!(
            "{} is damaged: {why}; without it, the fixed columns are computed, and `lindero compile` makes it anew",
            self.path.display()
        ))
    }
}

pub struct Compare<'a> {
    source: &'a Source,
    place: u64,
}

impl Write for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut read = vec![0; bytes.len()];
        self.source.file.read_exact_at(&mut read, self.place)?;
        if read != bytes {
            return Err(io::Error::other(format!("its content differs after {} bytes", self.place)));
        }
        self.place += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Files of the key's fixed columns.
pub struct FixedFiles {
    shape: Shape,
    tree: Source,
    rows: Option<Source>,
}

impl FixedFiles {
    /// Those of a package, if its tree is there.
    pub fn open(package: &Path, member: &Member) -> Result<Option<Self>, Error> {
        let shape = Shape::of_member(member);
        let root = &member.fixed_root;
        let Some(tree) = shape.open(package, root, Kind::Tree)? else { return Ok(None) };
        let rows = shape.open(package, root, Kind::Rows)?;
        let files = FixedFiles { shape, tree, rows };
        if files.node(0, 0)?.0 != member.fixed_root {
            return Err(files.tree.damaged("its root is not the key's"));
        }
        Ok(Some(files))
    }

    /// Without the rows, which are computed where they are needed.
    pub fn without_rows(self) -> Self {
        FixedFiles { rows: None, ..self }
    }

    pub fn has_rows(&self) -> bool {
        self.rows.is_some()
    }
}

impl Layers for FixedFiles {
    fn log_size(&self) -> u32 {
        self.shape.log_lifted()
    }

    fn node(&self, layer: u32, index: usize) -> Result<Blake2sHash, Error> {
        let place = (1u64 << layer) - 1 + index as u64;
        let node = self.tree.read(HEADER + NODE * place, NODE as usize)?;
        Ok(Blake2sHash(node.try_into().expect("a node was read")))
    }

    fn damage(&self) -> Error {
        let rows = self.rows.as_ref().map(|rows| format!(", or {}", rows.path.display()));
        self.tree.damaged(format!("this{}, or fixed.bin is not as it was made", rows.unwrap_or_default()))
    }
}

impl Rows for FixedFiles {
    fn open(&self, positions: &[usize]) -> Result<Option<Vec<Vec<BaseField>>>, Error> {
        let Some(source) = &self.rows else { return Ok(None) };
        let mut values = vec![Vec::with_capacity(positions.len()); self.shape.columns];
        let mut begin = HEADER;
        for batch in self.shape.batches() {
            let shift = self.shape.log_lifted() - batch.log_rows;
            for &position in positions {
                let offset = begin + (batch.row_bytes() * lowered(position, shift)) as u64;
                let row = source.read(offset, batch.row_bytes())?;
                for (&column, word) in batch.columns.iter().zip(row.chunks_exact(4)) {
                    let value = u32::from_le_bytes(word.try_into().expect("words have four bytes"));
                    if value >= P {
                        return Err(source.damaged("a value is no residue"));
                    }
                    values[column].push(BaseField::from_u32_unchecked(value));
                }
            }
            begin += batch.bytes();
        }
        Ok(Some(values))
    }
}
