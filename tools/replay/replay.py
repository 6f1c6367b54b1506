"""replay: decides whether a trace and a statement satisfy a circuit package. See README.md."""

import argparse
import json
import secrets
import sys
import time

import numpy as np

from format_rules import BadInput, F, obey
from package import Bundle, read_columns, read_statement
from state import State, ZeroDenominator
from verify import Failure, link_failures, verify

ACCEPTED, REJECTED, BAD_INPUT = 0, 1, 2


def add_run_arguments(parser):
    parser.add_argument("package", help="folder of the circuit package")
    parser.add_argument("--trace", required=True, nargs="+", help="trace.bin of the run, or those of its blocks: of each step, one of each member, in order")
    parser.add_argument("--statement", required=True, help="statement.pb of the run")
    parser.add_argument("--seed", type=int, help="of the challenges and of all choices (default: a fresh one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def text_of(failure, block):
    where = f"{failure.table}." if failure.table else ""
    row = "" if failure.row is None else f", row {failure.row}" + (f" (one of {failure.rows})" if failure.rows > 1 else "")
    node = f", node {failure.node}" if failure.node else ""
    return f"{block}{failure.kind} {where}{failure.name}{row}{node}: {failure.detail}"


def judge(bundle, traces, statement, random, rows):
    """((block, failure) for all failures, seconds that filling took). The blocks share the challenges of phase 1, by name."""
    failures, claimed_sums, filling, shared = [], [], 0, {}
    for block, trace in enumerate(traces):
        step, package = block // len(bundle.members), bundle.members[block % len(bundle.members)]
        tensors = dict(zip((tensor.name for tensor in bundle.publics), statement[step]))
        main = read_columns(trace, package.tables, 1)
        begin = time.monotonic()
        try:
            state = State(package, main, random, shared)
        except ZeroDenominator as error:
            return failures + [(block, Failure("denominator", None, str(error), 1, None, None, "zero"))], filling
        filling += time.monotonic() - begin
        values = [tensors[tensor.name] for tensor in package.circuit.publics]
        failures += [(block, failure) for failure in verify(state, values, rows, random)]
        claimed_sums.append(state.claimed_sums)
    return failures + list(link_failures(bundle, claimed_sums)), filling


def steps_of(bundle, traces):
    steps, rest = divmod(len(traces), len(bundle.members))
    obey(F.STATEMENTS, not rest and steps <= bundle.message.most_steps, len(traces), "traces of a bundle that has fewer blocks, or others")
    return steps


def name_of(bundle, block):
    """Which block is meant, where there can be several."""
    step, member = divmod(block, len(bundle.members))
    of_step = f"step {step}: " if bundle.message.most_steps > 1 else ""
    return of_step + (f"member {bundle.message.members[member].name}: " if len(bundle.members) > 1 else "")


def replay(arguments):
    begin = time.monotonic()
    seed = secrets.randbits(63) if arguments.seed is None else arguments.seed
    bundle = Bundle(arguments.package)
    statement = read_statement(arguments.statement, bundle.publics, steps_of(bundle, arguments.trace))
    failures, filling = judge(bundle, arguments.trace, statement, np.random.default_rng(seed), arguments.rows)
    tables = [table for package in bundle.members for table in package.tables]
    return {
        "verdict": "rejected" if failures else "accepted",
        "seed": seed,
        "tables": len(tables),
        "constraints": sum(len(table.message.constraints) for table in tables),
        "cells": sum(table.height * sum(4 if p >= 2 else p for p in table.phases) for table in tables),
        "fill_seconds": round(filling, 2),
        "verify_seconds": round(time.monotonic() - begin - filling, 2),
        "failures": [failure._asdict() | {"block": block, "text": text_of(failure, name_of(bundle, block))}
                     for block, failure in failures],
    }


def main():
    parser = argparse.ArgumentParser(prog="replay", description="Check a trace against its package, independently.")
    add_run_arguments(parser)
    parser.add_argument("--rows", type=int, help="check constraints on this number of random rows of each table only")
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
