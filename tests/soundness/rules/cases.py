"""The circuits that the adaptive rules refuse, and beside them the nearest that they accept.

Each family is one small circuit with places that a case fills in another way: `filled` circuits differ from the family's own, which
is accepted, in what the case says and in nothing else. Rule None: accepted; "structure": refused before the rules.
Circuits that the text cannot say (a definition that is not the generator's: R0; a claimed sum that is read) are packages only.
"""

from collections import namedtuple
from types import SimpleNamespace

from circuits import FIRST, LAST, P, ROWS, Circuit, E, claimed_sum, expression, inverse, pair

Case = namedtuple("Case", "rule name build text")

CASES = []


def case(rule, name, build, text=True):
    CASES.append(Case(rule, name, build, text))


def power(x, n):
    result = None
    for bit in f"{n:b}":
        result = None if result is None else result * result
        if bit == "1":
            result = x if result is None else result * x
    return result


def read(table, *columns):
    """A constraint reads every column of phase 1, whatever else a case does with it."""
    for column in columns:
        table.constrain(f"{column.args[1]} is a bit", column * column - column)


# A matrix product as the compiler makes them: folds of rows, a copy of one of them that is gathered beside another, products of
# both under a challenge of phase 1, and the copy under one of phase 2.


def copies(binding=None, product=None, zero="s", early=None, late=None, group="copies", after=None, public=None, link=None):
    """binding, product: fractions of the columns; early, late: more columns before them (late's value is what the sum of copies
    adds); after: more at the end; zero: the selector of y - s y, if any."""
    c = Circuit({"sigma": 1, "point": 1, "alpha": 1, "z": 2, "other": 2, "lambda": 2}, ["tensors", "copies", "third"])
    t = c.table("t")
    v = SimpleNamespace(c=c, t=t, sigma=c.sigma, point=c.point, alpha=c.alpha, z=c.z, other=c.other, late=getattr(c, "lambda"))
    v.s, v.g, v.a, v.id, v.index, v.u = t.fixed("s", "g", "a", "id", "index", "u")
    v.x, v.w, v.m = t.main("x", "w", "m")
    read(t, v.x, v.w, v.m)
    v.fold = t.scan("fold", c.sigma, v.x)
    v.y = t.gather("y", v.index, ("t", "fold", 0, ROWS))
    if early:
        early(v)
    v.tensors = t.running("tensors.sum", *(product(v) if product else (v.y * v.fold, c.point - v.id)), group="tensors", phase=2)
    added = late(v) if late else None
    fraction = binding(v) if binding else (v.s * v.y - v.g * v.fold, c.z - v.a)
    v.copies = t.running("copies.sum", *fraction, add=0 if added is None else added, group=group)
    if zero:
        t.constrain("nothing where unbound", v.y - getattr(v, zero) * v.y)
    if after:
        after(v)
    if public:
        c.public("p", *public)
    if link:
        c.link(*link)
    return c


def filled(**places):
    return lambda: copies(**places)


def defining(name, change, **places):
    """A column's constraint is another one."""

    def build():
        c = copies(**places)
        (t,) = c.tables
        columns = {of.name.replace(".", "_"): E("column", t.name, of.name, 0) for of in t.columns()}
        t.define(name, change and change(SimpleNamespace(c=c, **columns)))
        return c

    return build


case(None, "the repaired copy", filled())
case(None, "the copy, under a - c", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.a - v.z)))
case(None, "the copy, taken away", filled(binding=lambda v: (v.g * v.fold - v.s * v.y, v.z - v.a)))
case(None, "a pole of two fixed columns", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.z - v.a - v.u * v.id)))

# R0. Packages only: in the text a column is its own definition.

more = dict(
    early=lambda v: setattr(v, "e", v.t.value("e", v.sigma * v.fold)),
    late=lambda v: v.t.fraction("part", v.w, v.other - v.x),
)
case(None, "an expression, and a column of fractions", filled(**more))
case(None, "a definition with its sign changed",
     defining("fold", lambda v: v.c.sigma * (1 - FIRST) * v.fold.at(-1) + v.x - v.fold), text=False)
for name in ("fold", "e", "part", "tensors.sum", "copies.sum"):
    case("R0", f"no definition of {name}", defining(name, None, **more), text=False)
case("R0", "a scan that goes round", defining("fold", lambda v: v.fold - v.c.sigma * v.fold.at(-1) - v.x), text=False)
case("R0", "a scan from the next row", defining(
    "fold", lambda v: v.fold - (1 - FIRST) * v.c.sigma * v.fold.at(1) - v.x), text=False)
case("R0", "a scan of another column", defining(
    "fold", lambda v: v.fold - (1 - FIRST) * v.c.sigma * v.fold.at(-1) - v.w), text=False)
case("R0", "a definition on some rows", defining("e", lambda v: v.s * (v.e - v.c.sigma * v.fold), **more), text=False)
case("R0", "a definition, twice", defining("e", lambda v: (v.e - v.c.sigma * v.fold) * 2, **more), text=False)
case("R0", "a fraction without its numerator", defining("part", lambda v: v.part * (v.c.other - v.x), **more), text=False)
case("R0", "a fraction of another denominator", defining("part", lambda v: v.part * (v.c.other - v.w) - v.w, **more), text=False)
case("R0", "a sum without its claimed sum", defining(
    "copies.sum", lambda v: (v.copies_sum - v.copies_sum.at(-1)) * (v.c.z - v.a) - (v.s * v.y - v.g * v.fold)), text=False)
case("R0", "a sum with another one's claimed sum", defining(
    "copies.sum", lambda v: (v.copies_sum - v.copies_sum.at(-1) + FIRST * claimed_sum("t", "tensors.sum")) * (v.c.z - v.a)
    - (v.s * v.y - v.g * v.fold)), text=False)
case("R0", "a sum that leaves out what it adds", defining(
    "copies.sum", lambda v: (v.copies_sum - v.copies_sum.at(-1) + FIRST * claimed_sum("t", "copies.sum")) * (v.c.z - v.a)
    - (v.s * v.y - v.g * v.fold), **more), text=False)


# Structure. Nothing is defined by itself.

case("structure", "a claimed sum, before it is known", filled(
    early=lambda v: v.t.value("e", claimed_sum("t", "tensors.sum") * v.x)), text=False)
case("structure", "the inverse of a claimed sum", filled(
    after=lambda v: v.t.value("e", inverse(claimed_sum("t", "tensors.sum")) * v.x, phase=3)), text=False)
case("structure", "a column that is the sum of itself and another one", filled(
    early=lambda v: v.t.value("e", E("column", "t", "e", -1) + v.x)), text=False)
case("structure", "two columns that are each other", filled(
    early=lambda v: v.t.value("d", v.t.value("e", E("column", "t", "d", 0)))), text=False)
case("structure", "an inverse of zero", filled(after=lambda v: v.t.constrain("c", inverse(v.sigma - v.sigma) * v.x)), text=False)


def doubled(n, d, times):
    """n / d, 2^times times over."""
    for _ in range(times):
        n, d = pair((n, d), (n, d))
    return n, d


# A reader of keys does not try to list them.
case(None, "a column of 1,024 fractions", filled(late=lambda v: v.t.fraction("e", *doubled(v.x, expression(1), 10))))
case("structure", "a column of 1,025 fractions", filled(
    late=lambda v: v.t.fraction("e", *pair(doubled(v.x, expression(1), 10), (v.x, expression(1))))))
case("structure", "a column of 2^40 fractions", filled(late=lambda v: v.t.fraction("e", *doubled(v.x, expression(1), 40))))


def vanishing(challenge):
    """Zero at all residues, and one at all other elements of the extension: tests at residues say nothing of such degrees."""
    return power(power(challenge, P) - challenge, P**4 - 1)


case(None, "a challenge of degree 2^17, as an argmax over 65,536 tokens has it", filled(
    early=lambda v: v.t.value("e", power(v.sigma, 1 << 17) * v.x)))
case(None, "an expression of degree 2^20", filled(early=lambda v: v.t.value("e", power(v.sigma, (1 << 20) - 1) * v.x)))
case("structure", "an expression of degree 2^20 + 1", filled(early=lambda v: v.t.value("e", power(v.sigma, 1 << 20) * v.x)))
case(None, "the definition of a scan, of degree 2^20", filled(early=lambda v: v.t.scan("e", power(v.sigma, (1 << 20) - 2), v.x)))
case("structure", "the definition of a scan, of degree 2^20 + 1", filled(
    early=lambda v: v.t.scan("e", power(v.sigma, (1 << 20) - 1), v.x)))
case(None, "an inverse of degree 2^19 - 1, added to a column", filled(
    early=lambda v: v.t.value("e", v.x + inverse(power(v.sigma, (1 << 19) - 1)))))
case("structure", "an inverse of degree 2^19, added to a column", filled(
    early=lambda v: v.t.value("e", v.x + inverse(power(v.sigma, 1 << 19)))))
case("structure", "a definition, times one less what vanishes at residues", defining(
    "fold", lambda v: (v.fold - (1 - FIRST) * v.c.sigma * v.fold.at(-1) - v.x) * (1 - vanishing(v.c.alpha))), text=False)
case("structure", "a selector, less itself by what vanishes at residues", filled(
    binding=lambda v: (v.s * (1 - vanishing(v.alpha)) * v.y - v.g * v.fold, v.z - v.a)))
case("structure", "a denominator without its challenge, by what vanishes at residues", filled(
    late=lambda v: v.t.fraction("e", v.x, v.other * (1 - vanishing(v.alpha)) - v.w)))


# R1. A fraction over columns of phases 0 to 2, under challenges of phases 1 and 2.


def ratio(denominator, phase=3, numerator=None):
    def build():
        c = Circuit({"sigma": 1, "early": 1, "second": 1, "z": 2, "other": 2}, ["sums"])
        t = c.table("t")
        v = SimpleNamespace(c=c, sigma=c.sigma, early=c.early, second=c.second, z=c.z, other=c.other)
        v.f, v.a, v.b = t.fixed("f", "a", "b")
        v.x, v.w = t.main("x", "w")
        read(t, v.x, v.w)
        v.fold = t.scan("fold", c.sigma, v.x)
        v.known = t.running("known", v.x, c.early - v.a, group="sums", phase=2)
        t.running("sum", numerator(v) if numerator else v.x, denominator(v), group="sums", phase=phase)
        return c

    return build


case(None, "z - v", ratio(lambda v: v.z - v.fold))
case("R1", "z - v under an early z", ratio(lambda v: v.early - v.fold))
case(None, "z - w under an early z", ratio(lambda v: v.early - v.w, phase=2))
case(None, "a fixed column", ratio(lambda v: v.f))
case("R1", "a witness column", ratio(lambda v: v.w))
case("R1", "a column of phase 2", ratio(lambda v: v.fold))
case("R1", "f z + w, with f fixed", ratio(lambda v: v.f * v.z + v.w))
case(None, "z + f w, with f fixed", ratio(lambda v: v.z + v.f * v.w))
case("R1", "z - z + w", ratio(lambda v: v.z - v.z + v.w))
case("R1", "z - z + 5", ratio(lambda v: v.z - v.z + 5))
case(None, "z + z + w", ratio(lambda v: v.z + v.z + v.w))
case("R1", "z times a column, less another", ratio(lambda v: v.z * v.fold - v.w))
case("R1", "z times an early challenge, less a column of phase 2", ratio(lambda v: v.z * v.early - v.fold))
case(None, "z times another late one, less a column of phase 2", ratio(lambda v: v.z * v.other - v.fold))
case("R1", "z less z in disguise, and w", ratio(lambda v: (v.z - v.a) * v.other - v.z * v.other + v.a * v.other + v.w))
case("R1", "7 less 7", ratio(lambda v: expression(7) - 7))
case(None, "7 less 5", ratio(lambda v: expression(7) - 5))
case("R1", "the first row", ratio(lambda v: FIRST))
case("R1", "not the last row", ratio(lambda v: 1 - LAST))
case(None, "two on the first row, else one", ratio(lambda v: 1 + FIRST))
case("R1", "the rows between the first and the last", ratio(lambda v: 1 - FIRST - LAST))
case("R1", "the first row or the last", ratio(lambda v: FIRST + LAST))
case(None, "zero where a row is the first and the last, which none is", ratio(lambda v: 2 - FIRST - LAST))
case("R1", "a good factor, and one that is free", ratio(lambda v: (v.z - v.a) * v.w))
case("R1", "a free factor under a sign", ratio(lambda v: -((v.z - v.a) * -v.fold)))
case(None, "two good factors under a sign", ratio(lambda v: -((v.z - v.a) * -(v.other - v.fold))))
case(None, "a fixed factor and a good one, under a sign", ratio(lambda v: -(v.f * (v.z - v.fold))))
case(None, "two poles, multiplied out", ratio(lambda v: v.z * v.other - v.a * v.other - v.b * v.z + v.a * v.b))
case("R1", "two poles, multiplied out, that hide a column", ratio(
    lambda v: v.w * v.z * v.other - v.a * v.other - v.b * v.z + v.a * v.b))
case("R1", "1 / z - w", ratio(lambda v: inverse(v.z) - v.w))
case(None, "z of degree 64, less w", ratio(lambda v: power(v.z, 64) - v.w))
case("R1", "z of degree 65, less w", ratio(lambda v: power(v.z, 65) - v.w))
case("R1", "z, weighed by 1 / sigma, less w", ratio(lambda v: v.z * inverse(v.sigma) - v.fold))
case(None, "a late claimed sum: z - claimed sum", ratio(lambda v: v.z - claimed_sum("t", "known")), text=False)
case("R1", "an early z - claimed sum", ratio(lambda v: v.early - claimed_sum("t", "known")), text=False)


# R2

case("R2", "read on the next row", filled(product=lambda v: (v.y.at(1) * v.fold, v.point - v.id)))
case("R2", "read on the row before, too", filled(product=lambda v: (v.y * v.y.at(-1), v.point - v.id)))
case("R2", "in a constraint", filled(after=lambda v: v.t.constrain("c", v.y * v.w)))
case("R2", "in a constraint that looks like zeroing", filled(after=lambda v: v.t.constrain("c", v.y - v.w * v.y)))
case("R2", "zeroed on the next row", filled(after=lambda v: v.t.constrain("c", v.y.at(1) - v.s * v.y.at(1))))
case("R2", "zeroed less a column", filled(after=lambda v: v.t.constrain("c", v.y - v.s * v.fold)))
case(None, "zeroed twice", filled(after=lambda v: v.t.constrain("c", v.s * v.y - v.y)))
case("R2", "in an expression", filled(late=lambda v: v.t.value("e", v.sigma * v.y, phase=3) * 0))
case("R2", "in a scan", filled(early=lambda v: v.t.scan("e", v.sigma, v.y)))
case("R2", "as a scan's factor", filled(early=lambda v: v.t.scan("e", v.y, v.x)))
case("R2", "in a denominator", filled(late=lambda v: v.t.fraction("e", v.x, v.other - v.y)))
case("R2", "in what a sum adds", filled(after=lambda v: v.t.running("e", v.x, v.other - v.a, add=v.y, group="third")))


def sourced(of):
    def early(v):
        v.y2 = v.t.gather("y2", v.index, ("t", of, 0, ROWS))

    return dict(early=early, late=lambda v: v.t.fraction("second", v.s * v.y2 - v.g * v.fold, v.z - v.id))


case(None, "a second gather, of the fold", filled(**sourced("fold")))
case("R2", "a second gather, of the first", filled(**sourced("y")))


def looking_up(*values):
    def after(v):
        v.c.bus("b", 2, 2)
        v.t.provide("provided", "b", v.m, v.id, v.fold)
        v.t.look_up("looked up", "b", v.s, v.id, values[0](v))

    return after


case(None, "a fold in a lookup", filled(after=looking_up(lambda v: v.fold)))
case("R2", "in a lookup", filled(after=looking_up(lambda v: v.y)))


# R3

case("R3", "two gathered cells in one fraction", filled(
    early=lambda v: setattr(v, "y2", v.t.gather("y2", v.index, ("t", "fold", 0, ROWS))),
    binding=lambda v: (v.s * (v.y + v.y2) - v.g * v.fold, v.z - v.a)))
case("R3", "a rest that reads s y / f", filled(
    early=lambda v: setattr(v, "v", v.t.fraction("v", v.s * v.y, v.u, phase=2)),
    binding=lambda v: (v.s * v.y - v.g * v.v, v.z - v.a)))
case(None, "a rest that reads s x / f", filled(
    early=lambda v: setattr(v, "v", v.t.fraction("v", v.s * v.x, v.u, phase=2)),
    binding=lambda v: (v.s * v.y - v.g * v.v, v.z - v.a)))
case("R3", "a rest that reads s y / z", filled(
    early=lambda v: setattr(v, "v", v.t.fraction("v", v.s * v.y, v.point, phase=2)),
    binding=lambda v: (v.s * v.y - v.g * v.v, v.z - v.a)))
case("R3", "a rest that reads a second gathered column", filled(
    early=lambda v: setattr(v, "y2", v.t.gather("y2", v.index, ("t", "fold", 0, ROWS))),
    binding=lambda v: (v.s * v.y - v.g * v.y2, v.z - v.a),
    after=lambda v: v.t.running("e", v.u * v.y2 - v.g * v.fold, v.other - v.a, group="third")))
case("R3", "a rest that reads the claimed sum of y's products", filled(
    binding=lambda v: (v.s * v.y - v.g * claimed_sum("t", "tensors.sum"), v.z - v.a)), text=False)
case("R3", "a rest that reads a fraction under the same challenge", filled(
    late=lambda v: setattr(v, "v", v.t.fraction("v", v.x, v.z - v.id)),
    binding=lambda v: (v.s * v.y - v.g * v.v, v.z - v.a)))
case("R3", "a rest that reads the challenge", filled(binding=lambda v: (v.s * v.y - v.g * v.z * v.fold, v.z - v.a)))
case("R3", "the denominator f c", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.z * v.u)))
case("R3", "the denominator f c - a", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.u * (v.z - v.a))))
case("R3", "the denominator 2 c - a", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.z + v.z - v.a)))
case("R3", "the denominator c - alpha a", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.z - v.alpha * v.a)))
case("R3", "the denominator c + d - a", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.z + v.other - v.a)))
case("R3", "the denominator (c - a) (d - b)", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, (v.z - v.a) * (v.other - v.id))))
case("R3", "the denominator lambda (c - a)", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.late * (v.z - v.a))))
case("R3", "the denominator lambda (c - a), with an early c", filled(
    binding=lambda v: (v.s * v.y - v.g * v.fold, v.late * (v.alpha - v.a))))
case("R3", "the denominator c - a - is_first", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.z - v.a - FIRST)))
case("R3", "the denominator c - w", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.z - v.w)))
case("R3", "an early challenge", filled(binding=lambda v: (v.s * v.y - v.g * v.fold, v.alpha - v.a)))
case("R3", "no binding fraction", filled(binding=lambda v: (v.s * v.x - v.g * v.fold, v.z - v.a)))
case("R3", "two binding fractions", filled(
    after=lambda v: v.t.running("e", v.s * v.y - v.g * v.fold, v.other - v.a, group="third")))
case("R3", "the same fraction in two columns", filled(
    late=lambda v: v.t.fraction("again", v.s * v.y - v.g * v.fold, v.z - v.a)))
case("R3", "the same fraction twice in one column", filled(
    binding=lambda v: pair((v.s * v.y - v.g * v.fold, v.z - v.a), (v.s * v.y - v.g * v.fold, v.z - v.a))))
case("R3", "a witness selector", filled(binding=lambda v: (v.w * v.y - v.g * v.fold, v.z - v.a)))
case("R3", "a selector of two columns", filled(binding=lambda v: (v.s * v.u * v.y - v.g * v.fold, v.z - v.a)))
case("R3", "a selector of the next row", filled(binding=lambda v: (v.s.at(1) * v.y - v.g * v.fold, v.z - v.a)))
case("R3", "the selector is_first", filled(binding=lambda v: (FIRST * v.y - v.g * v.fold, v.z - v.a)))
case("R3", "twice the selector", filled(binding=lambda v: (v.s * v.y + v.s * v.y - v.g * v.fold, v.z - v.a)))
case("R3", "y squared", filled(binding=lambda v: (v.y * v.y - v.g * v.fold, v.z - v.a)))
case("R3", "y that cancels", filled(binding=lambda v: (v.s * v.y - v.s * v.y - v.g * v.fold, v.z - v.a)))
case(None, "two fractions in one column", filled(
    binding=lambda v: pair((v.s * v.y - v.g * v.fold, v.z - v.a), (v.w, v.other - v.id))))

# R3: what else reads the challenge.

case(None, "another fraction under the challenge", filled(
    after=lambda v: v.t.running("e", v.w, v.z - v.id, group="third")))
case("R3", "another fraction under the challenge, which nothing adds", filled(
    after=lambda v: v.t.fraction("e", v.w, v.z - v.id)))
case("R3", "a witness denominator under the same challenge", filled(
    after=lambda v: v.t.running("e", v.x, v.z - v.w, group="third")))
case("R3", "the challenge in an expression", filled(after=lambda v: v.t.value("e", v.z * v.x, phase=3)))
case("R3", "the challenge in a scan", filled(after=lambda v: v.t.scan("e", v.z, v.x, phase=3)))
case("R3", "the challenge in another numerator", filled(
    after=lambda v: v.t.running("e", v.z * v.x, v.other - v.id, group="third")))
case("R3", "the challenge in a product of denominators", filled(
    after=lambda v: v.t.running("e", v.x, (v.z - v.id) * (v.other - v.id), group="third")))
case("R3", "the challenge in what a sum adds", filled(
    after=lambda v: v.t.running("e", v.x, v.other - v.id, add=v.z * v.x, group="third")))
case("R3", "the challenge in a constraint", filled(after=lambda v: v.t.constrain("c", v.z * v.x - v.z * v.w)))
case(None, "another challenge in a constraint", filled(after=lambda v: v.t.constrain("c", v.other * v.x - v.other * v.w)))
case("R3", "the challenge of a public tensor", filled(public=("third", "point", "alpha", "z")))
case(None, "a public tensor elsewhere", filled(public=("tensors", "point", "alpha", "sigma")))
case("R3", "a public tensor in the group", filled(public=("copies", "point", "alpha", "sigma")))
case("structure", "the group is exported", filled(link=("tensors", "copies")), text=False)

# R3: how the fraction gets into the group's sum.

binding = lambda v: (v.s * v.y - v.g * v.fold, v.z - v.a)  # noqa: E731
partly = lambda add: filled(  # noqa: E731
    late=lambda v: add(v, v.t.fraction("part", *binding(v))), binding=lambda v: (v.w, v.other - v.id))
case(None, "a column of fractions that the sum adds", partly(lambda v, part: part))
case("R3", "one that the sum adds twice", partly(lambda v, part: part + part))
case("R3", "one that the sum takes away", partly(lambda v, part: -part))
case("R3", "one that the sum adds on some rows", partly(lambda v, part: v.u * part))
case("R3", "one that nothing adds", partly(lambda v, part: None))
case("R3", "one that the sum adds, less itself on the next row", partly(lambda v, part: part - part.at(1)))
case("R3", "one that two sums add", partly(
    lambda v, part: (v.t.running("e", v.x, v.other - v.a, add=part, group="third"), part)[1]))
case("R3", "one that a constraint reads", partly(lambda v, part: (v.t.constrain("c", part * v.u), part)[1]))
case("R3", "one that another column reads", partly(lambda v, part: (v.t.value("e", part * v.u, phase=3), part)[1]))

# R4

case("R4", "not zeroed: the hole of fee0802", filled(zero=None))
case("R4", "zeroed by another column", filled(zero="u"))
case("R4", "not zeroed, and weighed by another column", filled(zero=None, product=lambda v: (v.u * v.y * v.fold, v.point - v.id)))
case("R4", "not zeroed, and weighed by one less the selector", filled(
    zero=None, product=lambda v: (v.y * v.fold - v.s * v.y * v.fold, v.point - v.id)))
case("R4", "not zeroed, and added to what the selector weighs", filled(
    zero=None, product=lambda v: (v.s * v.fold + v.y, v.point - v.id)))
case("R4", "not zeroed, beside a fraction that is", filled(
    zero=None, product=lambda v: pair((v.s * v.y, v.point - v.id), (v.y, v.alpha - v.id))))
case(None, "not zeroed, and weighed by the selector", filled(zero=None, product=lambda v: (v.s * v.y * v.fold, v.point - v.id)))
case(None, "not zeroed, and bound on every row", filled(zero=None, binding=lambda v: (v.y - v.g * v.fold, v.z - v.a)))
case(None, "not zeroed, and read by nothing else", filled(zero=None, product=lambda v: (v.fold * v.fold, v.point - v.id)))
case("R4", "bound on every row by one column, zeroed by none", filled(
    zero=None, binding=lambda v: (v.u * v.y - v.g * v.fold, v.z - v.a)))

# R5

case(None, "a late column under late challenges", ratio(lambda v: v.z - v.other * v.fold))
case("R5", "a late column compressed with an early challenge", ratio(lambda v: v.z - v.early * v.fold))
case("R5", "a late column beside an early challenge", ratio(lambda v: v.z + v.early - v.fold))
case("R5", "a late column under the inverse of an early challenge", ratio(lambda v: v.z - inverse(v.early) * v.fold))
case(None, "a witness column compressed with an early challenge", ratio(lambda v: v.z - v.early * v.w))
case("R5", "a late column in one of two fractions", ratio(
    lambda v: pair((v.x, v.z - v.early * v.fold), (v.x, v.other - v.a))[1],
    numerator=lambda v: pair((v.x, v.z - v.early * v.fold), (v.x, v.other - v.a))[0]))
case(None, "a claimed sum over a witness, under an early challenge", ratio(
    lambda v: v.early - v.a, numerator=lambda v: claimed_sum("t", "known") * v.x), text=False)
case("R5", "a claimed sum compressed with an early challenge", ratio(lambda v: v.z - v.early * claimed_sum("t", "known")), text=False)

# R6

case("R6", "a running sum in a constraint", filled(after=lambda v: v.t.constrain("c", v.copies - v.w)))
case("R6", "a running sum's last row", filled(after=lambda v: v.t.constrain("c", FIRST * v.tensors.at(-1))))
case("R6", "a running sum in an expression", filled(after=lambda v: v.t.value("e", v.tensors * v.x, phase=3)))
case("R6", "a running sum in another sum", filled(
    after=lambda v: v.t.running("e", v.x, v.other - v.a, add=v.tensors, group="third")))
case("R6", "a running sum in a numerator", filled(after=lambda v: v.t.running("e", v.tensors, v.other - v.a, group="third")))
case("R6", "a running sum in a lookup", filled(after=looking_up(lambda v: v.tensors)))
case("R6", "a running sum that is gathered", filled(
    early=lambda v: (v.t.running("e", v.x, v.point - v.a, group="third", phase=2),
                     setattr(v, "y2", v.t.gather("y2", v.index, ("t", "e", 0, ROWS)))),
    after=lambda v: v.t.running("f", v.s * v.y2 - v.g * v.fold, v.other - v.a, group="third")))
case(None, "the claimed sum of a running sum", filled(
    after=lambda v: v.t.value("e", claimed_sum("t", "tensors.sum") * v.x, phase=3)), text=False)

# R7

linked = lambda product, **places: filled(link=("tensors", "third"), product=product, **{  # noqa: E731
    "early": lambda v: v.t.running("e", v.w, v.point - v.a, group="third", phase=2), **places})
case(None, "a linked sum of main columns", linked(lambda v: (v.x, v.point - v.id)))
case("R7", "a fold in a linked sum", linked(lambda v: (v.fold, v.point - v.id)))
case("R7", "a fold in a linked sum, over one", linked(lambda v: (v.fold, 1)))
case("R7", "a gathered column in a linked sum", linked(lambda v: (v.y * v.x, v.point - v.id)))
case(None, "a fraction of main columns that a linked sum adds", linked(lambda v: (v.x, v.point - v.id), early=lambda v: v.t.running(
    "e", v.w, v.point - v.a, add=v.t.fraction("part", v.x, v.point - v.id, phase=2), group="third", phase=2)))
case("R7", "a fraction of folds that a linked sum adds", linked(lambda v: (v.x, v.point - v.id), early=lambda v: v.t.running(
    "e", v.w, v.point - v.a, add=v.t.fraction("part", v.fold, v.point - v.id, phase=2), group="third", phase=2)))
case("R7", "a fold that a linked sum adds", linked(lambda v: (v.x, v.point - v.id), early=lambda v: v.t.running(
    "e", v.w, v.point - v.a, add=v.fold, group="third", phase=2)))
