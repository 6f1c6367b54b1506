"""The totals that tools/test ends with, from what GoogleTest, lit and cargo print."""

import unittest
import xml.etree.ElementTree as ElementTree

from summarize_tests import countCases, slowest

# name, ctest's status, output, (passed, failed, skipped)
CASES = [
    ("GoogleTest passes", "run", "[==========] 3 tests ran.\n[  PASSED  ] 3 tests.\n", (3, 0, 0)),
    (
        "GoogleTest fails",
        "fail",
        "[  PASSED  ] 3 tests.\n[  FAILED  ] 2 tests, listed below:\n[  FAILED  ] A.b\n",
        (3, 2, 0),
    ),
    (
        "GoogleTest skips",
        "run",
        "[  PASSED  ] 1 test.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] A.b\n",
        (1, 0, 1),
    ),
    ("GoogleTest crashes halfway", "fail", "[       OK ] A.a (0 ms)\n[ RUN      ] A.b\n", (0, 1, 0)),
    ("sanitizer fails at exit", "fail", "[  PASSED  ] 4 tests.\nLeakSanitizer: 1 leak\n", (4, 1, 0)),
    (
        "lit",
        "fail",
        "Total Discovered Tests: 9\n  Unsupported: 1 (11.11%)\n  Passed     : 6 (66.67%)\n"
        "  Failed     : 1 (11.11%)\n  Timed Out  : 1 (11.11%)\n",
        (6, 2, 1),
    ),
    (
        "cargo sums its test programs",
        "run",
        "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n"
        "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        (17, 0, 1),
    ),
    (
        "cargo fails",
        "fail",
        "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n",
        (3, 2, 0),
    ),
    ("tests/e2e", "fail", "ok     a (0.1 s)\nFAILED b (0.1 s)\n1 passed, 1 failed\n", (1, 1, 0)),
    ("a script without counts passes", "run", "done\n", (1, 0, 0)),
    ("a script without counts fails", "fail", "", (0, 1, 0)),
    ("program missing", "notrun", "", (0, 1, 0)),
    ("disabled", "disabled", "", (0, 0, 1)),
]


class CountCases(unittest.TestCase):
    def testTable(self):
        for name, status, output, expected in CASES:
            with self.subTest(name):
                entry = ElementTree.Element("testcase", name=name, status=status)
                ElementTree.SubElement(entry, "system-out").text = output
                self.assertEqual(tuple(countCases(entry)), expected)

    def testSkippedByReturnCode(self):
        entry = ElementTree.Element("testcase", name="a", status="notrun")
        ElementTree.SubElement(entry, "skipped", message="SKIP_RETURN_CODE=77")
        self.assertEqual(tuple(countCases(entry)), (0, 0, 1))

    def testSlowestFirst(self):
        times = [("a", "0.5"), ("b", "12.25"), ("c", None), ("d", "3")]
        entries = [ElementTree.Element("testcase", name=name, **({"time": t} if t else {})) for name, t in times]
        self.assertEqual(slowest(entries, 2), ["   12.2 s  b", "    3.0 s  d"])


if __name__ == "__main__":
    unittest.main()
