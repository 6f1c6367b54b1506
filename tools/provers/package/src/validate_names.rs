//! The rule of names, F3.

use std::collections::HashSet;

use crate::circuit::Circuit;
use crate::error::Error;
use crate::format_rules::obey;
use crate::proto;

/// Names label messages: none is empty, and no two are equal where something is called by them.
pub(crate) fn names(circuit: &Circuit, tables: &[proto::Table]) -> Result<(), Error> {
    fn unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
        let mut seen = HashSet::new();
        for name in names {
            obey!(Names, !name.is_empty(), "{what} without a name");
            obey!(Names, seen.insert(name), "{what} have the name {name:?} twice");
        }
        Ok(())
    }
    fn given<'a>(what: &str, mut names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
        obey!(Names, names.all(|name| !name.is_empty()), "{what} without a name");
        Ok(())
    }
    unique("tables", tables.iter().map(|of| &of.name))?;
    unique("challenges", circuit.challenges.iter().map(|of| &of.name))?;
    unique("buses", circuit.buses.iter().map(|of| &of.name))?;
    unique("sum groups", circuit.sum_groups.iter().map(|of| &of.name))?;
    unique("public tensors", circuit.publics.iter().map(|of| &of.name))?;
    unique("segments", circuit.segments.iter().map(|of| &of.name))?;
    given("claimed sums", circuit.claimed_sums.iter().map(|of| &of.name))?;
    for table in tables {
        let within = |error: Error| error.within(format!("table {}", table.name));
        unique("columns", table.columns.iter().map(|of| &of.name)).map_err(within)?;
        given("constraints", table.constraints.iter().map(|of| &of.name)).map_err(within)?;
        given("lookups", table.lookups.iter().map(|of| &of.name)).map_err(within)?;
    }
    Ok(())
}
