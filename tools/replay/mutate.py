"""Many mutations of one accepted trace, each evaluated as completely as the trace itself was.

A batch holds one copy of the filled trace per mutation, all under the same challenges. A copy differs from the original
in one cell and in what the generators make of that; only these cells are stored and computed, by the rules of FORMAT.md,
and only constraints and lookups that read one of them are evaluated again: the others have the values that they had. Row r
of copy k of a table of height H is called k H + r.

A mutated cell may be of phase 2 or 3, too: a prover is free to fill these columns as it likes. What depends on the cell is
then filled as if it were right: other columns, and in a scan or a running fraction the rows after it, so that a single
rule is broken.
"""

from collections import namedtuple

import numpy as np

import qm31
from graph import evaluate
from circuit import generator_nodes
from state import Rows, fraction_terms, gathered_rows, in_chunks, on_all, take
from verify import Buses, unbalanced

# A cell and what stands there now: a residue in phase 1, four of them in phases 2 and 3.
Mutation = namedtuple("Mutation", "table column row value")


class CopyRows(Rows):
    """Rows of a table's copies, for evaluate()."""

    def __init__(self, batch, table, at):
        self.batch, self.at = batch, at
        height = batch.state.package.tables[table].height
        super().__init__(batch.state, table, at % height)
        self.copies = at // height

    def part(self, which):
        return CopyRows(self.batch, self.table, self.at[which])

    def column(self, c, offset):
        there = (self.rows + offset) % self.height
        values = take(self.state.columns[self.table, c], there)
        if (self.table, c) in self.batch.changed:
            at, new = self.batch.changed[self.table, c]
            place = np.minimum(np.searchsorted(at, self.copies * self.height + there), len(at) - 1)
            hit = at[place] == self.copies * self.height + there
            values[..., hit] = new[..., place[hit]]
        return values

    def claimed_sum(self, k):
        return self.batch.claimed_sums[k][:, self.copies] if k in self.batch.claimed_sums else self.state.claimed_sums[k]


class Batch:
    """`changed` from (table, column) to (ascending rows of copies, new values); `claimed_sums` of those that changed, (4, copies)."""

    def __init__(self, state, buses, mutations):
        self.state, self.buses, self.package = state, buses, state.package
        self.size = len(mutations)
        self.changed, self.claimed_sums = {}, {}
        self._mutate(mutations)
        for t, c in state.order:
            self._refill(t, c, self.package.tables[t].columns[c])

    def _mutate(self, mutations):
        cells = {}
        for copy, mutation in enumerate(mutations):
            at = copy * self.package.tables[mutation.table].height + mutation.row
            cells.setdefault((mutation.table, mutation.column), []).append((at, mutation.value))
        for (t, c), changes in cells.items():
            at, values = (np.array(part) for part in zip(*changes))
            self._set(t, c, self.package.tables[t].columns[c], at, values.astype(np.uint64).T)

    def _set(self, t, c, column, at, values):
        """Mutated cells, at most one in a copy, with the rows after them as their generator makes them."""
        kind = column.WhichOneof("generator")
        if kind == "scan":
            self._refill_scan(t, c, column, at, values)
        elif kind == "fraction" and column.fraction.running:
            old = take(self.state.columns[t, c], at % self.package.tables[t].height)
            self._refill_sums(t, c, column.fraction.claimed_sum, at, qm31.sub(values, old))
        else:
            self._keep(t, c, at, values)

    def touched(self, t, *nodes):
        """The rows at which one of the nodes reads a changed cell or claimed sum."""
        reads, height = self.package.graph.reads(*nodes), self.package.tables[t].height
        parts = [np.arange(0)]
        for c, offset in reads.columns:
            if (t, c) in self.changed:
                copy, row = np.divmod(self.changed[t, c][0], height)
                parts.append(copy * height + (row - offset) % height)
        for k in reads.claimed_sums:
            if k in self.claimed_sums:
                copies = np.flatnonzero((self.claimed_sums[k] != self.state.claimed_sums[k]).any(axis=0))
                parts.append((copies[:, None] * height + np.arange(height)).ravel())
        return np.unique(np.concatenate(parts))

    def _keep(self, t, c, at, values):
        """Stores those of the values that are new, beside what other copies have in this column."""
        rows = at % self.package.tables[t].height
        new = ~qm31.is_zero(qm31.sub(values, take(self.state.columns[t, c], rows)))
        at, values = at[new], values[..., new]
        if (t, c) in self.changed:
            at = np.concatenate([self.changed[t, c][0], at])
            values = np.concatenate([self.changed[t, c][1], values], axis=-1)
            order = np.argsort(at)
            at, values = at[order], values[..., order]
        if len(at):
            self.changed[t, c] = at, values

    def _refill(self, t, c, column):
        kind = column.WhichOneof("generator")
        if kind == "gather":
            self._refill_gather(t, c, column.gather)
            return
        nodes = generator_nodes(column)
        at = self.touched(t, *nodes)
        if not len(at):
            return
        if kind == "scan":
            self._refill_scan(t, c, column, at)
            return
        plan, scalars = self.state.plan(*nodes), self.state.scalars[column.phase]
        values = on_all(plan, scalars, CopyRows(self, t, at))
        if kind == "expression":
            self._keep(t, c, at, qm31.extension(values[0]))
            return
        name = f"{self.package.tables[t].name}.{column.name}"
        terms = fraction_terms(values, name)
        if not column.fraction.running:
            self._keep(t, c, at, terms)
            return
        height = self.package.tables[t].height
        before = fraction_terms(on_all(plan, scalars, self.state.rows(t, at % height)), name)
        self._refill_sums(t, c, column.fraction.claimed_sum, at, qm31.sub(terms, before))

    def _tails(self, t, at):
        """Per copy, from its first row in `at` to its last: all these rows, and the positions where a copy begins."""
        height = self.package.tables[t].height
        copies, first = np.unique(at // height, return_index=True)
        lengths = height - at[first] % height
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        return np.repeat(at[first] - begins, lengths) + np.arange(lengths.sum()), begins

    def _refill_scan(self, t, c, column, at, heads=None):
        """From the first row in `at` on, which has the value `heads` if that is given."""
        at, begins = self._tails(t, at)
        rows = at % self.package.tables[t].height
        plan = self.state.plan(column.scan.mul, column.scan.add)
        values = on_all(plan, self.state.scalars[column.phase], CopyRows(self, t, at))
        factor, addend = map(qm31.extension, values)
        if heads is None:
            # The row before a copy's first one has the value that it had; before row 0 there is none.
            carried = qm31.mul(factor[:, begins], take(self.state.columns[t, c], np.maximum(rows[begins] - 1, 0)))
            carried[:, rows[begins] == 0] = 0
            heads = qm31.add(addend[:, begins], carried)
        addend[:, begins] = heads
        factor[:, begins] = 0
        self._keep(t, c, at, qm31.scan(factor, addend))

    def _refill_sums(self, t, c, claimed_sum, at, differences):
        """A running sum differs from the original by the differences of the terms up to its row."""
        tails, begins = self._tails(t, at)
        sums = np.zeros((4, len(tails)), dtype=np.uint64)
        sums[:, np.searchsorted(tails, at)] = differences
        sums = qm31.prefix_sums(sums)
        ends = np.append(begins[1:], len(tails)) - 1
        before = np.concatenate([np.zeros((4, 1), dtype=np.uint64), sums[:, ends[:-1]]], axis=1)
        sums = qm31.sub(sums, np.repeat(before, ends - begins + 1, axis=1))
        height = self.package.tables[t].height
        values = qm31.add(take(self.state.columns[t, c], tails % height), sums)
        self._keep(t, c, tails, values)
        if sums[:, ends].any():
            self.claimed_sums.setdefault(claimed_sum, np.repeat(self.state.claimed_sums[claimed_sum], self.size, axis=1))
            self.claimed_sums[claimed_sum][:, tails[ends] // height] = values[:, ends]

    def _refill_gather(self, t, c, gather):
        height = self.package.tables[t].height
        parts = []
        index = None
        for s, source in enumerate(gather.sources):
            if (source.table, source.column) not in self.changed:
                continue
            if index is None:
                (index,) = on_all(self.state.plan(gather.index), self.state.scalars[2], self.state.rows(t))
            _, chosen, rows = list(gathered_rows(gather, index))[s]
            at, values = self.changed[source.table, source.column]
            copy, row = np.divmod(at, self.package.tables[source.table].height)
            readers = np.flatnonzero(chosen)[np.argsort(rows, kind="stable")]
            begin, end = (np.searchsorted(np.sort(rows), row, side=side) for side in ("left", "right"))
            which = np.repeat(np.arange(len(row)), end - begin)
            reader = np.arange(len(which)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin) + begin[which]
            parts.append((copy[which] * height + readers[reader], values[:, which]))
        if parts and sum(len(at) for at, _ in parts):
            at, values = (np.concatenate(part, axis=-1) for part in zip(*parts))
            order = np.argsort(at)
            self._keep(t, c, at[order], values[:, order])

    def failing_constraints(self):
        """For each copy, the first constraint that fails as (table, constraint), or None."""
        failing = [None] * self.size
        changed_tables = {t for t, _ in self.changed} | {self.package.circuit.claimed_sums[k].table for k in self.claimed_sums}
        for t in sorted(changed_tables):
            for number, constraint in enumerate(self.package.tables[t].message.constraints):
                at = self.touched(t, constraint.node)
                if not len(at):
                    continue
                rows = CopyRows(self, t, at)
                for part, (value,) in in_chunks(self.state.plan(constraint.node), self.state.scalars[3], rows):
                    for copy in np.unique(part.copies[~qm31.is_zero(value)]):
                        failing[copy] = failing[copy] or (t, number)
        return failing

    def failing_groups(self):
        """Which copies have a sum group whose sum is not what it was: zero or, of what blocks hand on, what the others
        have."""
        failing = np.zeros(self.size, dtype=bool)
        for g in range(len(self.package.circuit.sum_groups)):
            total = np.zeros((4, self.size), dtype=np.uint64)
            for k, claimed_sums in self.claimed_sums.items():
                if self.package.circuit.claimed_sums[k].group == g:
                    total = qm31.add(total, qm31.sub(claimed_sums, self.state.claimed_sums[k]))
            failing |= total.any(axis=0)
        return failing

    def failing_buses(self):
        """Which copies have a bus that is out of balance: what was looked up or provided goes, what is now comes."""
        failing = np.zeros(self.size, dtype=bool)
        found = {}
        for t, lookup in self.buses.lookups:
            at = self.touched(t, lookup.multiplicity, *lookup.tuple)
            if len(at):
                height = self.package.tables[t].height
                for rows, sign in (self.state.rows(t, at % height), qm31.neg), (CopyRows(self, t, at), np.array):
                    position, words, weights = self.buses.entries(lookup, rows)
                    copies = (at[position] // height).astype(np.uint64)[:, None]
                    found.setdefault(lookup.bus, []).append((np.concatenate([words, copies], axis=1), sign(weights)))
        for parts in found.values():
            words, weights = (np.concatenate(part) for part in zip(*parts))
            at, _ = unbalanced(words, weights)
            failing[words[at, -1].astype(np.int64)] = True
        return failing


class RandomRows(Rows):
    """Rows as they might be: fixed columns as they are, anything in the others, and `shift` more in one cell."""

    def __init__(self, state, table, rows, shift, cell):
        super().__init__(state, table, rows)
        self.shift, self.cell = shift, cell

    def column(self, c, offset):
        phase = self.state.package.tables[self.table].phases[c]
        if phase == 0:
            return super().column(c, offset)
        random = np.random.default_rng((c, offset + 1))
        shape = len(self.rows) if phase == 1 else (4, len(self.rows))
        values = random.integers(qm31.P, size=shape, dtype=np.uint64)
        column, row = self.cell
        if c == column:
            values[..., (self.rows + offset) % self.height == row] += np.uint64(self.shift)
        return qm31.reduce(values)


def has_influence(state, mutation):
    """Whether a constraint depends on the cell, given the fixed columns: tried with random values in all others, so that
    a cell of influence is taken for one without with negligible probability."""
    table = state.package.tables[mutation.table]
    rows = np.unique((mutation.row + np.arange(-1, 2)) % table.height)
    for constraint in table.message.constraints:
        plan = state.plan(constraint.node)
        one, other = (
            evaluate(plan, state.scalars[3], RandomRows(state, mutation.table, rows, shift, (mutation.column, mutation.row)))[0]
            for shift in (0, 1)
        )
        if (one != other).any():
            return True
    return False


def random_mutations(state, random, count, phases=(1,), padding=False):
    """Cells of some phases: a column at random, then one of its rows that is not padding; a random value, +-1, the
    negative, or the value of a neighbouring row, whichever is another one."""
    package = state.package
    rows = [np.arange(table.height) if padding else table.owned_rows() for table in package.tables]
    columns = [(t, c) for t, table in enumerate(package.tables) for c, phase in enumerate(table.phases) if phase in phases]
    mutations = []
    while len(mutations) < count:
        t, c = columns[random.integers(len(columns))]
        row = int(random.choice(rows[t]))
        old, neighbour = (take(state.columns[t, c], r % package.tables[t].height) for r in (row, row + 1))
        old, neighbour = np.atleast_1d(old), np.atleast_1d(neighbour)
        one = np.zeros_like(old)
        one[random.integers(len(one))] = 1
        anything = random.integers(qm31.P, size=old.shape, dtype=np.uint64)
        choices = anything, qm31.reduce(old + one), qm31.reduce(old + qm31.neg(one)), qm31.neg(old), neighbour
        value = choices[random.integers(len(choices))]
        if (value != old).any():
            mutations.append(Mutation(t, c, row, value.tolist() if len(value) > 1 else int(value[0])))
    return mutations
