"""What a case of the corpus is, and what the changes of several share."""

from collections import namedtuple

P = 2**31 - 1
ALL = ("python", "cpp", "rust")
BACKEND = "accepted, or beyond the backend"

# change: of an Edit of the circuit's message; `of` says what else is changed (see conformance_test.py).
Case = namedtuple("Case", "rule name change of readers")
CASES = []


def case(rule, name, change, of="circuit", readers=ALL):
    CASES.append(Case(rule, name, change, of, readers))


def good(name, change, of="circuit", readers=ALL):
    case(None, name, change, of, readers)


def beyond(name, change):
    """Good, but nothing that the backend of Stwo proves: programs that ask it may refuse it, by no rule of the format."""
    case(BACKEND, name, change)


def field(name, value, of=lambda e: e.message):
    return lambda e: setattr(of(e), name, value)


def table(name):
    return lambda e: e.tables[name]


def column(table, name):
    return lambda e: e.column(table, name)


def first(what):
    return lambda e: getattr(e.message, what)[0]


def publics(count):
    def change(e):
        for i in range(count - len(e.message.publics)):
            e.message.publics.add().CopyFrom(e.message.publics[0])
            e.message.publics[-1].name, e.message.publics[-1].address = f"more {i}", 2000 + i

    return change
