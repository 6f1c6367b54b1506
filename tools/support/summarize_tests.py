"""Counts test cases in ctest's JUnit file; prints the ten slowest entries and "N passed, M failed".

One ctest entry is a whole GoogleTest program, a lit run, a cargo workspace or a table of cases; the counts come from
what each of them printed. An entry that prints no counts is one case. An entry that ctest calls failed counts at least one failure, so
that a crash halfway is never lost. Exits with 1 when anything failed or nothing ran.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

# For each kind of output: patterns of passed, failed and skipped counts, summed over all matches.
KINDS = {
    "GoogleTest": (
        r"^\[  PASSED  \] (\d+) tests?\.",
        r"^\[  FAILED  \] (\d+) tests?, listed below",
        r"^\[  SKIPPED \] (\d+) tests?, listed below",
    ),
    "lit": (
        r"^  (?:Passed|Passed With Retry|Expectedly Failed) *: +(\d+)",
        r"^  (?:Failed|Unexpectedly Passed|Unresolved|Timed Out) *: +(\d+)",
        r"^  (?:Skipped|Unsupported|Excluded) *: +(\d+)",
    ),
    "cargo": (
        r"^test result: \w+\. (\d+) passed",
        r"^test result: .*?(\d+) failed",
        r"^test result: .*?(\d+) ignored",
    ),
    "tests/e2e": (
        r"^(\d+) passed, \d+ failed$",
        r"^\d+ passed, (\d+) failed$",
        r"(?!)",
    ),
}


def countCases(entry):
    """(passed, failed, skipped) of one <testcase> of the JUnit file."""
    output = entry.findtext("system-out") or ""
    status = entry.get("status")
    for patterns in KINDS.values():
        counts = [sum(map(int, re.findall(p, output, re.MULTILINE))) for p in patterns]
        if any(counts):
            if status == "fail" and counts[1] == 0:
                counts[1] = 1
            return counts
    # ctest also says "notrun" of a program that is missing, which must not pass for a skipped test.
    skipped = entry.find("skipped")
    if status == "disabled" or (skipped is not None and skipped.get("message", "").startswith("SKIP_")):
        return [0, 0, 1]
    return [1, 0, 0] if status == "run" else [0, 1, 0]


def slowest(entries, count=10):
    """Lines "  12.3 s  name", slowest first."""
    times = sorted(((float(entry.get("time") or 0), entry.get("name")) for entry in entries), reverse=True)
    return [f"{seconds:7.1f} s  {name}" for seconds, name in times[:count]]


def main(path):
    totals = [0, 0, 0]
    failing = []
    entries = list(ElementTree.parse(path).getroot().iter("testcase"))
    for entry in entries:
        counts = countCases(entry)
        totals = [a + b for a, b in zip(totals, counts)]
        if counts[1]:
            failing.append(entry.get("name"))
    passed, failed, skipped = totals
    if entries:
        print("slowest:", *slowest(entries), sep="\n")
    for name in failing:
        print(f"failed: {name} (again: ctest --test-dir build -R '^{name}$' --output-on-failure)")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
