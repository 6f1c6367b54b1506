//! From messages to the validated circuit.

use crate::circuit::{Circuit, Column, Constraint, Generator, Node, NodeId, Table, LAST_PHASE};
use crate::cones::Cones;
use crate::error::{ensure, Error};
use crate::facts::{self, Scope};
use crate::proto;
use crate::rules;

/// Of [`proto::Circuit`].
pub const CIRCUIT_FORMAT: u32 = 1;
const MERSENNE_31: u32 = (1 << 31) - 1;
const KOALA_BEAR: u32 = (1 << 31) - (1 << 24) + 1;
/// Twiddles and rows are counted in 32 bits; a column of 2^28 rows takes a GiB.
const MAX_LOG_HEIGHT: u32 = 28;
const MIN_LOG_HEIGHT: u32 = 5;
const MAX_DEGREE: u32 = 3;
const MAX_BLOCKS: u32 = 1 << 16;
const MAX_TABLES: usize = 1 << 12;
const MAX_COLUMNS: usize = 1 << 16;
const MAX_NODES: usize = 1 << 23;
const MAX_PUBLICS: usize = 1 << 12;

/// All but the adaptive rules.
pub(crate) fn circuit(message: proto::Circuit) -> Result<Circuit, Error> {
    ensure!(
        message.format == CIRCUIT_FORMAT,
        "circuit format {} is not supported (this reads format {CIRCUIT_FORMAT})",
        message.format
    );
    ensure!(
        [MERSENNE_31, KOALA_BEAR].contains(&message.modulus) && message.extension_degree == 4,
        "field {}^{} is not supported",
        message.modulus,
        message.extension_degree
    );
    ensure!(!message.tables.is_empty(), "the circuit has no table");
    let columns: usize = message.tables.iter().map(|table| table.columns.len()).sum();
    for (what, count, most) in [
        ("tables", message.tables.len(), MAX_TABLES),
        ("columns", columns, MAX_COLUMNS),
        ("nodes", message.nodes.len(), MAX_NODES),
        ("public tensors", message.publics.len(), MAX_PUBLICS),
    ] {
        ensure!(count <= most, "the circuit has {count} {what}, more than {most}");
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
        links: message.links,
        most_blocks: message.most_blocks.max(1) as usize,
    };
    for challenge in &circuit.challenges {
        ensure!(
            matches!(challenge.phase, 1 | 2),
            "challenge {} is drawn after phase {}",
            challenge.name,
            challenge.phase
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
    public_addresses(&circuit)?;
    links(&circuit, message.most_blocks)?;
    segments(&circuit)?;
    Ok(circuit)
}

/// That the circuit, of these bytes, leaves a prover nothing to choose.
pub(crate) fn adaptive_rules(circuit: &Circuit, bytes: &[u8]) -> Result<(), Error> {
    let mut cones = Cones::new(circuit);
    for index in 0..circuit.tables.len() {
        read_by_constraints(&mut cones, index)
            .map_err(|error| error.within(format!("table {}", circuit.tables[index].name)))?;
    }
    rules::check(bytes, &mut cones)
}

fn table(message: proto::Table, nodes: usize) -> Result<Table, Error> {
    ensure!(
        (MIN_LOG_HEIGHT..=MAX_LOG_HEIGHT).contains(&message.log_height),
        "height 2^{} is outside 2^{MIN_LOG_HEIGHT}..2^{MAX_LOG_HEIGHT}",
        message.log_height
    );
    ensure!(!message.columns.is_empty(), "has no columns");
    let mut columns: Vec<Column> = Vec::with_capacity(message.columns.len());
    for column in message.columns {
        let name = column.name.clone();
        let column = self::column(column, nodes, 1 << message.log_height)
            .map_err(|error| error.within(format!("column {name}")))?;
        let before = columns.last().map_or(0, |last| last.phase);
        ensure!(
            before <= column.phase,
            "column {name} of phase {} follows one of phase {before}",
            column.phase
        );
        columns.push(column);
    }
    let constraints = message.constraints.into_iter().map(|constraint| {
        let kind = proto::constraint::Kind::try_from(constraint.kind).map_err(|_| {
            Error::new(format!("constraint {} is of unknown kind {}", constraint.name, constraint.kind))
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
        ensure!(
            instance.first_row >= free && end.is_some_and(|end| end <= 1 << message.log_height),
            "the rows of instance {} overlap others or leave the table",
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
    ensure!(phase <= LAST_PHASE, "phase {phase} does not exist");
    ensure!(
        (phase >= 2) == message.generator.is_some(),
        "generators belong to phases 2 and 3, and to all of their columns"
    );
    let id = |node| node_id(node, nodes);
    use proto::column::Generator as Message;
    let generator = match message.generator {
        None => None,
        Some(Message::Expression(expression)) => Some(Generator::Expression { value: id(expression.value)? }),
        Some(Message::Scan(proto::Scan { mul, add, rows })) => {
            ensure!(rows < height, "the scan has runs of {rows} rows, the table {height} rows in all");
            let rows = if rows == 0 { height } else { rows };
            Some(Generator::Scan { mul: id(mul)?, add: id(add)?, rows })
        }
        Some(Message::Fraction(fraction)) => {
            let (numerator, denominator) = (id(fraction.numerator)?, id(fraction.denominator)?);
            Some(if fraction.running {
                let (add, claimed_sum) = (id(fraction.add)?, fraction.claimed_sum as usize);
                Generator::RunningFraction { numerator, denominator, add, claimed_sum }
            } else {
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
    ensure!((node as usize) < nodes, "names node {node} of {nodes}");
    Ok(node)
}

/// Converts the next node: operands must be among those that `circuit` already has.
fn node(circuit: &Circuit, message: &proto::Node) -> Result<Node, Error> {
    use proto::node::Op;
    let op = Op::try_from(message.op)
        .map_err(|_| Error::new(format!("operation {} does not exist", message.op)))?;
    let (a, b) = (message.a, message.b);
    let operand = |id: u32| {
        ensure!((id as usize) < circuit.nodes.len(), "reads node {id}, which does not come before it");
        Ok(id)
    };
    ensure!(
        op == Op::Column || message.offset == 0 && (b == 0 || matches!(op, Op::Add | Op::Sub | Op::Mul)),
        "sets a field that {} does not have",
        op.as_str_name()
    );
    Ok(match op {
        Op::Constant => {
            ensure!(a < circuit.modulus, "constant {a} is not a canonical residue");
            Node::Constant(a)
        }
        Op::Column => {
            let (table, column) = (a as usize, b as usize);
            let columns = circuit.tables.get(table).map_or(0, |table| table.columns.len());
            ensure!(column < columns, "reads column {b} of table {a}, which does not exist");
            ensure!((-1..=1).contains(&message.offset), "row offset {} is not -1, 0 or 1", message.offset);
            Node::Column { table, column, offset: message.offset }
        }
        Op::Challenge => {
            ensure!((a as usize) < circuit.challenges.len(), "reads challenge {a}, which does not exist");
            Node::Challenge(a as usize)
        }
        Op::ClaimedSum => {
            ensure!((a as usize) < circuit.claimed_sums.len(), "reads claimed sum {a}, which does not exist");
            Node::ClaimedSum(a as usize)
        }
        Op::IsFirst | Op::IsLast => {
            ensure!(a == 0, "sets a field that {} does not have", op.as_str_name());
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
        ensure!(own(constraint.node), "constraint {} reads another table", constraint.name);
        ensure!(
            degree <= MAX_DEGREE,
            "constraint {} has degree {degree}, more than {MAX_DEGREE}",
            constraint.name
        );
    }
    for column in &table.columns {
        let Some(generator) = &column.generator else { continue };
        for node in generator.roots() {
            ensure!(own(node), "the generator of column {} reads another table", column.name);
            ensure!(
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
    for lookup in &table.lookups {
        let bus = circuit.buses.get(lookup.bus as usize);
        ensure!(
            bus.is_some_and(|bus| bus.width as usize == lookup.tuple.len()),
            "lookup {} does not fit its bus",
            lookup.name
        );
        ensure!(
            lookup.tuple.iter().chain([&lookup.multiplicity]).all(|&node| own(node)),
            "lookup {} reads another table",
            lookup.name
        );
    }
    Ok(())
}

fn gather(
    circuit: &Circuit,
    phase: usize,
    index: NodeId,
    sources: &[proto::GatherSource],
) -> Result<(), Error> {
    let facts = circuit.facts(index);
    ensure!(!facts.extension && facts.ready == 0, "the index reads more than fixed columns");
    let mut free = 0u64;
    for source in sources {
        let table = circuit.tables.get(source.table as usize);
        let column = table.and_then(|table| table.columns.get(source.column as usize));
        let (Some(table), Some(column)) = (table, column) else {
            return Err(Error::new("a source does not exist"));
        };
        ensure!(column.phase == phase, "source {} is of phase {}", column.name, column.phase);
        ensure!(
            source.rows as u64 <= table.height() as u64,
            "source {} has fewer rows than named",
            column.name
        );
        ensure!(source.base as u64 >= free, "sources are out of order or overlap");
        free = source.base as u64 + source.rows as u64;
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
            ensure!(
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
            return Err(Error::new(format!("no column makes claimed sum {}", claimed_sum.name)));
        };
        ensure!(
            (claimed_sum.group as usize) < circuit.sum_groups.len(),
            "claimed sum {} is of no group",
            claimed_sum.name
        );
        columns.push(column);
    }
    Ok(columns)
}

/// No column of the witness and no claimed sum is left to the prover because nothing reads it. Of generated columns and claimed sums the
/// rules say more.
fn read_by_constraints(cones: &mut Cones, index: usize) -> Result<(), Error> {
    let table = &cones.circuit.tables[index];
    let roots: Vec<NodeId> = table.constraints.iter().map(|constraint| constraint.node).collect();
    let reads = cones.reads(&roots)?;
    let mut read = vec![false; table.columns.len()];
    reads.each_column().for_each(|column| read[column] = true);
    for column in table.columns_of_phase(1) {
        ensure!(read[column], "no constraint reads column {}", table.columns[column].name);
    }
    Ok(())
}

/// In a group, two public tensors under the same challenges have different addresses: else a value could be moved
/// from one to the other.
fn public_addresses(circuit: &Circuit) -> Result<(), Error> {
    let mut ranges: Vec<_> = circuit
        .publics
        .iter()
        .map(|tensor| {
            let challenges = [tensor.address_challenge, tensor.row_challenge, tensor.column_challenge];
            ((tensor.group, challenges), tensor.address, tensor.address as u64 + tiles(tensor), &tensor.name)
        })
        .collect();
    ranges.sort();
    for pair in ranges.windows(2) {
        ensure!(
            pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1 as u64,
            "public tensors {} and {} share addresses",
            pair[0].3,
            pair[1].3
        );
    }
    Ok(())
}

fn tiles(tensor: &proto::PublicTensor) -> u64 {
    tensor.rows.div_ceil(tensor.tile_rows) as u64 * tensor.columns.div_ceil(tensor.tile_columns) as u64
}

fn public_tensor(circuit: &Circuit, tensor: &proto::PublicTensor) -> Result<(), Error> {
    proto::public_tensor::Kind::try_from(tensor.kind).map_err(|_| Error::new("is of unknown kind"))?;
    ensure!((tensor.group as usize) < circuit.sum_groups.len(), "is of no group");
    for challenge in [tensor.address_challenge, tensor.row_challenge, tensor.column_challenge] {
        ensure!((challenge as usize) < circuit.challenges.len(), "uses a challenge that does not exist");
    }
    let modulus = circuit.modulus as i64;
    ensure!(
        -modulus < tensor.low
            && tensor.low <= tensor.high
            && tensor.high < modulus
            && tensor.high - tensor.low < modulus,
        "range [{}, {}] does not embed in the field",
        tensor.low,
        tensor.high
    );
    ensure!(tensor.rows > 0 && tensor.columns > 0, "is empty");
    ensure!(tensor.tile_rows > 0 && tensor.tile_columns > 0, "has empty tiles");
    let tiles = tiles(tensor);
    let rows_and_columns = tensor.tile_rows.max(tensor.tile_columns);
    ensure!(
        tiles <= modulus as u64
            && tensor.address as u64 + tiles <= modulus as u64
            && rows_and_columns as i64 <= modulus,
        "has addresses that do not fit the field"
    );
    Ok(())
}

/// The groups of a link are sums of main columns under challenges of phase 1, the only ones that the blocks of a bundle
/// share: columns of phase 2 read no others. Nothing but its link says what the sum of such a group is.
fn links(circuit: &Circuit, most_blocks: u32) -> Result<(), Error> {
    let expected = if circuit.links.is_empty() { 0..=0 } else { 2..=MAX_BLOCKS };
    ensure!(
        expected.contains(&most_blocks),
        "a circuit with {} links cannot have bundles of up to {most_blocks} blocks",
        circuit.links.len()
    );
    let mut linked = vec![false; circuit.sum_groups.len()];
    for group in circuit.links.iter().flat_map(|link| [link.r#in, link.out]) {
        let fresh = linked.get_mut(group as usize).map(|linked| !std::mem::replace(linked, true));
        ensure!(fresh == Some(true), "links name sum group {group}, which does not exist, or twice");
        let name = &circuit.sum_groups[group as usize].name;
        ensure!(
            circuit.claimed_sums.iter().any(|claimed_sum| claimed_sum.group == group),
            "linked group {name} has no claimed sum"
        );
        ensure!(
            circuit.publics.iter().all(|tensor| tensor.group != group),
            "linked group {name} has a public tensor"
        );
    }
    for column in circuit.tables.iter().flat_map(|table| &table.columns) {
        let Some(Generator::RunningFraction { claimed_sum, .. }) = column.generator else { continue };
        ensure!(
            column.phase == 2 || !linked[circuit.claimed_sums[claimed_sum].group as usize],
            "column {} makes a linked claimed sum in phase {}; blocks share the challenges of phase 1 only",
            column.name,
            column.phase
        );
    }
    Ok(())
}

/// Without segments all tables are one proof; with segments each table is in exactly one.
fn segments(circuit: &Circuit) -> Result<(), Error> {
    let mut seen = vec![false; circuit.tables.len()];
    for segment in &circuit.segments {
        for &table in &segment.tables {
            let fresh = seen.get_mut(table as usize).map(|seen| !std::mem::replace(seen, true));
            ensure!(fresh == Some(true), "segment {} names table {table} wrongly or again", segment.name);
        }
    }
    ensure!(circuit.segments.is_empty() || seen.iter().all(|&seen| seen), "a table is in no segment");
    Ok(())
}
