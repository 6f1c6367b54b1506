"""Broken packages. Each is an honest one with one change, cites the rule of FORMAT.md that it breaks, and stands, where there is
one, beside the nearest change that breaks none."""

import bundle_cases  # noqa: F401
import circuit_cases  # noqa: F401
import program_cases  # noqa: F401
from case import ALL, BACKEND, CASES, Case  # noqa: F401
