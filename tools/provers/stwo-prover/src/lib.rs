//! Proves and verifies circuit packages with Stwo. The program's verbs are functions here; see `main.rs` for
//! the command line.

#![cfg_attr(feature = "prover", feature(portable_simd))]

pub mod damage;
pub mod files;
pub mod progress;
#[cfg(feature = "prover")]
pub mod prover;
