"""Whether a filled trace is accepted (FORMAT.md, sections 6 and 7), and what fails where."""

from collections import namedtuple

import numpy as np

import qm31
from state import in_chunks, on_all

# kind: constraint, bus, group, range or link; `rows` counts the failing rows, `row` is the first, `node` its ONNX node.
Failure = namedtuple("Failure", "kind table name rows row node detail")


def verify(state, statement, sample=None, random=None):
    """All failures. `sample`: this number of rows per table, the first and the last among them, for the constraints."""
    failures = []
    for t, table in enumerate(state.package.tables):
        rows = sampled_rows(table.height, sample, random)
        failures += constraint_failures(state, t, rows)
    failures += bus_failures(state)
    failures += range_failures(state.package.circuit, statement)
    return failures + list(group_failures(state, statement))


def sampled_rows(height, sample, random):
    if sample is None or sample >= height:
        return np.arange(height)
    chosen = random.choice(height, size=sample, replace=False)
    return np.unique(np.concatenate([chosen, [0, height - 1]]))


def failing_rows(state, t, rows):
    """(constraint, its failing rows) for every constraint of the table."""
    constraints = state.package.tables[t].message.constraints
    failing = [[] for _ in constraints]
    plan = state.plan(*[constraint.node for constraint in constraints])
    for part, values in in_chunks(plan, state.scalars[3], state.rows(t, rows)):
        for found, value in zip(failing, values):
            found.append(part.rows[~qm31.is_zero(value)])
    return [(constraint, np.concatenate(found)) for constraint, found in zip(constraints, failing)]


def constraint_failures(state, t, rows):
    table = state.package.tables[t]
    for constraint, found in failing_rows(state, t, rows):
        if len(found):
            row = int(found[0])
            yield Failure("constraint", table.name, constraint.name, len(found), row, table.node_at(row), "not zero")


class Buses:
    """Every lookup's tuples as rows of 64-bit words, two residues in each, so that equal tuples are equal rows."""

    def __init__(self, state):
        self.state = state
        self.lookups = [(t, lookup) for t, table in enumerate(state.package.tables) for lookup in table.message.lookups]
        self.wide = {}
        for t, lookup in self.lookups:
            wide = [self._is_extension(t, node) for node in lookup.tuple]
            before = self.wide.get(lookup.bus, wide)
            self.wide[lookup.bus] = [one or other for one, other in zip(wide, before)]

    def _is_extension(self, t, node):
        reads, phases = self.state.package.graph.reads(node), self.state.package.tables[t].phases
        return bool(reads.challenges or reads.claimed_sums) or any(phases[c] >= 2 for c, _ in reads.columns)

    def reads(self, lookup):
        return self.state.package.graph.reads(lookup.multiplicity, *lookup.tuple)

    def entries(self, lookup, rows):
        """(positions, words, weights) of the rows with a multiplicity; what is provided weighs -1 times that."""
        plan = self.state.plan(lookup.multiplicity, *lookup.tuple)
        weight, *components = on_all(plan, self.state.scalars[3], rows)
        (used,) = np.nonzero(weight)
        residues = []
        for component, wide in zip(components, self.wide[lookup.bus]):
            residues += list(qm31.extension(component)[:, used]) if wide else [component[used]]
        if len(residues) % 2:
            residues.append(np.zeros(len(used), dtype=np.uint64))
        words = [high << np.uint64(32) | low for high, low in zip(residues[::2], residues[1::2])]
        return used, np.stack(words, axis=1), qm31.neg(weight[used]) if lookup.provide else weight[used]


def unbalanced(words, weights):
    """(position of one entry, sum of weights, of its whole tuple) for every tuple whose weights do not sum to zero."""
    if not len(words):
        return np.arange(0), weights
    order = np.lexsort(words.T)
    words = words[order]
    starts = np.flatnonzero(np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)]))
    sums = qm31.reduce(np.add.reduceat(weights[order], starts))
    return order[starts[sums != 0]], sums[sums != 0]


def bus_failures(state):
    buses = Buses(state)
    for b, bus in enumerate(state.package.circuit.buses):
        lookups = [(t, lookup) for t, lookup in buses.lookups if lookup.bus == b]
        found = [buses.entries(lookup, state.rows(t)) for t, lookup in lookups]
        if not found:
            continue
        positions, words, weights = (np.concatenate(part) for part in zip(*found))
        at, sums = unbalanced(words, weights)
        if len(at):
            owner = int(np.searchsorted(np.cumsum([len(part[0]) for part in found]), at[0], side="right"))
            t, lookup = lookups[owner]
            table, row = state.package.tables[t], int(positions[at[0]])
            detail = f"the tuple of lookup {lookup.name} is out of balance by {qm31.signed(sums[0])}"
            yield Failure("bus", table.name, bus.name, len(at), row, table.node_at(row), detail)


def range_failures(circuit, statement):
    for tensor, values in zip(circuit.publics, statement):
        outside = np.flatnonzero((values < tensor.low) | (values > tensor.high))
        if len(outside):
            detail = f"value {values.flat[outside[0]]} not in [{tensor.low}, {tensor.high}]"
            yield Failure("range", None, tensor.name, len(outside), int(outside[0]), None, detail)


def public_term(tensor, values, challenges):
    """The tensor's term in the sum of its group, of shape (4, 1)."""

    def reciprocals(challenge, integers):
        return qm31.inverse(qm31.sub(challenges[challenge].reshape(4, 1), integers.astype(np.uint64)))

    i, j = (index.ravel() for index in np.indices(values.shape))
    tiles_across = -(-tensor.columns // tensor.tile_columns)
    places = tensor.address + i // tensor.tile_rows * tiles_across + j // tensor.tile_columns
    terms = qm31.mul(qm31.residues(values.ravel()), reciprocals(tensor.address_challenge, places))
    terms = qm31.mul(terms, reciprocals(tensor.row_challenge, i % tensor.tile_rows))
    terms = qm31.mul(terms, reciprocals(tensor.column_challenge, j % tensor.tile_columns))
    return qm31.neg(qm31.total(terms)) if tensor.negative else qm31.total(terms)


def sum_of_group(circuit, claimed_sums, group):
    total = np.zeros((4, 1), dtype=np.uint64)
    for k, claimed_sum in enumerate(circuit.claimed_sums):
        if claimed_sum.group == group:
            total = qm31.add(total, claimed_sums[k])
    return total


def group_failures(state, statement):
    circuit = state.package.circuit
    linked = state.package.linked
    for g, group in enumerate(circuit.sum_groups):
        if g in linked:
            continue
        total = sum_of_group(circuit, state.claimed_sums, g)
        for tensor, values in zip(circuit.publics, statement):
            if tensor.group == g:
                total = qm31.add(total, public_term(tensor, values, state.challenges))
        if total.any():
            detail = "claimed sums and public tensors do not sum to zero"
            yield Failure("group", None, group.name, 1, None, None, detail)


def link_failures(bundle, blocks):
    """(block, failure) where the ends of a link do not cancel: the block is that of its first end. `blocks` are the claimed sums of
    each block, under challenges that they share."""
    members = len(bundle.members)
    for step in range(len(blocks) // members):
        for link in bundle.message.links:
            total = np.zeros((4, 1), dtype=np.uint64)
            for end in link.ends:
                if step or not end.before:
                    at = (step - end.before) * members + end.member
                    total = qm31.add(total, sum_of_group(bundle.members[end.member].circuit, blocks[at], end.group))
            if total.any():
                first = next(end for end in link.ends if not end.before)
                name = bundle.members[first.member].circuit.sum_groups[first.group].name
                detail = "its sum and those of the link's other ends do not add up to zero"
                yield step * members + first.member, Failure("link", None, name, 1, None, None, detail)
