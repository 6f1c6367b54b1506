"""mutate: changes one cell of an accepted trace at a time, and counts what is rejected. See README.md."""

import argparse
import json
import secrets
import sys
import time

import numpy as np

from mutate import Batch, has_influence, random_mutations
from package import BadInput, Bundle, read_columns, read_statement
from replay import ACCEPTED, BAD_INPUT, REJECTED, add_run_arguments
from state import State
from verify import Buses, verify


# A survivor is a mutation that neither a constraint nor a sum group rejects, of a cell that a constraint depends on.
COUNTS = ("tried", "by_constraint", "by_sums", "without_influence", "survived")


class Campaign:
    def __init__(self, arguments):
        self.seed = secrets.randbits(63) if arguments.seed is None else arguments.seed
        self.random = np.random.default_rng(self.seed)
        (self.package,) = Bundle(arguments.package).members
        if len(arguments.trace) > 1:
            raise BadInput("one block at a time")
        main = read_columns(arguments.trace[0], self.package.tables, 1)
        (statement,) = read_statement(arguments.statement, self.package.circuit.publics)
        self.state = State(self.package, main, self.random)
        failures = verify(self.state, statement)
        if failures:
            raise BadInput(f"the trace is not accepted as it is: {failures[0]}")
        self.buses = Buses(self.state)
        self.counts = {table.name: dict.fromkeys(COUNTS, 0) for table in self.package.tables}
        self.survivors = []
        self.disagreements = []

    def run(self, mutations):
        batch = Batch(self.state, self.buses, mutations)
        verdicts = zip(mutations, batch.failing_constraints(), batch.failing_groups(), batch.failing_buses())
        for mutation, constraint, group, bus in verdicts:
            count = self.counts[self.package.tables[mutation.table].name]
            count["tried"] += 1
            if constraint or group:
                count["by_constraint" if constraint else "by_sums"] += 1
                continue
            survived = has_influence(self.state, mutation)
            count["survived" if survived else "without_influence"] += 1
            if survived:
                self.survivors.append(self.describe(mutation))
            if bus:
                self.disagreements.append(self.describe(mutation))

    def describe(self, mutation):
        table = self.package.tables[mutation.table]
        old = self.state.columns[mutation.table, mutation.column][..., mutation.row]
        return {"table": table.name, "column": table.columns[mutation.column].name, "row": mutation.row,
                "old": old.tolist(), "new": mutation.value, "node": table.node_at(mutation.row)}

    def result(self):
        totals = {of: sum(count[of] for count in self.counts.values()) for of in COUNTS}
        return {"seed": self.seed, **totals, "tables": self.counts, "survivors": self.survivors,
                "disagreements": self.disagreements}


def print_result(result):
    print(f"{'table':24}" + "".join(f"{of.replace('_', ' '):>19}" for of in COUNTS))
    for name, count in [*result["tables"].items(), ("total", result)]:
        if count["tried"]:
            print(f"{name:24}" + "".join(f"{count[of]:>19,}" for of in COUNTS))
    for survivor in result["survivors"]:
        print("survived:", json.dumps(survivor))
    for mutation in result["disagreements"]:
        print("accepted, but a bus is out of balance:", json.dumps(mutation))
    print(f"{result['seconds']} s, seed {result['seed']}")


def main():
    parser = argparse.ArgumentParser(prog="mutate", description="Change cells of a trace, one at a time; all must be rejected.")
    add_run_arguments(parser)
    parser.add_argument("--count", type=int, default=1000, help="mutations (1,000)")
    parser.add_argument("--phases", type=int, nargs="+", choices=(1, 2, 3), default=[1], help="of the mutated columns (1)")
    parser.add_argument("--batch", type=int, default=250, help="mutations that are evaluated together (250)")
    arguments = parser.parse_args()
    begin = time.monotonic()
    try:
        campaign = Campaign(arguments)
    except BadInput as error:
        print(f"mutate: {error}", file=sys.stderr)
        return BAD_INPUT
    for done in range(0, arguments.count, arguments.batch):
        size = min(arguments.batch, arguments.count - done)
        campaign.run(random_mutations(campaign.state, campaign.random, size, arguments.phases))
    result = campaign.result() | {"seconds": round(time.monotonic() - begin, 1)}
    if arguments.json:
        print(json.dumps(result))
    else:
        print_result(result)
    return REJECTED if result["survivors"] or result["disagreements"] else ACCEPTED


if __name__ == "__main__":
    sys.exit(main())
