"""replay: decides whether a trace and a statement satisfy a circuit package. See README.md."""

import argparse
import json
import secrets
import sys
import time

import numpy as np

from package import BadInput, Package, read_columns, read_statement
from state import State, ZeroDenominator
from verify import Failure, verify

ACCEPTED, REJECTED, BAD_INPUT = 0, 1, 2


def add_run_arguments(parser):
    parser.add_argument("package", help="folder of the circuit package")
    parser.add_argument("--trace", required=True, help="trace.bin of the run")
    parser.add_argument("--statement", required=True, help="statement.pb of the run")
    parser.add_argument("--seed", type=int, help="of the challenges and of all choices (default: a fresh one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def text_of(failure):
    where = f"{failure.table}." if failure.table else ""
    row = "" if failure.row is None else f", row {failure.row}" + (f" (one of {failure.rows})" if failure.rows > 1 else "")
    node = f", node {failure.node}" if failure.node else ""
    return f"{failure.kind} {where}{failure.name}{row}{node}: {failure.detail}"


def replay(arguments):
    begin = time.monotonic()
    seed = secrets.randbits(63) if arguments.seed is None else arguments.seed
    random = np.random.default_rng(seed)
    package = Package(arguments.package)
    main = read_columns(arguments.trace, package.tables, 1)
    statement = read_statement(arguments.statement, package.circuit)
    try:
        state = State(package, main, random)
        filled = time.monotonic()
        failures = verify(state, statement, arguments.rows, random)
    except ZeroDenominator as error:
        filled = time.monotonic()
        failures = [Failure("denominator", None, str(error), 1, None, None, "zero")]
    return {
        "verdict": "rejected" if failures else "accepted",
        "seed": seed,
        "tables": len(package.tables),
        "constraints": sum(len(table.message.constraints) for table in package.tables),
        "cells": sum(table.height * sum(4 if p >= 2 else p for p in table.phases) for table in package.tables),
        "fill_seconds": round(filled - begin, 2),
        "verify_seconds": round(time.monotonic() - filled, 2),
        "failures": [failure._asdict() | {"text": text_of(failure)} for failure in failures],
    }


def main():
    parser = argparse.ArgumentParser(prog="replay", description="Check a trace against its package, independently.")
    add_run_arguments(parser)
    parser.add_argument("--rows", type=int, help="check constraints on so many random rows of each table only")
    arguments = parser.parse_args()
    try:
        result = replay(arguments)
    except BadInput as error:
        print(f"replay: {error}", file=sys.stderr)
        return BAD_INPUT
    if arguments.json:
        print(json.dumps(result))
    else:
        for failure in result["failures"]:
            print(failure["text"])
        print(f"{result['verdict']}: {result['constraints']} constraints, {result['cells']:,} cells, seed {result['seed']}"
              f" ({result['fill_seconds']} s to fill, {result['verify_seconds']} s to check)")
    return REJECTED if result["failures"] else ACCEPTED


if __name__ == "__main__":
    sys.exit(main())
