"""mutate: changes one cell of an accepted trace at a time, and counts what is rejected. See README.md."""

import argparse
import json
import secrets
import sys
import time

import numpy as np

from mutate import Batch, random_mutations
from package import BadInput, Package, read_columns, read_statement
from qm31 import signed
from replay import ACCEPTED, BAD_INPUT, REJECTED, add_run_arguments
from state import State
from verify import Buses, verify


class Campaign:
    def __init__(self, arguments):
        self.seed = secrets.randbits(63) if arguments.seed is None else arguments.seed
        self.random = np.random.default_rng(self.seed)
        self.package = Package(arguments.package)
        main = read_columns(arguments.trace, self.package.tables, 1)
        statement = read_statement(arguments.statement, self.package.circuit)
        self.state = State(self.package, main, self.random)
        failures = verify(self.state, statement)
        if failures:
            raise BadInput(f"the trace is not accepted as it is: {failures[0]}")
        self.buses = Buses(self.state)
        # By table: tried, rejected by a constraint, by a claim group alone, by neither.
        self.counts = {table.name: [0, 0, 0, 0] for table in self.package.tables}
        self.survivors = []
        self.disagreements = []

    def run(self, mutations):
        batch = Batch(self.state, self.buses, mutations)
        verdicts = zip(mutations, batch.failing_constraints(), batch.failing_groups(), batch.failing_buses())
        for mutation, constraint, group, bus in verdicts:
            count = self.counts[self.package.tables[mutation.table].name]
            count[0] += 1
            count[1 if constraint else 2 if group else 3] += 1
            if not constraint and not group:
                self.survivors.append(self.describe(mutation))
                if bus:
                    self.disagreements.append(self.describe(mutation))

    def describe(self, mutation):
        table = self.package.tables[mutation.table]
        old = self.state.columns[mutation.table, mutation.column][mutation.row]
        return {"table": table.name, "column": table.columns[mutation.column].name, "row": mutation.row,
                "old": signed(old), "new": signed(mutation.value), "node": table.node_at(mutation.row)}

    def result(self):
        tried, by_constraint, by_group, survived = map(sum, zip(*self.counts.values()))
        return {"seed": self.seed, "tried": tried, "rejected": tried - survived, "by_constraint": by_constraint,
                "by_claims": by_group, "tables": self.counts, "survivors": self.survivors,
                "disagreements": self.disagreements}


def main():
    parser = argparse.ArgumentParser(prog="mutate", description="Change cells of a trace, one at a time; all must be rejected.")
    add_run_arguments(parser)
    parser.add_argument("--count", type=int, default=1000, help="mutations (1,000)")
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
        campaign.run(random_mutations(campaign.state, campaign.random, size))
    result = campaign.result() | {"seconds": round(time.monotonic() - begin, 1)}
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"{'table':24}{'tried':>9}{'constraint':>12}{'claims':>9}{'survived':>10}")
        for name, count in result["tables"].items():
            if count[0]:
                print(f"{name:24}{count[0]:>9,}{count[1]:>12,}{count[2]:>9,}{count[3]:>10,}")
        for survivor in result["survivors"]:
            print("survived:", json.dumps(survivor))
        for of in result["disagreements"]:
            print("accepted, but a bus is out of balance:", json.dumps(of))
        print(f"{result['rejected']:,} of {result['tried']:,} rejected, {result['seconds']} s, seed {result['seed']}")
    return REJECTED if result["survivors"] else ACCEPTED


if __name__ == "__main__":
    sys.exit(main())
