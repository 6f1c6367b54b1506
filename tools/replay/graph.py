"""The DAG of a circuit: its rules (FORMAT.md, section 4), and its evaluation on many rows at a time."""

from collections import namedtuple
from enum import IntEnum

import numpy as np

import qm31
from format_rules import F, obey
from qm31 import P


class Op(IntEnum):
    CONSTANT = 0
    COLUMN = 1
    CHALLENGE = 2
    CLAIMED_SUM = 3
    IS_FIRST = 4
    IS_LAST = 5
    ADD = 6
    SUB = 7
    MUL = 8
    NEG = 9
    INVERSE = 10


# Challenges are of the extension: a power that is one at every residue need not be one at them. An argmax over n tokens takes 2 n.
HIGHEST_DEGREE = 1 << 20
MOST_VISITS = 1 << 23
BINARY = {Op.ADD: qm31.add, Op.SUB: qm31.sub, Op.MUL: qm31.mul}

# What a node reads: pairs (column, offset), and indices of challenges and claimed sums.
Reads = namedtuple("Reads", "columns challenges claimed_sums")
# What to do with each node of a cone, and which values nobody needs afterwards.
Plan = namedtuple("Plan", "steps targets")


class ZeroInverse(Exception):
    """Unlucky challenges: draw them again."""


class Graph:
    def __init__(self, circuit):
        self.circuit = circuit
        self.ops = [node.op for node in circuit.nodes]
        self.a = [node.a for node in circuit.nodes]
        self.b = [node.b for node in circuit.nodes]
        self.offsets = [node.offset for node in circuit.nodes]
        self.table = [None] * len(self.ops)
        self.degree = [0] * len(self.ops)
        self.total = [(0, 0)] * len(self.ops)  # degrees of numerator and denominator in all that a node reads
        self.scalar = [False] * len(self.ops)  # constants and challenges only
        self._reads = {}
        self.visits = 0

    def operands(self, i):
        op = self.ops[i]
        if op in BINARY:
            return (self.a[i], self.b[i])
        return (self.a[i],) if op in (Op.NEG, Op.INVERSE) else ()

    def check(self):
        """Refuses a node that breaks a rule; finds table, degree and kind of every node on the way."""
        for i in range(len(self.ops)):
            problem = self._problem(i)
            if problem:
                obey(problem[0], False, f"node {i}: {problem[1]}")

    def charge(self, nodes):
        """Counts nodes that are looked at: cones of different nodes can be mostly the same."""
        self.visits += nodes
        obey(F.WORK, self.visits <= MOST_VISITS, "what its columns and constraints read has more than", MOST_VISITS, "nodes")

    def _problem(self, i):
        """The rule that the node breaks, and how."""
        op, a, operands = self.ops[i], self.a[i], self.operands(i)
        if not 0 <= op <= Op.INVERSE:
            return F.ENCODING, f"unknown operation {op}"
        if any(operand >= i for operand in operands):
            return F.NODES, "names a node that is not earlier"
        unused = [(self.b[i], op == Op.COLUMN or op in BINARY), (self.offsets[i], op == Op.COLUMN),
                  (a, op not in (Op.IS_FIRST, Op.IS_LAST))]
        if any(value and not used for value, used in unused):
            return F.NODES, f"sets a field that {Op(op).name} has not"
        limits = {Op.CONSTANT: P, Op.CHALLENGE: len(self.circuit.challenges), Op.CLAIMED_SUM: len(self.circuit.claimed_sums)}
        if a >= limits.get(op, a + 1):
            return F.NODES, f"no {Op(op).name} {a}"
        if op == Op.COLUMN:
            tables = self.circuit.tables
            if a >= len(tables) or self.b[i] >= len(tables[a].columns) or self.offsets[i] not in (-1, 0, 1):
                return F.NODES, "no such column or offset"
        tables = {self.table[operand] for operand in operands} - {None}
        if len(tables) > 1:
            return F.ONE_TABLE, "reads two tables"
        self.table[i] = a if op == Op.COLUMN else tables.pop() if tables else None
        degrees = [min(self.degree[operand], 99) for operand in operands]
        leaf = op in (Op.COLUMN, Op.IS_FIRST, Op.IS_LAST)
        self.degree[i] = 1 if leaf else sum(degrees) if op == Op.MUL else max(degrees, default=0)
        self.total[i] = self._total_degree(op, [self.total[operand] for operand in operands])
        if sum(self.total[i]) > HIGHEST_DEGREE:
            return F.TOTAL_DEGREE, "has a degree above 2^20 in all that it reads"
        self.scalar[i] = not leaf and op != Op.CLAIMED_SUM and all(self.scalar[operand] for operand in operands)
        if op == Op.INVERSE and not self.scalar[i]:
            return F.INVERSES, "inverts more than constants and challenges"
        return None

    @staticmethod
    def _total_degree(op, of):
        if not of:
            return (int(op != Op.CONSTANT), 0)
        if op in (Op.NEG, Op.INVERSE):
            return of[0] if op == Op.NEG else of[0][::-1]
        (n, d), (other_n, other_d) = of
        return (n + other_n if op == Op.MUL else max(n + other_d, other_n + d), d + other_d)

    def cone(self, targets, below_scalars=False):
        """The nodes that the targets depend on, in order; not those of which only scalars are made."""
        seen, stack = set(), list(targets)
        while stack:
            i = stack.pop()
            if i not in seen:
                seen.add(i)
                if below_scalars or not self.scalar[i]:
                    stack.extend(self.operands(i))
        return sorted(seen)

    def reads(self, *targets):
        """What the targets read, together."""
        if targets not in self._reads:
            self._reads[targets] = self._found(targets)
        return self._reads[targets]

    def _found(self, targets):
        first, last_of_two, ops, a, b = int(Op.ADD), int(Op.MUL), self.ops, self.a, self.b
        seen, stack, leaves = set(), list(targets), []
        while stack:
            i = stack.pop()
            if i not in seen:
                seen.add(i)
                if ops[i] < first:
                    leaves.append(i)
                else:
                    stack.append(a[i])
                    if ops[i] <= last_of_two:
                        stack.append(b[i])
        self.charge(len(seen))
        return Reads(
            columns=sorted({(b[i], self.offsets[i]) for i in leaves if ops[i] == Op.COLUMN}),
            challenges=sorted({a[i] for i in leaves if ops[i] == Op.CHALLENGE}),
            claimed_sums=sorted({a[i] for i in leaves if ops[i] == Op.CLAIMED_SUM}),
        )

    def scalars(self, challenges, phase):
        """The values of all scalar nodes that need no challenge drawn later than after `phase`: (n, 4) challenges."""
        values = {}
        for i, op in enumerate(self.ops):
            if not self.scalar[i] or not all(operand in values for operand in self.operands(i)):
                continue
            if op == Op.CONSTANT:
                values[i] = np.array([self.a[i]], dtype=np.uint64)
            elif op == Op.CHALLENGE:
                if self.circuit.challenges[self.a[i]].phase <= phase:
                    values[i] = challenges[self.a[i]].reshape(4, 1)
            elif op in BINARY:
                values[i] = BINARY[op](values[self.a[i]], values[self.b[i]])
            elif op == Op.NEG:
                values[i] = qm31.neg(values[self.a[i]])
            else:
                if qm31.is_zero(values[self.a[i]])[0]:
                    raise ZeroInverse
                values[i] = qm31.inverse(values[self.a[i]])
        return values

    def plan(self, targets):
        """A plan to evaluate the targets together."""
        nodes = [i for i in self.cone(targets) if not self.scalar[i]]
        last = {}
        for i in nodes:
            for operand in self.operands(i):
                last[operand] = i
        kept = set(targets)
        steps = []
        for i in nodes:
            done = [o for o in set(self.operands(i)) if last[o] == i and o not in kept and not self.scalar[o]]
            steps.append((i, self.ops[i], self.a[i], self.b[i], self.offsets[i], done))
        return Plan(steps, list(targets))


def evaluate(plan, scalars, rows):
    """The targets' values on rows, an object with column(c, offset), claimed_sum(k), first() and last(); length 1 if constant."""
    values = {}

    def of(i):
        return values[i] if i in values else scalars[i]

    for i, op, a, b, offset, done in plan.steps:
        if op in BINARY:
            values[i] = BINARY[op](of(a), of(b))
        elif op == Op.COLUMN:
            values[i] = rows.column(b, offset)
        elif op == Op.NEG:
            values[i] = qm31.neg(of(a))
        elif op == Op.CLAIMED_SUM:
            values[i] = rows.claimed_sum(a)
        else:
            values[i] = rows.first() if op == Op.IS_FIRST else rows.last()
        for operand in done:
            del values[operand]
    return [of(i) for i in plan.targets]
