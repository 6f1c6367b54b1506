"""What the errors depend on, read off circuit.pb by the independent reader of tools/replay."""

from collections import Counter
from math import log2

import numpy as np
from graph import Op
from package import generator_nodes

COMPOSITION = 8  # base columns, opened at one point


def width(phase):
    return 4 if phase >= 2 else 1


def offsets_read(package):
    """Per table and column, the rows at which constraints read it, and the table's fixed columns as Stwo has them."""
    graph, read, fixed = package.graph, {}, set()
    for t, table in enumerate(package.tables):
        fixed |= {(t, c, 0) for c, phase in enumerate(table.phases) if phase == 0}
        nodes = [constraint.node for constraint in table.message.constraints]
        for node in graph.cone(nodes, below_scalars=True) if nodes else []:
            if graph.ops[node] == Op.COLUMN:
                read.setdefault((t, graph.b[node]), {0}).add(graph.offsets[node])
                if table.phases[graph.b[node]] == 0:
                    fixed.add((t, graph.b[node], graph.offsets[node]))
            elif graph.ops[node] in (Op.IS_FIRST, Op.IS_LAST):
                fixed.add((graph.ops[node], table.message.log_height))
    return read, fixed


def quotients(package):
    """One per value opened out of domain, and Stwo's own one for each base column with two of them."""
    read, fixed = offsets_read(package)
    tallest = max(table.message.log_height for table in package.tables)
    total = max(len(fixed), 1) + COMPOSITION
    for t, table in enumerate(package.tables):
        for c, phase in enumerate(table.phases):
            if phase == 0:
                continue
            opened = len(read.get((t, c), {0}))
            if opened == 3 and table.message.log_height < tallest:
                opened += 1  # once more, a period on
            total += width(phase) * (opened + (opened == 2))
    return total


def longest_run(package, t, node):
    """Rows from one at which the node is zero, whatever is drawn and committed, to the last one before the next."""
    graph, height = package.graph, package.tables[t].height

    def zero(i):
        op, a, b = graph.ops[i], graph.a[i], graph.b[i]
        if op == Op.COLUMN and package.tables[t].phases[b] == 0:
            return np.roll(package.fixed[t, b], -graph.offsets[i]) == 0
        if op == Op.MUL:
            return zero(a) | zero(b)
        if op in (Op.ADD, Op.SUB) and not graph.scalar[i]:
            return zero(a) & zero(b)
        if op == Op.NEG:
            return zero(a)
        return np.full(height, op == Op.CONSTANT and a == 0)

    starts = zero(node)
    starts[0] = True
    return int(np.diff(np.append(np.flatnonzero(starts), height)).max())


def runs(package):
    """Per scan, table and column, the rows of its longest run as the circuit declares and as the fixed columns have it."""
    found = {}
    for t, table in enumerate(package.tables):
        for column in table.columns:
            if column.WhichOneof("generator") == "scan":
                declared = column.scan.rows or table.height
                found[f"{table.name}.{column.name}"] = declared, longest_run(package, t, column.scan.mul)
    return found


class Term:
    """A rational function of the challenges, over the denominators `own` of its row and powers `shared` of polynomials that are
    the same on every row, of which `degrees` has the degrees. All bounds."""

    def __init__(self, top=0, own=0, shared=()):
        self.top, self.own, self.shared = top, own, Counter(dict(shared))


class Degrees:
    """Folds are as long as the circuit declares, or else as their tables."""

    def __init__(self, package, first_phase, declared):
        self.package, self.graph, self.first, self.declared = package, package.graph, first_phase, declared
        self.degrees, self.nodes, self.columns = {}, {}, {}

    def below(self, shared):
        return sum(self.degrees[node] * power for node, power in shared.items())

    def add(self, *terms):
        shared = Counter()
        for term in terms:
            shared |= term.shared
        own = sum(term.own for term in terms)
        lift = lambda term: term.top + own - term.own + self.below(shared) - self.below(term.shared)
        return Term(max(map(lift, terms)), own, shared)

    def multiply(self, a, b):
        return Term(a.top + b.top, a.own + b.own, a.shared + b.shared)

    def invert(self, node):
        op, graph = self.graph.ops[node], self.graph
        if op == Op.MUL:
            return self.multiply(self.invert(graph.a[node]), self.invert(graph.b[node]))
        if op == Op.NEG:
            return self.invert(graph.a[node])
        term = self.term(node)
        above = term.own + self.below(term.shared)
        if not graph.scalar[node]:
            return Term(above, term.top)
        self.degrees[node] = term.top
        return Term(above, 0, {node: 1} if term.top else {})

    def term(self, node):
        if node not in self.nodes:
            self.nodes[node] = self._term(node)
        return self.nodes[node]

    def _term(self, node):
        op, a, b = self.graph.ops[node], self.graph.a[node], self.graph.b[node]
        if op == Op.CHALLENGE:
            return Term(int(self.package.circuit.challenges[a].phase >= self.first))
        if op == Op.COLUMN:
            return self.columns.get((a, b), Term())
        if op in (Op.ADD, Op.SUB):
            return self.add(self.term(a), self.term(b))
        if op == Op.MUL:
            return self.multiply(self.term(a), self.term(b))
        if op == Op.NEG:
            return self.term(a)
        return self.invert(a) if op == Op.INVERSE else Term()

    def over_rows(self, term, rows):
        return Term(term.top + (rows - 1) * term.own, rows * term.own, term.shared)

    def column(self, t, column):
        kind, rows = column.WhichOneof("generator"), self.package.tables[t].height
        if kind == "expression":
            return self.term(column.expression.value)
        if kind == "scan":
            rows = self.declared and column.scan.rows or rows
            factor, added = self.term(column.scan.mul), self.over_rows(self.term(column.scan.add), rows)
            step = max(factor.top, factor.own + self.below(factor.shared))
            powers = Counter({node: rows * power for node, power in factor.shared.items()})
            return Term(added.top + rows * step, added.own + rows * factor.own, added.shared + powers)
        if kind == "gather":
            sources = [self.columns.get((s.table, s.column), Term()) for s in column.gather.sources]
            own, shared = max(s.own for s in sources), Counter()
            for source in sources:
                shared |= source.shared
            whole = own + self.below(shared)
            return Term(max(s.top + whole - s.own - self.below(s.shared) for s in sources), own, shared)
        fraction = self.multiply(self.term(column.fraction.numerator), self.invert(column.fraction.denominator))
        if not column.fraction.running:
            return fraction
        return self.over_rows(self.add(fraction, self.term(column.fraction.add)), rows)

    def ready(self, t, column):
        """Whether all columns of this phase that the generator reads are known."""
        if column.WhichOneof("generator") == "gather":
            needed = {(s.table, s.column) for s in column.gather.sources}
        else:
            needed = {(t, c) for c, _ in self.graph.reads(*generator_nodes(column)).columns}
        return all(self.package.tables[u].phases[c] < 2 or (u, c) in self.columns for u, c in needed)

    def groups(self):
        """Of each group, the degrees of its sum above and below."""
        package = self.package
        waiting = [(t, c) for t, table in enumerate(package.tables) for c, of in enumerate(table.phases) if of >= 2]
        sums = {}
        while waiting:
            now = [(t, c) for t, c in waiting if self.ready(t, package.tables[t].columns[c])]
            assert now, "generators read each other"
            for t, c in now:
                column = package.tables[t].columns[c]
                self.columns[t, c] = self.column(t, column)
                if column.WhichOneof("generator") == "fraction" and column.fraction.running:
                    group = package.circuit.claimed_sums[column.fraction.claimed_sum].group
                    sums[group] = self.add(sums.get(group, Term()), self.columns[t, c])
            waiting = [at for at in waiting if at not in now]
        for public in package.circuit.publics:
            counts = lambda challenge: int(package.circuit.challenges[challenge].phase >= self.first)
            down, across = -(-public.rows // public.tile_rows), -(-public.columns // public.tile_columns)
            poles = (down * across * counts(public.address_challenge)
                     + min(public.tile_rows, public.rows) * counts(public.row_challenge)
                     + min(public.tile_columns, public.columns) * counts(public.column_challenge))
            sums[public.group] = self.add(sums.get(public.group, Term()), Term(poles, poles))
        return {group: (term.top, term.own + self.below(term.shared)) for group, term in sums.items()}


def links(bundle, declared=True):
    """log2 of the degree of the sum over the ends of each link: numerators over one common denominator, and that."""
    groups = [Degrees(package, 1, declared).groups() for package in bundle.members]

    def degree(link):
        ends = [groups[end.member].get(end.group, (0, 0)) for end in link.ends]
        below = sum(under for _, under in ends)
        return max(top + below - under for top, under in ends) + below

    return [log2(max(degree(link), 1)) for link in bundle.message.links]


def of_package(package):
    """As the tool prints them: without the groups that a link names."""
    def degree(phase, declared):
        groups = Degrees(package, phase, declared).groups()
        return sum(sum(of) for group, of in groups.items() if phase == 2 or group not in package.linked)

    def degrees(declared):
        return [log2(max(degree(phase, declared), 1)) for phase in (1, 2)]

    return {
        "log_height": max(table.message.log_height for table in package.tables),
        "quotients": quotients(package),
        "constraints": sum(len(table.message.constraints) for table in package.tables),
        "log_degrees": degrees(True),
        "log_degrees_of_whole_tables": degrees(False),
    }
