"""tools/new-pass in a copy of the tree: what it writes compiles, is registered, and passes the test that it wrote."""

import shlex
import sys
import unittest

import scaffold_test_case
from scaffold_test_case import BUILD, run

FILECHECK = sys.argv[3]

PLUGIN = """\
#include "passes/general/count_ops/count_ops.h"
#include "passes/plugin.h"
LINDERO_PASS_PLUGIN { return lindero::passes::registerCountOps(); }
"""


class NewPassTest(scaffold_test_case.ScaffoldTest):
    copied = ["passes", "tools/new-pass"]

    def test_what_it_writes_works(self):
        result = run([self.root / "tools/new-pass", "general", "count-ops"])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("passes/general/count_ops/count_ops.cc\n", result.stdout)
        self.assertIn("    count_ops/count_ops.cc\n", (self.root / "passes/general/CMakeLists.txt").read_text())
        registry = (self.root / "passes/registry.cc").read_text()
        self.assertIn('#include "passes/general/count_ops/count_ops.h"\n', registry)
        self.assertIn("    status.Update(registerCountOps());\n", registry)
        self.build("passes/registry.cc", self.root / "passes/registry.cc", "-fsyntax-only")

        plugin = self.root / "plugin.cc"
        plugin.write_text(PLUGIN)
        objects = []
        for source in [plugin, self.root / "passes/general/count_ops/count_ops.cc"]:
            objects.append(source.with_suffix(".o"))
            self.build("tests/plugin/rename_values.cc", source, "-o", str(objects[-1]))
        library = self.root / "count_ops.so"
        linked = run(["c++", "-shared", "-o", library, *objects])
        self.assertEqual(linked.returncode, 0, linked.stderr)

        test = self.root / "tests/lit/count_ops/count_ops.lir"
        command = test.read_text().splitlines()[0].removeprefix("// RUN: ").replace("%s", shlex.quote(str(test)))
        command = command.replace("lindero-opt", f"'{BUILD}/bin/lindero-opt' --load-pass-plugin='{library}'")
        command = command.replace("FileCheck", f"'{FILECHECK}'")
        result = run(["bash", "-o", "pipefail", "-c", command])
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_what_it_refuses(self):
        self.check_refusals("new-pass", [
            ((), "usage: tools/new-pass PHASE NAME"),
            (("nowhere", "count-ops"), "passes/ has no phase 'nowhere'; it has "),
            (("general", "CountOps"), "'CountOps' is not made of lower-case words joined by '-'"),
            (("general", "count-"), "'count-' is not made of lower-case words"),
            (("region", "eliminate-dead-ops"), "passes/general/eliminate_dead_ops exists already"),
        ])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
