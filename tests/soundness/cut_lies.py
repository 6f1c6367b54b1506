"""Lies about runs of several members: what crosses a link is not the same on both sides, or the two sides are not of one run.

Each member keeps all of its own rules, as far as it can; what is left is for the links to notice.
"""

import json
import pathlib
import subprocess

import numpy as np

from lies import P, Op, Run, refit, schema

# Models that were cut --------------------------------------------------------------------------------


def members_of(run, other, first):
    """The members of a run, and those of another one from `first` on."""
    lie = run.copy()
    lie.traces[first:] = other.copy().traces[first:]
    start = sum(len(member.circuit.publics) for member in run.bundle.members[:first])
    for tensor in run.publics[start:]:
        lie.values[tensor.name] = other.values[tensor.name].copy()
    return lie


def within(run, other, block):
    """What a member takes is of one run, and what it gives of another: the links agree, the member does not."""
    lie = members_of(run, other, block)
    for (t, c), column in run.traces[block].items():
        if run.package(block).tables[t].name.startswith("relays"):
            lie.traces[block][t, c] = column.copy()
    refit(lie, block)
    return lie


def changed(build, path, run, folder, link, how):
    """What a link takes is not what it was given, but `altered` or `permuted`. All that follows is computed from it."""
    folder = pathlib.Path(folder)
    run.write(folder)
    statement = schema("Statement")(format=1)
    for tensor in run.publics:
        values = run.values[tensor.name]
        statement.tensors.add(name=tensor.name, kind=tensor.kind, rows=values.shape[0], columns=values.shape[1],
                              values=[int(v) for v in values.ravel()])
    (folder / "given.pb").write_bytes(statement.SerializeToString(deterministic=True))
    command = [pathlib.Path(build) / "tests" / "revised_run", path, folder / "given.pb", folder, link, how]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Run.read(run.bundle, folder)


# The three members of samples::network (tools/provers/testkit) ---------------------------------------

SQUARES, SUMS, TABLE = range(3)


def network(build_sample, folder, bundle_of, steps):
    """Its run."""
    folder = pathlib.Path(folder)
    subprocess.run([build_sample, folder, "network", str(steps)], check=True, capture_output=True)
    claim = json.loads((folder / "claim.json").read_text())
    shaped = lambda t: np.array(t["values"]).reshape(t["rows"], t["columns"])
    values = {tensor["name"]: shaped(tensor) for tensor in claim["inputs"] + claim["outputs"]}
    files = [folder / ("trace.bin" if block == 0 else f"trace{block}.bin") for block in range(3 * steps)]
    return Run.of(bundle_of(folder), files, values)


def compensated(run, step):
    """The member that sums takes another first square than the other member gives, and a state that is less by as much: its own
    equations hold, the table counts what it looks up, and the errors of the two links add up to nothing."""
    lie = run.copy()
    sums, table = 3 * step + SUMS, 3 * step + TABLE
    root, y, before = (lie.column("sums", name, sums) for name in ("root", "y", "before"))
    old = int(root[0])
    new = old + 1 if old < 31 else old - 1
    difference = new * new - old * old
    root[0], y[0], before[0] = new, new * new, (int(before[0]) - difference) % P
    counts = lie.column("range", "of sums", table)
    counts[old] -= 1
    counts[new] += 1
    return lie


def out_of_range(run, step):
    """A root of the other sign, which no row of the range table has; the table's counts are as many as ever."""
    lie = run.copy()
    root, counts = lie.column("sums", "root", 3 * step + SUMS), lie.column("range", "of sums", 3 * step + TABLE)
    old = int(root[0])
    assert old
    root[0] = P - old
    counts[old] -= 1
    counts[(old + 1) % 32] += 1
    return lie


def another_state(run, step):
    """A step that does not begin where the one before ended."""
    lie = run.copy()
    for column in ("before", "after"):
        lie.column("sums", column, 3 * step + SUMS)[:] += 1
    lie.values["total"][step] += 1
    return lie


def of_another_step(run, member):
    """A member's traces of two steps, exchanged."""
    lie = run.copy()
    lie.traces[member], lie.traces[3 + member] = lie.traces[3 + member], lie.traces[member]
    for tensor in run.package(member).circuit.publics:
        values = lie.values[tensor.name].reshape(len(run.traces) // 3, -1)
        values[[0, 1]] = values[[1, 0]]
    return lie


def steps(run, order):
    """Its steps in another order, or one of them twice, in the claim, too."""
    lie = run.copy()
    lie.traces = [lie.traces[3 * step + member] for step in order for member in range(3)]
    lie.traces = [{at: column.copy() for at, column in trace.items()} for trace in lie.traces]
    for values in lie.values.values():
        each = values.reshape(len(run.traces) // 3, -1)
        each[:] = each[list(order)]
    return lie


# Circuits --------------------------------------------------------------------------------------------


def slip(circuit, group, kind, defined=False):
    """Adds a column of phase 2 to what a crossing sum adds: zero in an honest run. Without a definition nothing binds it; of a
    gathered one there is none."""
    t, sums = next((t, column) for t, table in enumerate(circuit.tables) for column in table.columns
                   if column.HasField("fraction") and column.fraction.running
                   and circuit.sum_groups[circuit.claimed_sums[column.fraction.claimed_sum].group].name == group)
    table = circuit.tables[t]
    at = next(c for c, column in enumerate(table.columns) if column.phase >= 2)
    for node in circuit.nodes:
        if node.op == Op.COLUMN and node.a == t and node.b >= at:
            node.b += 1
    for source in (source for of in circuit.tables for column in of.columns for source in column.gather.sources):
        source.column += source.table == t and source.column >= at
    name = sums.name

    def node(op, a, b=0):
        circuit.nodes.add(op=op, a=a, b=b)
        return len(circuit.nodes) - 1

    zero, slipped = node(Op.CONSTANT, 0), node(Op.COLUMN, t, at)
    columns = list(table.columns)
    new = type(columns[0])(name="slipped", phase=2)
    if kind == "gather":
        new.gather.index = zero
    else:
        new.scan.mul, new.scan.add = zero, zero
    sums.fraction.numerator = node(Op.ADD, sums.fraction.numerator, slipped)
    constraint = next(of for of in table.constraints if of.name == name)
    constraint.node = node(Op.SUB, constraint.node, slipped)
    columns = [type(new).FromString(column.SerializeToString()) for column in table.columns]
    del table.columns[:]
    table.columns.extend(columns[:at] + [new] + columns[at:])
    if defined:
        # y - (1 - IS_FIRST) 0 y[-1] - 0
        first = node(Op.SUB, node(Op.CONSTANT, 1), node(Op.IS_FIRST, 0))
        circuit.nodes.add(op=Op.COLUMN, a=t, b=at, offset=-1)
        step = node(Op.MUL, node(Op.MUL, first, zero), len(circuit.nodes) - 1)
        table.constraints.add(name="slipped", node=node(Op.SUB, node(Op.SUB, slipped, step), zero))
