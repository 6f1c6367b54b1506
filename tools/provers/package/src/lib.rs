//! Reads a Lindero circuit package: what is proven together (`bundle.pb`), of each member the circuit (`circuit.pb`) and the
//! fixed columns (`fixed.bin`), a witness (`trace.bin`) and the public part of a claim. It knows no prover and no field arithmetic: values stay canonical
//! residues.
//!
//! Everything is checked when it is read, so that code which walks a [`Circuit`] may index without looking:
//! nodes name earlier nodes, columns exist, a value is available in the phase that reads it, constraints have
//! degree at most 3. Opening costs time linear in `circuit.pb`; columns are memory-mapped, not read.
//!
//! ```no_run
//! # fn main() -> Result<(), lindero_package::Error> {
//! let package = lindero_package::Package::open("gpt.lindero".as_ref())?;
//! for (member, files) in package.bundle.members.iter().zip(&package.files) {
//!     for (index, table) in member.circuit.tables.iter().enumerate() {
//!         println!("{}: 2^{} rows", table.name, table.log_height);
//!         for column in table.columns_of_phase(0) {
//!             let _values: &[u32] = files.fixed.column(index, column);
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod bundle;
mod canonical;
mod circuit;
mod columns;
mod cones;
mod error;
mod facts;
mod format_rules;
mod order;
mod package;
mod points;
mod rules;
mod statement;
mod validate;
mod validate_lookups;
mod validate_names;
mod validate_publics;

/// The messages as generated from the .proto files, which document every field.
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/lindero.rs"));
}

pub use bundle::{bundle_of_one, Bundle, End, Member, BUNDLE_FORMAT, WHOLE};
pub use canonical::{decode_canonical, digest, encode, ensure_field_count};
pub use circuit::{Circuit, Column, Constraint, Generator, Node, NodeId, Table, LAST_PHASE};
pub use columns::ColumnFile;
pub use cones::Work;
pub use error::Error;
pub use facts::{NodeFacts, Scope};
pub use format_rules::Rule;
pub use order::{fill_order, schedule, Scheduler};
pub use package::{MemberFiles, Package};
pub use statement::{Opening, PublicPart, Stated, StatedTensor, Statement};
pub use validate::CIRCUIT_FORMAT;
