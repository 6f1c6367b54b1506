"""U1 to U20 of GADGETS.md that are linear, decided at the parameters in use: two witnesses of the same inputs are one.

Packages of several models are compiled, and each set of parameters that their tables have (shifts, widths, tables, tags,
lanes, in the fixed columns and the rows of the lookup tables) makes statements; two_witnesses.py says what the solver is
asked. Beside each stand variants that are wrong, without a rule or with a range one bit too wide: the solver must find two
witnesses there, which are shown, and checked against the circuit's other rules.

Arguments as for the end-to-end tests.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parents[1] / "tools" / "replay")]
from harness import MODELS, Models, case, cases, main, temporary_folder  # noqa: E402

from circuit_cells import bus_of, cells_of, distinct, family, given, lane_cells, lane_rules, rules_of, runs  # noqa: E402
from circuit_forms import HALF, Circuit, constant  # noqa: E402
from general_statements import GENERAL  # noqa: E402
from qm31 import P  # noqa: E402
from two_witnesses import Statement, conjunction, literal, text  # noqa: E402

# The argmax takes logits within +-2^29 (I10).
LOGIT = (1 << 29) - 1


# U4, U5, U6: q, r and g of an accumulator, which an addend is part of. Any residue may be the accumulator.
def requantize(circuit):
    for t in family(circuit, "results"):
        every = [range(row, row + 1) for row in np.flatnonzero(circuit.fixed_column(t, "on"))]
        for rows in distinct(circuit, t, every, ("power", "remainder_tag", "function", "offset")):
            for lane, form in enumerate(circuit.lanes(t, rows[0])):
                statement = Statement(circuit, lane_rules(circuit, t, rows[0], lane), lanes=[form])
                what = {name: circuit.fixed(t, name, rows[0]) for name in ("remainder_tag", "function")}
                yield statement, what, [dict(widened=(f"remainder.{lane}",)), dict(without=(f"remainder.{lane}",))]


# U14: q and r of a product. Nothing else reads the factors than their product, any residue: with b = 1, a is one.
def products(circuit):
    for t in family(circuit, "multiply"):
        every = [range(row, row + 1) for row in np.flatnonzero(circuit.fixed_column(t, "on"))]
        for [row] in distinct(circuit, t, every, ("power", "remainder_tag", "quotient_tag", "offset")):
            for lane in range(sum(name.startswith("a.") for name in circuit.names[t])):
                factors, rules = lane_cells(circuit, t, row, lane, "a", "b"), lane_rules(circuit, t, row, lane)
                ranges = {cell: (1, 1) for cell in lane_cells(circuit, t, row, lane, "b")}
                statement = Statement(circuit, rules, given(factors), ranges=ranges)
                what = {name: circuit.fixed(t, name, row) for name in ("remainder_tag", "quotient_tag")}
                yield statement, what, [dict(widened=(f"remainder.{lane}",)), dict(without=(f"quotient.{lane}",))]


def norm_runs(circuit, of_statistics, of_norms):
    """Of every kind of norm, by these fixed columns: its table, the rows of a token, and the token's row of statistics."""
    statistics = circuit.tables.get("norm_statistics")
    found = {}
    for t in family(circuit, "norms"):
        of_address = {a: row for row, a in enumerate(circuit.fixed_column(statistics, "address").tolist()) if a}
        for rows in runs(circuit, t):
            row = of_address[circuit.fixed(t, "statistics", rows[-1])]
            kind = [circuit.fixed(statistics, name, row) for name in of_statistics]
            kind += [circuit.fixed(t, name, rows[0]) for name in of_norms] + [len(rows)]
            found.setdefault(tuple(kind), (t, rows, statistics, row))
    return found.values()


def kind_of_norm(circuit, statistics, row):
    return {name: circuit.fixed(statistics, name, row) for name in ("width", "exponent_limit", "epsilon", "centered")}


# U7: the mean of a token's x, from the squares of one row alone; then v of x and the mean. Other sums are linear in these.
def means(circuit):
    for t, rows, s, row in norm_runs(circuit, ("width", "centered"), ("square",)):
        inputs, mean = cells_of(circuit, t, rows, "x"), cells_of(circuit, t, rows, "mean")
        squares = rules_of(circuit, t, rows[:1], "square")
        rules = squares + rules_of(circuit, t, rows, "sum of deviations", "one mean per token", "no mean")
        rules += circuit.rules(s, row, lambda name: name in ("mean low", "mean high"))
        [left], [right] = cells_of(circuit, t, rows[-1:], "sum_d"), cells_of(circuit, s, [row], "sum_d")
        wrong = [dict(without=("mean high",), widened=("mean low",)), dict(without=("mean low",))]
        wrong = wrong if circuit.fixed(s, "centered", row) else [dict(without=("no mean",))]
        what = kind_of_norm(circuit, s, row)
        yield Statement(circuit, rules, given(inputs), links=[(left, right)], unknown=mean), what, wrong
        yield Statement(circuit, squares, given(inputs | mean)), {**what, "of": "v"}, [dict(without=("square.0",))]


# U8: mantissa, exponent, remainder, root and shift of a sum of squares, which is at most width max v (I8).
def norm_statistics(circuit):
    for t, rows, s, row in norm_runs(circuit, ("width", "epsilon", "table", "exponent_limit"), ("square",)):
        squares = circuit.segments(bus_of(circuit, t, rows[0], "square.0"), ((0, circuit.fixed(t, "square", rows[0])),))[0]
        [total] = cells_of(circuit, s, [row], "sum_v")
        rules = circuit.rules(s, row, lambda name: name not in ("mean low", "mean high"))
        statement = Statement(circuit, rules, given({total}), splits={"power of four": (1,)},
                              ranges={total: (0, circuit.fixed(s, "width", row) * squares.others[2][1])})
        yield statement, kind_of_norm(circuit, s, row), [dict(widened=("variance remainder",)), dict(without=("mantissa",))]


# U7, the division: z and r of x, mean, root, shift and power, for each shift that a statistic can have.
def normalize(circuit):
    for t, rows, s, row in norm_runs(circuit, ("table", "exponent_limit"), ("square", "output_tag", "output_offset")):
        table = circuit.fixed(s, "table", row)
        [roots] = circuit.segments(bus_of(circuit, s, row, "root"), ((0, table),))
        [powers] = circuit.segments(bus_of(circuit, s, row, "power of two"), ())
        (low, high), (least, most) = roots.others[2], roots.others[3]
        for shift in range(least, most + circuit.fixed(s, "exponent_limit", row) + 1):
            power = circuit.find(*powers.sort, 0, shift)
            known = {"mean": (-HALF, HALF), "root": (low, high), "shift": (shift, shift), "power": (int(power[1]),) * 2}
            for lane in range(len(cells_of(circuit, t, rows[:1], "x"))):
                ranges = {cell: known[circuit.names[t][cell[1]]] for cell in cells_of(circuit, t, rows[:1], *known)}
                statement = Statement(circuit, lane_rules(circuit, t, rows[0], lane), ranges=ranges,
                                      given=given({*ranges, *cells_of(circuit, t, rows[:1], "x")}))
                # With a root that is known the product in it is linear, and the solver's witness one of the circuit.
                one = {cell: (high, high) for cell in ranges if circuit.names[t][cell[1]] == "root"}
                wrong = [dict(widened=(f"remainder.{lane}",), ranges=one)]
                yield statement, {"shift": shift, "output_tag": circuit.fixed(t, "output_tag", rows[0])}, wrong


OF_BLOCKS = ("open", "only windows before are open or closed")
SOFTMAX_KIND = ("live", "power", "score_tag", "score_offset", "table", "context")


def softmax_rows(circuit):
    """Every kind of row and lane, and the ranges that the query's last row gives the limbs of L."""
    for t in family(circuit, "softmax"):
        found = {}
        for rows in runs(circuit, t):
            limits = [(1 << circuit.fixed(t, name, rows[-1])) - 1 for name in ("low_tag", "high_tag")]
            for row in rows:
                key = tuple(circuit.fixed(t, c, row) for c in circuit.names[t] if c.split(".")[0] in SOFTMAX_KIND and c != "context.slot"
                            and c in fixed_names(circuit, t))
                found.setdefault((key, *limits), (t, row, limits))
        for t, row, limits in found.values():
            names = ("normalizer_low", "normalizer_high")
            ranges = {cell: (0, limit) for name, limit in zip(names, limits) for cell in cells_of(circuit, t, [row], name)}
            for lane in range(len(cells_of(circuit, t, [row], "k"))):
                rules = lane_rules(circuit, t, row, lane) + circuit.rules(t, row, OF_BLOCKS.__contains__)
                yield t, row, lane, rules, ranges


def fixed_names(circuit, table):
    of = circuit.package.tables[table]
    return {name for name, phase in zip(circuit.names[table], of.phases) if phase == 0}


def seen(rules, lane):
    return any(rule.name == f"exponential.{lane}" for rule in rules)


# U9, U13: k, w, r, p, p- of a score under a given L, and open of a block.
def exponentials(circuit):
    for t, row, lane, rules, ranges in softmax_rows(circuit):
        both = given({*ranges, *cells_of(circuit, t, [row], "open_windows")})
        statement = Statement(circuit, rules, both, lanes=[circuit.lanes(t, row)[lane]], ranges=ranges,
                              splits={"open": (2,), f"exponential.{lane}": (2,)})
        wrong = [dict(widened=(f"score remainder.{lane}",))] if seen(rules, lane) else [dict(without=(f"masked width.{lane}",))]
        yield statement, {"table": circuit.fixed(t, "table", row), "score_tag": circuit.fixed(t, "score_tag", row), "seen": seen(rules, lane)}, wrong


# U9: a larger L finds a later row for the same score, or the same one of those with p = 0.
def order(circuit):
    for t, row, lane, rules, ranges in softmax_rows(circuit):
        if not seen(rules, lane):
            continue

        def earlier_row(question, a, b, cells=ranges, t=t, row=row, lane=lane):
            low, high, key, width = ([w.closed({((t, circuit.column(t, name), row),): 1}) for w in (a, b)]
                                     for name in ("normalizer_low", "normalizer_high", f"k.{lane}", f"w.{lane}"))
            larger = f"(< (+ {text(low[0])} (* 65536 {text(high[0])})) (+ {text(low[1])} (* 65536 {text(high[1])})))"
            later = f"(or (< {text(key[0])} {text(key[1])}) (and (= {text(key[0])} {text(key[1])}) (> {text(width[1])} 0)))"
            return conjunction([larger, f"(not {later})"])

        statement = Statement(circuit, rules, given(cells_of(circuit, t, [row], "open_windows")), lanes=[circuit.lanes(t, row)[lane]],
                              ranges=ranges, splits={"open": (2,), f"exponential.{lane}": (2,)}, goal=earlier_row)
        yield statement, {"table": circuit.fixed(t, "table", row)}, [dict(widened=(f"score remainder.{lane}",))]


# U9: if the p- of the larger L are at most the p of the smaller one, one of the two breaks a bound of the sums.
def sums(circuit):
    for t in family(circuit, "softmax"):
        kinds = {}
        # A masked key is p = p- = 0, which the ranges of others have, too: of the queries of a table, the one that sees most.
        for rows in distinct(circuit, t, runs(circuit, t), ("live", "table", "mass", "context")):
            live = sum(circuit.fixed(t, name, row) for row in rows for name in fixed_names(circuit, t) if name.split(".")[0] == "live")
            kind = circuit.fixed(t, "table", rows[0]), len(rows)
            kinds[kind] = max(kinds.get(kind, (0, rows)), (live, rows), key=lambda of: of[0])
        for _, rows in kinds.values():
            rules = rules_of(circuit, t, rows, "sum of probabilities", "sum one step before", "masked probability",
                             "masked previous probability", "mass", "mass one step before")
            pairs, ranges = [], {}
            for row in rows:
                known = ((0, circuit.fixed(t, "table", row)),)
                of = circuit.segments(bus_of_table(circuit, "exponential"), known, (2,))
                for cells, element in zip((cells_of(circuit, t, [row], "p"), cells_of(circuit, t, [row], "previous")), (3, 4)):
                    ends = [end for segment in of for end in segment.others[element]]
                    ranges.update({cell: (min(ends), max(ends)) for cell in cells})
                pairs += zip(sorted(cells_of(circuit, t, [row], "p")), sorted(cells_of(circuit, t, [row], "previous")))
            masked = {(rule.row, rule.name.split(".")[-1]) for rule in rules if rule.name.startswith("masked")}
            ranges = {v: r for v, r in ranges.items() if (v[2], circuit.names[t][v[1]].split(".")[-1]) not in masked}

            def ordered(question, a, b, pairs=pairs):
                return conjunction([f"(<= {text(b.closed({(previous,): 1}))} {text(a.closed({(p,): 1}))})" for p, previous in pairs])

            what = {"keys": len(pairs), "masked": len(masked), "table": circuit.fixed(t, "table", rows[0])}
            yield Statement(circuit, rules, ranges=ranges, goal=ordered), what, [dict(without=("mass one step before",))]


def bus_of_table(circuit, name):
    [index] = [i for i, bus in enumerate(circuit.package.circuit.buses) if bus.name == name]
    return index


def integer(witness, form):
    return text(witness.question.linear(witness.closed(form)))


def outside(form, limit, question):
    """That a form is no residue within +-limit."""
    low, high = question.interval(form)
    around = range(low // P, high // P + 2)
    return conjunction([f"(not (<= {literal(k * P - limit)} {text(form)} {literal(k * P + limit)}))" for k in around])


# U10, lane by lane. `here` is 1 where the bits fall from 1 to 0; a token's first bit before is 1 and its last bit 0, so they
# fall somewhere. There the maximum is a logit; no other one is larger; and for one maximum, bits fall where the other witness
# has no 1, and nowhere twice. Hence maximum, bits and index are the same, and then high and low.
def argmax_lanes(circuit):
    for t in family(circuit, "argmax"):
        for rows in distinct(circuit, t, runs(circuit, t), ("on", "within", "first", "last")):
            for row in (rows[0], rows[len(rows) // 2], rows[-1]):
                for lane, form in enumerate(circuit.lanes(t, row)):
                    yield from argmax_lane(circuit, t, row, lane, {m: f for m, f in form.items() if m})


def argmax_lane(circuit, t, row, lane, logit):
    rules = lane_rules(circuit, t, row, lane)
    [attained] = [rule for rule in rules if rule.name.startswith("the maximum")]
    here = circuit.factors(attained.message.node, t, row)[0]
    [bit], [maximum] = lane_cells(circuit, t, row, lane, "before"), cells_of(circuit, t, [row], "maximum")
    ranges = {v: (0, 1) for m in here for v in m if v != bit}
    before = {**ranges, ("lane", 0): (-LOGIT, LOGIT)}
    bounded = {**before, maximum: (-LOGIT, LOGIT)}

    def falls(w):
        return f"(= {integer(w, here)} 1)"

    def no_logit(question, a, b):
        return conjunction([falls(a), outside(a.closed({(maximum,): 1}), LOGIT, question)])

    def larger(question, a, b):
        return conjunction([falls(b), f"(< {integer(a, {(maximum,): 1})} {integer(b, {(maximum,): 1})})"])

    def other_bit(question, a, b):
        return conjunction([falls(a), f"(= {integer(b, {(bit,): 1})} 1)"])

    def rises(question, a, b):
        return f"(< {integer(a, here)} 0)"

    def other_limbs(question, a, b):
        return conjunction([f"(= {integer(a, {(bit,): 1})} {integer(b, {(bit,): 1})})", Statement.differ(whole, question, a, b)])

    lanes = [logit]
    whole = Statement(circuit, rules, given({maximum}), lanes, ranges=bounded,
                      unknown=lane_cells(circuit, t, row, lane, "high", "low"))
    # What is stated, ranges, cells that both have, what must be impossible, and a rule without which it is possible.
    goals = (
        ("a logit", before, (), no_logit, attained.name),
        ("largest", bounded, (), larger, f"high.{lane}"),
        ("one fall", bounded, (maximum,), other_bit, attained.name),
        ("no rise", bounded, (maximum,), rises, attained.name),
        ("limbs", bounded, (maximum,), other_limbs, f"low.{lane}"),
    )
    for name, ranges, both, goal, left in goals:
        # Nothing rises after a first bit, which is 1.
        if name != "no rise" or constant(here_before(here, bit)) != 1:
            statement = Statement(circuit, rules, given(set(both)), lanes, ranges=ranges, goal=goal)
            yield statement, {"lane": lane, "of": name}, [dict(without=(left,))]


def here_before(here, bit):
    """The bit before, of its difference to the bit."""
    return {m: f for m, f in here.items() if m != (bit,)}


# U10, at once, of tokens with few entries.
def argmax(circuit):
    for t in family(circuit, "argmax"):
        for rows in distinct(circuit, t, runs(circuit, t), ("on", "within", "first", "last")):
            if len(rows) * len(circuit.lanes(t, rows[0])) > 16:
                continue
            rules = [rule for row in rows for rule in circuit.rules(t, row)]
            # A logit is the product's lane plus the bias, which is the form's constant.
            lanes = [{m: f for m, f in form.items() if m} for row in rows for form in circuit.lanes(t, row)]
            maxima = cells_of(circuit, t, rows, "maximum")
            ranges = {**{("lane", i): (-LOGIT, LOGIT) for i in range(len(lanes))}, **{cell: (-LOGIT, LOGIT) for cell in maxima}}
            statement = Statement(circuit, rules, given(maxima), lanes, ranges=ranges)
            yield statement, {"entries": len(lanes)}, [dict(without=("the maximum is attained.0",))]


def steps(circuit):
    """U12: a run's rows from what is public and the choices."""
    for t in family(circuit, "steps"):
        rows = range(int(circuit.fixed_column(t, "last").argmax()) + 1)
        both = cells_of(circuit, t, rows, "token_out", "choice") | cells_of(circuit, t, rows[:1], "token_in", "frontier_in", "given_in")
        both |= cells_of(circuit, t, rows[-1:], "frontier_out", "given_out")
        rules = [rule for row in rows for rule in circuit.rules(t, row)]
        flags = cells_of(circuit, t, rows, "active", "chosen")
        counting = ("active is a bit", "chosen is a bit", "a step consumes one token", "given tokens counted", "the run does not start again",
                    "nothing is given after a choice", "frontier handed over", "given tokens handed over")
        counts = [rule for rule in rules if rule.name in counting]
        # The variants of a long run would say no more than those of a short one.
        wrong = [dict(without=(name,)) for name in counting[2:]] if len(rows) <= 16 else []
        yield Statement(circuit, counts, given(both), unknown=flags), {"steps": len(rows), "of": "active and chosen"}, wrong
        wrong = [dict(without=(name,)) for name in ("token handed over", "the choice of a step of the run is shown")] if len(rows) <= 16 else []
        yield Statement(circuit, rules, given(both | flags), ranges={cell: (0, 1) for cell in flags}), {"steps": len(rows)}, wrong


STATEMENTS = {
    "U4 to U6": requantize,
    "U7, mean and squares": means,
    "U7, division": normalize,
    "U8": norm_statistics,
    "U9, U13, rows": exponentials,
    "U9, order": order,
    "U9, sums": sums,
    "U10, lanes": argmax_lanes,
    "U10, tokens": argmax,
    "U12": steps,
    "U14": products,
    **GENERAL,
}

TOY, CHAR, GATED = "toy_gpt", "char_gpt", "mlp --gated"
CARRY = ("--decode", "--context", "carry")
PLAIN = set(STATEMENTS) - set(GENERAL)
SCORES = {"U4 to U6", "U9, U13, rows", "U9, order", "U9, sums"}
# Name, model, options, folder of the circuit; and which statements are there.
TRANSFORMERS = (
    ("toy", TOY, ("--argmax",), "", PLAIN - {"U12", "U14"}),
    ("toy, decode", TOY, ("--decode",), "bucket-8", PLAIN - {"U14"}),
    ("toy, carry", TOY, (*CARRY, "--block", "2"), "bucket-8", PLAIN - {"U14"}),
    ("toy, RMSNorm and ReLU", "rms", ("--argmax", "--positions", "last:4"), "", PLAIN - {"U12", "U14"}),
    ("char GPT", CHAR, ("--argmax",), "", PLAIN - {"U10, tokens", "U12", "U14"}),
    ("char GPT, decode", CHAR, ("--decode", "--buckets", "64"), "bucket-64", PLAIN - {"U10, tokens", "U14"}),
    ("char GPT, carry", CHAR, CARRY, "bucket-64", PLAIN - {"U10, tokens", "U14"}),
)
PACKAGES = (
    *TRANSFORMERS,
    ("gated MLP", GATED, (), "", {"U4 to U6", "U14"}),
    ("gated MLP, wide", GATED, ("--activation-bits", "16"), "", {"U4 to U6", "U14"}),
    ("a massive token", "block_norm_massive_token", (), "", SCORES | set(GENERAL) - {"U20"}),
    ("quotients", "block_norm_sample_deviation", (), "", SCORES | {"U20"}),
)

decided = {}  # Statement's questions: how it was called


def shown(statement, cells):
    """The first cells in which two witnesses differ."""
    named = [statement.named(c) for c in cells]
    different = {name: tuple(c[name] for c in named) for name in named[0] if named[0][name] != named[1][name]}
    return dict(list(different.items())[:6])


def decide(name, statement, what, wrong):
    """True if this statement is new; it must hold, and its variants must not."""
    key = tuple(question.text() for question, _ in statement.questions())
    if key in decided:
        return False
    decided[key] = what
    found = statement.holds()
    assert found is None, f"{name}, {what}: two witnesses: {shown(statement, found)}"
    for change in wrong:
        variant = statement.wrong(**change)
        found = variant.holds()
        assert found is not None, f"{name}, {what}, {change}: still unique, so the statement shows nothing"
        examples.setdefault(name, f"{what}, {change}: {shown(variant, found)}")
    return True


examples = {}


@cases(*PACKAGES)
def one_witness(model, options, folder, wanted):
    circuit = Circuit(models.package(model, "--no-key", *options) / folder)
    for name, statements in STATEMENTS.items():
        begin, made, new = time.monotonic(), 0, 0
        for statement, what, wrong in statements(circuit):
            made += 1
            new += decide(name, statement, what, wrong)
        assert bool(made) == (name in wanted), f"{made} statements on {name}"
        print(f"  {name}: {made} statements, {new} new ({time.monotonic() - begin:.1f} s)", flush=True)


# What the sums of softmax need of each table of exponentials, beside the order: p- of a row is at most p of each row
# before, and of itself where many keys share a row. Softmax is no linear statement: its p are a table's.
@cases(*TRANSFORMERS)
def exponentials_fall(model, options, folder, wanted):
    circuit = Circuit(models.package(model, "--no-key", *options) / folder)
    rows = circuit.bus(bus_of_table(circuit, "exponential"))
    for table in np.unique(rows[:, 0]):
        _, k, w, p, previous = rows[rows[:, 0] == table].T
        assert (np.diff(k) > 0).all() and (p >= 0).all()
        assert (previous[1:] <= np.minimum.accumulate(p)[:-1]).all() and (previous <= p)[w > 0].all(), f"table {table}"


@case
def wrong_variants_shown():
    for name, example in examples.items():
        print(f"  {name}: {example}")


with temporary_folder() as work:
    models = Models(work)
    for path in (HERE.parent / "onnx_node" / "runtime").glob("block_*.onnx"):
        shutil.copy(path, work)
    subprocess.run([sys.executable, MODELS / "generate.py", "toy", "--rms", "--twins", "--activation", "relu", "-o", work / "rms.onnx"],
                   check=True, stdout=subprocess.DEVNULL)
    main()
