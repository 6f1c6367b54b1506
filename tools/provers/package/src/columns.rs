//! The files of columns, `fixed.bin` and `trace.bin`: memory-mapped, one slice per column.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

use crate::circuit::Circuit;
use crate::error::{ensure, Error};
use crate::format_rules::obey;

/// The columns of one phase of all tables. Values are as the file has them: whoever loads a column checks
/// that its values are below the modulus. A file that shrinks while it is mapped makes the process fail, as
/// with any mapped file.
pub struct ColumnFile {
    map: Option<Mmap>,
    /// Per table, of the phase's columns: the table's column indices, and where their words begin.
    columns: Vec<(Range<usize>, usize)>,
    heights: Vec<usize>,
}

impl ColumnFile {
    pub fn open(path: &Path, circuit: &Circuit, phase: usize) -> Result<Self, Error> {
        ensure!(
            cfg!(target_endian = "little"),
            "column files are read in place, which needs a little-endian machine"
        );
        let mut words = 0usize;
        let mut columns = Vec::new();
        for table in &circuit.tables {
            let range = table.columns_of_phase(phase);
            columns.push((range.clone(), words));
            words += range.len() * table.height();
        }
        let fail = |error: std::io::Error| Error::new(format!("cannot read {}: {error}", path.display()));
        let file = File::open(path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        obey!(
            ColumnFiles,
            length == 4 * words as u64,
            "{} has {length} bytes, the circuit's columns of phase {phase} take {}: it belongs to another circuit",
            path.display(),
            4 * words as u64
        );
        // SAFETY: the mapping is private and read-only; a concurrent truncation is the documented limit of
        // the type.
        let map = if words == 0 { None } else { Some(unsafe { Mmap::map(&file) }.map_err(fail)?) };
        let heights = circuit.tables.iter().map(|table| table.height()).collect();
        Ok(ColumnFile { map, columns, heights })
    }

    /// The values of a column of this file's phase, by its index in the table.
    pub fn column(&self, table: usize, column: usize) -> &[u32] {
        let (range, first) = &self.columns[table];
        assert!(range.contains(&column), "column {column} of table {table} is not in this file");
        let begin = first + (column - range.start) * self.heights[table];
        let bytes = self.map.as_deref().unwrap_or_default();
        bytemuck::cast_slice(&bytes[4 * begin..4 * (begin + self.heights[table])])
    }
}
