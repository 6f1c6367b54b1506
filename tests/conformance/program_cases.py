"""Broken programs and statements: F28 to F33."""

from case import case, field, publics


# Programs, which runtimes read: here the one in C++. `p` is the message, `e` the circuit's.
def program(rule, name, change, of="program"):
    case(rule, name, change, of, ("cpp",))


def step(p, kind, **fields):
    of = getattr(p.steps.add(), kind)
    for name, value in fields.items():
        setattr(of, name, value)


program(None, "a program as it is", lambda p, e: None)
program("F1", "another format of programs", lambda p, e: setattr(p, "format", 1))

# F28
for size in (0, 2**33 + 1):
    program("F28", f"a buffer of {size} elements", lambda p, e, size=size: p.buffers.add(size=size))
program(None, "a buffer of 2^33 elements that nobody uses", lambda p, e: p.buffers.add(size=2**33))
program("F28", "a buffer that there is not", lambda p, e: setattr(p.steps[1].append_rows, "first", 9))
program("F28", "a buffer that is not written yet", lambda p, e: setattr(p.steps[1].append_rows, "first", 2))
program("F28", "a buffer that is read and written", lambda p, e: setattr(p.steps[1].append_rows, "out", 0))

# F29
program("F29", "an input that there is not", lambda p, e: setattr(p.steps[0].input, "tensor", 9))
program("F29", "a buffer of another size", lambda p, e: setattr(p.buffers[1], "size", 3))
program("F29", "a shift of 31 bits", lambda p, e: (p.buffers.add(size=2), p.buffers.add(size=2), step(
    p, "requantize", acc=1, shift=31, bits=8, quotient=3, remainder=4)))
program(None, "a shift of 30 bits", lambda p, e: (p.buffers.add(size=2), p.buffers.add(size=2), step(
    p, "requantize", acc=1, shift=30, bits=8, quotient=3, remainder=4)))
program("F29", "a step of no kind", lambda p, e: p.steps.add())

# F30
program("F30", "an output that no step writes", lambda p, e: e.message.publics.add().CopyFrom(e.message.publics[0]) or (
    setattr(e.message.publics[1], "name", "q"), setattr(e.message.publics[1], "address", 2000), setattr(e.message.publics[1], "kind", 1)))


def output(times):
    def change(p, e):
        publics(2)(e)
        e.message.publics[1].kind = 1
        for _ in range(times):
            step(p, "output", tensor=1, buffer=0)

    return change


program("F30", "an output that two steps write", output(2))
program(None, "an output that one step writes", output(1))

# F31
program("F31", "a slot of a circuit that exports nothing", lambda p, e: step(p, "link_in", slot=0, out=2))
program(None, "a slot of one with them", lambda p, e: step(p, "link_in", slot=0, out=2), of="linked program")
program("F31", "a slot that nobody takes", lambda p, e: (step(p, "link_in", slot=1, out=2), step(
    p, "link_out", slot=0, buffer=2, elements=1)), of="linked program")
program(None, "a slot that one takes", lambda p, e: (step(p, "link_in", slot=0, out=2), step(
    p, "link_out", slot=0, buffer=2, elements=1)), of="linked program")

# F32
program("F32", "a placement of no buffer", lambda p, e: setattr(p.placements[0], "buffer", 9))
program("F32", "a placement of an unwritten buffer", lambda p, e: setattr(p.placements[0], "buffer", 2))
program("F32", "a placement in a fixed column", lambda p, e: setattr(p.placements[0], "column", 0))
program("F32", "a placement beyond the table", lambda p, e: setattr(p.placements[0], "first_row", 31))
program(None, "a placement at its end", lambda p, e: setattr(p.placements[0], "first_row", 30))
program("F32", "a placement of nine dimensions", lambda p, e: [p.placements[0].dims.add(count=1) for _ in range(8)])
program("F32", "a stride beyond 2^40", lambda p, e: p.placements[0].dims.add(count=1, row_stride=0, value_stride=2**40 + 1))


# Statements, of one tensor of one value.
def statement(rule, name, change):
    case(rule, name, change, "statement", ("python",))


statement(None, "a statement as it is", lambda s: None)
statement("F1", "another format of statements", field("format", 2, lambda s: s))
statement("F33", "no tensor", lambda s: s.ClearField("tensors"))
for name, value in (("name", "q"), ("kind", 1), ("rows", 2), ("columns", 2)):
    statement("F33", f"another {name}", field(name, value, lambda s: s.tensors[0]))
statement("F33", "a value more", lambda s: s.tensors[0].values.append(0))
