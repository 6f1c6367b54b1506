"""Two witnesses of the same inputs, as a question to an SMT solver: can both satisfy a circuit's rules, and differ?

The rules are those of the circuit (constraints and lookups of given rows, read from circuit.pb), with its fixed columns and
the rows of its lookup tables filled in. Nothing here knows a gadget. Cells are residues mod p; each gets a linear form over
integer variables that have intervals:

- a lookup of a constant id makes its key a variable with the interval of the rows that have this id, and its other elements
  functions of it (uninterpreted, which forgets the table's values and keeps that a key has one row);
- an equation that holds a cell without a form, times 1 or -1, gives it one; each other one says that its form is k p, for
  the k that the intervals leave: mostly zero alone;
- a product that has to be zero has a factor that is (p is prime); a product of two variables is a variable, with the interval
  that it has, and equal for both witnesses if both factors are.

So what is refuted holds mod p. The text of a question is SMT-LIB, the same for all rows with the same parameters.
"""

import copy
import functools
import itertools
import math

import cvc5

from circuit_forms import HALF, add, centered, constant, minus, multiply, number, scale, value_of
from qm31 import P


class Question:
    """The variables and assertions of one question."""

    def __init__(self, circuit):
        self.circuit = circuit
        self.intervals = {}  # of variables
        self.lines = []
        self.functions = {}
        self.products = {}
        self.looked_up = {}  # variable of an element: (segment, element, form of the key)
        self.shared = {}  # cells that both witnesses have: their forms
        self.ranges = {}  # that cells are known to have

    def variable(self, low, high):
        name = f"v{len(self.intervals)}"
        self.intervals[name] = low, high
        self.lines.append(f"(declare-const {name} Int)")
        self.require(f"(<= {literal(low)} {name} {literal(high)})")
        return {(name,): 1}

    def require(self, formula):
        self.lines.append(f"(assert {formula})")

    def linear(self, form):
        """The form with a variable for each product."""
        return add(*({m: f} if len(m) < 2 else scale(self.product(m), f) for m, f in form.items()))

    def product(self, monomial):
        if monomial not in self.products:
            head, tail = (monomial[0],), monomial[1:]
            tail = self.product(tail) if len(tail) > 1 else {tail: 1}
            a, b = self.interval({head: 1}), self.interval(tail)
            ends = [x * y for x in a for y in b]
            result = self.products[monomial] = self.variable(min(ends), max(ends))
            if len(monomial) == 2:
                for bit, other in itertools.permutations(monomial):
                    if self.intervals[bit] == (0, 1):
                        self.require(f"(= {text(result)} (ite (= {bit} 1) {other} 0))")
        return self.products[monomial]

    def interval(self, form):
        low = high = 0
        for monomial, factor in form.items():
            ends = [factor * end for end in self.intervals[monomial[0]]] if monomial else [factor]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def multiple(self, form):
        """That the form is k p for some k."""
        form = self.linear(form)
        low, high = self.interval(form)
        factors = range(-(-low // P), high // P + 1)
        if not factors:
            return "false"
        if len(factors) == 1:
            return f"(= {text(form)} {literal(factors[0] * P)})"
        k = self.variable(factors[0], factors[-1])
        return f"(= {text(form)} (* {P} {text(k)}))"

    def no_multiple(self, form):
        form = self.linear(form)
        low, high = self.interval(form)
        factors = range(-(-low // P), high // P + 1)
        return conjunction([f"(not (= {text(form)} {literal(k * P)}))" for k in factors])

    def apply(self, segment, element, key):
        """The element of the table's row with this key, a variable."""
        name = self.functions.setdefault((segment.sort, element), f"f{len(self.functions)}")
        if f"(declare-fun {name} (Int) Int)" not in self.lines:
            self.lines.append(f"(declare-fun {name} (Int) Int)")
        result = self.variable(*segment.others[element])
        self.require(f"(= {text(result)} ({name} {text(key)}))")
        self.looked_up[next(iter(result))[0]] = segment, element, key
        return result

    def text(self):
        return "\n".join(["(set-logic QF_UFLIA)", *self.lines, "(check-sat)"])


def literal(value):
    return str(value) if value >= 0 else f"(- {-value})"


def text(form):
    terms = [literal(f) if not m else m[0] if f == 1 else f"(* {literal(f)} {m[0]})" for m, f in form.items()]
    return "0" if not terms else terms[0] if len(terms) == 1 else f"(+ {' '.join(terms)})"


def conjunction(formulas):
    return f"(and true {' '.join(formulas)})"


def disjunction(formulas):
    return f"(or false {' '.join(formulas)})"


class Witness:
    """The forms of one witness's cells. `given` says which cells (table, column, row) both have."""

    def __init__(self, question, given):
        self.question, self.given = question, given
        self.own = {}

    def of(self, cell):
        return self.question.shared if self.given(cell) else self.own

    def substitute(self, form):
        """The form over variables, and cells that have no form."""
        total = {}
        for monomial, factor in form.items():
            term = number(factor)
            for v in monomial:
                term = multiply(term, {(v,): 1} if isinstance(v, str) else self.form(v))
            total = add(total, term)
        return total

    def form(self, cell):
        of = self.of(cell)
        if cell not in of and cell in self.question.ranges:
            low, high = self.question.ranges[cell]
            of[cell] = self.question.variable(low, high) if low < high else number(low)
        return self.substitute(of[cell]) if cell in of else {(cell,): 1}

    def closed(self, form):
        """The form over variables alone: a cell without a form is any residue."""
        form = self.substitute(form)
        for cell in sorted({v for monomial in form for v in monomial if not isinstance(v, str)}):
            self.of(cell)[cell] = self.question.variable(-HALF, HALF)
        return self.substitute(form)

    def equal(self, form, target):
        """Requires form = target mod p."""
        form = self.substitute(minus(form, target))
        alone = [m[0] for m, f in form.items() if len(m) == 1 and not isinstance(m[0], str) and abs(f) == 1]
        # Not a cell that stands in a product, too; and one that both have only for want of others.
        alone = sorted((v for v in alone if sum(v in m for m in form) == 1), key=self.given)
        if alone:
            cell = alone[0]
            self.of(cell)[cell] = scale({m: f for m, f in form.items() if m != (cell,)}, -form[cell,])
        elif form:
            self.question.require(self.question.multiple(self.closed(form)))

    def constrain(self, node, table, row):
        factors = [self.substitute(f) for f in self.question.circuit.factors(node, table, row)]
        if not all(factors):
            return
        factors = [f for f in factors if constant(f) is None]
        if len(factors) == 1:
            return self.equal(factors[0], {})
        cells = {v for f in factors for m in f for v in m}
        roots = [constant(minus({(v,): 1}, scale(f, f.get((v,), 1)))) for f in factors for v in cells]
        if len(cells) == 1 and not isinstance(v := cells.pop(), str) and None not in roots:
            self.of(v)[v] = self.question.variable(min(roots), max(roots))
        self.question.require(disjunction([self.question.multiple(self.closed(f)) for f in factors]))

    def look_up(self, lookup, table, row, segment=None, widened=1):
        """Requires that the tuple is provided: in this segment, or in the only one; `widened`: with that many times the keys."""
        circuit = self.question.circuit
        assert constant(self.substitute(circuit.form(lookup.multiplicity, table, row))) == 1, lookup.name
        elements = [self.substitute(circuit.form(node, table, row)) for node in lookup.tuple]
        if segment is None:
            known = tuple((i, value) for i, e in enumerate(elements) if (value := constant(e)) is not None)
            if len(known) == len(elements):
                if not circuit.provides(lookup.bus, [value for _, value in known]):
                    self.question.require("false")
                return
            [segment] = circuit.segments(lookup.bus, known)
        key = number(segment.low)
        if segment.count > 1:
            key = add(key, scale(self.question.variable(0, widened * segment.count - 1), segment.step))
        self.equal(elements[segment.key], key)
        for i, (low, high) in segment.others.items():
            self.equal(elements[i], number(low) if low == high else self.question.apply(segment, i, key))

    def obey(self, rules, chosen=(), widened=()):
        """Requires all rules; `chosen`: the segments of some lookups, which come first."""
        chosen = dict(chosen)
        for rule in sorted(rules, key=lambda rule: self._turn(rule, chosen)):
            if rule.lookup:
                self.look_up(rule.message, rule.table, rule.row, chosen.get(rule.name), 2 if rule.name in widened else 1)
            else:
                self.constrain(rule.message.node, rule.table, rule.row)

    def _turn(self, rule, chosen):
        """What names variables of the witness comes first: the chosen segments, then copies, then lookups."""
        if rule.lookup:
            return 0 if rule.name in chosen else 2
        factors = self.question.circuit.factors(rule.message.node, rule.table, rule.row)
        factors = [f for f in factors if constant(f) is None]
        return 1 if len(factors) == 1 and len(factors[0]) <= 2 else 3


@functools.cache
def solve(text):
    """The values of a question's variables, or None if there are none."""
    terms = cvc5.TermManager()
    solver, symbols = cvc5.Solver(terms), cvc5.SymbolManager(terms)
    solver.setOption("produce-models", "true")
    solver.setOption("tlimit-per", "60000")
    parser = cvc5.InputParser(solver, symbols)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "question")
    answer = ""
    while not (command := parser.nextCommand()).isNull():
        answer = command.invoke(solver, symbols)
    assert answer.strip() in ("sat", "unsat"), f"the solver says {answer}"
    if answer.strip() == "unsat":
        return None
    names = [term for term in symbols.getDeclaredTerms() if term.getSort().isInteger()]
    return {str(term): int(solver.getValue(term).getIntegerValue()) for term in names}


class Statement:
    """That two witnesses of `rules` with the same given cells are one. `lanes`: forms whose values are given.

    `unknown`: the cells that may not differ, if not all others. `splits`: lookups, by name, whose segments are cases, and the
    elements that make one. `goal(question, a, b)`: what must be impossible, instead of a difference.
    """

    def __init__(self, circuit, rules, given=lambda cell: False, lanes=(), links=(), ranges=None, splits=None, goal=None,
                 unknown=None):
        self.circuit, self.rules, self.given, self.goal = circuit, list(rules), given, goal
        self.lanes, self.links, self.ranges, self.splits = list(lanes), list(links), ranges or {}, splits or {}
        self.widened = ()
        self.unknown = sorted(unknown) if unknown else [v for v in self._all_cells() if not given(v)]

    def wrong(self, without=(), widened=(), ranges=None):
        """A variant that must have two witnesses: without the rules of some names, with some lookups that find twice as many keys,
        or for some values only."""
        made = copy.copy(self)
        made.ranges = {**self.ranges, **(ranges or {})}
        made.rules = [rule for rule in self.rules if rule.name not in without]
        made.widened = widened
        assert len(made.rules) < len(self.rules) or {rule.name for rule in self.rules} & set(widened), "a variant that is none"
        return made

    def _forms(self, rule):
        if rule.lookup:
            return [self.circuit.form(node, rule.table, rule.row) for node in rule.message.tuple]
        return self.circuit.factors(rule.message.node, rule.table, rule.row)

    def differ(self, question, a, b):
        pairs = [(a.closed({(v,): 1}), b.closed({(v,): 1})) for v in self.unknown]
        return disjunction([question.no_multiple(minus(x, y)) for x, y in pairs if x != y])

    def _cases(self):
        """The ways to choose a segment for each split lookup."""
        chosen = []
        for name, by in self.splits.items():
            for rule in self.rules:
                if rule.name == name:
                    elements = self._forms(rule)
                    known = tuple((i, value) for i, e in enumerate(elements) if (value := constant(e)) is not None)
                    chosen.append([(name, segment) for segment in self.circuit.segments(rule.message.bus, known, by)])
        return list(itertools.product(*chosen))

    def questions(self):
        cases = self._cases()
        # Two witnesses that differ have no order; a goal may have one.
        pairs = itertools.product(cases, cases) if self.goal else itertools.combinations_with_replacement(cases, 2)
        for both in pairs:
            question = Question(self.circuit)
            question.ranges = self.ranges
            witnesses = [Witness(question, lambda v: v[0] == "lane" or self.given(v)) for _ in both]
            for witness, chosen in zip(witnesses, both):
                for x, y in self.links:
                    witness.equal({(x,): 1}, {(y,): 1})
                witness.obey(self.rules, chosen, self.widened)
                for i, lane in enumerate(self.lanes):
                    witness.equal(lane, {(("lane", i),): 1})
            question.require((self.goal or self.differ)(question, *witnesses))
            yield question, witnesses

    def holds(self):
        """Asks all questions: None, or two witnesses, dictionaries of cells, that the solver found instead."""
        for question, witnesses in self.questions():
            model = self._model(question)
            if model is not None:
                return [self._cells(question, witness, model) for witness in witnesses]
        return None

    def _model(self, question):
        """A model in which functions are as the lookup tables have them, at the keys that it has."""
        pins = []
        for _ in range(50):
            asserted = [f"(assert {formula})" for formula in pins]
            model = solve("\n".join([*question.text().splitlines()[:-1], *asserted, "(check-sat)"]))
            if model is None and not pins:
                return None
            if model is None:
                pins = []
                continue
            other = self._other_rows(question, model)
            if not other:
                return model
            for row, key in other:
                question.require(row)
                pins.append(key)
        raise AssertionError("the solver does not find the tables' rows")

    def _other_rows(self, question, model):
        """Rows of lookup tables that the model has otherwise, for the solver chooses what it was not told; and their keys."""
        rows = []
        for variable, (segment, element, key) in question.looked_up.items():
            at = value_of(key, model)
            row = self.circuit.find(*segment.sort, segment.key, at)
            if row is not None and row[element] != model[variable]:
                row = f"(= ({question.functions[segment.sort, element]} {literal(at)}) {literal(int(row[element]))})"
                rows.append((row, f"(= {text(key)} {literal(at)})"))
        return rows

    def _cells(self, question, witness, model):
        """The cells under the model, checked against the rules."""
        forms = {v: witness.closed({(v,): 1}) for v in self._all_cells()}
        # A variable that the question did not name is free.
        values = {v: model.get(v, low) for v, (low, _) in question.intervals.items()}
        cells = {v: value_of(form, values) % P for v, form in forms.items()}
        for rule in self.rules:
            assert self._obeyed(rule, cells), f"the solver's witness breaks {rule.name}"
        return cells

    def _all_cells(self):
        return sorted({v for rule in self.rules for form in self._forms(rule) for m in form for v in m})

    def _obeyed(self, rule, cells):
        values = [value_of(form, cells) % P for form in self._forms(rule)]
        if not rule.lookup:
            return math.prod(values) % P == 0
        return rule.name in self.widened or self.circuit.provides(rule.message.bus, values)

    def named(self, cells):
        """Cells for people: the first ones."""
        def name(t, c, row):
            return f"{self.circuit.package.tables[t].name}.{self.circuit.names[t][c]}[{row}]"

        return {name(*cell): centered(value) for cell, value in cells.items()}
