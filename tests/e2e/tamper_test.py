"""lindero tamper: a sound circuit notices every change; one that lacks a constraint does not, and is told so."""

import json
import shutil

from harness import Models, case, cases, equal, lindero, main, succeed, temporary_folder
from messages import decoded, encoded

TOKENS = "3,1,4,1,5,9,2,6"
TOY = ("toy_gpt", "--argmax")
GATED = ("mlp --gated --sizes 8 16",)
CUT = (*TOY, "--boundaries", "per-layer")


def given(model):
    """An input of the model, as options."""
    if model[:2] == TOY:
        return "--tokens", TOKENS
    path = models.folder / "gated.json"
    path.write_text(json.dumps({"x": [[[(5 * row + column) % 7 / 3 - 1 for column in range(8)] for row in range(8)]]}))
    return "--input", path


def without_constraint(package, table_name, constraint_name, member=""):
    """The package in a copy whose circuit, or that of a member, lacks the constraint."""
    copy = models.folder / f"without-{table_name}-{member}.lindero"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("model.key"))
    path = copy / member / "circuit.pb"
    circuit = decoded("Circuit", path.read_bytes())
    [table] = [table for table in circuit.tables if table.name == table_name]
    [at] = [i for i, constraint in enumerate(table.constraints) if constraint.name == constraint_name]
    del table.constraints[at]
    path.write_bytes(encoded(circuit))
    return copy


@case
def nothing_goes_unnoticed():
    result = succeed("tamper", models.package("toy_gpt", "--argmax"), "--tokens", TOKENS, "--rows", 20, "--steps", 300,
                     "--proof", 160)
    equal(result["survived"], 0, "survivors")
    equal(result["survivors"] + result["step_survivors"] + result["proof"]["survivors"], [], "lists of survivors")
    for table in result["tables"]:
        assert table["caught"] > 0, f"nothing caught in {table['name']}"
        for column in table["columns"]:
            equal(column["caught"] + column["padding"], column["tried"], column["name"])
    equal(result["cells"]["tried"], sum(table["tried"] for table in result["tables"]), "mutations of all tables")
    steps = result["steps"]["all"]
    equal(steps["caught"] + steps["out_of_range"] + steps["unchanged"], steps["tried"], "coordinated mutations")
    assert steps["tried"] >= 300, steps
    assert steps["caught"] > 150, steps
    proof = result["proof"]
    equal(proof["rejected"] + proof["unchanged"], 160, "proofs and keys")
    assert proof["rejected"] > 140, proof
    for tensor in result["statement"]:
        equal(tensor["caught"] + tensor["out_of_range"], tensor["tried"], tensor["name"])
    # Without a tie and a token that no choice reads, the rest is open (tests/soundness/campaign has models with both).
    equal({f["family"] for f in result["families"] if f["status"] == "open"},
          {"constraint argmax.before is a bit", "lookup norms.output"}, "open rules")
    shown = {kind: [p["necessary"] for p in result["parts"] if p["part"].startswith(kind)]
             for kind in ("definition", "sum group", "public tensor")}
    for kind, necessary in shown.items():
        assert necessary and all(necessary), f"{kind}: {necessary.count(False)} not shown necessary"


@cases(("toy GPT", TOY), ("gated MLP", GATED))
def nothing_is_left_to_an_adaptive_prover(model):
    result = succeed("tamper", models.package(*model), *given(model), "--adaptive")
    equal(result["directions"], 0, "directions")
    equal(result["findings"], [], "findings")
    assert "attack" not in result, result["attack"]
    equal([(rank["phase"], rank["holes"]) for rank in result["ranks"]], [(2, 0), (3, 0)] * 2, "holes by phase")
    for cells in result["cells"]:
        assert cells["tried"] == cells["caught"] > 0, cells
    for premise in result["premises"]:
        assert premise["wrong"] == 0, premise


@case
def nothing_goes_unnoticed_in_members():
    result = succeed("tamper", models.package(*CUT), *given(CUT), "--rows", 4, "--steps", 60, "--proof", 60)
    equal(result["survived"], 0, "survivors")
    equal([member["name"] for member in result["members"]], [f"segment{i}" for i in range(4)], "members")
    crossing = []
    for member in result["members"]:
        for table in member["tables"]:
            assert table["caught"] > 0, f"nothing caught in {member['name']} {table['name']}"
        steps = member["steps"]["all"]
        equal(steps["caught"] + steps["out_of_range"] + steps["unchanged"], steps["tried"], member["name"])
        crossing += [part for part in member["parts"] if part["part"].startswith("sum group link:")]
    # Other values than were given, taken by a member that is right by itself: nothing but the link rejects them.
    assert any("link in" in part["witness"] for part in crossing), crossing
    assert result["proof"]["rejected"] > 50, result["proof"]


@case
def nothing_is_left_to_an_adaptive_prover_of_members():
    for options in (given(CUT), ("--any-witness",)):
        result = succeed("tamper", models.package(*CUT), *options, "--adaptive")
        equal(result["directions"], 0, "directions")
        equal([member["findings"] for member in result["members"]], [[]] * 4, "findings")
        [ends] = result["links"]
        assert ends["wrong"] == 0 < ends["examined"], ends


@case
def a_missing_constraint_of_a_member_is_found():
    package = without_constraint(models.package(*CUT), "norm_statistics", "variance", "members/segment2")
    run = lindero("tamper", package, *given(CUT), "--rows", 50, "--steps", 0, "--proof", 0, "--json")
    equal(run.code, 14, f"exit code: {run.out[-500:]}")
    found = [bool(member["survivors"]) for member in run.event("result")["members"]]
    equal(found, [False, False, True, False], "members with survivors")


def with_another_place(package, member, table_name, column_name):
    """The package in a copy in which the first row of a fixed column of a member says a place that no other row says."""
    copy = models.folder / "another-place.lindero"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("model.key", "fixed-*"))
    circuit = decoded("Circuit", (copy / member / "circuit.pb").read_bytes())
    columns = [(table.name, column.name, 1 << table.log_height) for table in circuit.tables for column in table.columns
               if column.phase == 0]
    [at] = [i for i, (table, column, _) in enumerate(columns) if (table, column) == (table_name, column_name)]
    cells = bytearray((copy / member / "fixed.bin").read_bytes())
    cells[4 * sum(height for _, _, height in columns[:at])] ^= 0x80
    (copy / member / "fixed.bin").write_bytes(cells)
    return copy


@case
def ends_of_a_link_that_differ_are_found():
    """Each member is as good as ever by itself."""
    package = with_another_place(models.package(*CUT), "members/segment2", "relays", "in0.address")
    run = lindero("tamper", package, "--adaptive", "--any-witness", "--json")
    equal(run.code, 14, f"exit code: {run.out[-500:]}")
    result = run.event("result")
    equal([member["findings"] for member in result["members"]], [[]] * 4, "findings of members")
    # Eight lanes that one end has and the other has not, at both ends.
    equal([ends["wrong"] for ends in result["links"]], [16], "elements with one end")


@case
def only_the_chosen_mutators_run():
    package = models.package("toy_gpt", "--argmax")
    options = ("tamper", package, "--tokens", TOKENS, "--rows", 4, "--steps", 0, "--proof", 0)
    one = succeed(*options, "--mutators", "+1")["cells"]["tried"]
    two = succeed(*options, "--mutators", "+1,random")["cells"]["tried"]
    assert 0 < one < two, (one, two)
    equal(lindero(*options, "--mutators", "-2").code, 2, "exit code of an unknown mutator")


@cases(("variance", TOY, "norm_statistics", "variance"), ("product", GATED, "multiply", "multiply.0"))
def a_missing_constraint_is_found(model, table, constraint):
    package = without_constraint(models.package(*model), table, constraint)
    run = lindero("tamper", package, *given(model), "--rows", 50, "--steps", 0, "--proof", 0, "--json")
    equal(run.code, 14, f"exit code: {run.out[-500:]}")
    result = run.event("result")
    assert result["survived"] > 0
    nodes = [s["node"] for s in result["survivors"]]
    assert nodes and all(nodes), result["survivors"]


with temporary_folder() as folder:
    models = Models(folder)
    main()
