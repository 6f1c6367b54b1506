"""A circuit's rules on single rows, as polynomials in cells: those of constraints and of what is looked up.

A form is a polynomial mod p, a dictionary: of a monomial, which is a sorted tuple of cells (table, column, row) or of names of
variables, to its factor, which is not zero and lies around zero.
"""

import functools
import math
from collections import namedtuple

import numpy as np

from graph import Op
from package import Package
from qm31 import P

HALF = (P - 1) // 2

# A rule on a row: a message Constraint or Lookup.
Rule = namedtuple("Rule", "table row name message lookup")
# The rows of a table that a lookup may find: keys low, low + step, ..., and the distinct values of the other elements, by
# the element's index. `sort`: what function it is, for uninterpreted ones.
Segment = namedtuple("Segment", "key low step count others sort")


def centered(value):
    value %= P
    return value - P if value > HALF else value


def add(*forms):
    total = {}
    for form in forms:
        for monomial, factor in form.items():
            total[monomial] = centered(total.get(monomial, 0) + factor)
    return {monomial: factor for monomial, factor in total.items() if factor}


def scale(form, by):
    return {monomial: centered(factor * by) for monomial, factor in form.items()}


def value_of(form, values):
    return sum(factor * math.prod(values[v] for v in monomial) for monomial, factor in form.items())


def multiply(a, b):
    return add(*({tuple(sorted(m + n, key=repr)): centered(f * g)} for m, f in a.items() for n, g in b.items())) if a and b else {}


def number(value):
    return {(): centered(value)} if value % P else {}


def constant(form):
    """The value of a form without variables, else None."""
    return form.get((), 0) if not set(form) - {()} else None


def minus(a, b):
    return add(a, scale(b, -1))


class Circuit:
    """A package's rules and lookup tables; forms of its nodes over cells (table, column, row)."""

    def __init__(self, folder):
        self.package = Package(folder)
        self.tables = {table.name: t for t, table in enumerate(self.package.tables)}
        self._forms = {}

    def column(self, table, name):
        names = [column.name for column in self.package.tables[table].columns]
        return names.index(name) if name in names else None

    def fixed(self, table, name, row):
        return int(self.package.fixed[table, self.column(table, name)][row])

    def fixed_column(self, table, name):
        return np.array(self.package.fixed[table, self.column(table, name)])

    def form(self, node, table, row):
        """The node's value on a row, as a polynomial in cells of phase 1 and challenges."""
        key = node, table, row
        if key not in self._forms:
            self._forms[key] = self._form(node, table, row)
        return self._forms[key]

    def _form(self, node, table, row):
        graph, of = self.package.graph, lambda n: self.form(n, table, row)
        op, a, b = graph.ops[node], graph.a[node], graph.b[node]
        height = self.package.tables[table].height
        if op == Op.CONSTANT:
            return number(a)
        if op == Op.COLUMN:
            at = (row + graph.offsets[node]) % height
            fixed = self.package.fixed.get((a, b))
            return {((a, b, at),): 1} if fixed is None else number(int(fixed[at]))
        if op == Op.CHALLENGE:
            return {(("challenge", a),): 1}
        if op in (Op.IS_FIRST, Op.IS_LAST):
            return number(int(row == (0 if op == Op.IS_FIRST else height - 1)))
        if op == Op.NEG:
            return scale(of(a), -1)
        return add(of(a), of(b)) if op == Op.ADD else minus(of(a), of(b)) if op == Op.SUB else multiply(of(a), of(b))

    def factors(self, node, table, row):
        """Forms of which one is zero if the node is."""
        graph = self.package.graph
        if graph.ops[node] == Op.MUL:
            return self.factors(graph.a[node], table, row) + self.factors(graph.b[node], table, row)
        return [self.form(node, table, row)]

    @functools.cached_property
    def names(self):
        return [[column.name for column in table.columns] for table in self.package.tables]

    def rules(self, table, row, wanted=lambda name: True):
        """The constraints of the row between cells of phase 1, and its lookups, that are not off there."""
        found, of = [], self.package.tables[table]
        for constraint in of.message.constraints:
            reads = self.package.graph.reads(constraint.node)
            plain = not reads.challenges and not reads.claimed_sums and all(of.phases[c] <= 1 for c, _ in reads.columns)
            if plain and wanted(constraint.name) and all(self.factors(constraint.node, table, row)):
                found.append(Rule(table, row, constraint.name, constraint, False))
        for lookup in of.message.lookups:
            if not lookup.provide and wanted(lookup.name) and self.form(lookup.multiplicity, table, row):
                found.append(Rule(table, row, lookup.name, lookup, True))
        return found

    def lanes(self, table, row):
        """What the table's scan sums up on the row, by the challenges' monomials: each is the value of a product."""
        [scan] = [c.scan for c in self.package.tables[table].columns if c.name == "fold"]
        lanes = {}
        for monomial, factor in self.form(scan.add, table, row).items():
            power = tuple(v for v in monomial if v[0] == "challenge")
            lanes.setdefault(power, {})[tuple(v for v in monomial if v[0] != "challenge")] = factor
        # The powers of a challenge descend from the first lane on.
        return [lanes[power] for power in sorted(lanes, key=len, reverse=True)]

    @functools.cache
    def bus(self, index):
        """The rows that are provided on a bus, signed."""
        rows = []
        for t, table in enumerate(self.package.tables):
            for lookup in table.message.lookups:
                if lookup.provide and lookup.bus == index:
                    columns = [self._column_of(t, node) for node in lookup.tuple]
                    rows.append(np.stack([np.array(c, dtype=np.int64) for c in columns], axis=1))
        rows = np.concatenate(rows)
        return np.unique(np.where(rows > HALF, rows - P, rows), axis=0)

    def _column_of(self, table, node):
        graph = self.package.graph
        assert graph.ops[node] == Op.COLUMN and not graph.offsets[node], "a table provides more than its columns"
        return self.package.fixed[table, graph.b[node]]

    @functools.cache
    def segments(self, bus, known, by=()):
        """The rows of a bus with these (element, value), grouped by the elements `by`; keys must be unique."""
        rows = self.rows(bus, known)
        free = [i for i in range(rows.shape[1]) if i not in dict(known)]
        key, rest = free[0], free[1:]
        assert len(np.unique(rows[:, key])) == len(rows), f"bus {bus}, {known}: two rows of one key"
        of = rows[:, list(by)]
        groups = [rows[(of == value).all(axis=1)] for value in np.unique(of, axis=0)] if by else [rows]
        found = []
        for group in groups:
            keys = np.sort(group[:, key])
            steps = np.unique(np.diff(keys))
            assert len(steps) <= 1, f"bus {bus}, {known}: keys with gaps"
            step = int(steps[0]) if len(steps) else 1
            others = {i: (int(group[:, i].min()), int(group[:, i].max())) for i in rest}
            found.append(Segment(key, int(keys[0]), step, len(keys), others, (bus, known)))
        return found

    @functools.cache
    def rows(self, bus, known):
        """The rows of a bus with these (element, value)."""
        rows = self.bus(bus)
        for element, value in known:
            rows = rows[rows[:, element] == value]
        return rows

    def find(self, bus, known, key, value):
        """The row of a table with this key, or None."""
        rows = self.rows(bus, known)
        rows = rows[rows[:, key] == value]
        return rows[0] if len(rows) else None

    def provides(self, bus, elements):
        elements = [centered(value) for value in elements]
        return (self.rows(bus, ((0, elements[0]),)) == elements).all(axis=1).any()
