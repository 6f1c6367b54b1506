//! Which column stands where in which commitment tree, and at which points it is opened.

use std::collections::{BTreeMap, BTreeSet};

use lindero_package::{Circuit, Node, NodeId, Scheduler, Scope, Table};

/// A column of tree 0. All follow from the circuit and `fixed.bin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FixedColumn {
    /// A column of phase 0, moved by `offset` rows: row i holds row i + offset, cyclically. Stwo opens tree 0
    /// at one point only, so a neighbouring row is a column of its own.
    Table {
        table: usize,
        column: usize,
        offset: i32,
    },
    /// 1 on row 0 of 2^log_height; shared by the tables of that height.
    IsFirst {
        log_height: u32,
    },
    IsLast {
        log_height: u32,
    },
}

/// The columns of a table in one tree other than 0.
#[derive(Clone, Debug)]
struct Span {
    tree: usize,
    /// Of the first base column of the table in the tree.
    first: usize,
    /// Index of the first column in the table; the next ones follow.
    first_column: usize,
    /// Base columns per column.
    width: usize,
}

pub struct Layout {
    pub max_log_height: u32,
    /// Tree 0.
    pub fixed: Vec<FixedColumn>,
    fixed_index: BTreeMap<FixedColumn, usize>,
    /// Per tree, the log heights of its base columns.
    pub log_heights: Vec<Vec<u32>>,
    /// Per phase, its tree; phases without columns have none.
    pub tree_of_phase: [Option<usize>; 4],
    spans: Vec<Vec<Option<Span>>>,
    /// Per table and column, the row offsets at which a column outside tree 0 is opened.
    openings: Vec<Vec<Vec<i32>>>,
    /// Per table, the nodes that its constraints need, ascending, so that operands come first. Without uniform nodes, which all
    /// tables share.
    pub schedules: Vec<Vec<NodeId>>,
    /// Per table, the indices in tree 0 that belong to it.
    pub fixed_of_table: Vec<Vec<usize>>,
}

impl Layout {
    pub fn new(circuit: &Circuit) -> Self {
        let mut scheduler = Scheduler::new(circuit);
        let schedules: Vec<Vec<NodeId>> =
            circuit.tables.iter().map(|table| constraint_nodes(circuit, &mut scheduler, table)).collect();
        let max_log_height = circuit.max_log_height();
        let (fixed, fixed_of_table) = fixed_columns(circuit, &schedules);
        let fixed_index: BTreeMap<_, _> =
            fixed.iter().enumerate().map(|(index, &column)| (column, index)).collect();
        let mut log_heights = vec![fixed.iter().map(|column| column.log_height(circuit)).collect::<Vec<_>>()];
        let mut tree_of_phase = [Some(0), None, None, None];
        let mut spans = vec![vec![None; 4]; circuit.tables.len()];
        for phase in 1..4 {
            let mut heights = Vec::new();
            for (index, table) in circuit.tables.iter().enumerate() {
                let columns = table.columns_of_phase(phase);
                let width = if phase >= 2 { circuit.extension_degree as usize } else { 1 };
                let span = Span {
                    tree: log_heights.len(),
                    first: heights.len(),
                    first_column: columns.start,
                    width,
                };
                spans[index][phase] = Some(span);
                heights.extend(std::iter::repeat_n(table.log_height, columns.len() * width));
            }
            if !heights.is_empty() {
                tree_of_phase[phase] = Some(log_heights.len());
                log_heights.push(heights);
            }
        }
        let openings = openings(circuit, &schedules);
        Layout {
            max_log_height,
            fixed,
            fixed_index,
            log_heights,
            tree_of_phase,
            spans,
            openings,
            schedules,
            fixed_of_table,
        }
    }

    /// Trees before the composition polynomial's.
    pub fn trees(&self) -> usize {
        self.log_heights.len()
    }

    /// That of phase 1: a circuit of [`crate::check_circuit`] has main columns.
    pub fn main_tree(&self) -> usize {
        self.tree_of_phase[1].expect("there are main columns")
    }

    /// Tree and index of the first base column of a column outside tree 0.
    pub fn position(&self, circuit: &Circuit, table: usize, column: usize) -> (usize, usize) {
        let phase = circuit.tables[table].columns[column].phase;
        let span = self.spans[table][phase].as_ref().expect("phases 1 to 3 have a span");
        (span.tree, span.first + (column - span.first_column) * span.width)
    }

    /// Index in tree 0 of a column that the circuit reads.
    pub fn fixed_position(&self, column: FixedColumn) -> usize {
        self.fixed_index[&column]
    }

    /// Row offsets at which a column of phase 1 to 3 is opened, ascending, 0 among them.
    ///
    /// In Stwo a column of a short table is a polynomial of full degree that an honest prover makes periodic.
    /// Every row of a cheating prover's copies satisfies the local constraints, so that one period is a
    /// witness. Where a neighbouring row is read, the copies must be equal, or a running sum could be wrong
    /// in each period and right on average: Stwo checks the period of columns that are opened at exactly two
    /// points; for those opened at three, see [`Layout::opens_period`].
    pub fn openings(&self, table: usize, column: usize) -> &[i32] {
        &self.openings[table][column]
    }

    /// Whether a column is opened once more, one period of its table away from offset 0. The verifier
    /// requires both values to be equal.
    pub fn opens_period(&self, circuit: &Circuit, table: usize, column: usize) -> bool {
        self.openings[table][column].len() == 3 && circuit.tables[table].log_height < self.max_log_height
    }

    /// Per tree and base column, how many values are opened out of domain; the composition polynomial's 8
    /// columns last.
    pub fn sample_counts(&self, circuit: &Circuit) -> Vec<Vec<usize>> {
        let mut counts: Vec<Vec<usize>> = self.log_heights.iter().map(|tree| vec![1; tree.len()]).collect();
        for (table_index, table) in circuit.tables.iter().enumerate() {
            for phase in 1..4 {
                let width = if phase >= 2 { circuit.extension_degree as usize } else { 1 };
                for column in table.columns_of_phase(phase) {
                    let (tree, first) = self.position(circuit, table_index, column);
                    let period = self.opens_period(circuit, table_index, column) as usize;
                    counts[tree][first..first + width]
                        .fill(self.openings[table_index][column].len() + period);
                }
            }
        }
        counts.push(vec![1; 2 * circuit.extension_degree as usize]);
        counts
    }
}

impl FixedColumn {
    pub fn log_height(&self, circuit: &Circuit) -> u32 {
        match *self {
            FixedColumn::Table { table, .. } => circuit.tables[table].log_height,
            FixedColumn::IsFirst { log_height } | FixedColumn::IsLast { log_height } => log_height,
        }
    }
}

fn constraint_nodes(circuit: &Circuit, scheduler: &mut Scheduler, table: &Table) -> Vec<NodeId> {
    let roots: Vec<NodeId> = table.constraints.iter().map(|constraint| constraint.node).collect();
    let mut nodes = scheduler.schedule(circuit, &roots, |node| circuit.facts(node).scope != Scope::Uniform);
    nodes.sort_unstable();
    nodes.shrink_to_fit();
    nodes
}

/// Tree 0: the tables' own columns in order, then what constraints need besides, sorted. Also, per table, its
/// columns' indices.
fn fixed_columns(circuit: &Circuit, schedules: &[Vec<NodeId>]) -> (Vec<FixedColumn>, Vec<Vec<usize>>) {
    let mut columns = Vec::new();
    for (index, table) in circuit.tables.iter().enumerate() {
        columns.extend(table.columns_of_phase(0).map(|column| FixedColumn::Table {
            table: index,
            column,
            offset: 0,
        }));
    }
    let mut extra: BTreeSet<FixedColumn> = BTreeSet::new();
    let mut used: Vec<BTreeSet<FixedColumn>> = vec![BTreeSet::new(); circuit.tables.len()];
    for (index, nodes) in schedules.iter().enumerate() {
        let log_height = circuit.tables[index].log_height;
        for &node in nodes {
            let needed = match circuit.nodes[node as usize] {
                Node::IsFirst => FixedColumn::IsFirst { log_height },
                Node::IsLast => FixedColumn::IsLast { log_height },
                Node::Column { table, column, offset }
                    if circuit.tables[table].columns[column].phase == 0 =>
                {
                    FixedColumn::Table { table, column, offset }
                }
                _ => continue,
            };
            used[index].insert(needed);
            if !matches!(needed, FixedColumn::Table { offset: 0, .. }) {
                extra.insert(needed);
            }
        }
    }
    if columns.is_empty() && extra.is_empty() {
        // Stwo wants a tree 0.
        extra.insert(FixedColumn::IsFirst { log_height: circuit.max_log_height() });
    }
    columns.extend(extra);
    let of_table = |table_index: usize| {
        let belongs = |column: &FixedColumn| match *column {
            FixedColumn::Table { table, .. } => table == table_index,
            FixedColumn::IsFirst { log_height } | FixedColumn::IsLast { log_height } => {
                used[table_index].contains(column) || log_height == circuit.tables[table_index].log_height
            }
        };
        (0..columns.len()).filter(|&index| belongs(&columns[index])).collect()
    };
    let of_table = (0..circuit.tables.len()).map(of_table).collect();
    (columns, of_table)
}

fn openings(circuit: &Circuit, schedules: &[Vec<NodeId>]) -> Vec<Vec<Vec<i32>>> {
    let mut openings: Vec<Vec<BTreeSet<i32>>> =
        circuit.tables.iter().map(|table| vec![BTreeSet::from([0]); table.columns.len()]).collect();
    for &node in schedules.iter().flatten() {
        if let Node::Column { table, column, offset } = circuit.nodes[node as usize] {
            openings[table][column].insert(offset);
        }
    }
    let sorted = |offsets: BTreeSet<i32>| offsets.into_iter().collect();
    openings.into_iter().map(|table| table.into_iter().map(sorted).collect()).collect()
}
