"""What the messages of a circuit say, once they are read."""


from format_rules import F, obey


def generator_nodes(column):
    """The nodes that a generator evaluates, in the order of its fields."""
    kind = column.WhichOneof("generator")
    if kind == "expression":
        return [column.expression.value]
    if kind == "scan":
        return [column.scan.mul, column.scan.add]
    if kind == "fraction":
        of = column.fraction
        return [of.numerator, of.denominator] + ([of.add] if of.running else [])
    return [column.gather.index]


def exported_groups(circuit):
    return {g for g, group in enumerate(circuit.sum_groups) if group.exported}


def fill_order(circuit, graph):
    """The columns of phases 2 and 3, each after those that it depends on."""
    needs = {(t, c): set() for t, table in enumerate(circuit.tables) for c, column in enumerate(table.columns) if column.phase >= 2}
    for (t, c), needed in needs.items():
        column = circuit.tables[t].columns[c]
        if column.WhichOneof("generator") == "gather":
            needed |= {(source.table, source.column) for source in column.gather.sources}
        else:
            needed |= {(t, read) for read, _ in graph.reads(*generator_nodes(column)).columns} & needs.keys()
    users = {place: [] for place in needs}
    for place, needed in needs.items():
        for of in needed:
            users[of].append(place)
    missing = {place: len(needed) for place, needed in needs.items()}
    order = [place for place, count in missing.items() if not count]
    for place in order:
        for user in users[place]:
            missing[user] -= 1
            if not missing[user]:
                order.append(user)
    obey(F.CYCLES, len(order) == len(needs), "columns depend on each other in a cycle")
    return sorted(order, key=lambda place: circuit.tables[place[0]].columns[place[1]].phase)
