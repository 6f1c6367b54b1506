"""The adaptive rules (FORMAT.md), by all four implementations: the readers in Python, C++ and Rust, and the compiler's verify-air.

Each circuit of cases.py is accepted by all of them, or refused by all with the same rule. Arguments as for the end-to-end tests;
READERS in the environment, a list with commas, chooses among them.
"""

import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "e2e"), str(HERE.parents[2] / "tools" / "replay"), str(HERE.parents[1] / "conformance")]
from harness import BIN, Models, add_case, cases, main, temporary_folder  # noqa: E402

from cases import CASES  # noqa: E402
import readers  # noqa: E402
from circuits import PackageWriter, TextWriter  # noqa: E402
from package import read_message, schema  # noqa: E402


def compiler(text):
    """Nothing where there is no text."""
    return readers.refusal(1, [BIN / "lindero-opt", "--passes", "verify-air", text]) if text.exists() else ()


OF_PACKAGES = {"python": readers.python, "cpp": readers.cpp, "rust": readers.rust}
chosen = readers.chosen([*OF_PACKAGES, "compiler"])


def verdict(said):
    """The rule that a message names, "structure" if it names none, or None of a circuit that is accepted."""
    if said is None:
        return None
    rules = re.findall(r"\b(R[0-7])\b", said)
    return rules[0] if rules else "structure"


def judge(rule, package, text):
    """All readers find the rule."""
    said = {reader: compiler(text) if reader == "compiler" else OF_PACKAGES[reader](package) for reader in chosen}
    wrong = [f"{reader}, wanted {rule or 'accepted'}: {what or 'accepted'}" for reader, what in said.items()
             if what != () and verdict(what) != rule]
    assert not wrong, "\n  ".join(wrong)


def circuit(number, of):
    package, text = folder / str(number), folder / f"{number}.lir"
    PackageWriter(of.build(), schema).write(package)
    if of.text:
        TextWriter(of.build()).write(text)
    judge(of.rule, package, text)


for number, of in enumerate(CASES):
    add_case(f"{of.rule or 'accepted'}: {of.name}", lambda number=number, of=of: circuit(number, of))


def changed_toy(name, change):
    """A copy of the toy's package with another circuit."""
    original, copy = models.package("toy_gpt", "--argmax", "--no-key"), folder / name
    shutil.copytree(original, copy)
    of = read_message(copy / "circuit.pb", "Circuit")
    (operands,) = [table for table in of.tables if table.name == "operands"]
    change(operands)
    (copy / "circuit.pb").write_bytes(of.SerializeToString(deterministic=True))
    return copy


def without(constraint):
    def change(table):
        kept = [of for of in table.constraints if of.name != constraint]
        assert len(kept) == len(table.constraints) - 1, f"no constraint {constraint}"
        del table.constraints[:]
        table.constraints.extend(kept)

    return change


@cases(
    ("as it is", None, lambda table: None),
    ("without what zeroes its copied factors", "R4", without("no factor where none ends")),
    ("without the definition of its folds", "R0", without("fold")),
)
def the_toy(rule, change):
    package = changed_toy(f"toy-{rule}", change)
    judge(rule, package, package / "no text")


ROWS = (HERE / "rows.lir").read_text()


def fill(column, **change):
    """Replaces what one fill of rows.lir says."""

    def apply(text):
        (line,) = re.findall(rf"^.*fill\(%{column}\).*$", text, re.MULTILINE)
        changed = line
        for name, value in change.items():
            changed = re.sub(rf"{name} = [^ ,]+", f"{name} = {value}", changed)
        return text.replace(line, changed)

    return apply


def replaced(old, new):
    return lambda text: text.replace(old, new)


# The row rule: verify-intervals sees the fixed columns, and which row gives what another one takes.
@cases(
    ("as it is", None),
    ("a giver that is not the declared row", fill("end_w", first_row=1)),
    ("a declared row that is not the giver", fill("index_x", offset=2)),
    ("a giver that is not of the declared table", replaced('source_tables = ["w"]', 'source_tables = ["x"]')),
    ("a giver of twice the coefficient", fill("end_w", offset=2)),
    ("two givers", fill("end_w", counts="[2]")),
    ("two takers", fill("end_x", counts="[2]")),
    ("no giver", replaced("air.term(%num_w, ", "air.term(%z_w, ")),
    ("a giver at another pole", replaced("%cid_w = air.constant {value = 1}", "%cid_w = air.constant {value = 2}")),
    ("an index of zero at a pole that is given", fill("index_x", offset=0)),
    ("no zero where the index is zero", replaced("air.sub(%factor_x, %num_x)", "air.sub(%num_x, %num_x)")),
)
def rows(change):
    text = change(ROWS) if change else ROWS
    assert change is None or text != ROWS, "the case changes nothing"
    file = folder / "rows.lir"
    file.write_text(text)
    said = readers.refusal(1, [BIN / "lindero-opt", "--passes", "verify-intervals", file])
    assert (said is None) == (change is None), said or "accepted"


if __name__ == "__main__":
    with temporary_folder() as folder:
        models = Models(folder)
        main()
