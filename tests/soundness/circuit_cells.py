"""Which rows and cells of a circuit a statement is about."""

import re

import numpy as np


def family(circuit, name):
    """The tables that the layout made of one kind: results, results_1, ..."""
    return [t for of, t in circuit.tables.items() if re.fullmatch(rf"{name}(_\d+)?", of)]


def lane_rules(circuit, table, row, lane):
    return circuit.rules(table, row, lambda name: name.endswith(f".{lane}"))


def cells_of(circuit, table, rows, *names):
    """The cells of main columns, all lanes of a name."""
    phases = circuit.package.tables[table].phases
    found = [c for c, name in enumerate(circuit.names[table]) if phases[c] == 1 and name.split(".")[0] in names]
    return {(table, c, row) for c in found for row in rows}


def lane_cells(circuit, table, row, lane, *names):
    """Those of one lane."""
    return {(table, circuit.column(table, f"{name}.{lane}"), row) for name in names}


def given(cells):
    return cells.__contains__


def distinct(circuit, table, rows, names):
    """Of groups of rows (ranges), the first with each content of the fixed columns of these names, and of their lanes."""
    columns = [c for c, name in enumerate(circuit.names[table]) if circuit.package.tables[table].phases[c] == 0]
    columns = [np.array(circuit.package.fixed[table, c]) for c in columns if circuit.names[table][c].split(".")[0] in names]
    stacked = np.stack(columns, axis=1)
    found = {}
    for group in rows:
        found.setdefault(stacked[group.start : group.stop].tobytes(), group)
    return list(found.values())


def runs(circuit, table):
    """The rows of each token or query: a run ends where `last` is 1."""
    on = circuit.fixed_column(table, "last")
    within = circuit.fixed_column(table, "within")
    for end in np.flatnonzero(on):
        start = end
        while within[start]:
            start -= 1
        yield range(int(start), int(end) + 1)


def rules_of(circuit, table, rows, *stems):
    return [rule for row in rows for rule in circuit.rules(table, row, lambda name: name.split(".")[0] in stems)]


def bus_of(circuit, table, row, lookup):
    [rule] = circuit.rules(table, row, lambda name: name == lookup)
    return rule.message.bus
