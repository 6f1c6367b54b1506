"""The adaptive rules R0 to R7 of runtime/package/FORMAT.md: no cell of phases 2 and 3, and no claimed sum, is left to choose once the
challenges before it are known. They are read off circuit.pb alone; identities of polynomials are tested at random points.
"""

from collections import defaultdict, namedtuple
from hashlib import sha256
from itertools import combinations

import numpy as np

import qm31
from circuit import generator_nodes, exported_groups
from format_rules import BadInput, F, obey
from graph import Op, ZeroInverse
from points import BINARY, POINTS, Points, challenge_key, column_key, interpolation
from qm31 import reduce

HIGHEST = 64  # degree in the challenges that keep a denominator from zero
FRACTIONS = 1024  # of a column, at most

# What reads a column or a challenge: a field of a generator, with the generator's column; a constraint, a lookup, or a gather.
# `index`: the column's or the constraint's in the table.
Reader = namedtuple("Reader", "what table index name node")


def _same(a, b):
    return np.array_equal(a, b)


def _same_up_to_sign(a, b):
    return _same(a, b) or _same(a, qm31.neg(b))


class Rules:
    def __init__(self, package):
        self.package, self.graph = package, package.graph
        self.circuit, self.tables = package.circuit, package.tables
        seed = sha256(self.circuit.SerializeToString(deterministic=True)).digest()
        self.points, self.others = Points(self.graph, seed + b"a"), Points(self.graph, seed + b"b")
        self.columns = [(t, c) for t, table in enumerate(self.tables) for c, phase in enumerate(table.phases) if phase >= 2]
        self.gathered = {place for place in self.columns if self._kind(*place) == "gather"}
        self.fractions = {place: self._split(place) for place in self.columns if self._kind(*place) == "fraction"}
        self.claimed = {of.fraction.claimed_sum: place for place in self.fractions
                        for of in [self._column(*place)] if of.fraction.running}
        self.readers, self.readers_of_challenges = self._all_readers()
        self.open_groups = {*exported_groups(self.circuit), *(tensor.group for tensor in self.circuit.publics)}
        self.only_poles = set()  # challenges that nothing reads in another way
        self.definitions = {}  # of a column: the constraints that are its generator's
        self.defining = defaultdict(set)  # the same, of all columns of a table
        self.zeroed = defaultdict(set)  # of a gathered column y: the fixed columns s with a constraint y - s y
        self.bound = {}  # of a gathered column: the fixed column that selects it (None: 1)

    def check(self):
        for rule in (self._defined, self._no_zero_denominators, self._read_as_a_factor, self._bound_once,
                     self._nothing_where_unbound, self._no_late_values, self._sums_read_by_nobody, self._crossing_sums_are_committed):
            rule()

    def _refuse(self, place, rule, *why):
        t, c = place
        name = self.tables[t].columns[c].name
        raise BadInput(f'table "{self.tables[t].name}": column "{name}": {rule}: {" ".join(map(str, why))}')

    def _column(self, t, c):
        return self.tables[t].columns[c]

    def _kind(self, t, c):
        return self._column(t, c).WhichOneof("generator")

    def _name(self, place):
        return self._column(*place).name

    # What a fraction is made of.

    def _product(self, node):
        return (self.graph.a[node], self.graph.b[node]) if self.graph.ops[node] == Op.MUL else None

    def _split(self, place):
        """The single fractions (numerator, denominator) of a column."""
        graph, fraction = self.graph, self._column(*place).fraction
        singles, stack = [], [(fraction.numerator, fraction.denominator)]
        while stack:
            numerator, denominator = stack.pop()
            parts = None
            if graph.ops[numerator] == Op.ADD:
                left, right = self._product(graph.a[numerator]), self._product(graph.b[numerator])
                of = self._product(denominator)
                if left and right and of == (right[1], left[1]):
                    parts = [(right[0], of[1]), (left[0], of[0])]
            if parts:
                stack += parts
            else:
                singles.append((numerator, denominator))
            # Nodes are shared: a few of them can stand for more fractions than there is time for.
            obey(F.FRACTIONS, len(stack) + len(singles) <= FRACTIONS, f"{self.tables[place[0]].name}.{self._name(place)}: too many fractions")
        return singles

    def _factors(self, denominator):
        seen, stack = {}, [denominator]
        while stack:
            node = stack.pop()
            if node not in seen:
                op = self.graph.ops[node]
                seen[node] = op not in (Op.MUL, Op.NEG)
                stack += [] if seen[node] else self.graph.operands(node)
        return [node for node, factor in seen.items() if factor]

    # Who reads what.

    def _offsets(self, node, c):
        return {offset for column, offset in self.graph.reads(node).columns if column == c}

    def _committed(self, reads, t):
        """The latest phase that commits what is read: columns of table t, and claimed sums."""
        phases = [self.tables[t].phases[c] for c, _ in reads.columns]
        phases += [self.tables[of].phases[c] for of, c in (self.claimed[k] for k in reads.claimed_sums)]
        return max(phases, default=0)

    def _drawn(self, challenge):
        return self.circuit.challenges[challenge].phase

    def _generator_roots(self, t):
        """(column, what, node) of every generator of a table."""
        for c, column in enumerate(self.tables[t].columns):
            if column.phase >= 2:
                kind = column.WhichOneof("generator")
                what = {"expression": ["value"], "scan": ["mul", "add"], "gather": ["index"]}
                names = what.get(kind, ["numerator", "denominator", "add"])
                for name, node in zip(names, generator_nodes(column)):
                    yield c, name, node

    def _all_readers(self):
        """What reads each generated column and each challenge; looking at them one by one would be quadratic."""
        columns, challenges = defaultdict(list), defaultdict(list)
        for t, table in enumerate(self.tables):
            roots = [Reader(what, t, c, self._name((t, c)), node) for c, what, node in self._generator_roots(t)]
            roots += [Reader("constraint", t, k, of.name, of.node) for k, of in enumerate(table.message.constraints)]
            roots += [Reader("lookup", t, None, of.name, node) for of in table.message.lookups
                      for node in [of.multiplicity, *of.tuple]]
            for reader in roots:
                reads = self.graph.reads(reader.node)
                self.graph.charge(1 + len(reads.columns) + len(reads.challenges))
                for c in {c for c, _ in reads.columns if table.phases[c] >= 2}:
                    columns[t, c].append(reader)
                for challenge in reads.challenges:
                    challenges[challenge].append(reader)
        for t, c in sorted(self.gathered):
            for source in self._column(t, c).gather.sources:
                columns[source.table, source.column].append(Reader("gather", t, c, self._name((t, c)), None))
        return columns, challenges

    def _readers(self, place, but=()):
        """What reads a column, but for the constraints `but` of its table."""
        return [of for of in self.readers[place] if of.what != "constraint" or of.index not in but]

    # R0

    def _definition(self, t, c):
        """What is zero if the column is what its generator says."""
        def leaf(*key):
            return self.points.leaf(key)

        column, sub, mul = self._column(t, c), BINARY[Op.SUB], BINARY[Op.MUL]
        y, before, first = leaf(*column_key(t, c)), leaf(*column_key(t, c, -1)), leaf(Op.IS_FIRST, 0, 0, 0)
        values = [self.points.values[node] for node in generator_nodes(column)]
        if self._kind(t, c) == "expression":
            return sub(y, values[0])
        if self._kind(t, c) == "scan":
            return sub(sub(y, mul(mul(sub(np.ones_like(y), first), values[0]), before)), values[1])
        if column.fraction.running:
            claimed_sum = leaf(Op.CLAIMED_SUM, column.fraction.claimed_sum, 0, 0)
            y = sub(BINARY[Op.ADD](sub(y, before), mul(first, claimed_sum)), values[2])
        return sub(mul(y, values[1]), values[0])

    def _defined(self):
        for t, table in enumerate(self.tables):
            constraints = defaultdict(set)
            for k, constraint in enumerate(table.message.constraints):
                value = self.points.values[constraint.node]
                constraints[value.tobytes()].add(k)
                constraints[qm31.neg(value).tobytes()].add(k)
            for c, phase in enumerate(table.phases):
                if phase >= 2 and (t, c) not in self.gathered:
                    found = constraints.get(self._definition(t, c).tobytes())
                    if not found:
                        self._refuse((t, c), "R0", "no constraint is its generator's")
                    self.definitions[t, c] = found
                    self.defining[t] |= found

    # R1

    def _no_zero_denominators(self):
        for place, singles in self.fractions.items():
            for _, denominator in singles:
                for factor in self._factors(denominator):
                    if not self._never_zero(place[0], factor):
                        self._refuse(place, "R1", "a factor of its denominator can be zero")

    def _never_zero(self, t, factor):
        reads = self.graph.reads(factor)
        cone = self.points.cone(factor)
        if not reads.challenges and self._committed(reads, t) == 0:
            return bool(reads.columns) or all(self._on_rows(factor, *row).all() for row in self._kinds_of_rows(t))
        inverted = {k for i in cone if self.graph.ops[i] == Op.INVERSE for k in self.graph.reads(i).challenges}
        late = [k for k in reads.challenges if k not in inverted and self._drawn(k) >= self._committed(reads, t)]
        return any(self._constant_top(factor, chosen) for n in (1, 2) for chosen in combinations(late, n))

    def _kinds_of_rows(self, t):
        """(is_first, is_last) of the rows of a table."""
        height = self.tables[t].height
        return {(int(row == 0), int(row == height - 1)) for row in (0, height // 2, height - 1)}

    def _on_rows(self, node, first, last):
        """Of a node over constants and selectors."""
        selectors = zip((Op.IS_FIRST, Op.IS_LAST), (first, last))
        return self.points.given(node, {(op, 0, 0, 0): np.full(POINTS, value, dtype=np.uint64) for op, value in selectors})

    def _constant_top(self, factor, challenges):
        """Whether the highest power of these challenges has a coefficient that is a constant."""
        degree = self._degree_in(factor, challenges)
        if not 1 <= degree <= HIGHEST:
            return False
        t = np.arange(degree + 1, dtype=np.uint64)[:, None]
        given = {challenge_key(k): reduce(self.points.leaf(challenge_key(k)) * t) for k in challenges}
        tops = []
        for points in (self.points, self.others):
            values = np.broadcast_to(points.given(factor, given), (degree + 1, POINTS))
            coefficients = reduce(reduce(interpolation(degree)[:, :, None] * values).sum(axis=1))
            top = max(np.flatnonzero(coefficients.any(axis=1)), default=0)
            tops.append((top, coefficients[top]))
        (top, value), (other_top, other) = tops
        return top >= 1 and top == other_top and bool(value.all()) and _same(value, other)

    def _degree_in(self, node, challenges):
        degrees = {}
        for i in self.points.cone(node):
            op, of = self.graph.ops[i], [degrees[operand] for operand in self.graph.operands(i)]
            own = int(op == Op.CHALLENGE and self.graph.a[i] in challenges)
            degrees[i] = sum(of) if op == Op.MUL else max(of, default=own)
        return degrees[node]

    # R2

    def _read_as_a_factor(self):
        for place in sorted(self.gathered):
            t, y = place
            for what, _, _, name, node in self._readers(place, but=self._fraction_definitions(t, y)):
                if node is not None and self._offsets(node, y) != {0}:
                    self._refuse(place, "R2", what, name, "reads it on another row")
                if what == "constraint":
                    zeroing = self._zeroing(place, node)
                    self.zeroed[place] |= zeroing
                if what != "numerator" and not (what == "constraint" and zeroing):
                    self._refuse(place, "R2", what, name, "reads it, which is no numerator")

    def _fraction_definitions(self, t, y):
        """The constraints of the fraction columns whose numerators read y, at offset 0."""
        numerators = {of.index for of in self.readers[t, y] if of.what == "numerator"}
        return {k for c in numerators for k in self.definitions[t, c] if self._offsets(self.tables[t].message.constraints[k].node, y) <= {0}}

    def _zeroing(self, place, node):
        """The fixed columns s for which the node is y - s y."""
        t, value, y = place[0], self.points.values[node], self.points.leaf(column_key(*place))
        fixed = self._fixed_columns(t, node)
        kept = {s: reduce(y * self.points.leaf(column_key(t, s))) for s in fixed}
        return {s for s in fixed if _same_up_to_sign(value, BINARY[Op.SUB](y, kept[s]))}

    def _fixed_columns(self, t, node):
        """Those that the node reads."""
        return sorted({c for c, _ in self.graph.reads(node).columns if self.tables[t].phases[c] == 0})

    # R3

    def _bound_once(self):
        self._depend()
        for place in sorted(self.gathered):
            binding = [(c, n, d) for c, n, d in self._numerators_of(place) if self._binds(d, place)]
            if len(binding) != 1:
                self._refuse(place, "R3", len(binding), "fractions under later challenges read it, and not one")
            c, numerator, denominator = binding[0]
            pole = self._pole(denominator)
            if pole is None:
                self._refuse(place, "R3", "the denominator that binds it is no challenge less fixed columns")
            self._selected(place, numerator)
            self._rest_is_known(place, numerator, pole)
            self._claimed_alone(place, c)
            self._names_poles_only(place, pole)

    def _numerators_of(self, place):
        """(column, numerator, denominator) of every single fraction whose numerator reads the column."""
        t, y = place
        columns = sorted({of.index for of in self.readers[t, y] if of.what == "numerator"})
        return [(c, n, d) for c in columns for n, d in self.fractions[t, c] if self._offsets(n, y)]

    def _binds(self, denominator, place):
        phase = self._column(*place).phase
        return any(self._drawn(k) >= phase for k in self.graph.reads(denominator).challenges)

    def _pole(self, denominator):
        """The challenge c of c - a or a - c, with a over fixed columns."""
        reads, t = self.graph.reads(denominator), self.graph.table[denominator]
        selectors = any(self.graph.ops[i] in (Op.IS_FIRST, Op.IS_LAST) for i in self.points.cone(denominator))
        if len(reads.challenges) != 1 or reads.claimed_sums or selectors or (t is not None and self._committed(reads, t) > 0):
            return None
        key = challenge_key(reads.challenges[0])
        try:
            slope = BINARY[Op.SUB](self.points.values[denominator], self.points.given(denominator, {key: self.others.leaf(key)}))
        except ZeroInverse:
            return None
        change = BINARY[Op.SUB](self.points.leaf(key), self.others.leaf(key))
        return reads.challenges[0] if _same_up_to_sign(slope, change) else None

    def _selected(self, place, numerator):
        """s of the numerator s y + rest."""
        t, y = place
        key = column_key(*place)
        value = self.points.leaf(key)
        slope = BINARY[Op.SUB](self.points.values[numerator], self.points.given(numerator, {key: np.zeros_like(value)}))
        selectors = [s for s in self._fixed_columns(t, numerator) if _same_up_to_sign(slope, reduce(value * self.points.leaf(column_key(t, s))))]
        if not selectors and not _same_up_to_sign(slope, value):
            self._refuse(place, "R3", "what multiplies it where it is bound is no fixed column")
        self.bound[place] = selectors[0] if selectors else None

    def _depend(self):
        """For each generated column: the gathered columns and the challenges that it depends on."""
        self.depends = {}
        for place in self.package.order:
            reads = set()
            if place in self.gathered:
                reads = {(source.table, source.column) for source in self._column(*place).gather.sources}
                self.depends[place] = {place}.union(*(self.depends.get(of, ()) for of in reads))
                continue
            self.depends[place] = self._depends_on(self.graph.reads(*generator_nodes(self._column(*place))), place[0])

    def _depends_on(self, reads, t):
        found = {challenge_key(k) for k in reads.challenges}
        for of in [(t, c) for c, _ in reads.columns] + [self.claimed[k] for k in reads.claimed_sums]:
            found |= self.depends.get(of, set())
        return found

    def _rest_is_known(self, place, numerator, pole):
        t, y = place
        reads = self.graph.reads(numerator)
        others = reads._replace(columns=[(c, offset) for c, offset in reads.columns if c != y])
        depends = self._depends_on(others, t)
        if any(of in self.gathered for of in depends):
            self._refuse(place, "R3", "the numerator that binds it depends on another gathered column")
        if challenge_key(pole) in self._depends_on(reads, t):
            self._refuse(place, "R3", "the numerator that binds it depends on the challenge of its denominator")

    def _summed_by(self, place):
        """The running column that adds a column of fractions, if nothing else reads it; itself, if it is running."""
        t, c = place
        if self._column(t, c).fraction.running:
            return place
        readers = self._readers(place, but=self.defining[t])
        if len(readers) != 1 or readers[0].what != "add" or self._offsets(readers[0].node, c) != {0}:
            return None
        key, node = column_key(t, c), readers[0].node
        value = self.points.leaf(key)
        if not _same(BINARY[Op.SUB](self.points.values[node], self.points.given(node, {key: np.zeros_like(value)})), value):
            return None
        return t, readers[0].index

    def _claimed_alone(self, place, c):
        sum_of = self._summed_by((place[0], c))
        if sum_of is None:
            self._refuse(place, "R3", "no running column adds", self._name((place[0], c)), "as it is, or something else reads it")
        group = self.circuit.claimed_sums[self._column(*sum_of).fraction.claimed_sum].group
        if group in self.open_groups:
            self._refuse(place, "R3", "the group that binds it is exported, or has a public tensor")

    def _names_poles_only(self, place, pole):
        """Whatever reads the challenge is, as a whole, the denominator of a fraction that is summed."""
        if pole in self.only_poles:
            return
        name = self.circuit.challenges[pole].name

        def reads(node):
            return pole in self.graph.reads(node).challenges

        summed = set()
        for of in self.readers_of_challenges[pole]:
            where = (of.table, of.index)
            if of.what == "constraint":
                bad = of.index not in self.defining[of.table]
            elif of.what in ("numerator", "denominator"):
                if where in summed:
                    continue
                summed.add(where)
                singles = self.fractions[where]
                bad = any(reads(n) or (reads(d) and self._pole(d) is None) for n, d in singles)
                bad = bad or (any(reads(d) for _, d in singles) and self._summed_by(where) is None)
            else:
                bad = of.what != "lookup"
            if bad:
                self._refuse(place, "R3", f"{self.tables[of.table].name}.{of.name} reads {name}, which binds it, in another way")
        self.only_poles.add(pole)
        for tensor in self.circuit.publics:
            if pole in (tensor.address_challenge, tensor.row_challenge, tensor.column_challenge):
                self._refuse(place, "R3", f"public tensor {tensor.name} reads {name}, which binds it")

    # R4

    def _nothing_where_unbound(self):
        for place in sorted(self.gathered):
            selector = self.bound[place]
            if selector is None or selector in self.zeroed[place]:
                continue
            key, off = column_key(*place), column_key(place[0], selector)
            zero = np.zeros(POINTS, dtype=np.uint64)
            for of, n, _ in self._numerators_of(place):
                first, second = (self.points.given(n, {off: zero, key: by.leaf(key)}) for by in (self.points, self.others))
                if not _same(first, second):
                    self._refuse(place, "R4", self._name((place[0], of)), "depends on it where", self._name((place[0], selector)),
                                 "is 0, so that nothing binds it")

    # R5

    def _no_late_values(self):
        determined = self._determined()
        for place, singles in self.fractions.items():
            t = place[0]
            for numerator, denominator in singles:
                reads = self.graph.reads(numerator)
                of = [(t, c) for c, _ in reads.columns] + [self.claimed[k] for k in reads.claimed_sums]
                known = max((determined[x] for x in of), default=0)
                for factor in self._factors(denominator):
                    read = self.graph.reads(factor)
                    for k in read.challenges:
                        if self._drawn(k) < max(known, self._committed(read, t)):
                            self._refuse(place, "R5", self.circuit.challenges[k].name, "is drawn before what it is to separate")

    def _determined(self):
        """The phase that determines each column."""
        found = {(t, c): phase for t, table in enumerate(self.tables) for c, phase in enumerate(table.phases) if phase < 2}
        for place in self.package.order:
            if place in self.gathered:
                read = [(source.table, source.column) for source in self._column(*place).gather.sources]
            else:
                reads = self.graph.reads(*generator_nodes(self._column(*place)))
                read = [(place[0], c) for c, _ in reads.columns] + [self.claimed[k] for k in reads.claimed_sums]
            found[place] = max((found[of] for of in read), default=0)
        return found

    # R6

    def _sums_read_by_nobody(self):
        for place in self.claimed.values():
            for reader in self._readers(place, but=self.definitions[place]):
                self._refuse(place, "R6", reader.what, reader.name, "reads a running sum, whose first row is anything")

    # R7

    def _crossing_sums_are_committed(self):
        exported = exported_groups(self.circuit)
        for k, place in self.claimed.items():
            if self.circuit.claimed_sums[k].group not in exported:
                continue
            t, phases = place[0], self.tables[place[0]].phases
            added = self.graph.reads(self._column(*place).fraction.add).columns
            for c in {place[1], *(c for c, _ in added if phases[c] > 1)}:
                reads = self.graph.reads(*generator_nodes(self._column(t, c))[:2])
                if self._kind(t, c) != "fraction" or reads.claimed_sums or any(phases[of] > 1 for of, _ in reads.columns):
                    self._refuse(place, "R7", self._name((t, c)), "in an exported group is no fraction of committed columns")
