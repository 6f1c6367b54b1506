//! The rules of lookups and providers, F20 and F21.

use std::collections::{BTreeSet, HashSet};

use crate::circuit::{Circuit, NodeId, Table};
use crate::cones::Cones;
use crate::error::Error;
use crate::format_rules::{obey, Rule};
use crate::proto;

/// An offset that says: this provider does not hold the tuple.
const NOT_HERE: i64 = -(1 << 40);

/// Multiplicities and tuples; their nodes exist.
pub(crate) fn lookups(circuit: &Circuit, table: &Table, own: impl Fn(NodeId) -> bool) -> Result<(), Error> {
    let mut counted = HashSet::new();
    for lookup in &table.lookups {
        let name = &lookup.name;
        obey!(
            OneTable,
            lookup.tuple.iter().chain([&lookup.multiplicity]).all(|&node| own(node)),
            "lookup {name} reads another table"
        );
        let Some(bus) = circuit.buses.get(lookup.bus as usize) else {
            return Err(Error::of(Rule::Lookups, format!("lookup {name} names bus {}", lookup.bus)));
        };
        obey!(
            Lookups,
            bus.width as usize == lookup.tuple.len(),
            "lookup {name} has a tuple of {}, its bus of {}",
            lookup.tuple.len(),
            bus.width
        );
        obey!(
            Lookups,
            !circuit.facts(lookup.multiplicity).extension,
            "the multiplicity of lookup {name} reads more than phases 0 and 1"
        );
        for facts in lookup.tuple.iter().map(|&node| circuit.facts(node)) {
            obey!(
                Lookups,
                facts.ready <= bus.phase as usize && !facts.claimed_sums,
                "the tuple of lookup {name} reads what is not known in phase {}",
                bus.phase
            );
        }
        if lookup.provide {
            provider(table, lookup, circuit.modulus)
                .map_err(|error| error.within(format!("lookup {name}")))?;
            obey!(
                Providers,
                counted.insert(lookup.multiplicity_column),
                "lookup {name} shares its column of multiplicities"
            );
        }
    }
    Ok(())
}

fn provider(table: &Table, lookup: &proto::Lookup, modulus: u32) -> Result<(), Error> {
    let width = lookup.tuple.len() as u32;
    obey!(
        Providers,
        table.columns_of_phase(1).contains(&(lookup.multiplicity_column as usize)),
        "column {} of multiplicities is not of phase 1",
        lookup.multiplicity_column
    );
    obey!(
        Providers,
        lookup.key < width && (!lookup.has_selector || lookup.selector < width),
        "key or selector are not in the tuple"
    );
    obey!(
        Providers,
        lookup.offsets.len() == 1 || lookup.has_selector && !lookup.offsets.is_empty(),
        "{} offsets: one is needed without a selector, at least one with it",
        lookup.offsets.len()
    );
    let modulus = modulus as i64;
    for &offset in &lookup.offsets {
        obey!(
            Providers,
            offset == NOT_HERE || (-modulus..=modulus).contains(&offset),
            "offset {offset} is larger than the field"
        );
    }
    Ok(())
}

/// What finds a provider's row is known before any challenge, in the tuples that are looked up, too.
pub(crate) fn keys_of_providers(circuit: &Circuit) -> Result<(), Error> {
    let mut keys = vec![BTreeSet::new(); circuit.buses.len()];
    let lookups = || circuit.tables.iter().flat_map(|table| table.lookups.iter().map(move |of| (table, of)));
    for (_, lookup) in lookups().filter(|(_, lookup)| lookup.provide) {
        keys[lookup.bus as usize].insert(lookup.key);
        keys[lookup.bus as usize].extend(lookup.has_selector.then_some(lookup.selector));
    }
    for (table, lookup) in lookups() {
        for &key in &keys[lookup.bus as usize] {
            obey!(
                Providers,
                !circuit.facts(lookup.tuple[key as usize]).extension,
                "table {}: lookup {}: component {key}, which finds the provider's row, reads more than phases 0 and 1",
                table.name,
                lookup.name
            );
        }
    }
    Ok(())
}

/// Multiplicities are counted from the lookups, so no lookup reads a column of them.
pub(crate) fn multiplicities_are_counted(cones: &mut Cones, index: usize) -> Result<(), Error> {
    let table = &cones.circuit.tables[index];
    let (providers, readers): (Vec<_>, Vec<_>) = table.lookups.iter().partition(|lookup| lookup.provide);
    let counted: HashSet<_> = providers.iter().map(|lookup| lookup.multiplicity_column as usize).collect();
    let roots: Vec<NodeId> = readers
        .iter()
        .flat_map(|lookup| lookup.tuple.iter().chain([&lookup.multiplicity]))
        .copied()
        .collect();
    for column in cones.reads(&roots)?.each_column() {
        obey!(
            Lookups,
            !counted.contains(&column),
            "a lookup reads the multiplicities {}",
            table.columns[column].name
        );
    }
    Ok(())
}
