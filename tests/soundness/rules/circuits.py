"""Small circuits, said once: as expressions over columns, and written both as a package and as text of the air dialect.

    c = Circuit(challenges={"z": 2}, groups=["copies"])
    t = c.table("t")
    s, a = t.fixed("s", "a")
    ...
    t.running("sum", s * y, c.z - a, group="copies")

A generated column comes with its generator's constraint, as the compiler writes it; `define` puts another one in its place, or
none, which the text cannot say.
"""

import json
import sys
from collections import namedtuple

sys.setrecursionlimit(10000)  # expressions are deep where powers are high
P = 2**31 - 1
ROWS = 32
NO_MODEL = {"file": "", "sha256": "", "parameters": 0, "causal": False, "vocabulary": 0, "inputs": [], "outputs": []}
EMPTY_PROGRAM = b"\x08\x02"  # lindero.Program: its format alone

Column = namedtuple("Column", "name phase kind fields")
# kind "constraint": (name, expression); "lookup": (name, bus, provide, multiplicity, tuple); "column": a Column.
Item = namedtuple("Item", "kind content")


class E:
    """An expression: an operation, and its operands or what it names."""

    def __init__(self, op, *args):
        self.op, self.args = op, args

    def __add__(self, other):
        return E("add", self, expression(other))

    def __radd__(self, other):
        return E("add", expression(other), self)

    def __sub__(self, other):
        return E("sub", self, expression(other))

    def __rsub__(self, other):
        return E("sub", expression(other), self)

    def __mul__(self, other):
        return E("mul", self, expression(other))

    def __rmul__(self, other):
        return E("mul", expression(other), self)

    def __neg__(self):
        return E("neg", self)

    def at(self, offset):
        """The column, `offset` rows further on."""
        table, name, _ = self.args
        return E("column", table, name, offset)


FIRST, LAST = E("first"), E("last")


def expression(value):
    return value if isinstance(value, E) else E("constant", value)


def inverse(value):
    return E("inverse", expression(value))


def claimed_sum(table, column):
    """The claimed sum of a running column. The text cannot read claimed sums."""
    return E("claimed_sum", table, column)


def pair(first, second):
    """Numerator and denominator of two fractions in one column, as the compiler puts them."""
    (n, d), (m, e) = first, second
    return n * e + m * d, d * e


class Table:
    def __init__(self, circuit, name):
        self.circuit, self.name = circuit, name
        self.items, self.definitions = [], {}

    def _column(self, name, phase, kind=None, *fields):
        self.items.append(Item("column", Column(name, phase, kind, fields)))
        return E("column", self.name, name, 0)

    def fixed(self, *names):
        return [self._column(name, 0) for name in names]

    def main(self, *names):
        return [self._column(name, 1) for name in names]

    def value(self, name, value, phase=2):
        return self._column(name, phase, "expression", expression(value))

    def scan(self, name, mul, add, phase=2):
        return self._column(name, phase, "scan", expression(mul), expression(add))

    def fraction(self, name, numerator, denominator, phase=3):
        return self._column(name, phase, "fraction", expression(numerator), expression(denominator), None, None)

    def running(self, name, numerator, denominator, add=0, group="", phase=3):
        self.circuit.claimed.append((self.name, name, group))
        return self._column(name, phase, "fraction", expression(numerator), expression(denominator), expression(add), group)

    def gather(self, name, index, *sources, phase=2):
        """Sources: (table, column, base, rows)."""
        return self._column(name, phase, "gather", expression(index), sources)

    def constrain(self, name, value):
        self.items.append(Item("constraint", (name, expression(value))))

    def define(self, name, value):
        """Another constraint for a generated column than its generator's; None: none."""
        self.definitions[name] = value

    def look_up(self, name, bus, multiplicity, *values):
        self.items.append(Item("lookup", (name, bus, False, expression(multiplicity), list(map(expression, values)))))

    def provide(self, name, bus, multiplicity, *values):
        self.items.append(Item("lookup", (name, bus, True, multiplicity, list(map(expression, values)))))

    def columns(self):
        return [item.content for item in self.items if item.kind == "column"]


class Circuit:
    def __init__(self, challenges=None, groups=()):
        self.challenges = dict(challenges or {})
        self.groups, self.tables, self.claimed = list(groups), [], []
        self.publics, self.links, self.buses = [], [], []

    def __getattr__(self, name):
        if name in self.__dict__.get("challenges", {}):
            return E("challenge", name)
        raise AttributeError(name)

    def table(self, name):
        self.tables.append(Table(self, name))
        return self.tables[-1]

    def bus(self, name, width, phase):
        self.buses.append((name, width, phase))

    def public(self, name, group, *challenges):
        """An input of one value, at an address that nothing else has."""
        self.publics.append((name, group, challenges))

    def link(self, into, out):
        self.links.append((into, out))


class PackageWriter:
    """Writes circuit.pb as the compiler does, but for nodes that it would not write."""

    def __init__(self, circuit, schema):
        self.schema, self.of, self.message, self.made, self.nodes = schema, circuit, schema("Circuit")(), {}, {}
        self.challenges, self.groups = list(circuit.challenges), list(circuit.groups)
        self.tables = [table.name for table in circuit.tables]
        self.columns = {table.name: [c.name for c in sorted(table.columns(), key=lambda c: c.phase)] for table in circuit.tables}

    def write(self, folder):
        folder.mkdir(parents=True)
        message, of = self.message, self.of
        message.format, message.modulus, message.extension_degree = 1, P, 4
        for name, phase in of.challenges.items():
            message.challenges.add(name=name, phase=phase)
        for table, column, group in of.claimed:
            message.claimed_sums.add(name=f"{table}.{column}", table=self.tables.index(table), group=self.groups.index(group))
        for name in of.groups:
            message.sum_groups.add(name=name)
        for name, width, phase in of.buses:
            message.buses.add(name=name, width=width, phase=phase)
        for number, (name, group, challenges) in enumerate(of.publics):
            za, zr, zc = map(self.challenges.index, challenges)
            message.publics.add(name=name, rows=1, columns=1, high=9, group=self.groups.index(group), address=1000 + number,
                                tile_rows=1, tile_columns=1, address_challenge=za, row_challenge=zr, column_challenge=zc)
        for group in (group for link in of.links for group in link):
            message.sum_groups[self.groups.index(group)].exported = True
        for table in of.tables:
            self._table(table)
        message.segments.add(name="whole", tables=range(len(of.tables)))
        (folder / "circuit.pb").write_bytes(message.SerializeToString(deterministic=True))
        if of.links:
            (folder / "bundle.pb").write_bytes(self._bundle().SerializeToString(deterministic=True))
        (folder / "program.pb").write_bytes(EMPTY_PROGRAM)
        (folder / "report.json").write_text(json.dumps({"model": NO_MODEL}))
        fixed = sum(len([c for c in table.columns() if c.phase == 0]) for table in of.tables)
        (folder / "fixed.bin").write_bytes(bytes(4 * ROWS * fixed))

    def _bundle(self):
        """What a link takes is what the step before leaves."""
        bundle = self.schema("Bundle")(format=1, most_steps=4)
        bundle.members.add(name="whole")
        for into, out in self.of.links:
            ends = bundle.links.add().ends
            ends.add(group=self.groups.index(into))
            ends.add(group=self.groups.index(out), before=True)
        return bundle

    def node(self, e):
        """Shared expressions are visited once."""
        if id(e) not in self.nodes:
            self.nodes[id(e)] = self._node(e), e
        return self.nodes[id(e)][0]

    def _node(self, e):
        operands = {"add": 6, "sub": 7, "mul": 8, "neg": 9, "inverse": 10}
        if e.op in operands:
            a, b = [self.node(arg) for arg in e.args] + [0] * (2 - len(e.args))
            return self._made(operands[e.op], a, b)
        if e.op == "constant":
            return self._made(0, e.args[0] % P)
        if e.op == "column":
            table, name, offset = e.args
            return self._made(1, self.tables.index(table), self.columns[table].index(name), offset)
        if e.op == "challenge":
            return self._made(2, self.challenges.index(*e.args))
        if e.op == "claimed_sum":
            return self._made(3, next(k for k, (table, column, _) in enumerate(self.of.claimed) if (table, column) == e.args))
        return self._made({"first": 4, "last": 5}[e.op])

    def _made(self, *key):
        op, a, b, offset = key + (0,) * (4 - len(key))
        if key not in self.made:
            self.made[key] = len(self.message.nodes)
            self.message.nodes.add(op=op, a=a, b=b, offset=offset)
        return self.made[key]

    def _table(self, table):
        message = self.message.tables.add(name=table.name, log_height=ROWS.bit_length() - 1)
        for column in sorted(table.columns(), key=lambda c: c.phase):
            self._generator(table, column, message.columns.add(name=column.name, phase=column.phase))
        for column in table.columns():
            definition = table.definitions.get(column.name, definition_of(table, column))
            if definition is not None:
                message.constraints.add(name=column.name, node=self.node(definition))
        for kind, content in table.items:
            if kind == "constraint":
                message.constraints.add(name=content[0], node=self.node(content[1]))
            if kind == "lookup":
                self._lookup(table, message, *content)

    def _generator(self, table, column, message):
        if column.kind == "expression":
            message.expression.value = self.node(column.fields[0])
        elif column.kind == "scan":
            message.scan.mul, message.scan.add = map(self.node, column.fields)
        elif column.kind == "fraction":
            numerator, denominator, add, group = column.fields
            of = message.fraction
            of.SetInParent()
            of.numerator, of.denominator = self.node(numerator), self.node(denominator)
            if add is not None:
                of.running, of.add = True, self.node(add)
                of.claimed_sum = self.of.claimed.index((table.name, column.name, group))
        elif column.kind == "gather":
            message.gather.index = self.node(column.fields[0])
            for of, name, base, rows in column.fields[1]:
                message.gather.sources.add(table=self.tables.index(of), column=self.columns[of].index(name), base=base, rows=rows)

    def _lookup(self, table, message, name, bus, provide, multiplicity, values):
        buses = [bus for bus, _, _ in self.of.buses]
        lookup = message.lookups.add(name=name, bus=buses.index(bus), provide=provide, multiplicity=self.node(multiplicity),
                                     tuple=map(self.node, values))
        if provide:
            lookup.multiplicity_column = self.columns[table.name].index(multiplicity.args[1])
            lookup.offsets.append(0)


def definition_of(table, column):
    """What is zero if a column is what its generator says; None where it is no constraint."""
    y, before = E("column", table.name, column.name, 0), E("column", table.name, column.name, -1)
    if column.kind == "expression":
        return y - column.fields[0]
    if column.kind == "scan":
        return y - (1 - FIRST) * column.fields[0] * before - column.fields[1]
    if column.kind == "fraction":
        numerator, denominator, add, _ = column.fields
        own = y if add is None else y - before + FIRST * claimed_sum(table.name, column.name) - add
        return own * denominator - numerator
    return None


class TextWriter:
    """Writes the circuit as text of the air dialect, as lower-sums leaves it."""

    def __init__(self, circuit):
        self.of, self.lines, self.next = circuit, [], 0

    def write(self, file):
        of = self.of
        self.lines = ["func @circuit() {"]
        for name, phase in of.challenges.items():
            self._line(f'%{name} = air.challenge {{after = {phase}, name = "{name}"}} : ext')
        for name in of.groups:
            self._line(f'air.group {{name = "{name}"}}')
        for name, width, phase in of.buses:
            self._line(f'air.bus {{name = "{name}", phase = {phase}, width = {width}}}')
        for number, (name, group, challenges) in enumerate(of.publics):
            names = ", ".join(f'"{challenge}"' for challenge in challenges)
            self._line(f"air.public {{address = {1000 + number}, challenges = [{names}], columns = 1, exponent = 0, group = @{group}, "
                       f'high = 9, kind = "input", low = 0, name = "{name}", negative = false, rows = 1, tile_columns = 1, '
                       "tile_rows = 1}")
        for into, out in of.links:
            self._line(f"air.link {{high = 15, in = @{into}, low = 0, most_blocks = 4, out = @{out}}}")
        for table in of.tables:
            self._table(table)
        file.write_text("\n".join(self.lines + ["}", ""]))

    def _line(self, text):
        self.lines.append("  " + text)

    def _new(self, op, operands, type_):
        self.next += 1
        given = f"({', '.join(operands)})" if operands else ""
        self._line(f"%n{self.next} = air.{op}{given} : {type_}")
        return f"%n{self.next}", type_

    def _value(self, e):
        """(name, type) of an expression; equal ones have equal names, as in a circuit's nodes."""
        if id(e) not in self.values:
            operands = [self._value(arg) for arg in e.args if isinstance(arg, E)]
            key = (e.op, *(operands or e.args))
            if key not in self.made:
                self.made[key] = self._computed(e, operands)
            self.values[id(e)] = self.made[key]
            self.kept.append(e)
        return self.values[id(e)]

    def _computed(self, e, operands):
        if e.op == "constant":
            return self._new(f"constant {{value = {e.args[0]}}}", [], "base")
        if e.op == "challenge":
            return f"%{e.args[0]}", "ext"
        if e.op == "column":
            table, name, offset = e.args
            column = self.columns[name]
            if not offset:
                return column
            self.next += 1
            self._line(f"%n{self.next} = air.shift({column[0]}) {{offset = {offset}}} : {column[1]}")
            return f"%n{self.next}", column[1]
        extension = any(type_ == "ext" for _, type_ in operands)
        return self._new(e.op, [name for name, _ in operands], "ext" if extension else "base")

    def _table(self, table):
        self._line(f'air.table {{log_height = {ROWS.bit_length() - 1}, name = "{table.name}"}} {{')
        self.values, self.made, self.columns, self.kept = {}, {}, {}, []
        for kind, content in table.items:
            if kind == "column":
                self._column(table, content)
            elif kind == "constraint":
                self._line(f'air.constrain({self._value(content[1])[0]}) {{kind = "local", name = "{content[0]}"}}')
            else:
                self._lookup(*content)
        self._line("}")

    def _lookup(self, name, bus, provide, multiplicity, values):
        operands = ", ".join(self._value(value)[0] for value in [multiplicity, *values])
        more = "key = 0, " if provide else ""
        last = ", offsets = [0]" if provide else ""
        self._line(f'air.{"provide" if provide else "lookup"}({operands}) {{bus = @{bus}, {more}name = "{name}"{last}}}')

    def _column(self, table, column):
        result, attributes = f"%{table.name}_{column.name}", f'name = "{column.name}", phase = {column.phase}'
        operands = []
        if column.kind == "gather":
            operands = [self._value(column.fields[0])[0]]
            for field, of in zip(("tables", "columns"), (0, 1)):
                attributes += f", source_{field} = [{', '.join(quoted(source[of]) for source in column.fields[1])}]"
            for field, of in zip(("bases", "rows"), (2, 3)):
                attributes += f", source_{field} = [{', '.join(str(source[of]) for source in column.fields[1])}]"
        elif column.kind == "fraction":
            running = column.fields[2] is not None
            operands = [self._value(e)[0] for e in column.fields[: 2 + running]]
            attributes += f", running = {str(running).lower()}" + (f", group = @{column.fields[3]}" if running else "")
        elif column.kind:
            operands = [self._value(e)[0] for e in column.fields]
        kind, type_ = (column.kind, "ext") if column.kind else ("column", "base")
        given = f"({', '.join(operands)})" if operands else ""
        self._line(f"{result} = air.{kind}{given} {{{attributes}}} : {type_}")
        self.columns[column.name] = (result, type_)


def quoted(text):
    return f'"{text}"'
