//! From messages to the validated circuit: the rules of FORMAT.md, section 9.

use crate::circuit::{Circuit, Column, Constraint, Generator, Node, NodeId, Table, LAST_PHASE};
use crate::cones::Cones;
use crate::error::Error;
use crate::facts::{self, Scope};
use crate::format_rules::{obey, Rule};
use crate::proto;
use crate::rules;
use crate::validate_lookups::{keys_of_providers, lookups, multiplicities_are_counted};
use crate::validate_names::names;
use crate::validate_publics::{public_addresses, public_tensor};

/// Of [`proto::Circuit`].
pub const CIRCUIT_FORMAT: u32 = 1;
const MODULUS: u32 = (1 << 31) - 1;
const EXTENSION_DEGREE: u32 = 4;
/// Twiddles and rows are counted in 32 bits; a column of 2^28 rows takes a GiB.
const MAX_LOG_HEIGHT: u32 = 28;
const MAX_DEGREE: u32 = 3;
const MAX_TABLES: usize = 1 << 12;
const MAX_COLUMNS: usize = 1 << 16;
const MAX_NODES: usize = 1 << 23;
const MAX_PUBLICS: usize = 1 << 12;
const MAX_CHALLENGES: usize = 1 << 12;
const MAX_SUM_GROUPS: usize = 1 << 12;

/// All but the adaptive rules.
pub(crate) fn circuit(message: proto::Circuit) -> Result<Circuit, Error> {
    obey!(
        Encoding,
        message.format == CIRCUIT_FORMAT,
        "circuit format {} is not supported (this reads format {CIRCUIT_FORMAT})",
        message.format
    );
    obey!(
        Encoding,
        message.modulus == MODULUS && message.extension_degree == EXTENSION_DEGREE,
        "field {}^{} is not supported",
        message.modulus,
        message.extension_degree
    );
    obey!(Limits, !message.tables.is_empty(), "the circuit has no table");
    let columns: usize = message.tables.iter().map(|table| table.columns.len()).sum();
    for (what, count, most) in [
        ("tables", message.tables.len(), MAX_TABLES),
        ("columns", columns, MAX_COLUMNS),
        ("nodes", message.nodes.len(), MAX_NODES),
        ("public tensors", message.publics.len(), MAX_PUBLICS),
        ("challenges", message.challenges.len(), MAX_CHALLENGES),
        ("sum groups", message.sum_groups.len(), MAX_SUM_GROUPS),
    ] {
        obey!(Limits, count <= most, "the circuit has {count} {what}, more than {most}");
    }
    let mut circuit = Circuit {
        modulus: message.modulus,
        extension_degree: message.extension_degree,
        tables: Vec::with_capacity(message.tables.len()),
        nodes: Vec::with_capacity(message.nodes.len()),
        facts: Vec::with_capacity(message.nodes.len()),
        challenges: message.challenges,
        claimed_sums: message.claimed_sums,
        claimed_sum_columns: Vec::new(),
        sum_groups: message.sum_groups,
        publics: message.publics,
        buses: message.buses,
        segments: message.segments,
        work: 0,
    };
    names(&circuit, &message.tables)?;
    for challenge in &circuit.challenges {
        obey!(
            Phases,
            matches!(challenge.phase, 1 | 2),
            "challenge {} is drawn after phase {}",
            challenge.name,
            challenge.phase
        );
    }
    for bus in &circuit.buses {
        obey!(
            Phases,
            bus.width > 0 && bus.phase <= 2,
            "bus {} has width {} and phase {}",
            bus.name,
            bus.width,
            bus.phase
        );
    }
    for table in message.tables {
        let name = table.name.clone();
        let table =
            self::table(table, message.nodes.len()).map_err(|error| error.within(format!("table {name}")))?;
        circuit.tables.push(table);
    }
    circuit.claimed_sum_columns = claimed_sum_columns(&circuit)?;
    for (index, message) in message.nodes.iter().enumerate() {
        let node = node(&circuit, message).map_err(|error| error.within(format!("node {index}")))?;
        let facts = facts::of_node(&circuit, node).map_err(|error| error.within(format!("node {index}")))?;
        circuit.nodes.push(node);
        circuit.facts.push(facts);
    }
    for index in 0..circuit.tables.len() {
        uses(&circuit, index)
            .map_err(|error| error.within(format!("table {}", circuit.tables[index].name)))?;
    }
    for tensor in &circuit.publics {
        public_tensor(&circuit, tensor)
            .map_err(|error| error.within(format!("public tensor {}", tensor.name)))?;
    }
    keys_of_providers(&circuit)?;
    public_addresses(&circuit)?;
    exports(&circuit)?;
    segments(&circuit)?;
    Ok(circuit)
}

/// That the circuit, of these bytes, leaves a prover nothing to choose. Returns the visits of nodes that it took.
pub(crate) fn adaptive_rules(circuit: &Circuit, bytes: &[u8]) -> Result<u64, Error> {
    let mut cones = Cones::new(circuit);
    for index in 0..circuit.tables.len() {
        read_by_constraints(&mut cones, index)
            .map_err(|error| error.within(format!("table {}", circuit.tables[index].name)))?;
    }
    rules::check(bytes, &mut cones)?;
    Ok(cones.visits())
}

fn table(message: proto::Table, nodes: usize) -> Result<Table, Error> {
    obey!(
        Limits,
        message.log_height <= MAX_LOG_HEIGHT,
        "height 2^{} is more than 2^{MAX_LOG_HEIGHT}",
        message.log_height
    );
    obey!(Limits, !message.columns.is_empty(), "has no columns");
    let mut columns: Vec<Column> = Vec::with_capacity(message.columns.len());
    for column in message.columns {
        let name = column.name.clone();
        let column = self::column(column, nodes, 1 << message.log_height)
            .map_err(|error| error.within(format!("column {name}")))?;
        let before = columns.last().map_or(0, |last| last.phase);
        obey!(
            Columns,
            before <= column.phase,
            "column {name} of phase {} follows one of phase {before}",
            column.phase
        );
        columns.push(column);
    }
    let constraints = message.constraints.into_iter().map(|constraint| {
        let kind = proto::constraint::Kind::try_from(constraint.kind).map_err(|_| {
            Error::of(
                Rule::Encoding,
                format!("constraint {} is of unknown kind {}", constraint.name, constraint.kind),
            )
        })?;
        Ok(Constraint { node: node_id(constraint.node, nodes)?, name: constraint.name, kind })
    });
    let constraints = constraints.collect::<Result<Vec<_>, Error>>()?;
    for lookup in &message.lookups {
        for &node in lookup.tuple.iter().chain([&lookup.multiplicity]) {
            node_id(node, nodes).map_err(|error| error.within(format!("lookup {}", lookup.name)))?;
        }
    }
    let mut free = 0u64;
    for instance in &message.instances {
        let end = instance.first_row.checked_add(instance.rows);
        obey!(
            Instances,
            instance.rows > 0
                && instance.first_row >= free
                && end.is_some_and(|end| end <= 1 << message.log_height),
            "the rows of instance {} are none, overlap others or leave the table",
            instance.node
        );
        free = instance.first_row + instance.rows;
    }
    Ok(Table {
        name: message.name,
        log_height: message.log_height,
        columns,
        constraints,
        lookups: message.lookups,
        instances: message.instances,
    })
}

fn column(message: proto::Column, nodes: usize, height: u32) -> Result<Column, Error> {
    let phase = message.phase as usize;
    obey!(Columns, phase <= LAST_PHASE, "phase {phase} does not exist");
    obey!(
        Columns,
        (phase >= 2) == message.generator.is_some(),
        "generators belong to phases 2 and 3, and to all of their columns"
    );
    let id = |node| node_id(node, nodes);
    use proto::column::Generator as Message;
    let generator = match message.generator {
        None => None,
        Some(Message::Expression(expression)) => Some(Generator::Expression { value: id(expression.value)? }),
        Some(Message::Scan(proto::Scan { mul, add, rows })) => {
            obey!(Scans, rows < height, "the scan has runs of {rows} rows, the table {height} rows in all");
            let rows = if rows == 0 { height } else { rows };
            Some(Generator::Scan { mul: id(mul)?, add: id(add)?, rows })
        }
        Some(Message::Fraction(fraction)) => {
            let (numerator, denominator) = (id(fraction.numerator)?, id(fraction.denominator)?);
            Some(if fraction.running {
                let (add, claimed_sum) = (id(fraction.add)?, fraction.claimed_sum as usize);
                Generator::RunningFraction { numerator, denominator, add, claimed_sum }
            } else {
                obey!(
                    ClaimedSums,
                    fraction.add == 0 && fraction.claimed_sum == 0,
                    "add and claimed sum belong to running fractions only"
                );
                Generator::Fraction { numerator, denominator }
            })
        }
        Some(Message::Gather(gather)) => {
            Some(Generator::Gather { index: id(gather.index)?, sources: gather.sources })
        }
    };
    Ok(Column { name: message.name, phase, generator })
}

fn node_id(node: u32, nodes: usize) -> Result<NodeId, Error> {
    obey!(Nodes, (node as usize) < nodes, "names node {node} of {nodes}");
    Ok(node)
}

/// Converts the next node: operands must be among those that `circuit` already has.
fn node(circuit: &Circuit, message: &proto::Node) -> Result<Node, Error> {
    use proto::node::Op;
    let op = Op::try_from(message.op)
        .map_err(|_| Error::of(Rule::Encoding, format!("operation {} does not exist", message.op)))?;
    let (a, b) = (message.a, message.b);
    let operand = |id: u32| {
        obey!(Nodes, (id as usize) < circuit.nodes.len(), "reads node {id}, which does not come before it");
        Ok(id)
    };
    obey!(
        Nodes,
        op == Op::Column || message.offset == 0 && (b == 0 || matches!(op, Op::Add | Op::Sub | Op::Mul)),
        "sets a field that {} does not have",
        op.as_str_name()
    );
    Ok(match op {
        Op::Constant => {
            obey!(Nodes, a < circuit.modulus, "constant {a} is not a canonical residue");
            Node::Constant(a)
        }
        Op::Column => {
            let (table, column) = (a as usize, b as usize);
            let columns = circuit.tables.get(table).map_or(0, |table| table.columns.len());
            obey!(Nodes, column < columns, "reads column {b} of table {a}, which does not exist");
            obey!(
                Nodes,
                (-1..=1).contains(&message.offset),
                "row offset {} is not -1, 0 or 1",
                message.offset
            );
            Node::Column { table, column, offset: message.offset }
        }
        Op::Challenge => {
            obey!(
                Nodes,
                (a as usize) < circuit.challenges.len(),
                "reads challenge {a}, which does not exist"
            );
            Node::Challenge(a as usize)
        }
        Op::ClaimedSum => {
            obey!(
                Nodes,
                (a as usize) < circuit.claimed_sums.len(),
                "reads claimed sum {a}, which does not exist"
            );
            Node::ClaimedSum(a as usize)
        }
        Op::IsFirst | Op::IsLast => {
            obey!(Nodes, a == 0, "sets a field that {} does not have", op.as_str_name());
            if op == Op::IsFirst {
                Node::IsFirst
            } else {
                Node::IsLast
            }
        }
        Op::Add => Node::Add(operand(a)?, operand(b)?),
        Op::Sub => Node::Sub(operand(a)?, operand(b)?),
        Op::Mul => Node::Mul(operand(a)?, operand(b)?),
        Op::Neg => Node::Neg(operand(a)?),
        Op::Inverse => Node::Inverse(operand(a)?),
    })
}

/// Checks how a table uses nodes: that they are the table's own, available when they are read, and of a
/// degree that can be proven.
fn uses(circuit: &Circuit, index: usize) -> Result<(), Error> {
    let table = &circuit.tables[index];
    let own = |node: NodeId| match circuit.facts(node).scope {
        Scope::Table(table) => table == index,
        Scope::Uniform | Scope::AnyTable => true,
    };
    for constraint in &table.constraints {
        let degree = circuit.facts(constraint.node).degree;
        obey!(OneTable, own(constraint.node), "constraint {} reads another table", constraint.name);
        obey!(
            Degree,
            degree <= MAX_DEGREE,
            "constraint {} has degree {degree}, more than {MAX_DEGREE}",
            constraint.name
        );
    }
    for column in &table.columns {
        let Some(generator) = &column.generator else { continue };
        for node in generator.roots() {
            obey!(OneTable, own(node), "the generator of column {} reads another table", column.name);
            obey!(
                Known,
                circuit.facts(node).ready <= column.phase,
                "the generator of column {} reads what is not known in phase {}",
                column.name,
                column.phase
            );
        }
        if let Generator::Gather { index, sources } = generator {
            let gather = gather(circuit, column.phase, *index, sources);
            gather.map_err(|error| error.within(format!("gather column {}", column.name)))?;
        }
    }
    lookups(circuit, table, own)
}

fn gather(
    circuit: &Circuit,
    phase: usize,
    index: NodeId,
    sources: &[proto::GatherSource],
) -> Result<(), Error> {
    let facts = circuit.facts(index);
    obey!(Gathers, !facts.extension && facts.ready == 0, "the index reads more than fixed columns");
    let mut free = 0u64;
    for source in sources {
        let table = circuit.tables.get(source.table as usize);
        let column = table.and_then(|table| table.columns.get(source.column as usize));
        let (Some(table), Some(column)) = (table, column) else {
            return Err(Error::of(Rule::Gathers, "a source does not exist"));
        };
        obey!(Gathers, column.phase == phase, "source {} is of phase {}", column.name, column.phase);
        obey!(
            Gathers,
            source.rows as u64 <= table.height() as u64,
            "source {} has fewer rows than named",
            column.name
        );
        obey!(Gathers, source.base as u64 >= free, "sources are out of order or overlap");
        free = source.base as u64 + source.rows as u64;
        obey!(Gathers, free < MODULUS as u64, "base and rows of a source do not fit the field");
    }
    Ok(())
}

/// The running column of each claimed sum: there is exactly one, and it is in the claimed sum's table.
fn claimed_sum_columns(circuit: &Circuit) -> Result<Vec<(usize, usize)>, Error> {
    let mut found = vec![None; circuit.claimed_sums.len()];
    for (index, table) in circuit.tables.iter().enumerate() {
        for (place, column) in table.columns.iter().enumerate() {
            let Some(Generator::RunningFraction { claimed_sum, .. }) = column.generator else { continue };
            let table_of_claimed_sum =
                circuit.claimed_sums.get(claimed_sum).map(|claimed_sum| claimed_sum.table as usize);
            obey!(
                ClaimedSums,
                table_of_claimed_sum == Some(index) && found[claimed_sum].replace((index, place)).is_none(),
                "column {} of table {} makes claimed sum {claimed_sum}, which is not its own",
                column.name,
                table.name
            );
        }
    }
    let mut columns = Vec::with_capacity(found.len());
    for (claimed_sum, found) in circuit.claimed_sums.iter().zip(found) {
        let Some(column) = found else {
            return Err(Error::of(
                Rule::ClaimedSums,
                format!("no column makes claimed sum {}", claimed_sum.name),
            ));
        };
        obey!(
            ClaimedSums,
            (claimed_sum.group as usize) < circuit.sum_groups.len(),
            "claimed sum {} is of no group",
            claimed_sum.name
        );
        columns.push(column);
    }
    Ok(columns)
}

/// No column of the witness and no claimed sum is left to the prover because nothing reads it. Of generated columns and claimed
/// sums the rules say more.
fn read_by_constraints(cones: &mut Cones, index: usize) -> Result<(), Error> {
    let table = &cones.circuit.tables[index];
    let roots: Vec<NodeId> = table.constraints.iter().map(|constraint| constraint.node).collect();
    let reads = cones.reads(&roots)?;
    // Verifiers keep what the constraints of a table read: time stands for memory.
    let kept = cones.of(&roots)?.len() as u64;
    cones.charge(4 * kept)?;
    let mut read = vec![false; table.columns.len()];
    reads.each_column().for_each(|column| read[column] = true);
    for column in table.columns_of_phase(1) {
        obey!(Witness, read[column], "no constraint reads column {}", table.columns[column].name);
    }
    multiplicities_are_counted(cones, index)
}

/// What a link may name is a sum of main columns under challenges of phase 1, the only ones that the blocks of a bundle
/// share: columns of phase 2 read no others. Nothing but its link says what the sum of such a group is.
fn exports(circuit: &Circuit) -> Result<(), Error> {
    let exported = |group: u32| circuit.sum_groups[group as usize].exported;
    for (index, group) in circuit.sum_groups.iter().enumerate().filter(|(_, group)| group.exported) {
        obey!(
            Exports,
            circuit.claimed_sums.iter().any(|claimed_sum| claimed_sum.group as usize == index),
            "exported group {} has no claimed sum",
            group.name
        );
        obey!(
            Exports,
            circuit.publics.iter().all(|tensor| tensor.group as usize != index),
            "exported group {} has a public tensor",
            group.name
        );
    }
    for column in circuit.tables.iter().flat_map(|table| &table.columns) {
        let Some(Generator::RunningFraction { claimed_sum, .. }) = column.generator else { continue };
        obey!(
            Exports,
            column.phase == 2 || !exported(circuit.claimed_sums[claimed_sum].group),
            "column {} makes a claimed sum of an exported group in phase {}; blocks share the challenges of phase 1 only",
            column.name,
            column.phase
        );
    }
    Ok(())
}

/// Each table is in exactly one.
fn segments(circuit: &Circuit) -> Result<(), Error> {
    let mut seen = vec![false; circuit.tables.len()];
    for segment in &circuit.segments {
        for &table in &segment.tables {
            let fresh = seen.get_mut(table as usize).map(|seen| !std::mem::replace(seen, true));
            obey!(
                Segments,
                fresh == Some(true),
                "segment {} names table {table} wrongly or again",
                segment.name
            );
        }
    }
    obey!(Segments, seen.iter().all(|&seen| seen), "a table is in no segment");
    Ok(())
}
