"""Many mutations of one accepted trace, each evaluated as completely as the trace itself was.

A batch holds one copy of the filled trace per mutation, all under the same challenges. A copy differs from the original
in one cell of the trace and in what its generators make of that; only these cells are stored and computed, by the rules of
FORMAT.md, and only constraints and lookups that read one of them are evaluated again: the others have the values that
they had. Row r of copy k of a table of height H is called k H + r.
"""

from collections import namedtuple

import numpy as np

import qm31
from package import generator_nodes
from state import Rows, fraction_terms, gathered_rows, in_chunks, on_all, take
from verify import Buses, unbalanced

# A cell of the trace and the residue that stands there now.
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

    def claim(self, k):
        return self.batch.claims[k][:, self.copies] if k in self.batch.claims else self.state.claims[k]


class Batch:
    """`changed` from (table, column) to (ascending rows of copies, new values); `claims` of those that changed, (4, copies)."""

    def __init__(self, state, buses, mutations):
        self.state, self.buses, self.package = state, buses, state.package
        self.size = len(mutations)
        self.changed, self.claims = {}, {}
        self._mutate(mutations)
        for t, c in state.order:
            self._refill(t, c, self.package.tables[t].columns[c])

    def _mutate(self, mutations):
        cells = {}
        for copy, mutation in enumerate(mutations):
            at = copy * self.package.tables[mutation.table].height + mutation.row
            cells.setdefault((mutation.table, mutation.column), []).append((at, mutation.value))
        for place, changes in cells.items():
            at, values = zip(*changes)
            self.changed[place] = np.array(at, dtype=np.int64), np.array(values, dtype=np.uint64)

    def touched(self, t, *nodes):
        """The rows at which one of the nodes reads a changed cell or claim."""
        reads, height = self.package.graph.reads(*nodes), self.package.tables[t].height
        parts = [np.arange(0)]
        for c, offset in reads.columns:
            if (t, c) in self.changed:
                copy, row = np.divmod(self.changed[t, c][0], height)
                parts.append(copy * height + (row - offset) % height)
        for k in reads.claims:
            if k in self.claims:
                copies = np.flatnonzero((self.claims[k] != self.state.claims[k]).any(axis=0))
                parts.append((copies[:, None] * height + np.arange(height)).ravel())
        return np.unique(np.concatenate(parts))

    def _keep(self, t, c, at, values):
        """Stores those of the values that are new."""
        rows = at % self.package.tables[t].height
        new = (values != take(self.state.columns[t, c], rows)).any(axis=0)
        if new.any():
            self.changed[t, c] = at[new], values[:, new]

    def _refill(self, t, c, column):
        kind = column.WhichOneof("generator")
        if kind == "gather":
            self._refill_gather(t, c, column.gather)
            return
        nodes = generator_nodes(column)
        at = self.touched(t, *nodes)
        if not len(at):
            return
        plan, scalars = self.state.plan(*nodes), self.state.scalars[column.phase]
        if kind == "scan":
            self._refill_scan(t, c, plan, scalars, at)
            return
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
        self._refill_sums(t, c, column.fraction.claim, at, qm31.sub(terms, before))

    def _tails(self, t, at):
        """Per copy, from its first row in `at` to its last: all these rows, and the positions where a copy begins."""
        height = self.package.tables[t].height
        copies, first = np.unique(at // height, return_index=True)
        lengths = height - at[first] % height
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        return np.repeat(at[first] - begins, lengths) + np.arange(lengths.sum()), begins

    def _refill_scan(self, t, c, plan, scalars, at):
        at, begins = self._tails(t, at)
        rows = at % self.package.tables[t].height
        factor, addend = map(qm31.extension, on_all(plan, scalars, CopyRows(self, t, at)))
        # The row before a copy's first one has the value that it had; before row 0 there is none.
        carried = qm31.mul(factor[:, begins], take(self.state.columns[t, c], np.maximum(rows[begins] - 1, 0)))
        carried[:, rows[begins] == 0] = 0
        addend[:, begins] = qm31.add(addend[:, begins], carried)
        factor[:, begins] = 0
        self._keep(t, c, at, qm31.scan(factor, addend))

    def _refill_sums(self, t, c, claim, at, differences):
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
            self.claims[claim] = np.repeat(self.state.claims[claim], self.size, axis=1)
            self.claims[claim][:, tails[ends] // height] = values[:, ends]

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
        changed_tables = {t for t, _ in self.changed} | {self.package.circuit.claims[k].table for k in self.claims}
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
        """Which copies have a claim group that does not sum to zero, as it did before."""
        failing = np.zeros(self.size, dtype=bool)
        for g in range(len(self.package.circuit.claim_groups)):
            total = np.zeros((4, self.size), dtype=np.uint64)
            for k, claims in self.claims.items():
                if self.package.circuit.claims[k].group == g:
                    total = qm31.add(total, qm31.sub(claims, self.state.claims[k]))
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


def random_mutations(state, random, count, padding=False):
    """Cells of phase 1: a column at random, then one of its rows that is not padding; a random value, +-1, the negative, or
    the value of a neighbouring row, whichever is another one."""
    package = state.package
    rows = [np.arange(table.height) if padding else table.owned_rows() for table in package.tables]
    columns = [(t, c) for t, table in enumerate(package.tables) for c, p in enumerate(table.phases) if p == 1 and len(rows[t])]
    mutations = []
    while len(mutations) < count:
        t, c = columns[random.integers(len(columns))]
        row = int(random.choice(rows[t]))
        old, neighbour = (int(state.columns[t, c][r % package.tables[t].height]) for r in (row, row + 1))
        choices = (int(random.integers(qm31.P)), (old + 1) % qm31.P, (old - 1) % qm31.P, -old % qm31.P, neighbour)
        value = choices[random.integers(len(choices))]
        if value != old:
            mutations.append(Mutation(t, c, row, value))
    return mutations
