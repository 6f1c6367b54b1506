//! Proves and verifies circuit packages with Stwo. The program's verbs are functions here; see `main.rs` for
//! the command line.

pub mod damage;
pub mod progress;
#[cfg(feature = "prover")]
pub mod prover;
