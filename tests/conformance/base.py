"""The honest small packages that the cases change, and what changes them."""

import functools
import subprocess
import sys
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "soundness" / "rules"))
from cases import copies  # noqa: E402

CONSTANT, COLUMN, CHALLENGE, CLAIMED_SUM, IS_FIRST, IS_LAST, ADD, SUB, MUL, NEG, INVERSE = range(11)


def circuit(link=None):
    """A matrix product (soundness/rules/cases.py) in table `t`, beside a bus from `u`, which `t` looks up, a public tensor, and
    a chain of columns. `link`: two sum groups."""
    # A sum of main columns, which may be exported.
    c = copies(public=None if link else ("public", "sigma", "sigma", "sigma"), late=chain, link=link,
               product=lambda v: (v.x, v.point - v.id))
    c.groups += ["public", "spare"]
    (t,) = c.tables
    u = c.table("u")
    c.bus("values", 2, 1)
    value, = u.fixed("value")
    count, = u.main("count")
    u.constrain("count is a bit", count * count - count)
    u.provide("give", "values", count, value, value * value)
    t.look_up("ask", "values", 1, 0, 0)
    if link:
        # The group that is given: a sum of phase 2, as that of the products, which is taken.
        x, = u.main("x")
        u.constrain("x is a bit", x * x - x)
        u.running("left", x, c.point - value, group="spare", phase=2)
    return c


def chain(v):
    """What the sum of copies adds: nothing, in a column that another one reads."""
    return v.t.value("late", v.x - v.x, phase=2)


class Edit:
    """Names for the parts of a circuit's message."""

    def __init__(self, message):
        self.message = message
        self.tables = {table.name: table for table in message.tables}

    def column(self, table, name):
        return next(of for of in self.tables[table].columns if of.name == name)

    def index(self, table, name):
        return [of.name for of in self.tables[table].columns].index(name)

    def number(self, table):
        return [of.name for of in self.message.tables].index(table)

    def challenge(self, name):
        return [of.name for of in self.message.challenges].index(name)

    def group(self, name):
        return [of.name for of in self.message.sum_groups].index(name)

    def constraint(self, table, name):
        return next(of for of in self.tables[table].constraints if of.name == name)

    def lookup(self, table, name):
        return next(of for of in self.tables[table].lookups if of.name == name)

    def node(self, op, a=0, b=0, offset=0):
        self.message.nodes.add(op=op, a=a, b=b, offset=offset)
        return len(self.message.nodes) - 1

    def read(self, table, name, offset=0):
        return self.node(COLUMN, self.number(table), self.index(table, name), offset)


@functools.cache
def _program_class():
    command = ["protoc", f"--proto_path={HERE.parents[1]}", "--include_imports", "--descriptor_set_out=/dev/stdout",
               "runtime/program/program.proto"]
    compiled = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(compiled).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("lindero.Program"))


def program(edit):
    """Reads the public tensor, if there is one, and writes two copies of it to `x`."""
    p = _program_class()(format=2)
    for size in (1, 2, 1):
        p.buffers.add(size=size)
    if edit.message.publics:
        p.steps.add().input.out = 0
        of = p.steps.add().append_rows
        of.first, of.second, of.out = 0, 0, 1
        p.placements.add(buffer=1, table=edit.number("t"), column=edit.index("t", "x"), lanes=1)
        p.placements[0].dims.add(count=2, row_stride=1, value_stride=1)
    return p
