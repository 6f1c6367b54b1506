"""Runs of a package that never were: traces and public values that a cheating prover wishes to pass off as a model's.

A lie keeps as many of the circuit's rules as it can: multiplicities are those of the looked-up rows, and what is left is for few
checks to notice.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "replay"))
import qm31  # noqa: E402
from graph import Op  # noqa: E402
from package import P, Package, read_columns, read_statement, schema  # noqa: E402
from state import State, StateRows, on_all  # noqa: E402
from verify import Buses  # noqa: E402


class Run:
    """Traces of blocks, and the values of public tensors by name, those of all steps one after the other."""

    def __init__(self, bundle, traces, values):
        self.bundle, self.traces, self.values = bundle, traces, values
        self.nonce = ""  # of the claim

    @classmethod
    def read(cls, bundle, folder):
        """What `lindero check --save-trace` left."""
        folder = pathlib.Path(folder)
        count = len(list(folder.glob("trace*.bin")))
        names = ["trace.bin"] if count == 1 else [f"trace-{block}.bin" for block in range(count)]
        steps = read_statement(folder / "statement.pb", bundle.publics, count // len(bundle.members))
        values = {t.name: np.concatenate([step[i] for step in steps]) for i, t in enumerate(bundle.publics)}
        return cls.of(bundle, [folder / name for name in names], values)

    @classmethod
    def of(cls, bundle, files, values):
        members = [bundle.members[block % len(bundle.members)] for block in range(len(files))]
        traces = [read_columns(file, member.tables, 1) for file, member in zip(files, members)]
        return cls(bundle, [{at: np.array(column) for at, column in trace.items()} for trace in traces], values)

    def copy(self):
        traces = [{at: column.copy() for at, column in trace.items()} for trace in self.traces]
        return Run(self.bundle, traces, {name: values.copy() for name, values in self.values.items()})

    def package(self, block=0):
        """The member of a block."""
        return self.bundle.members[block % len(self.bundle.members)]

    @property
    def publics(self):
        return self.bundle.publics

    def place(self, table, column, block=0):
        tables = self.package(block).tables
        t = next(t for t, of in enumerate(tables) if of.name == table)
        return t, next(c for c, of in enumerate(tables[t].columns) if of.name == column)

    def lanes(self, table, column, block=0):
        names = [of.name for of in next(of for of in self.package(block).tables if of.name == table).columns]
        return [name for name in names if name.startswith(f"{column}.")]

    def column(self, table, column, block=0):
        """Of the trace; changes stay."""
        return self.traces[block][self.place(table, column, block)]

    def fixed(self, table, column, block=0):
        return self.package(block).fixed[self.place(table, column, block)]

    def write(self, folder, digests=()):
        """Files for the forger: traces, the public part of a claim, and openings of the tensors that are given by digest."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for block, trace in enumerate(self.traces):
            cells = [trace[at].astype("<u4").tobytes() for at in sorted(trace)]
            (folder / f"trace-{block}.bin").write_bytes(b"".join(cells))
        part, openings = {"inputs": [], "nonce": self.nonce, "outputs": []}, []
        for tensor in self.publics:
            values = [int(v) for v in self.values[tensor.name].ravel()]
            stated = {"columns": tensor.columns, "digest": None, "exponent": tensor.exponent, "high": tensor.high,
                      "low": tensor.low, "name": tensor.name, "rows": len(values) // tensor.columns, "values": values}
            if tensor.name in digests:
                openings.append({"name": tensor.name, "salt": "5" * 64, "values": values})
                stated["digest"] = hashlib.sha256(canonical(openings[-1])).hexdigest()
                stated["values"] = None
            part["inputs" if tensor.kind == 0 else "outputs"].append(stated)
        (folder / "claim.json").write_bytes(canonical(part))
        (folder / "openings.json").write_bytes(canonical(openings))
        return len(self.traces)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Unfilled(State):
    """The columns of phases 0 and 1 alone: what buses read that no challenge enters."""

    def __init__(self, package, main):
        self.package, self.columns = package, {**package.fixed, **main}
        self.plans, self.claims = {}, {}
        self.challenges = np.ones((len(package.circuit.challenges), 4), dtype=np.uint64)
        self.scalars = {3: package.graph.scalars(self.challenges, 0)}


def refit(run, block=0):
    """Makes the multiplicities those of the lookups, as far as there is a row for each."""
    package, main = run.package(block), run.traces[block]
    state = Unfilled(package, main)
    buses = Buses(state)
    for b, bus in enumerate(package.circuit.buses):
        if bus.phase > 1:
            continue
        lookups = [(t, lookup) for t, lookup in buses.lookups if lookup.bus == b]
        given = [(t, lookup) for t, lookup in lookups if lookup.provide]
        words = [tuples(state, t, lookup) for t, lookup in given]
        weights = [np.zeros(len(w), dtype=np.uint64) for w in words]
        for t, lookup in lookups:
            if not lookup.provide:
                _, taken, weight = buses.entries(lookup, state.rows(t))
                words.append(taken), weights.append(weight)
        counts = counted(np.concatenate(words), np.concatenate(weights), sum(map(len, words[: len(given)])))
        for t, lookup in given:
            at, height = (t, lookup.multiplicity_column), package.tables[t].height
            main[at], counts = counts[:height].astype(np.uint32), counts[height:]


def tuples(state, t, lookup):
    """As Buses.entries gives them, of all rows."""
    values = [np.resize(v, state.package.tables[t].height) for v in on_all(state.plan(*lookup.tuple), state.scalars[3], state.rows(t))]
    if len(values) % 2:
        values.append(np.zeros_like(values[0]))
    return np.stack([high << np.uint64(32) | low for high, low in zip(values[::2], values[1::2])], axis=1)


def counted(words, weights, providers):
    """For each of the first rows the weights of its tuple, if it is the first row that has it."""
    order = np.lexsort(words.T)
    ordered = words[order]
    starts = np.flatnonzero(np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]))
    sums = qm31.reduce(np.add.reduceat(weights[order], starts))
    first = np.minimum.reduceat(order, starts)
    counts = np.zeros(providers, dtype=np.uint64)
    provided = first < providers
    counts[first[provided]] = sums[provided]
    return counts


# Lies --------------------------------------------------------------------------------------------


def choose(run, tokens, block=0):
    """Has the argmax choose tokens[i] at the i-th of its positions, where it is there, whatever the logits are."""
    on, first = run.fixed("argmax", "on", block), run.fixed("argmax", "first", block)
    lanes = lambda column: [run.column("argmax", name, block) for name in run.lanes("argmax", column, block)]
    before, limbs = lanes("before"), lanes("high") + lanes("low")
    chosen = run.column("argmax", "chosen", block)
    position, entry, count = -1, 0, 0
    for row in np.flatnonzero(on):
        if first[row]:
            position, entry, count = position + 1, 0, 0
        token = tokens.get(position)
        if token is not None:
            for limb in limbs:
                limb[row] = 0
            for lane, column in enumerate(before):
                column[row] = entry + lane < token
                count += int(column[row])
            chosen[row] = count
        entry += len(before)
    refit(run, block)


def output(run):
    """The name of what a run chose."""
    return next(t.name for t in run.publics if t.kind == 1)


def text(run, tokens):
    """An output of choice."""
    lie = run.copy()
    lie.values[output(run)][:] = np.array(tokens).reshape(-1, 1)
    choose(lie, dict(enumerate(tokens)), len(run.traces) - 1)
    return lie


def mix(run, other):
    """The input of a run with the output of another one."""
    lie = other.copy()
    for (t, c), column in run.traces[0].items():
        if run.package().tables[t].name.startswith(("embeddings", "weights")):
            lie.traces[0][t, c] = column.copy()
    for tensor in run.publics:
        if tensor.kind == 0:
            lie.values[tensor.name] = run.values[tensor.name].copy()
    refit(lie)
    return lie


def stated(run, kind):
    """A public value that is not the run's."""
    lie = run.copy()
    tensor = next(t for t in run.publics if t.kind == kind)
    values = lie.values[tensor.name]
    values[0, 0] = values[0, 0] + 1 if values[0, 0] < tensor.high else values[0, 0] - 1
    return lie


def input_altered(run):
    """The input, in the claim and where the embedding of each token is looked up; the features are those of the run."""
    lie = stated(run, 0)
    name = next(t.name for t in run.publics if t.kind == 0)
    old, new = int(run.values[name][0, 0]), int(lie.values[name][0, 0])
    ids = lie.column("embeddings", "id")
    ids[np.flatnonzero(ids == old)[:1]] = new
    return lie


def weights_of(source, folder):
    """A package beside `source` with other weights in the same circuit: each fifth one of the products' has the other sign."""
    package = Package(source)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    for file in pathlib.Path(source).iterdir():
        if file.name not in ("model.key", "fixed.bin"):
            (folder / file.name).write_bytes(file.read_bytes())
    cells = []
    for at in sorted(package.fixed):
        table, column = package.tables[at[0]], np.array(package.fixed[at])
        if table.name == "weights" and table.columns[at[1]].name.startswith("w."):
            words = np.array(package.fixed[at[0], [c.name for c in table.columns].index("vocabulary_end")])
            rows = np.flatnonzero((column != 0) & (np.arange(len(column)) > np.flatnonzero(words).max(initial=-1)))[::5]
            column[rows] = P - column[rows]
        cells.append(column.astype("<u4").tobytes())
    (folder / "fixed.bin").write_bytes(b"".join(cells))
    return folder


# Decode runs -------------------------------------------------------------------------------------


def step_column(run, column, block=0):
    return run.column("steps", column, block)


def lengths(run):
    return run.values["decode/lengths"]


def token_of_last_step(run, token):
    """The last step chooses another token than the model."""
    lie = run.copy()
    block = len(run.traces) - 1
    per_block = len(lengths(run)) // len(run.traces)
    first, last = int(lengths(run)[per_block * block, 0]), int(lengths(run)[per_block * block + 1, 0]) - 1
    at = last - first
    for column in ("choice", "shown", "token_out"):
        step_column(lie, column, block)[at] = token
    choices = len(lie.values[output(run)]) // len(run.traces)
    lie.values[output(run)][block * choices + at, 0] = token
    tape = len(lie.values["decode/tape"]) // len(run.traces)
    lie.values["decode/tape"][block * tape + at + 1, 0] = token
    choose(lie, {at: token}, block)
    return lie


def all_tokens(run, prompt):
    """Every token after a prompt was given by the user: the lie says that the model chose them."""
    lie = run.copy()
    blocks = len(run.traces)
    steps = len(run.values[output(run)]) // blocks
    tape = run.values["decode/tape"].reshape(blocks, steps + 1)
    count, given = int(lengths(run)[4 * blocks - 3, 0]), prompt - 1
    token = lambda t: int(tape[t // steps, t % steps + 1])  # that step t leaves
    for block in range(blocks):
        forged = {t - block * steps: token(t) for t in range(block * steps, (block + 1) * steps) if given <= t < count}
        choose(lie, forged, block)
        for k in range(steps):
            t = block * steps + k
            step_column(lie, "chosen", block)[k] = t >= given
            step_column(lie, "given_in", block)[k] = min(t, given)
            step_column(lie, "given_out", block)[k] = min(t + 1, given)
            if k in forged:
                step_column(lie, "choice", block)[k] = step_column(lie, "shown", block)[k] = forged[k]
            lie.values[output(run)][t, 0] = step_column(lie, "shown", block)[k]
        end = min((block + 1) * steps, count)
        lengths(lie)[4 * block : 4 * block + 4, 0] = (block * steps, end, min(block * steps, given), min(end, given))
    return lie


def step_dropped(run, at):
    """The steps from `at` on count one less: one token of the tape is no step's."""
    lie = run.copy()
    for column in ("frontier_in", "frontier_out"):
        step_column(lie, column)[at : len(lie.values[output(run)])] -= 1
    lengths(lie)[1, 0] -= 1
    return lie


def another_context(run, other):
    """The blocks of `other`, whose tokens from the second block on are the run's, after the first one of the run: honest blocks
    each, but what they attend to is of other tokens than the claim's."""
    lie = other.copy()
    lie.traces[0] = {at: column.copy() for at, column in run.traces[0].items()}
    for name, values in lie.values.items():
        rows = len(values) // len(run.traces)
        values[:rows] = run.values[name][:rows]
    return lie


# Circuits ----------------------------------------------------------------------------------------


def edited(source, folder, edit, member=None):
    """A package with the circuit of another one, or that of one of its members, changed by `edit`."""
    source, folder = pathlib.Path(source), pathlib.Path(folder)
    for file in source.rglob("*"):
        if file.name in ("bundle.pb", "circuit.pb", "fixed.bin"):
            copy = folder / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    place = folder / "members" / member / "circuit.pb" if member else folder / "circuit.pb"
    circuit = schema("Circuit").FromString(place.read_bytes())
    edit(circuit)
    place.write_bytes(circuit.SerializeToString(deterministic=True))
    return folder


def drop(circuit, dropped):
    """Leaves out the constraints that `dropped`(table, constraint) names."""
    found = 0
    for table in circuit.tables:
        kept = [constraint for constraint in table.constraints if not dropped(table.name, constraint.name)]
        found += len(table.constraints) - len(kept)
        del table.constraints[:]
        table.constraints.extend(kept)
    assert found, "nothing to leave out"


def one_place(circuit):
    """All copies stand in one place: together they are what they are copies of, and each by itself is anything."""
    challenge = [of.name for of in circuit.challenges].index("copy")
    constant = next(i for i, node in enumerate(circuit.nodes) if node.op == Op.CONSTANT)
    nodes, found = circuit.nodes, 0
    for node in nodes:
        if node.op != Op.SUB or nodes[node.a].op != Op.CHALLENGE or nodes[node.a].a != challenge:
            continue
        read = nodes[node.b]
        if read.op == Op.COLUMN and circuit.tables[read.a].columns[read.b].name == "copy":
            assert constant < node.b
            node.b, found = constant, found + 1
    assert found > 1, "no copies"


def drawn_early(circuit):
    """What binds copies is known when they are chosen."""
    next(of for of in circuit.challenges if of.name == "copy").phase = 1
