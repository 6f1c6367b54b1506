"""A filled trace: the columns of all four phases, under challenges of our own (FORMAT.md, section 5)."""

import numpy as np

import qm31
from graph import ZeroInverse, evaluate
from circuit import generator_nodes
from format_rules import F, obey

CHUNK = 8192  # rows that are evaluated together: their values stay in the processor's cache


class ZeroDenominator(Exception):
    """A fraction without a value; as improbable as a guessed challenge, unless the circuit is wrong."""


def take(column, rows):
    """Rows of a stored column (uint32) as an array to compute with."""
    return column[..., rows].astype(np.uint64)


class Rows:
    """Some rows of one table, for evaluate()."""

    def __init__(self, state, table, rows):
        self.state, self.table, self.rows = state, table, rows
        self.height = state.package.tables[table].height

    def column(self, c, offset):
        return take(self.state.columns[self.table, c], (self.rows + offset) % self.height)

    def claimed_sum(self, k):
        return self.state.claimed_sums[k]

    def first(self):
        return (self.rows == 0).astype(np.uint64)

    def last(self):
        return (self.rows == self.height - 1).astype(np.uint64)


def stretch(value, length):
    """A constant for every row; other values as they are."""
    return np.repeat(value, length, axis=-1) if value.shape[-1] != length else value


def in_chunks(plan, scalars, rows):
    """(rows, values) of a plan, a chunk of rows at a time; `rows` has rows.part(slice) and a length."""
    for begin in range(0, len(rows.rows), CHUNK):
        part = rows.part(slice(begin, begin + CHUNK))
        yield part, [stretch(value, len(part.rows)) for value in evaluate(plan, scalars, part)]


def on_all(plan, scalars, rows):
    """The values of a plan on all of the rows."""
    parts = [values for _, values in in_chunks(plan, scalars, rows)]
    return [np.concatenate(of, axis=-1) for of in zip(*parts)]


class State:
    """`columns` from (table, column) to cells: (height,) in phases 0 and 1, else (4, height). `claimed_sums` by index.

    Blocks share the challenges of phase 1: those of `shared`, by name, to which a state adds what is not there yet."""

    def __init__(self, package, main, random, shared=None):
        self.package = package
        self.columns = {**package.fixed, **main}
        self.claimed_sums = {}
        self.plans = {}
        self._draw(random, {} if shared is None else shared)
        self.order = package.order
        for t, c in self.order:
            phase = package.tables[t].phases[c]
            self.columns[t, c] = self._fill(t, package.tables[t].columns[c], self.scalars[phase]).astype(np.uint32)

    def _draw(self, random, shared):
        """Challenges, and the scalars that a filler of phase 2, and one of phase 3, knows."""
        graph, count = self.package.graph, len(self.package.circuit.challenges)
        while True:
            self.challenges = random.integers(0, qm31.P, size=(count, 4), dtype=np.uint64)
            for k, challenge in enumerate(self.package.circuit.challenges):
                if challenge.phase == 1 and challenge.name in shared:
                    self.challenges[k] = shared[challenge.name]
            try:
                self.scalars = {phase: graph.scalars(self.challenges, phase - 1) for phase in (2, 3)}
                early = (k for k, challenge in enumerate(self.package.circuit.challenges) if challenge.phase == 1)
                shared |= {self.package.circuit.challenges[k].name: self.challenges[k] for k in early}
                return
            except ZeroInverse:
                continue

    def plan(self, *nodes):
        if nodes not in self.plans:
            self.plans[nodes] = self.package.graph.plan(nodes)
        return self.plans[nodes]

    def rows(self, t, rows=None):
        return StateRows(self, t, np.arange(self.package.tables[t].height) if rows is None else rows)

    def _fill(self, t, column, scalars):
        kind = column.WhichOneof("generator")
        values = on_all(self.plan(*generator_nodes(column)), scalars, self.rows(t))
        if kind == "expression":
            return qm31.extension(values[0])
        if kind == "scan":
            return qm31.scan(*map(qm31.extension, values))
        if kind == "gather":
            return self._gather(column.gather, values[0])
        terms = fraction_terms(values, f"{self.package.tables[t].name}.{column.name}")
        if not column.fraction.running:
            return terms
        sums = qm31.prefix_sums(terms)
        self.claimed_sums[column.fraction.claimed_sum] = sums[:, -1:]
        return sums

    def _gather(self, gather, index):
        out = np.zeros((4, len(index)), dtype=np.uint64)
        covered = index == 0
        for source, chosen, rows in gathered_rows(gather, index):
            out[:, chosen] = take(self.columns[source.table, source.column], rows)
            covered |= chosen
        obey(F.GATHERS, covered.all(), "a gather's index is in no source")
        return out


class StateRows(Rows):
    def part(self, which):
        return StateRows(self.state, self.table, self.rows[which])


def fraction_terms(values, name):
    """numerator / denominator, plus add if there is one."""
    numerator, denominator = values[0], qm31.extension(values[1])
    if qm31.is_zero(denominator).any():
        raise ZeroDenominator(f"{name}: zero denominator in position {np.flatnonzero(qm31.is_zero(denominator))[0]}")
    terms = qm31.mul(numerator, qm31.inverse(denominator))
    return terms if len(values) == 2 else qm31.add(terms, values[2])


def gathered_rows(gather, index):
    """For every source: which rows of the gathering column read it, and the rows that they read."""
    place = index.astype(np.int64) - 1
    for source in gather.sources:
        chosen = (place >= source.base) & (place < source.base + source.rows)
        yield source, chosen, place[chosen] - source.base
