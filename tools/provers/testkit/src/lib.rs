//! Circuits built by hand, with a witness: what the provers are tested on.
//!
//! [`Builder`] writes the messages of `circuit.proto` and collects the columns; [`samples`] has circuits that
//! together use every operation and generator.

mod builder;
pub mod samples;

pub use builder::{Builder, NamedEnd, Sample};
