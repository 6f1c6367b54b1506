"""The rules of runtime/package/FORMAT.md, section 9, by their numbers: every refusal of a file names one, or one of section 10
(R0 to R7). Those of programs, F28 to F32, are for runtimes."""

from enum import IntEnum


class BadInput(Exception):
    """A file that cannot be read as what it should be."""


class F(IntEnum):
    ENCODING = 1
    LIMITS = 2
    NAMES = 3
    COLUMNS = 4
    PHASES = 5
    INSTANCES = 6
    SEGMENTS = 7
    NODES = 8
    ONE_TABLE = 9
    INVERSES = 10
    DEGREE = 11
    KNOWN = 12
    CYCLES = 13
    SCANS = 14
    GATHERS = 15
    CLAIMED_SUMS = 16
    PUBLICS = 17
    ADDRESSES = 18
    EXPORTS = 19
    LOOKUPS = 20
    PROVIDERS = 21
    WITNESS = 22
    TOTAL_DEGREE = 23
    ZERO_INVERSES = 24
    FRACTIONS = 25
    WORK = 26
    COLUMN_FILES = 27
    STATEMENTS = 33
    MEMBERS = 34
    LINKS = 35
    STEPS = 36


def obey(rule, condition, *message):
    if not condition:
        raise BadInput(f"F{int(rule)}: {' '.join(map(str, message))}")
