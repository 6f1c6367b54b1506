//! Who reads what in a circuit: all that a forger knows of it. No names are looked at.

use std::collections::{BTreeMap, BTreeSet};

use lindero_package::{fill_order, schedule, Circuit, Error, Generator, Node, NodeId};

/// Table and column.
pub type Place = (usize, usize);

pub struct Structure<'a> {
    pub circuit: &'a Circuit,
    /// Phase and columns, in the order in which they are filled.
    pub batches: Vec<(usize, Vec<Place>)>,
    /// Generated columns that read a column.
    readers: BTreeMap<Place, Vec<Place>>,
    /// Per table and constraint, the columns that it reads.
    pub constraints: Vec<Vec<(NodeId, BTreeSet<usize>)>>,
    /// Per sum group, the last phase of a column whose claimed sum is in it; 0 without claimed sums.
    pub last_phase: Vec<usize>,
}

impl<'a> Structure<'a> {
    pub fn new(circuit: &'a Circuit) -> Result<Self, Error> {
        let columns_of = |roots: &[NodeId]| -> BTreeSet<usize> {
            let read = |node: NodeId| match circuit.nodes[node as usize] {
                Node::Column { column, .. } => Some(column),
                _ => None,
            };
            schedule(circuit, roots).into_iter().filter_map(read).collect()
        };
        let mut batches = Vec::new();
        for phase in [2, 3] {
            batches.extend(fill_order(circuit, phase)?.into_iter().map(|batch| (phase, batch)));
        }
        let mut readers: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        let mut last_phase = vec![0; circuit.sum_groups.len()];
        for &place in batches.iter().flat_map(|(_, batch)| batch) {
            let column = &circuit.tables[place.0].columns[place.1];
            let generator = column.generator.as_ref().expect("the order lists generated columns");
            let mut sources: Vec<Place> =
                columns_of(&generator.roots()).into_iter().map(|column| (place.0, column)).collect();
            if let Generator::Gather { sources: gathered, .. } = generator {
                sources.extend(gathered.iter().map(|of| (of.table as usize, of.column as usize)));
            }
            sources.into_iter().for_each(|source| readers.entry(source).or_default().push(place));
            if let Generator::RunningFraction { claimed_sum, .. } = *generator {
                let last = &mut last_phase[circuit.claimed_sums[claimed_sum].group as usize];
                *last = column.phase.max(*last);
            }
        }
        let constraints = circuit.tables.iter().map(|table| {
            table
                .constraints
                .iter()
                .map(|constraint| (constraint.node, columns_of(&[constraint.node])))
                .collect()
        });
        Ok(Structure { circuit, batches, readers, constraints: constraints.collect(), last_phase })
    }

    /// The offsets at which a table's constraints read columns of a cone. A sum along the rows is one of steps here: the row
    /// before is the same step's.
    pub fn offsets(&self, table: usize, cone: &BTreeSet<Place>) -> BTreeSet<i32> {
        let is_sum = |column: usize| {
            matches!(
                self.circuit.tables[table].columns[column].generator,
                Some(Generator::Scan { .. } | Generator::RunningFraction { .. })
            )
        };
        let roots: Vec<NodeId> = self.constraints[table].iter().map(|&(node, _)| node).collect();
        let offset = |node: NodeId| match self.circuit.nodes[node as usize] {
            Node::Column { column, offset, .. } if cone.contains(&(table, column)) && !is_sum(column) => {
                Some(offset)
            }
            _ => None,
        };
        schedule(self.circuit, &roots).into_iter().filter_map(offset).chain([0]).collect()
    }

    pub fn phase(&self, place: Place) -> usize {
        self.circuit.tables[place.0].columns[place.1].phase
    }

    /// Whether a group has a claimed sum of a column that comes after this phase.
    pub fn is_later(&self, group: u32, phase: usize) -> bool {
        self.last_phase[group as usize] > phase
    }

    pub fn generator(&self, place: Place) -> &'a Generator {
        self.circuit.tables[place.0].columns[place.1].generator.as_ref().expect("a column of phase 2 or 3")
    }

    /// The generated columns of a phase.
    pub fn places(&self, phase: usize) -> impl Iterator<Item = Place> + '_ {
        let of_phase = self.batches.iter().filter(move |(of, _)| *of == phase);
        of_phase.flat_map(|(_, batch)| batch.iter().copied())
    }

    /// The columns and all whose values follow from theirs.
    pub fn cone(&self, places: impl Iterator<Item = Place>) -> BTreeSet<Place> {
        let (mut cone, mut waiting) = (BTreeSet::new(), places.collect::<Vec<_>>());
        while let Some(place) = waiting.pop() {
            if cone.insert(place) {
                waiting.extend(self.readers.get(&place).into_iter().flatten());
            }
        }
        cone
    }

    /// Whether a row is in no instance of a table that has some.
    pub fn is_padding(&self, table: usize, row: usize) -> bool {
        let instances = &self.circuit.tables[table].instances;
        !instances.is_empty()
            && !instances
                .iter()
                .any(|i| (i.first_row as usize..i.first_row as usize + i.rows as usize).contains(&row))
    }
}
