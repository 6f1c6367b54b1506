"""Packages, traces and statements, read and checked as runtime/package/FORMAT.md says (sections 1 to 3, and 9).

The program (program.pb) is not read: how a trace came about does not matter to whether it holds.
"""

import functools
import os
import subprocess
from pathlib import Path

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from bundle import bundle_of_one, check_bundle, check_name
from circuit import exported_groups, fill_order, generator_nodes
from format_rules import BadInput, F, obey
from graph import MOST_VISITS, Graph
from qm31 import P
from rules import Rules

SCHEMAS = Path(__file__).resolve().parents[2] / "runtime" / "package"
MESSAGE_LIMIT = 256 << 20
NOT_HERE = -(1 << 40)  # an offset that says: this provider does not hold the tuple


@functools.cache
def _schemas():
    command = ["protoc", f"--proto_path={SCHEMAS}", "--descriptor_set_out=/dev/stdout", "bundle.proto", "circuit.proto", "statement.proto"]
    try:
        compiled = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadInput(f"cannot compile the schemas in {SCHEMAS}: {error}") from error
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(compiled).file:
        pool.Add(file)
    return pool


def schema(name):
    """The class of the message lindero.`name`."""
    return message_factory.GetMessageClass(_schemas().FindMessageTypeByName(f"lindero.{name}"))


def read_message(path, name):
    try:
        obey(F.LIMITS, os.path.getsize(path) <= MESSAGE_LIMIT, path, "is larger than 256 MiB")
        content = Path(path).read_bytes()
        message = schema(name).FromString(content)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except DecodeError as error:
        raise BadInput(f"F{int(F.ENCODING)}: {path} is no {name}: {error}") from error
    # Unknown fields would be written back, too.
    message.DiscardUnknownFields()
    obey(F.ENCODING, message.SerializeToString(deterministic=True) == content, path, "is not in the deterministic encoding")
    obey(F.ENCODING, message.format == 1, path, "has format", message.format, "and not 1")
    return message


class Table:
    """A table of the circuit: its message, its height, and which columns are in which phase."""

    def __init__(self, message):
        self.message = message
        self.name = message.name
        self.height = 1 << message.log_height
        self.columns = message.columns
        self.phases = [column.phase for column in message.columns]

    def node_at(self, row):
        """The ONNX node that a row belongs to, or None for padding."""
        for instance in self.message.instances:
            if instance.first_row <= row < instance.first_row + instance.rows:
                return instance.node
        return None

    def owned_rows(self):
        """The rows that are not padding; a table without instances serves all nodes, with all of its rows."""
        ranges = [np.arange(i.first_row, i.first_row + i.rows) for i in self.message.instances]
        return np.concatenate(ranges) if ranges else np.arange(self.height)


def read_bundle(folder):
    """That of bundle.pb, or what stands for it."""
    path = Path(folder) / "bundle.pb"
    return read_message(path, "Bundle") if path.exists() else bundle_of_one(schema("Bundle"))


class Bundle:
    """What is proven together: `members` has a Package of each."""

    def __init__(self, folder):
        folder = Path(folder)
        self.message = read_bundle(folder)
        names = [member.name for member in self.message.members]
        if len(names) == 1:
            self.members = [Package(folder)]
        else:
            for name in names:
                check_name(name)
                own = folder / "members" / name / "bundle.pb"
                obey(F.MEMBERS, not own.exists(), "member", name, "has a bundle.pb of its own in its folder")
            self.members = [Package(folder / "members" / name) for name in names]
        contents = [member.content for member in self.members]
        work = {member.content: member.graph.visits for member in self.members}
        obey(F.WORK, sum(work.values()) <= MOST_VISITS, "what its circuits read together has more than", MOST_VISITS, "nodes")
        numbers = {content: number for number, content in enumerate(dict.fromkeys(contents))}
        for member, content in zip(self.message.members, contents):
            obey(F.MEMBERS, member.circuit == numbers[content], "member", member.name, "has another circuit")
        try:
            check_bundle(self.message, [member.circuit for member in self.members])
        except BadInput as error:
            raise BadInput(f"{folder}: {error}") from error
        for end in (end for link in self.message.links for end in link.ends):
            self.members[end.member].linked.add(end.group)

    @property
    def publics(self):
        return [tensor for member in self.members for tensor in member.circuit.publics]


class Package:
    """circuit.pb and fixed.bin: one member of a bundle."""

    def __init__(self, folder):
        folder = Path(folder)
        self.circuit = read_message(folder / "circuit.pb", "Circuit")
        self.content = self.circuit.SerializeToString(deterministic=True)
        self.linked = set()  # sum groups that a link of the bundle names
        try:
            _check_tables(self.circuit)
            self.tables = [Table(table) for table in self.circuit.tables]
            self.graph = Graph(self.circuit)
            # Of the running column of each claimed sum.
            self.claimed_phases = {of.fraction.claimed_sum: of.phase for table in self.tables for of in table.columns
                                   if of.WhichOneof("generator") == "fraction" and of.fraction.running}
            _check_circuit(self)
            self.order = fill_order(self.circuit, self.graph)
            _check_witness(self)
            Rules(self).check()
        except BadInput as error:
            raise BadInput(f"{folder / 'circuit.pb'}: {error}") from error
        self.fixed = read_columns(folder / "fixed.bin", self.tables, 0)


def read_columns(path, tables, phase):
    """The columns of a phase as a dictionary from (table, column) to a memory-mapped array."""
    wanted = [(t, c) for t, table in enumerate(tables) for c, of in enumerate(table.phases) if of == phase]
    cells = sum(tables[t].height for t, _ in wanted)
    try:
        size = os.path.getsize(path)
        obey(F.COLUMN_FILES, size == 4 * cells, path, "has", size, "bytes and not", 4 * cells)
        data = np.memmap(path, dtype="<u4", mode="r") if cells else np.zeros(0, dtype="<u4")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    columns, begin = {}, 0
    for t, c in wanted:
        column = columns[t, c] = data[begin : begin + tables[t].height]
        begin += tables[t].height
        obey(F.COLUMN_FILES, column.max() < P, path, "column", f"{tables[t].name}.{tables[t].columns[c].name}", "has a cell beyond p")
    return columns


def read_statement(path, publics, steps=1):
    """For each step of a bundle the values of every public tensor, as an integer array of its shape."""
    statement = read_message(path, "Statement")
    obey(F.STATEMENTS, len(statement.tensors) == len(publics), path, "has another number of tensors than the circuit")
    values = []
    for given, tensor in zip(statement.tensors, publics):
        for field in ("name", "kind", "columns"):
            obey(F.STATEMENTS, getattr(given, field) == getattr(tensor, field), path, f"tensor {tensor.name}: another {field}")
        obey(F.STATEMENTS, given.rows == steps * tensor.rows, path, f"tensor {tensor.name}: another rows")
        obey(F.STATEMENTS, len(given.values) == given.rows * given.columns, path, f"tensor {tensor.name}: wrong number of values")
        values.append(np.array(given.values, dtype=np.int64).reshape(steps, tensor.rows, tensor.columns))
    return list(map(list, zip(*values))) if values else [[] for _ in range(steps)]


def _check_names(what, items):
    names = [item.name for item in items]
    obey(F.NAMES, all(names), what, "without a name")
    obey(F.NAMES, len(set(names)) == len(names), what, "with the same name twice")


def _check_tables(circuit):
    obey(F.ENCODING, circuit.modulus == P and circuit.extension_degree == 4, "another field than M31 with an extension of degree 4")
    obey(F.LIMITS, 0 < len(circuit.tables) <= 4096, "no table, or more than 4,096")
    obey(F.LIMITS, sum(len(table.columns) for table in circuit.tables) <= 65536, "more than 65,536 columns")
    obey(F.LIMITS, len(circuit.nodes) <= 1 << 23, "more than 2^23 nodes")
    obey(F.LIMITS, len(circuit.publics) <= 4096, "more than 4,096 public tensors")
    obey(F.LIMITS, len(circuit.challenges) <= 4096, "more than 4,096 challenges")
    obey(F.LIMITS, len(circuit.sum_groups) <= 4096, "more than 4,096 sum groups")
    for table in circuit.tables:
        obey(F.LIMITS, table.columns, table.name, "has no column")
    for what in ("tables", "challenges", "buses", "sum_groups", "publics", "segments"):
        _check_names(what, getattr(circuit, what))
    for table in circuit.tables:
        obey(F.LIMITS, table.log_height <= 28, table.name, "is higher than 2^28")
        _check_names(f"columns of {table.name}", table.columns)
        phases = [column.phase for column in table.columns]
        obey(F.COLUMNS, phases == sorted(phases) and max(phases, default=0) <= 3, table.name, "columns out of order")
        for column in table.columns:
            generated = column.WhichOneof("generator") is not None
            obey(F.COLUMNS, generated == (column.phase >= 2), f"{table.name}.{column.name}", "generator missing or superfluous")
        end = 0
        for instance in table.instances:
            obey(F.INSTANCES, instance.first_row >= end, table.name, "instances overlap or are out of order")
            obey(F.INSTANCES, instance.rows, table.name, "instance without rows")
            end = instance.first_row + instance.rows
        obey(F.INSTANCES, end <= 1 << table.log_height, table.name, "instance beyond the table")
    for challenge in circuit.challenges:
        obey(F.PHASES, challenge.phase in (1, 2), "challenge", challenge.name, "of phase", challenge.phase)
    for bus in circuit.buses:
        obey(F.PHASES, bus.width and bus.phase <= 2, "bus", bus.name, "without width, or of phase", bus.phase)
    owners = sorted(t for segment in circuit.segments for t in segment.tables)
    obey(F.SEGMENTS, owners == list(range(len(circuit.tables))), "the segments do not partition the tables")


def _check_circuit(package):
    circuit = package.circuit
    package.graph.check()
    for claimed_sum in circuit.claimed_sums:
        obey(F.NAMES, claimed_sum.name, "a claimed sum without a name")
        obey(F.CLAIMED_SUMS, claimed_sum.table < len(circuit.tables) and claimed_sum.group < len(circuit.sum_groups), "claimed sum", claimed_sum.name)
    claimed = []
    for t, table in enumerate(package.tables):
        for constraint in table.message.constraints:
            where = f"{table.name}.{constraint.name}:"
            _check_node(package, t, constraint.node, where)
            obey(F.NAMES, constraint.name, where, "no name")
            obey(F.DEGREE, package.graph.degree[constraint.node] <= 3, where, "degree above 3")
            obey(F.ENCODING, constraint.kind <= 2, where, "unknown kind")
        for column in table.columns:
            claimed += _check_generator(package, t, column)
        for lookup in table.message.lookups:
            _check_lookup(package, t, lookup)
        providers = [lookup.multiplicity_column for lookup in table.message.lookups if lookup.provide]
        obey(F.PROVIDERS, len(set(providers)) == len(providers), table.name, "two providers share a multiplicity column")
    obey(F.CLAIMED_SUMS, sorted(claimed) == list(range(len(circuit.claimed_sums))), "a claimed sum without exactly one running column")
    _check_keys(package)
    for tensor in circuit.publics:
        _check_public(circuit, tensor)
    _check_addresses(circuit)
    _check_exports(package)


def _check_exports(package):
    circuit, groups = package.circuit, exported_groups(package.circuit)
    obey(F.EXPORTS, groups <= {claimed_sum.group for claimed_sum in circuit.claimed_sums}, "an exported sum group has no claimed sum")
    obey(F.EXPORTS, not groups & {tensor.group for tensor in circuit.publics}, "an exported sum group has a public tensor")
    for k, claimed_sum in enumerate(circuit.claimed_sums):
        obey(F.EXPORTS, claimed_sum.group not in groups or phase_of_claimed_sum(package, k) == 2, "claimed sum", claimed_sum.name, "is exported in phase 3")


def _check_node(package, table, node, where):
    obey(F.NODES, node < len(package.graph.ops), where, "no node", node)
    obey(F.ONE_TABLE, package.graph.table[node] in (None, table), where, "reads another table")


def _check_known(package, table, node, phase, where):
    """A generator of a phase reads what is known when it runs."""
    _check_node(package, table, node, where)
    reads = package.graph.reads(node)
    obey(F.KNOWN, all(package.tables[table].phases[c] <= phase for c, _ in reads.columns), where, "reads a later phase")
    obey(F.KNOWN, all(package.circuit.challenges[k].phase < phase for k in reads.challenges), where, "reads a later challenge")
    for k in reads.claimed_sums:
        obey(F.KNOWN, phase_of_claimed_sum(package, k) < phase, where, "reads a claimed sum that is not known yet")


def phase_of_claimed_sum(package, claimed_sum):
    obey(F.CLAIMED_SUMS, claimed_sum in package.claimed_phases, "claimed sum", claimed_sum, "is nobody's")
    return package.claimed_phases[claimed_sum]


def _check_generator(package, t, column):
    """The claimed sums that the column gives, one at most."""
    if column.phase < 2:
        return []
    table, where = package.tables[t], f"{package.tables[t].name}.{column.name}:"
    for node in generator_nodes(column):
        _check_known(package, t, node, column.phase, where)
    kind = column.WhichOneof("generator")
    if kind == "scan":
        obey(F.SCANS, column.scan.rows < table.height, where, "runs of", column.scan.rows, "rows, in a table of", table.height)
    if kind == "gather":
        reads = package.graph.reads(column.gather.index)
        obey(F.GATHERS, all(table.phases[c] == 0 for c, _ in reads.columns), where, "the index reads more than fixed columns")
        obey(F.GATHERS, not reads.challenges and not reads.claimed_sums, where, "the index reads more than fixed columns")
        end = 0
        for source in column.gather.sources:
            obey(F.GATHERS, source.base >= end, where, "sources overlap or are out of order")
            end = source.base + source.rows
            obey(F.GATHERS, source.table < len(package.tables), where, "no table", source.table)
            of = package.tables[source.table]
            obey(F.GATHERS, source.column < len(of.columns) and of.phases[source.column] == column.phase, where, "source column")
            obey(F.GATHERS, source.rows <= of.height and end < P, where, "a source beyond its table, or beyond p")
    if kind != "fraction":
        return []
    if not column.fraction.running:
        obey(F.CLAIMED_SUMS, not column.fraction.add and not column.fraction.claimed_sum, where, "add or claimed sum, but not running")
        return []
    claimed_sum = column.fraction.claimed_sum
    obey(F.CLAIMED_SUMS, claimed_sum < len(package.circuit.claimed_sums), where, "no claimed sum", claimed_sum)
    obey(F.CLAIMED_SUMS, package.circuit.claimed_sums[claimed_sum].table == t, where, "names a claimed sum of another table")
    return [claimed_sum]


def _check_lookup(package, t, lookup):
    table, where = package.tables[t], f"{package.tables[t].name}.{lookup.name}:"
    obey(F.NAMES, lookup.name, where, "no name")
    obey(F.LOOKUPS, lookup.bus < len(package.circuit.buses), where, "no bus", lookup.bus)
    bus = package.circuit.buses[lookup.bus]
    obey(F.LOOKUPS, len(lookup.tuple) == bus.width, where, "tuple of another width than the bus")
    _check_node(package, t, lookup.multiplicity, where)
    for node in lookup.tuple:
        _check_node(package, t, node, where)
        reads = package.graph.reads(node)
        obey(F.LOOKUPS, all(table.phases[c] <= bus.phase for c, _ in reads.columns), where, "reads a later phase than the bus")
        drawn = [package.circuit.challenges[k].phase for k in reads.challenges]
        obey(F.LOOKUPS, all(phase < bus.phase for phase in drawn) and not reads.claimed_sums, where, "reads a claimed sum or a later challenge")
    reads = package.graph.reads(lookup.multiplicity)
    obey(F.LOOKUPS, all(table.phases[c] <= 1 for c, _ in reads.columns), where, "multiplicity of a later phase")
    obey(F.LOOKUPS, not reads.challenges and not reads.claimed_sums, where, "multiplicity of a later phase")
    if lookup.provide:
        c = lookup.multiplicity_column
        obey(F.PROVIDERS, c < len(table.columns) and table.phases[c] == 1, where, "multiplicity column not of phase 1")
        obey(F.PROVIDERS, lookup.key < bus.width, where, "key not in the tuple")
        if lookup.has_selector:
            obey(F.PROVIDERS, lookup.selector < bus.width and lookup.offsets, where, "selector not in the tuple, or without offsets")
        else:
            obey(F.PROVIDERS, len(lookup.offsets) == 1, where, "one offset is needed without a selector")
        obey(F.PROVIDERS, all(offset == NOT_HERE or abs(offset) <= P for offset in lookup.offsets), where, "offset beyond the field")


def _check_keys(package):
    """What finds a provider's row is known before any challenge, in the tuples that are looked up, too."""
    keys = {}
    for lookup in (lookup for table in package.tables for lookup in table.message.lookups if lookup.provide):
        keys.setdefault(lookup.bus, set()).update([lookup.key] + [lookup.selector] * lookup.has_selector)
    for table in package.tables:
        for lookup in table.message.lookups:
            for key in keys.get(lookup.bus, ()):
                reads = package.graph.reads(lookup.tuple[key])
                known = not reads.challenges and all(table.phases[c] <= 1 for c, _ in reads.columns)
                obey(F.PROVIDERS, known, f"{table.name}.{lookup.name}:", "key or selector of a later phase")


def _check_addresses(circuit):
    """In a group, tensors under the same challenges have no address in common: else a value could be moved between them."""
    ranges = sorted((tensor.group, tensor.address_challenge, tensor.row_challenge, tensor.column_challenge, tensor.address,
                     tensor.address + _tiles(tensor), tensor.name) for tensor in circuit.publics)
    for before, of in zip(ranges, ranges[1:]):
        obey(F.ADDRESSES, before[:4] != of[:4] or before[5] <= of[4], "public tensors", before[6], "and", of[6], "share addresses")


def _tiles(tensor):
    return -(-tensor.rows // tensor.tile_rows) * -(-tensor.columns // tensor.tile_columns)


def _check_witness(package):
    """A constraint reads each column of phase 1, and no lookup one of multiplicities, which are counted from lookups."""
    for table in package.tables:
        roots = [constraint.node for constraint in table.message.constraints]
        read = {c for c, _ in package.graph.reads(*roots).columns}
        for c, phase in enumerate(table.phases):
            obey(F.WITNESS, phase != 1 or c in read, f"{table.name}.{table.columns[c].name}:", "no constraint reads it")
        lookups = [of for of in table.message.lookups if not of.provide]
        read = {c for c, _ in package.graph.reads(*(node for of in lookups for node in (of.multiplicity, *of.tuple))).columns}
        for of in table.message.lookups:
            obey(F.LOOKUPS, not of.provide or of.multiplicity_column not in read, f"{table.name}.{of.name}:",
                 "a lookup reads its multiplicities")


def _check_public(circuit, tensor):
    where = f"public tensor {tensor.name}:"
    obey(F.PUBLICS, tensor.rows and tensor.columns and tensor.tile_rows and tensor.tile_columns, where, "no shape")
    obey(F.PUBLICS, max(tensor.tile_rows, tensor.tile_columns) <= P, where, "tiles beyond p")
    obey(F.PUBLICS, tensor.rows * tensor.columns <= 1 << 28, where, "more than 2^28 values")
    obey(F.PUBLICS, -P < 2 * tensor.low and tensor.low <= tensor.high and 2 * tensor.high < P, where, "range")
    obey(F.ENCODING, tensor.kind <= 1, where, "unknown kind")
    obey(F.PUBLICS, tensor.group < len(circuit.sum_groups), where, "no sum group", tensor.group)
    obey(F.PUBLICS, tensor.address + _tiles(tensor) <= P, where, "addresses beyond p")
    for challenge in (tensor.address_challenge, tensor.row_challenge, tensor.column_challenge):
        obey(F.PUBLICS, challenge < len(circuit.challenges), where, "no challenge", challenge)
