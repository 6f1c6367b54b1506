"""replay and mutate on real packages: what they accept, what they reject, and what they call it.

Arguments as for the end-to-end tests, whose harness this uses.
"""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "e2e"))
from harness import HELD_OUT, Models, case, cases, equal, main, succeed, temporary_folder  # noqa: E402

from bundle import check_bundle  # noqa: E402
from format_rules import BadInput  # noqa: E402
from graph import Op  # noqa: E402
from mutate import Batch, Mutation, has_influence, random_mutations  # noqa: E402
from package import Package, read_columns, read_message, read_statement, schema  # noqa: E402
from qm31 import P  # noqa: E402
from state import State  # noqa: E402
from verify import Buses, failing_rows, verify  # noqa: E402

TOY_TOKENS = "3,1,4,1,5,9,2,6"
ACCEPTED, REJECTED, BAD_INPUT = 0, 1, 2


@functools.cache
def honest(name):
    """(package, folder of the saved run) of the toy or the char GPT."""
    toy = name == "toy_gpt"
    package = models.package(name, "--argmax", "--no-key", *([] if toy else ["--positions", "last:32"]))
    run = models.folder / f"{name}-run"
    given = ["--tokens", TOY_TOKENS] if toy else ["--prompt", HELD_OUT.read_text()[:64]]
    succeed("check", package, *given, "--save-trace", run)
    return package, run


def replay(package, run, *options, program="replay.py"):
    """(exit code, standard output, standard error)."""
    command = [sys.executable, HERE / program, package, "--trace", run / "trace.bin", "--statement", run / "statement.pb"]
    process = subprocess.run([*map(str, command), *options], capture_output=True, text=True, timeout=120)
    return process.returncode, process.stdout, process.stderr


def judged(code, package, run, *options, **program):
    """The result, of a run that must end with this code."""
    found, out, errors = replay(package, run, "--json", "--seed", "7", *options, **program)
    assert found == code, f"exit {found}, wanted {code}: {out}{errors}"
    return json.loads(out)


@functools.cache
def toy():
    package, run = honest("toy_gpt")
    package = Package(package)
    (statement,) = read_statement(run / "statement.pb", package.circuit.publics)
    return package, read_columns(run / "trace.bin", package.tables, 1), statement


def copied(change_package=None, change_run=None):
    """Copies of the toy's package and run, changed."""
    copies = []
    for original, change in zip(honest("toy_gpt"), (change_package, change_run)):
        copy = models.folder / f"copy-of-{original.name}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        if change:
            change(copy)
        copies.append(copy)
    return copies


def set_cell(path, phase, table, column, row, change):
    """Changes one cell of fixed.bin or trace.bin, at the offset that the format names."""
    tables = toy()[0].tables
    cell = 0
    for t in tables:
        mine = [c.name for c in t.columns if c.phase == phase]
        if t.name == table:
            cell += mine.index(column) * t.height + row
            break
        cell += len(mine) * t.height
    data = np.memmap(path, dtype="<u4", mode="r+")
    data[cell] = change(int(data[cell])) % P
    data.flush()


def set_public(path, tensor, change):
    statement = read_message(path, "Statement")
    values = statement.tensors[tensor].values
    values[2] = change(values[2])
    path.write_bytes(statement.SerializeToString(deterministic=True))


@cases(("toy, every row", "toy_gpt", []), ("char GPT, 500 rows of each table", "char_gpt", ["--rows", "500"]))
def accepts(model, options):
    result = judged(ACCEPTED, *honest(model), *options)
    assert result["verdict"] == "accepted" and result["failures"] == [] and result["constraints"] > 100, result


@case
def accepts_a_challenge_of_degree_two_to_the_twenty():
    package, run = copied(circuit_edit(lambda c: square(c, 20)))
    judged(ACCEPTED, package, run, "--rows", "50")


@case
def accepts_under_fresh_challenges():
    code, out, errors = replay(*honest("toy_gpt"))
    assert code == ACCEPTED and out.startswith("accepted: ") and out.count("\n") == 1, out + errors


@case
def rejects_a_thousand_mutations():
    result = judged(ACCEPTED, *honest("toy_gpt"), "--count", "1000", program="campaign.py")
    equal(result["by_constraint"] + result["by_sums"], 1000, f"rejected mutations of {result}")
    main_tables = {t.name for t in toy()[0].tables if 1 in t.phases}
    equal({name for name, count in result["tables"].items() if count["tried"]}, main_tables, "tables that were tried")


def telling_mutations(base):
    """A cell of each table, a column of each that is read at another row, and a weight, which goes through a gather."""
    package, random = base.package, np.random.default_rng(6)
    chosen = {m.table: m for m in random_mutations(base, random, 3000, padding=True)}
    equal(len(chosen), sum(1 in table.phases for table in package.tables), "mutated tables")
    mutations = [chosen[t] for t in sorted(chosen)]
    for t, table in enumerate(package.tables):
        reads = package.graph.reads(*(constraint.node for constraint in table.message.constraints))
        for c in sorted({c for c, offset in reads.columns if offset and table.phases[c] == 1})[:1]:
            mutations.append(Mutation(t, c, 6, (int(base.columns[t, c][6]) + 1) % P))
    (t,) = (t for t, table in enumerate(package.tables) if table.name == "weights")
    mutations.append(Mutation(t, 5, 3, 123456))
    # A change that is none must be found to be none.
    return mutations + [Mutation(0, 0, 0, int(base.columns[0, 0][0]))]


@case
def rejects_mutations_of_challenge_phases():
    result = judged(ACCEPTED, *honest("toy_gpt"), "--count", "500", "--phases", "2", "3", program="campaign.py")
    equal((result["tried"], result["survivors"], result["disagreements"]), (500, [], []), "mutations")
    equal(result["without_influence"], 0, "cells without influence")


@case
def tells_influence_from_none():
    package, main_columns, _ = toy()
    base = State(package, main_columns, np.random.default_rng(5))
    (t,) = (t for t, table in enumerate(package.tables) if table.name == "operands")
    names = [column.name for column in package.tables[t].columns]
    used = sum(base.columns[t, names.index(kind)] for kind in ("left", "right_rows", "right_columns", "added"))
    for row in int(np.argmax(used == 0)), int(np.argmax(used == 1)):
        equal(has_influence(base, Mutation(t, names.index("x.0"), row, [1])), bool(used[row]), f"influence of row {row}")
        assert has_influence(base, Mutation(t, names.index("fold"), row, [1, 2, 3, 4])), row


@case
def a_mutation_in_a_batch_is_evaluated_like_a_trace_of_its_own():
    package, main_columns, statement = toy()
    base = State(package, main_columns, np.random.default_rng(5))
    mutations = telling_mutations(base)
    batch = Batch(base, Buses(base), mutations)
    failing = list(zip(batch.failing_constraints(), batch.failing_groups(), batch.failing_buses()))
    for copy, (mutation, (constraint, *sums)) in enumerate(zip(mutations, failing)):
        column = np.array(base.columns[mutation.table, mutation.column])
        column[mutation.row] = mutation.value
        changed = main_columns | {(mutation.table, mutation.column): column}
        alone = State(package, changed, np.random.default_rng(5))
        for t, c in base.order:
            assert_same_column(batch, copy, base, alone, t, c)
        assert_evaluated(batch, copy, alone, mutation.table)
        found = verify(alone, statement)
        first = next(((f.table, f.name) for f in found if f.kind == "constraint"), None)
        if constraint:
            table = package.tables[constraint[0]]
            constraint = table.name, table.message.constraints[constraint[1]].name
        wanted = [any(f.kind == kind for f in found) for kind in ("group", "bus")]
        equal((constraint, sums), (first, wanted), f"verdicts on {mutation}")


def assert_evaluated(batch, copy, alone, t):
    """Every row on which a constraint fails is one that the batch evaluates."""
    height = batch.package.tables[t].height
    for constraint, rows in failing_rows(alone, t, np.arange(height)):
        missing = np.setdiff1d(copy * height + rows, batch.touched(t, constraint.node))
        assert not len(missing), f"copy {copy}: {constraint.name} is not evaluated at {missing % height}"


def assert_same_column(batch, copy, base, alone, t, c):
    values = base.columns[t, c].copy()
    if (t, c) in batch.changed:
        at, new = batch.changed[t, c]
        mine = at // batch.package.tables[t].height == copy
        values[:, at[mine] % batch.package.tables[t].height] = new[:, mine]
    assert (values == alone.columns[t, c]).all(), f"copy {copy}: table {t}, column {c}"


@case
def names_constraint_row_and_node():
    row, node = 3, "/h.0/ln_1/LayerNormalization"
    run = copied(change_run=lambda run: set_cell(run / "trace.bin", 1, "norms", "x.0", row, lambda v: v + 1))[1]
    failures = judged(REJECTED, honest("toy_gpt")[0], run)["failures"]
    found = [f for f in failures if f["kind"] == "constraint"]
    assert found and all(f["table"] == "norms" and node in f["node"] and abs(f["row"] - row) <= 1 for f in found), failures


@case
def names_the_bus():
    multiplicity = lambda run: set_cell(run / "trace.bin", 1, "functions", "function0.count", 17, lambda v: v + 1)
    failures = judged(REJECTED, *copied(change_run=multiplicity))["failures"]
    (bus,) = [f for f in failures if f["kind"] == "bus"]
    equal((bus["name"], bus["table"], bus["rows"]), ("function", "functions", 1), "failing bus")
    assert "group" in [f["kind"] for f in failures], failures


@cases(("input", 0, "input_ids"), ("output", 1, "logits_argmax"))
def wrong_public_value(tensor, name):
    run = copied(change_run=lambda run: set_public(run / "statement.pb", tensor, lambda v: v ^ 1))[1]
    failures = judged(REJECTED, honest("toy_gpt")[0], run)["failures"]
    equal([(f["kind"], f["name"]) for f in failures], [("group", f"public:{name}")], "failures")


@case
def public_value_out_of_range():
    # p more is the same element of the field: only the range tells.
    run = copied(change_run=lambda run: set_public(run / "statement.pb", 0, lambda v: v + P))[1]
    failures = judged(REJECTED, honest("toy_gpt")[0], run)["failures"]
    equal([f["kind"] for f in failures], ["range"], "failures")


@cases(("weight", "weights", "w.0", 5), ("weight of the embedding", "weights", "w.3", 1),
       ("selector", "norms", "on", 0), ("bias", "results", "bias", 3))
def fixed_cell_changed(table, column, row):
    change = lambda package: set_cell(package / "fixed.bin", 0, table, column, row, lambda v: v + 1)
    judged(REJECTED, *copied(change_package=change))


def edit(name, change):
    """A change of one file's bytes."""

    def apply(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return apply


def circuit_edit(change):
    """A change of the decoded circuit, encoded again as the format wants it."""

    def apply(folder):
        circuit = read_message(folder / "circuit.pb", "Circuit")
        change(circuit)
        (folder / "circuit.pb").write_bytes(circuit.SerializeToString(deterministic=True))

    return apply


def last_node(**fields):
    def change(circuit):
        for field, value in fields.items():
            setattr(circuit.nodes[-1], field, value)

    return circuit_edit(change)


def linked(circuit):
    """The toy's circuit with two sums of zero in a table of their own, which it exports: groups `taken` and `left`."""
    def node(op, a=0, b=0, offset=0):
        circuit.nodes.add(op=op, a=a, b=b, offset=offset)
        return len(circuit.nodes) - 1

    own, zero, point = len(circuit.tables), node(Op.CONSTANT), node(Op.CHALLENGE)
    table = circuit.tables.add(name="nothing")
    for index, name in enumerate(("taken", "left")):
        claimed_sum = len(circuit.claimed_sums)
        column = table.columns.add(name=name, phase=2)
        column.fraction.numerator = column.fraction.add = zero
        column.fraction.denominator, column.fraction.running, column.fraction.claimed_sum = point, True, claimed_sum
        step = node(Op.SUB, node(Op.COLUMN, own, index), node(Op.COLUMN, own, index, -1))
        sum_of = node(Op.ADD, step, node(Op.MUL, node(Op.IS_FIRST), node(Op.CLAIMED_SUM, claimed_sum)))
        table.constraints.add(name=name, node=node(Op.MUL, sum_of, point))
        circuit.claimed_sums.add(name=name, table=own, group=len(circuit.sum_groups))
        circuit.sum_groups.add(name=name, exported=True)
    circuit.segments[0].tables.append(own)


def three_steps(package):
    """Writes the bundle of up to three steps that such a circuit is of: it takes what the step before left."""
    circuit = read_message(package / "circuit.pb", "Circuit")
    groups = [group.name for group in circuit.sum_groups]
    bundle = schema("Bundle")(format=1, most_steps=3)
    bundle.members.add(name="whole")
    link = bundle.links.add()
    link.ends.add(group=groups.index("taken"))
    link.ends.add(group=groups.index("left"), before=True)
    (package / "bundle.pb").write_bytes(bundle.SerializeToString(deterministic=True))


def bundle_edit(change):
    def apply(package):
        circuit_edit(linked)(package)
        three_steps(package)
        bundle = read_message(package / "bundle.pb", "Bundle")
        change(bundle)
        (package / "bundle.pb").write_bytes(bundle.SerializeToString(deterministic=True))

    return apply


def runs(of_height):
    """The longest run of the operands' fold, as the circuit declares it."""

    def change(circuit):
        (table,) = [of for of in circuit.tables if of.name == "operands"]
        (fold,) = [column for column in table.columns if column.name == "fold"]
        fold.scan.rows = of_height(1 << table.log_height)

    return circuit_edit(change)


def without(table, constraint):
    """The circuit with one constraint less."""

    def change(circuit):
        (of,) = [of for of in circuit.tables if of.name == table]
        kept = [c for c in of.constraints if c.name != constraint]
        assert len(kept) == len(of.constraints) - 1, f"no constraint {constraint}"
        del of.constraints[:]
        of.constraints.extend(kept)

    return circuit_edit(change)


def square(circuit, times):
    """A challenge's 2^times-th power, in a constraint that is zero."""
    circuit.nodes.add(op=Op.CHALLENGE, a=0)
    for _ in range(times):
        circuit.nodes.add(op=Op.MUL, a=len(circuit.nodes) - 1, b=len(circuit.nodes) - 1)
    last = len(circuit.nodes) - 1
    circuit.nodes.add(op=Op.SUB, a=last, b=last)
    circuit.tables[0].constraints.add(name="zero", node=len(circuit.nodes) - 1)


@cases(
    ("trace too short", None, edit("trace.bin", lambda b: b[:-4]), "bytes"),
    ("cell beyond p", None, edit("trace.bin", lambda b: P.to_bytes(4, "little") + b[4:]), "beyond p"),
    ("no trace", None, lambda run: (run / "trace.bin").unlink(), "cannot read"),
    ("fixed columns too long", edit("fixed.bin", lambda b: b + bytes(4)), None, "bytes"),
    ("statement with a field more", None, edit("statement.pb", lambda b: b + b"\x78\x01"), "encoding"),
    ("statement cut", None, edit("statement.pb", lambda b: b[:-1]), "Statement"),
    ("circuit with a field more", edit("circuit.pb", lambda b: b + b"\xf8\x07\x01"), None, "encoding"),
    ("another format", circuit_edit(lambda c: setattr(c, "format", 2)), None, "format"),
    ("node that names itself", last_node(op=6, a=10**6), None, "not earlier"),
    ("node of an unknown operation", last_node(op=11), None, "unknown operation"),
    ("a factor that nothing binds", without("operands", "no factor where none ends"), None, 'table "operands": column "factor": R4: '),
    ("runs as long as the table", runs(lambda height: height), None, "operands.fold: runs of"),
    ("a scan that nothing defines", without("operands", "fold"), None, 'table "operands": column "fold": R0: '),
    ("a challenge of degree 2^21", circuit_edit(lambda c: square(c, 21)), None, "degree above 2^20"),
    ("4,097 public tensors", circuit_edit(lambda c: c.publics.extend([c.publics[0]] * 4097)), None, "4,096 public tensors"),
    ("segments that share a table", circuit_edit(lambda c: c.segments[0].tables.append(0)), None, "partition"),
    ("a claimed sum of nobody", circuit_edit(lambda c: c.claimed_sums.add(name="x")), None, "claimed sum"),
    ("one step", bundle_edit(lambda b: setattr(b, "most_steps", 1)), None, "F36"),
    ("steps without links", bundle_edit(lambda b: b.ClearField("links")), None, "F36"),
    ("a group linked twice", bundle_edit(lambda b: b.links.append(b.links[0])), None, "twice"),
    ("a link of no exported group", bundle_edit(lambda b: setattr(b.links[0].ends[0], "group", 90)), None, "F35"),
    ("a public tensor exported", circuit_edit(lambda c: (linked(c), setattr(
        c.publics[0], "group", len(c.sum_groups) - 1))), None, "public tensor"),
    ("exported without a claimed sum", circuit_edit(lambda c: c.sum_groups.add(name="x", exported=True)), None, "no claimed sum"),
    ("exported in phase 3", circuit_edit(lambda c: setattr(c.sum_groups[[group.name for group in c.sum_groups].index("lookups")],
                                                           "exported", True)), None, "phase 3"),
    ("generator missing", circuit_edit(lambda c: c.tables[0].columns[-1].ClearField("fraction")), None, "generator"),
)
def bad_input(change_package, change_run, word):
    code, out, errors = replay(*copied(change_package, change_run))
    assert code == BAD_INPUT and out == "" and errors.startswith("replay: ") and errors.count("\n") == 1, out + errors
    assert word in errors, f"wanted '{word}': {errors}"


@case
def bundles_have_limits():
    circuit, bundle = schema("Circuit")(), schema("Bundle")(format=1, most_steps=1)
    for group in range(4096):
        circuit.sum_groups.add(name=str(group), exported=True)
    bundle.members.add(name="whole")
    ends = bundle.links.add().ends
    for group in range(2):
        ends.add(group=group)
    check_bundle(bundle, [circuit])
    ends.add(group=2)
    says("F35: a link of 3 ends", lambda: check_bundle(bundle, [circuit]))
    bundle.ClearField("links")
    for count in range(1, 4096):
        bundle.members.add(name=str(count))
    check_bundle(bundle, [circuit] * 4096)
    bundle.members.add(name="more")
    says("F34: 16781312 tables, challenges and sum groups", lambda: check_bundle(bundle, [circuit] * 4097))


def says(words, act):
    try:
        act()
    except BadInput as error:
        assert words in str(error), f"wanted '{words}': {error}"
    else:
        raise AssertionError(f"accepted, wanted '{words}'")


# A decode run in three blocks of two steps, which hand on keys and values.
CARRIED = ("--decode", "--context", "carry", "--block", "2")
BLOCKS = 3


@functools.cache
def carried_run(tokens):
    run = models.folder / f"carried-{tokens}"
    succeed("check", models.package("toy_gpt", *CARRIED), "--tokens", tokens, "--generate", 2, "--save-trace", run)
    return run


def failures(code, *blocks):
    """What fails where in these blocks of runs, each a run's tokens and the number of one of its blocks."""
    runs = [carried_run(tokens) for tokens, _ in blocks]
    parts = [read_message(run / "statement.pb", "Statement") for run in runs]
    statement = schema("Statement").FromString(parts[0].SerializeToString())
    for index, tensor in enumerate(statement.tensors):
        size, rows = len(tensor.values) // BLOCKS, tensor.rows // BLOCKS
        del tensor.values[:]
        tensor.rows = rows * len(blocks)
        for (_, block), part in zip(blocks, parts):
            tensor.values.extend(part.tensors[index].values[size * block:size * (block + 1)])
    file = models.folder / "blocks.pb"
    file.write_bytes(statement.SerializeToString(deterministic=True))
    traces = [run / f"trace-{block}.bin" for run, (_, block) in zip(runs, blocks)]
    command = [sys.executable, HERE / "replay.py", models.package("toy_gpt", *CARRIED) / "bucket-8", "--trace", *traces,
               "--statement", file, "--json"]
    process = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
    assert process.returncode == code, f"exit {process.returncode}, wanted {code}: {process.stdout}{process.stderr}"
    if code == BAD_INPUT:
        return process.stderr
    return {(f["block"], f["kind"]) for f in json.loads(process.stdout)["failures"]}


ONE, OTHER = "3,1,4,1", "2,7,1,8"


@case
def accepts_a_run_in_blocks():
    equal(failures(ACCEPTED, (ONE, 0), (ONE, 1), (ONE, 2)), set(), "the run")


@case
def what_a_block_is_given_was_left():
    """Under challenges that blocks did not share, no block's claimed sums would be another one's."""
    equal(failures(REJECTED, (OTHER, 0), (ONE, 1), (ONE, 2)), {(1, "link")}, "the first block of another run")
    equal(failures(REJECTED, (ONE, 0), (ONE, 1), (OTHER, 2)), {(2, "link")}, "the last block of another run")
    equal(failures(REJECTED, (ONE, 1), (ONE, 2)), {(0, "link")}, "without the first block, which is given zeros")


@case
def a_run_has_no_more_steps_than_the_bundle():
    assert "fewer blocks" in failures(BAD_INPUT, *[(ONE, 0)] * 5)


if __name__ == "__main__":
    with temporary_folder() as folder:
        models = Models(folder)
        main()
