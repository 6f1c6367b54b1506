"""Statements on norms of wide rows (U18, U19) and quotients (U20), as uniqueness_solver_test.py makes them.

Which shift of a row is accepted hangs on what a lookup table says of an element, which the solver is not told: that there
is one is enumerated (uniqueness_test.cc). Here the shift is known, or may differ while the mean does not.
"""

import numpy as np

from circuit_cells import bus_of, cells_of, distinct, family, given, lane_cells, lane_rules, rules_of, runs
from circuit_forms import HALF
from qm31 import P
from two_witnesses import Statement

U, X = 1 << 15, 1 << 27  # |u|, |x|


def wide_norms(circuit, of_statistics, of_norms):
    """Of every kind of wide norm: its table, the rows of a token, and the token's row of statistics."""
    s, found = circuit.tables.get("wide_norm_statistics"), {}
    for t in family(circuit, "wide_norms"):
        of_address = {a: row for row, a in enumerate(circuit.fixed_column(s, "address").tolist()) if a}
        for rows in runs(circuit, t):
            row = of_address[circuit.fixed(t, "statistics", rows[-1])]
            kind = [circuit.fixed(s, name, row) for name in of_statistics]
            kind += [circuit.fixed(t, name, rows[0]) for name in of_norms] + [len(rows)]
            found.setdefault(tuple(kind), (t, rows, s, row))
    return found.values()


def row_shifts(circuit, s, row):
    """(e, 2^e, s, epsilon) of every shift that the row may have."""
    shifts = circuit.rows(bus_of(circuit, s, row, "row shift"), ((0, circuit.fixed(s, "shifts", row)),))
    return [tuple(map(int, shift[1:])) for shift in shifts]


def lanes_of(circuit, t, row, name):
    return range(len(cells_of(circuit, t, [row], name)))


def known_cells(circuit, table, row, **values):
    """Ranges of a row's cells by name: a number, or both ends."""
    return {cell: value if isinstance(value, tuple) else (value, value)
            for name, value in values.items() for cell in cells_of(circuit, table, [row], name)}


# U18: u, q, v and c of an element under a mean and a shift. Any residue may be what is shifted.
def shifted(circuit):
    for t, rows, s, row in wide_norms(circuit, ("shifts",), ("square",)):
        for e, power, _, _ in row_shifts(circuit, s, row):
            ranges = known_cells(circuit, t, rows[0], row_shift=e, row_power=power)
            both = given({*ranges, *cells_of(circuit, t, rows[:1], "x", "mean")})
            for lane in lanes_of(circuit, t, rows[0], "x"):
                stems = (f"shift.{lane}", f"shifted out.{lane}", f"square.{lane}")
                rules = circuit.rules(t, rows[0], stems.__contains__)
                # Nothing is shifted out by 0: RANGE(0) has one row, which is not doubled.
                wrong = [dict(widened=(f"shifted out.{lane}",))] if e else [dict(without=(f"square.{lane}",))]
                yield Statement(circuit, rules, both, ranges=ranges), {"row shift": e}, wrong


# U18, the division: z and r of u, s, root, shift and power, for each shift that a statistic can have.
def normalized(circuit):
    for t, rows, s, row in wide_norms(circuit, ("table", "exponent_limit"), ("output_tag", "output_offset")):
        [roots] = circuit.segments(bus_of(circuit, s, row, "root"), ((0, circuit.fixed(s, "table", row)),))
        [powers] = circuit.segments(bus_of(circuit, s, row, "power of two"), ())
        (low, high), (least, most) = roots.others[2], roots.others[3]
        for shift in range(least, most + circuit.fixed(s, "exponent_limit", row) + 1):
            power = int(circuit.find(*powers.sort, 0, shift)[1])
            for lane in lanes_of(circuit, t, rows[0], "x"):
                ranges = known_cells(circuit, t, rows[0], coarse=(0, 1), root=(low, high), shift=shift, power=power)
                ranges.update({cell: (-U, U - 1) for cell in lane_cells(circuit, t, rows[0], lane, "u")})
                stems = (f"normalize.{lane}", f"output.{lane}", f"remainder.{lane}")
                statement = Statement(circuit, circuit.rules(t, rows[0], stems.__contains__), given(ranges), ranges=ranges)
                one = {cell: (high, high) for cell in cells_of(circuit, t, rows[:1], "root")}
                wrong = [dict(widened=(f"remainder.{lane}",), ranges=one)]
                yield statement, {"shift": shift, "output_tag": circuit.fixed(t, "output_tag", rows[0])}, wrong


# U19: the mean of a token's x, whatever shift each witness has. Its producers keep x below 2^27 (I18); residues that are no
# such numbers may have two.
def wide_means(circuit):
    for t, rows, s, row in wide_norms(circuit, ("width", "centered", "shifts"), ("square",)):
        inputs, mean = cells_of(circuit, t, rows, "x"), cells_of(circuit, t, rows, "mean")
        rules = rules_of(circuit, t, rows, "shift", "shifted out", "square", "sum of shifted", "sum of remainders",
                         "one mean per token", "one row shift per token", "one row power per token", "no mean")
        rules += circuit.rules(s, row, lambda name: name in ("mean low", "mean high", "row shift", "sum of shifted"))
        links = [(next(iter(cells_of(circuit, t, rows[-1:], name))), next(iter(cells_of(circuit, s, [row], name))))
                 for name in ("sum_u", "sum_q", "row_shift", "row_power")]
        wrong = [dict(without=("mean high",), widened=("mean low",)), dict(without=("mean low",))]
        wrong = wrong if circuit.fixed(s, "centered", row) else [dict(without=("no mean",))]
        statement = Statement(circuit, rules, given(inputs), links=links, unknown=mean, splits={"row shift": (2,)},
                              ranges={cell: (-X, X) for cell in inputs})
        yield statement, {"width": circuit.fixed(s, "width", row)}, wrong


# U19, the rest as U8: mantissa, exponent, remainder, root and shift of a sum of squares, under each row shift.
def wide_statistics(circuit):
    for t, rows, s, row in wide_norms(circuit, ("width", "shifts", "table", "exponent_limit"), ("square",)):
        squares = circuit.segments(bus_of(circuit, t, rows[0], "square.0"), ((0, circuit.fixed(t, "square", rows[0])),))[0]
        for e, *_ in row_shifts(circuit, s, row):
            ranges = known_cells(circuit, s, row, row_shift=e, sum_v=(0, circuit.fixed(s, "width", row) * squares.others[2][1]))
            rules = circuit.rules(s, row, lambda name: name not in ("mean low", "mean high", "sum of shifted", "a large element"))
            statement = Statement(circuit, rules, given(ranges), splits={"power of four": (1,)}, ranges=ranges)
            yield statement, {"row shift": e}, [dict(widened=("variance remainder",)), dict(without=("mantissa",))]


def denominators(bits):
    """Ends and small numbers, of either sign."""
    most = 1 << (bits - 1)
    return (-most, -most + 1, -3, -1, 1, 2, 5, most - 1, most)


# U20: q, r and the sign of a quotient, for denominators that are known; of 0 there is none. The numerator is as large as the
# op allows with them. That the sign is a bit is a rule by itself, and what its range stands for.
def quotients(circuit):
    for t in family(circuit, "divide"):
        every = [range(row, row + 1) for row in np.flatnonzero(circuit.fixed_column(t, "on"))]
        for [row] in distinct(circuit, t, every, ("power", "quotient_tag", "offset")):
            bits, power = circuit.fixed(t, "quotient_tag", row), circuit.fixed(t, "power", row)
            most = (P - 1 - (U << bits) - U - (1 << 16)) // (2 * power)
            for lane in lanes_of(circuit, t, row, "a"):
                yield from quotients_of(circuit, t, row, lane, min(most, HALF), {"bits": bits, "power": power})


def quotients_of(circuit, t, row, lane, most, what):
    operands = lane_cells(circuit, t, row, lane, "a", "b")
    bits = circuit.rules(t, row, lambda name: name == f"negative is a bit.{lane}")
    [b], [a] = (lane_cells(circuit, t, row, lane, name) for name in "ba")
    rules = [rule for rule in lane_rules(circuit, t, row, lane) if rule not in bits]
    ranges = {**{cell: (0, 1) for cell in lane_cells(circuit, t, row, lane, "negative")}, a: (-most, most)}
    for value in denominators(16):
        wrong = [dict(without=(f"remainder {end}.{lane}",)) for end in ("low", "high")]
        yield Statement(circuit, rules, given(operands), ranges={**ranges, b: (value, value)}), {**what, "b": value}, wrong
    none = Statement(circuit, rules, given(operands), ranges={**ranges, b: (0, 0)}, goal=lambda question, x, y: "true")
    yield none, {**what, "b": 0}, [dict(without=(f"remainder high.{lane}",))]


GENERAL = {
    "U18, elements": shifted,
    "U18, division": normalized,
    "U19, mean": wide_means,
    "U19": wide_statistics,
    "U20": quotients,
}
