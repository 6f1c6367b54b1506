"""The ONNX library's tests of operators that are applicable (applicable.txt), one by one.

    tests/onnx_node/run BUILD                what does not pass, and why
    tests/onnx_node/run --table BUILD        writes OPERATORS.md beside this folder, too
    tests/onnx_node/run BUILD Softmax Gemm   those of some ops

BUILD is a build folder with the target onnx_library_cases. A few minutes on two cores.
"""

import argparse
import collections
import datetime
import json
import math
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx

HERE = Path(__file__).resolve().parent
CHUNK = 16  # tests per process

PAGE = """\
# Operators, test by test

Written by `tests/onnx_node/run --table build` on {date}; do not edit. The ONNX library {version} has {total} tests of
operators of opset 23 and others that are applicable: on tensors of at least 8 bits, without strings, sequences,
optionals, randomness, training, recurrent layers, loops and images ([the list](library/applicable.txt)). What defines
an op in terms of others ("expanded") counts as a test of that op.

- *Float*: the float interpreter computes what is expected, to single precision (1e-4, half precision 1e-2). What an
  exporter writes as constants (shapes, axes, bounds) the tests give as inputs: it is made constant where it has to be.
- *Integers*: the integer program, calibrated on the test's own inputs, is within its bound of the float model at every
  element, or equal where the output holds truth values or integers that depend on no reals, and has a circuit. The
  bound comes from analysis; what depends on no input is computed when compiling. Where not all inputs can be computed
  ones, integers are constants, or all inputs but the first are, as exporters write weights: that is so of
  {with_constants} tests that pass.
- *Bound*: of the largest output magnitude, the median over tests that pass; the largest error that was measured is
  beside it.

{float_passed} of {total} pass in floats ({float_share:.1f} %), {integer_passed} in integers ({integer_share:.1f} %); of
{ops} ops at least one test passes in floats, of {integer_ops} in integers.

| op | opsets | float | integers | bound, median | error, largest |
|---|---|---|---|---|---|
{rows}

## What does not pass

{failures}
"""


def read_list():
    for line in (HERE / "applicable.txt").read_text().splitlines():
        op, case = line.split()
        yield op, case


def run_chunk(program, data, names):
    """Results by name. A test that ends the program is one that fails."""
    found, rest = {}, list(names)
    while rest:
        process = subprocess.run([program, data, *rest], capture_output=True, text=True)
        for line in process.stdout.splitlines():
            result = json.loads(line)
            found[result["case"]] = result
        rest = [name for name in rest if name not in found]
        if rest:
            found[rest[0]] = {"case": rest[0], "float": f"the program ended with {process.returncode}"}
            rest = rest[1:]
    return found


def run(build, names):
    program, data = build / "tests/onnx_library_cases", build / "tests/onnx_node/library"
    chunks = [names[i:i + CHUNK] for i in range(0, len(names), CHUNK)]
    results = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda chunk: run_chunk(program, data, chunk), chunks):
            results.update(found)
    return results


def median(values):
    return sorted(values)[len(values) // 2] if values else None


def number(value):
    return "" if value is None else "0" if value == 0 else f"{value:.0e}"


def opsets(op):
    """Those whose schema differs."""
    return ", ".join(str(schema.since_version) for schema in
                     sorted(onnx.defs.get_all_schemas_with_history(), key=lambda schema: schema.since_version)
                     if schema.name == op and schema.domain == "")


def passed(result, kind):
    return result.get(kind) in (("",) if kind == "float" else ("", "constant"))


def reason(text):
    """The words of a message without the names that come first."""
    text = re.sub(r"/\S*/model.onnx: ", "", text)
    text = re.sub(r"'[^']*'", "'…'", text)
    return " ".join(re.sub(r"(?<![\w.])-?\d[\d.e+-]*", "N", text).split())[:150].replace("<", "\\<")


def table(cases, results):
    by_op = collections.defaultdict(list)
    for op, case in cases:
        by_op[op].append(results[case])
    rows, failures = [], []
    for op, found in sorted(by_op.items()):
        floats = [result for result in found if passed(result, "float")]
        integers = [result for result in found if passed(result, "integer")]
        bounds = [result["bound"] for result in integers if "bound" in result]
        errors = [result["error"] for result in integers if "error" in result]
        rows.append(f"| {op} | {opsets(op)} | {len(floats)}/{len(found)} | {len(integers)}/{len(found)} | "
                    f"{number(median(bounds))} | {number(max(errors, default=None))} |")
        reasons = collections.defaultdict(list)
        for result in found:
            for kind, words in (("float", "floats"), ("integer", "integers")):
                if kind in result and not passed(result, kind):
                    reasons[f"{words}: {reason(result[kind])}"].append(result["case"].removeprefix("test_"))
        failures += [f"- {op}, {text}: {', '.join(names)}" for text, names in sorted(reasons.items())]
    total = len(results)
    count = {kind: sum(passed(result, kind) for result in results.values()) for kind in ("float", "integer")}
    return PAGE.format(
        date=datetime.date.today(), with_constants=sum(r.get("constants", 0) > 0 and passed(r, "integer")
                                                       for r in results.values()),
        version=onnx.__version__, total=total, float_passed=count["float"], integer_passed=count["integer"],
        float_share=100 * count["float"] / total, integer_share=100 * count["integer"] / total,
        ops=sum(any(passed(r, "float") for r in found) for found in by_op.values()),
        integer_ops=sum(any(passed(r, "integer") for r in found) for found in by_op.values()),
        rows="\n".join(rows), failures="\n".join(failures))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", action="store_true")
    parser.add_argument("build", type=Path)
    parser.add_argument("ops", nargs="*")
    arguments = parser.parse_args()
    cases = [(op, case) for op, case in read_list() if not arguments.ops or op in arguments.ops]
    results = run(arguments.build, [case for _, case in cases])
    for op, case in cases:
        for kind in ("float", "integer"):
            if kind in results[case] and not passed(results[case], kind):
                print(f"{op}: {case}: {kind}: {results[case][kind]}")
    for kind in ("float", "integer"):
        print(f"{kind}: {sum(passed(result, kind) for result in results.values())} of {len(results)}")
    if arguments.table:
        (HERE.parent / "OPERATORS.md").write_text(table(cases, results))


main()
