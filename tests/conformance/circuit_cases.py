"""Broken circuits, and files of fixed columns: F1 to F27."""

from base import (ADD, CHALLENGE, CLAIMED_SUM, COLUMN, CONSTANT, INVERSE, IS_FIRST, IS_LAST, MUL, NEG, SUB)
from case import P, beyond, case, column, field, first, good, publics, table

# F1
case("F1", "another format", field("format", 2))
case("F1", "another field", field("modulus", 2**31 - 2**24 + 1))
case("F1", "another extension", field("extension_degree", 2))
case("F1", "an unknown field", lambda b: b + b"\xfa\x07\x00", of="bytes")
case("F1", "a field twice", lambda b: b + b"\x08\x01", of="bytes")
case("F1", "a default that is written", lambda b: b + b"\x68\x00", of="bytes")
case("F1", "a number in more bytes than it needs", lambda b: b.replace(b"\x08\x01", b"\x08\x81\x00", 1), of="bytes")
case("F1", "half a file", lambda b: b[: len(b) // 2], of="bytes")
case("F1", "an unknown operation", lambda e: e.node(11))
case("F1", "an unknown kind of constraint", lambda e: setattr(e.constraint("u", "count is a bit"), "kind", 3))
good("another kind of constraint", lambda e: setattr(e.constraint("u", "count is a bit"), "kind", 2))
case("F1", "an unknown kind of tensor", field("kind", 2, first("publics")))


# F2
def tables(count):
    def change(e):
        for i in range(count - len(e.message.tables)):
            e.message.segments[0].tables.append(len(e.message.tables))
            e.message.tables.add(name=f"more {i}").columns.add(name="f")

    return change


def columns(count):
    def change(e):
        more = count - sum(len(of.columns) for of in e.message.tables)
        of = e.message.tables.add(name="wide")
        e.message.segments[0].tables.append(len(e.message.tables) - 1)
        for i in range(more):
            of.columns.add(name=str(i))

    return change


case("F2", "no table", lambda e: e.message.ClearField("tables"))
case("F2", "a table without columns", lambda e: (e.message.tables.add(name="none"), e.message.segments[0].tables.append(2)))
case("F2", "too many tables", tables(4097))
beyond("as many tables as there can be", tables(4096))
case("F2", "too many columns", columns(65537))
beyond("as many columns as there can be", columns(65536))
case("F2", "too many public tensors", publics(4097))
good("as many public tensors as there can be", publics(4096))


def names(what, count, **values):
    def change(e):
        for i in range(count - len(getattr(e.message, what))):
            getattr(e.message, what).add(name=f"more {i}", **values)

    return change


case("F2", "too many challenges", names("challenges", 4097, phase=1))
good("as many challenges as there can be", names("challenges", 4096, phase=1))
case("F2", "too many sum groups", names("sum_groups", 4097))
good("as many sum groups as there can be", names("sum_groups", 4096))
case("F2", "a table that is too high", field("log_height", 29, table("u")))
beyond("a table of one row", lambda e: (e.message.tables.add(name="low").columns.add(name="f"),
                                        e.message.segments[0].tables.append(2)))

# F3
for what in ("tables", "challenges", "buses", "sum_groups", "publics", "segments", "claimed_sums"):
    case("F3", f"{what} without a name", field("name", "", first(what)))
for what in ("tables", "challenges", "sum_groups"):
    case("F3", f"{what} of one name", lambda e, what=what: setattr(getattr(e.message, what)[1], "name", getattr(e.message, what)[0].name))
case("F3", "buses of one name", lambda e: e.message.buses.add(name="values", width=1))
case("F3", "tensors of one name", lambda e: (publics(2)(e), setattr(e.message.publics[1], "name", e.message.publics[0].name)))
case("F3", "segments of one name", lambda e: e.message.segments.add(name="whole"))
case("F3", "columns of one name", field("name", "a", column("t", "s")))
good("a column that has another table's name", field("name", "value", column("t", "s")))
case("F3", "a column without a name", field("name", "", column("t", "s")))
case("F3", "a constraint without a name", lambda e: setattr(e.constraint("u", "count is a bit"), "name", ""))
case("F3", "a lookup without a name", lambda e: setattr(e.lookup("t", "ask"), "name", ""))
good("claimed sums of one name", field("name", "t.copies.sum", first("claimed_sums")))

# F4
case("F4", "columns out of order", lambda e: setattr(e.column("t", "s"), "phase", 1))
case("F4", "a phase that there is not", lambda e: setattr(e.tables["t"].columns[-1], "phase", 4))
case("F4", "a column of phase 2 without a generator", lambda e: e.column("t", "fold").ClearField("scan"))
case("F4", "a column of phase 1 with one", lambda e: e.column("u", "count").expression.SetInParent())

# F5
for phase in (0, 3):
    case("F5", f"a challenge of phase {phase}", field("phase", phase, first("challenges")))
case("F5", "a bus of no width", lambda e: e.message.buses.add(name="more"))
case("F5", "a bus of phase 3", lambda e: e.message.buses.add(name="more", width=1, phase=3))
good("a bus of phase 2 that nobody uses", lambda e: e.message.buses.add(name="more", width=1, phase=2))


# F6
def instances(*rows):
    return lambda e: [e.tables["t"].instances.add(first_row=begin, rows=count, node="n") for begin, count in rows]


good("all rows", instances((0, 1), (1, 31)))
case("F6", "a row of two instances", instances((0, 2), (1, 31)))
case("F6", "instances out of order", instances((4, 2), (0, 2)))
case("F6", "an instance of no rows", instances((3, 0)))
case("F6", "an instance beyond the table", instances((1, 32)))
case("F6", "an instance of very many rows", instances((2**64 - 1, 2)))

# F7
beyond("two segments", lambda e: (e.message.segments[0].tables.pop(), e.message.segments.add(name="more", tables=[1])))
case("F7", "no segments", lambda e: e.message.ClearField("segments"))
case("F7", "a table in none", lambda e: e.message.segments[0].tables.pop())
case("F7", "a table in two", lambda e: e.message.segments.add(name="more", tables=[1]))
case("F7", "a table that there is not", lambda e: e.message.segments[0].tables.append(2))

# F8
case("F8", "an operand that is not earlier", lambda e: e.node(NEG, len(e.message.nodes)))
good("one that is", lambda e: e.node(NEG, len(e.message.nodes) - 1))
case("F8", "a constant that is no residue", lambda e: e.node(CONSTANT, P))
good("the largest one", lambda e: e.node(CONSTANT, P - 1))
case("F8", "a column that there is not", lambda e: e.node(COLUMN, 1, len(e.tables["u"].columns)))
case("F8", "a table that there is not", lambda e: e.node(COLUMN, 2, 0))
for offset in (-2, 2):
    case("F8", f"a row at {offset}", lambda e, offset=offset: e.node(COLUMN, 0, 0, offset))
case("F8", "a challenge that there is not", lambda e: e.node(CHALLENGE, len(e.message.challenges)))
case("F8", "a claimed sum that there is not", lambda e: e.node(CLAIMED_SUM, len(e.message.claimed_sums)))
for what, of in (("a constant with b", (CONSTANT, 1, 1)), ("a negation with b", (NEG, 1, 1)), ("a challenge at an offset", (CHALLENGE, 0, 0, 1)),
                 ("a sum at an offset", (ADD, 0, 0, 1)), ("a selector of something", (IS_FIRST, 1)), ("a selector with b", (IS_LAST, 0, 1))):
    case("F8", what, lambda e, of=of: e.node(*of))
case("F8", "a constraint of no node", lambda e: setattr(e.constraint("u", "count is a bit"), "node", len(e.message.nodes)))
case("F8", "a generator of no node", lambda e: setattr(e.column("t", "fold").scan, "mul", len(e.message.nodes)))
case("F8", "a lookup of no node", lambda e: setattr(e.lookup("t", "ask"), "multiplicity", len(e.message.nodes)))
case("F8", "a tuple of no node", lambda e: e.lookup("t", "ask").tuple.__setitem__(0, len(e.message.nodes)))

# F9
case("F9", "a node of two tables", lambda e: e.node(ADD, e.read("t", "s"), e.read("u", "value")))
good("a node of one table and a selector", lambda e: e.node(ADD, e.read("t", "s"), e.node(IS_FIRST)))
case("F9", "a constraint of another table", lambda e: e.tables["u"].constraints.add(name="more", node=e.read("t", "s")))
case("F9", "a generator of another table", lambda e: setattr(e.column("t", "fold").scan, "add", e.read("u", "value")))
case("F9", "a lookup of another table", lambda e: e.lookup("t", "ask").tuple.__setitem__(0, e.read("u", "value")))

# F10
case("F10", "the inverse of a column", lambda e: e.node(INVERSE, e.read("t", "s")))
case("F10", "the inverse of a selector", lambda e: e.node(INVERSE, e.node(IS_FIRST)))
case("F10", "the inverse of a claimed sum", lambda e: e.node(INVERSE, e.node(CLAIMED_SUM)))
good("the inverse of a challenge", lambda e: e.node(INVERSE, e.node(CHALLENGE)))


# F11
def power(e, node, exponent):
    """Repeated squares."""
    result = None
    while exponent:
        if exponent & 1:
            result = node if result is None else e.node(MUL, result, node)
        exponent >>= 1
        if exponent:
            node = e.node(MUL, node, node)
    return result


def constrained(exponent):
    return lambda e: e.tables["u"].constraints.add(name="power", node=power(e, e.read("u", "value"), exponent))


case("F11", "a constraint of degree 4", constrained(4))
good("a constraint of degree 3", constrained(3))


# F12
def late(node):
    """`late` is a column of phase 2 that the sum of copies adds."""
    def change(e):
        value = node(e)
        e.column("t", "late").expression.value = value
        of = e.constraint("t", "late")
        of.node = e.node(SUB, e.read("t", "late"), value)

    return change


case("F12", "a column of a later phase", late(lambda e: e.read("t", "copies.sum")))
case("F12", "a challenge of a later phase", late(lambda e: e.node(CHALLENGE, e.challenge("z"))))
case("F12", "a claimed sum of the same phase", late(lambda e: e.node(CLAIMED_SUM, 0)))
good("a column of the same phase", late(lambda e: e.read("t", "fold")))

# F13
case("F13", "a column of itself", late(lambda e: e.read("t", "late", -1)))
case("F13", "a fold of its copy", lambda e: setattr(e.column("t", "fold").scan, "add", e.read("t", "y")))

# F14
case("F14", "runs as long as the table", lambda e: setattr(e.column("t", "fold").scan, "rows", 32))
good("runs of one row less", lambda e: setattr(e.column("t", "fold").scan, "rows", 31))


# F15
def source(**fields):
    def change(e):
        for name, value in fields.items():
            setattr(e.column("t", "y").gather.sources[0], name, value)

    return change


def more_sources(base):
    def change(e):
        e.column("t", "y").gather.sources.add().CopyFrom(e.column("t", "y").gather.sources[0])
        e.column("t", "y").gather.sources[1].base = base

    return change


case("F15", "an index that is committed", lambda e: setattr(e.column("t", "y").gather, "index", e.read("t", "x")))
case("F15", "an index that is drawn", lambda e: setattr(e.column("t", "y").gather, "index", e.node(CHALLENGE, e.challenge("sigma"))))
case("F15", "a source table that there is not", source(table=2))
case("F15", "a source column that there is not", source(column=99))
case("F15", "a source of another phase", source(column=0))
case("F15", "more rows than the source has", source(rows=33))
good("fewer rows", source(rows=31))
case("F15", "sources that overlap", more_sources(31))
good("a source after another", more_sources(32))
case("F15", "a source beyond p", source(base=P - 32))
good("a source up to p", source(base=P - 33))


# F16
def fraction(e, name):
    return e.column("t", name).fraction


case("F16", "a claimed sum of nobody", lambda e: e.message.claimed_sums.add(name="more"))
case("F16", "a claimed sum of two", lambda e: setattr(fraction(e, "copies.sum"), "claimed_sum", 0))
case("F16", "a claimed sum that there is not", lambda e: setattr(fraction(e, "copies.sum"), "claimed_sum", 9))
case("F16", "a claimed sum of another table", field("table", 1, first("claimed_sums")))
case("F16", "a claimed sum of no table", field("table", 2, first("claimed_sums")))
case("F16", "a claimed sum of no group", field("group", 99, first("claimed_sums")))
case("F16", "a column of fractions that adds", lambda e: setattr(fraction(e, "copies.sum"), "running", False))

# F17
for name, value in (("rows", 0), ("columns", 0), ("rows", 2**28 + 1), ("high", -1), ("low", -(P + 1) // 2), ("high", (P + 1) // 2),
                    ("low", -(2**63)), ("high", 2**63 - 1), ("tile_rows", 0), ("tile_columns", 0), ("tile_rows", P + 1), ("group", 99),
                    ("address_challenge", 99), ("row_challenge", 99), ("column_challenge", 99), ("address", P)):
    case("F17", f"{name} of {value}", field(name, value, first("publics")))
for name, value in (("low", -(P - 1) // 2), ("high", (P - 1) // 2), ("address", P - 1), ("tile_rows", P)):
    good(f"{name} of {value}", field(name, value, first("publics")))


# F18
def tensors(address, **fields):
    """Two, of which the first has tiles of one value from address 1000 on, four of them."""
    def change(e):
        publics(2)(e)
        e.message.publics[0].columns = 4
        e.message.publics[1].address = address
        for name, value in fields.items():
            setattr(e.message.publics[1], name, e.challenge(value))

    return change


case("F18", "an address of two tensors", tensors(1003))
good("an address after it", tensors(1004))
good("an address of two tensors, under other challenges", tensors(1003, row_challenge="point"))


# F19
def linked(rule, name, change):
    case(rule, name, change, of="linked")


def exported(group):
    return lambda e: setattr(e.message.sum_groups[e.group(group)], "exported", True)


linked(None, "two groups", lambda e: None)
linked("F19", "a group without claimed sums", exported("public"))
linked("F19", "a group of phase 3", exported("copies"))
case("F19", "a group of phase 3, in a circuit of no bundle", exported("copies"))
case("F19", "a group with a public tensor", exported("public"))
linked("F19", "a linked group with a public tensor", lambda e: e.message.publics.add(
    name="p", rows=1, columns=1, tile_rows=1, tile_columns=1, group=e.group("spare")))
# What is exported and not linked sums to zero by itself.
case(None, "a group that is exported, and no link names", exported("tensors"))
linked("F35", "a link of a group that is not exported any more", lambda e: setattr(
    e.message.sum_groups[e.group("spare")], "exported", False))


# F20
def asked(node):
    return lambda e: e.lookup("t", "ask").tuple.__setitem__(1, node(e))


case("F20", "no bus", lambda e: setattr(e.lookup("t", "ask"), "bus", 1))
case("F20", "a tuple of another width", lambda e: e.lookup("t", "ask").tuple.append(0))
case("F20", "a tuple of a later phase", asked(lambda e: e.read("t", "fold")))
case("F20", "a tuple of a challenge", asked(lambda e: e.node(CHALLENGE, e.challenge("sigma"))))
case("F20", "a tuple of a claimed sum", asked(lambda e: e.node(CLAIMED_SUM)))
good("a tuple of the bus's phase", asked(lambda e: e.read("t", "x")))
case("F20", "a multiplicity of a later phase", lambda e: setattr(e.lookup("t", "ask"), "multiplicity", e.read("t", "fold")))
case("F20", "a lookup of multiplicities", lambda e: e.tables["u"].lookups.add(
    name="count", bus=0, multiplicity=0, tuple=[e.read("u", "value"), e.read("u", "count")]))


# F21
def provided(**fields):
    def change(e):
        of = e.lookup("u", "give")
        for name, value in fields.items():
            if name == "offsets":
                del of.offsets[:]
                of.offsets.extend(value)
            else:
                setattr(of, name, value)

    return change


def another_provider(e):
    e.tables["u"].lookups.add().CopyFrom(e.lookup("u", "give"))


case("F21", "multiplicities of phase 0", provided(multiplicity_column=0))
case("F21", "multiplicities of no column", provided(multiplicity_column=99))
case("F21", "multiplicities of two providers", another_provider)
case("F21", "a key beyond the tuple", provided(key=2))
case("F21", "a selector beyond the tuple", provided(has_selector=True, selector=2))
case("F21", "no offset", provided(offsets=[]))
case("F21", "two offsets without a selector", provided(offsets=[0, 0]))
good("two offsets with a selector", provided(has_selector=True, selector=1, offsets=[0, 0]))
case("F21", "no offset with a selector", provided(has_selector=True, selector=1, offsets=[]))
case("F21", "an offset beyond the field", provided(offsets=[P + 1]))
case("F21", "an offset before the field", provided(offsets=[-P - 1]))
good("the largest offset", provided(offsets=[P]))
good("not here", provided(offsets=[-(2**40)]))


def key_of_phase_2(phase):
    def change(e):
        e.message.buses[0].phase = phase
        e.lookup("t", "ask").tuple[0] = e.read("t", "fold")

    return change


case("F21", "a key of phase 2", key_of_phase_2(2))

# F22
case("F22", "a column of the witness that nothing reads", lambda e: setattr(
    e.constraint("u", "count is a bit"), "node", e.read("u", "value")))
good("one that is read on another row", lambda e: setattr(e.constraint("u", "count is a bit"), "node", e.read("u", "count", 1)))

# F23
case("F23", "a degree of 2^20 and one", lambda e: power(e, e.read("u", "value"), 2**20 + 1))
good("a degree of 2^20", lambda e: power(e, e.read("u", "value"), 2**20))
case("F23", "inverses of a degree of 2^20 and one", lambda e: power(e, e.node(INVERSE, e.node(CHALLENGE)), 2**20 + 1))

# F24
case("F24", "the inverse of z - z", lambda e: e.node(INVERSE, e.node(SUB, e.node(CHALLENGE), e.node(CHALLENGE))))
good("the inverse of z - y", lambda e: e.node(INVERSE, e.node(SUB, e.node(CHALLENGE, 0), e.node(CHALLENGE, 1))))


# F25
def halved(e):
    """As two equal fractions, eleven times."""
    of = e.column("t", "copies.sum").fraction
    for _ in range(11):
        half = e.node(MUL, of.numerator, of.denominator)
        of.numerator, of.denominator = e.node(ADD, half, half), e.node(MUL, of.denominator, of.denominator)


case("F25", "a column of 2^11 fractions", halved)


# F26
def chain(length):
    def change(e):
        node = e.read("t", "fold")
        for i in range(length):
            node = e.node(NEG, node)
            e.tables["t"].constraints.add(name=str(i), node=node)

    return change


def shared(count, length):
    """Tables whose constraints all read the same long cone."""
    def change(e):
        node = e.node(IS_FIRST)
        for _ in range(length):
            node = e.node(NEG, node)
        for i in range(count):
            of = e.message.tables.add(name=f"more {i}", log_height=5)
            of.columns.add(name="x", phase=1)
            x = e.node(COLUMN, len(e.message.tables) - 1)
            of.constraints.add(name="c", node=e.node(MUL, x, node))
            e.message.segments[0].tables.append(len(e.message.tables) - 1)

    return change


case("F26", "cones of which each holds the one before", chain(12000))
case("F26", "a cone of many tables", shared(400, 60000))
good("a shorter cone of many tables", shared(400, 100))
good("fewer of them", chain(500))

# F27
case("F27", "a file that is too short", lambda b: b[:-4], of="fixed")
case("F27", "a file that is too long", lambda b: b + bytes(4), of="fixed")
case("F27", "a cell of p", lambda b: b[:-4] + P.to_bytes(4, "little"), of="fixed", readers=("python", "rust"))
good("a cell of p - 1", lambda b: b[:-4] + (P - 1).to_bytes(4, "little"), of="fixed")
