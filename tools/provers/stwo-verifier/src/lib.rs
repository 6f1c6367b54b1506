//! Verifies a proof with the key alone.
//!
//! [`verify`] takes a key, which [`KeySet`] finds in `model.key`, and the bytes of a proof and returns what was proven. It builds without
//! the prover, on stable Rust. The prover shares [`Layout`] (which column stands where in which tree),
//! [`transcript`] (what is absorbed and drawn, in which order), [`TableAir`] (the constraints as Stwo's
//! `Component`) and [`codec`] (the bytes of a proof), so that the two sides cannot drift apart.
//!
//! Trees: 0 fixed columns, then one per phase that has columns. An extension column is four base columns.

mod air;
pub mod channel;
pub mod codec;
mod degrees;
mod key;
mod layout;
mod parameters;
mod proximity;
mod regime;
pub mod security;
mod sums;
mod target;
pub mod transcript;
mod values;
mod verify;

pub use air::TableAir;
pub use key::{check_circuit, Key, KeyParts, KeySet, Member, BACKEND, KEY_FORMAT, PROOF_FORMAT};
pub use layout::{FixedColumn, Layout};
pub use lindero_package::Error;
pub use parameters::Parameters;
pub use sums::{check_sums, fingerprints, sums};
pub use target::Target;
pub use values::{uniform_values, Values};
pub use verify::{verify, Verdict};
