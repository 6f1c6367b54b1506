"""Broken packages, each refused by its rule's number: by the readers in Python, C++ and Rust (FORMAT.md, section 9).

Arguments as for the end-to-end tests; READERS in the environment, a list with commas, chooses among them.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[0] / "e2e"), str(HERE.parents[1] / "tools" / "replay"), str(HERE)]
from harness import add_case, main, temporary_folder  # noqa: E402

import base  # noqa: E402
import corpus  # noqa: E402
import readers  # noqa: E402
from circuits import PackageWriter  # noqa: E402
from package import BadInput, Bundle, read_statement, schema  # noqa: E402


def python(package):
    statement = package / "statement.pb"
    said = readers.python(package)
    if said is None and statement.exists():
        try:
            read_statement(statement, Bundle(package).publics)
        except BadInput as error:
            return str(error)
    return said


READERS = {"python": python, "cpp": readers.cpp, "rust": readers.rust}
chosen = readers.chosen(READERS)


def rules_in(said):
    return None if said is None else " ".join(re.findall(r"\b([FR]\d+): ", said)) or "no rule"


def package_of(number, case):
    """The package of a case: with another circuit, other bytes of it, or another bundle, program or file of fixed columns."""
    package = folder / str(number)
    linked = case.of in ("linked", "linked program", "bundle")
    PackageWriter(base.circuit(("tensors", "spare") if linked else None), schema).write(package)
    if case.of == "statement":
        message = schema("Statement")(format=1)
        message.tensors.add(name="p", rows=1, columns=1, values=[0])
        case.change(message)
        (package / "statement.pb").write_bytes(message.SerializeToString(deterministic=True))
        return package
    if case.of == "bundle":
        message = schema("Bundle").FromString((package / "bundle.pb").read_bytes())
        case.change(message)
        (package / "bundle.pb").write_bytes(message.SerializeToString(deterministic=True))
        return package
    file = package / ("fixed.bin" if case.of == "fixed" else "circuit.pb")
    content = file.read_bytes()
    if case.of in ("circuit", "linked", "program", "linked program"):
        message = schema("Circuit").FromString(content)
        edit = base.Edit(message)
        if "program" in case.of:
            program = base.program(edit)
            case.change(program, edit)
            (package / "program.pb").write_bytes(program.SerializeToString(deterministic=True))
        else:
            case.change(edit)
        file.write_bytes(message.SerializeToString(deterministic=True))
        cells = sum(1 << min(table.log_height, 6) for table in message.tables for column in table.columns if column.phase == 0)
        (package / "fixed.bin").write_bytes(bytes(4 * cells))
    else:
        changed = case.change(content)
        assert changed != content, "the case changes nothing"
        file.write_bytes(changed)
    return package


def judge(number, case):
    package = package_of(number, case)
    wanted = [None, "no rule"] if case.rule == corpus.BACKEND else [case.rule]
    said = {reader: READERS[reader](package) for reader in case.readers if reader in chosen}
    wrong = [f"{reader}, wanted {case.rule or 'accepted'}: {what or 'accepted'}" for reader, what in said.items()
             if rules_in(what) not in wanted]
    assert not wrong, "\n  ".join(wrong)


def every_rule_is_broken():
    text = (HERE.parents[1] / "runtime" / "package" / "FORMAT.md").read_text()
    rules = set(re.findall(r"^- \*\*(F\d+)\*\*", text, re.MULTILINE))
    assert rules == {case.rule for case in corpus.CASES} - {None, corpus.BACKEND}


add_case("every rule of FORMAT.md is broken", every_rule_is_broken)
add_case("as it is", lambda: judge("as it is", corpus.Case(None, "", lambda e: None, "circuit", corpus.ALL)))
for number, of in enumerate(corpus.CASES):
    add_case(f"{of.rule or 'accepted'}: {of.name}", lambda number=number, of=of: judge(number, of))

if __name__ == "__main__":
    with temporary_folder() as folder:
        main()
