"""tools/new-pass in a copy of the tree: what it writes compiles, is registered, and passes the test that it wrote."""

import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD, FILECHECK = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]

PLUGIN = """\
#include "passes/general/count_ops/count_ops.h"
#include "passes/plugin.h"
LINDERO_PASS_PLUGIN { return lindero::passes::registerCountOps(); }
"""


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def compile_command(model, source, root):
    """The command that compiles `model` in this build, for another source, with headers of `root` first."""
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    entry = next(e for e in entries if e["file"].endswith(model))
    words = shlex.split(entry["command"])
    words = words[: words.index("-o")]
    words = [f"-I{root}" if word == f"-I{SOURCE}" else word for word in words]
    return [*words, "-I", str(SOURCE), "-c", str(source)], entry["directory"]


class NewPassTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name)
        shutil.copytree(SOURCE / "passes", self.root / "passes")
        (self.root / "tests/lit").mkdir(parents=True)
        (self.root / "tools").mkdir()
        shutil.copy(SOURCE / "tools/new-pass", self.root / "tools")

    def new_pass(self, *arguments):
        return run([self.root / "tools/new-pass", *arguments])

    def build(self, model, source, *options):
        command, directory = compile_command(model, source, self.root)
        result = run([*command, *options], cwd=directory)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_what_it_writes_works(self):
        result = self.new_pass("general", "count-ops")
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
        for arguments, message in [
            ((), "usage: tools/new-pass PHASE NAME"),
            (("nowhere", "count-ops"), "passes/ has no phase 'nowhere'; it has "),
            (("general", "CountOps"), "'CountOps' is not made of lower-case words joined by '-'"),
            (("general", "count-"), "'count-' is not made of lower-case words"),
            (("region", "eliminate-dead-ops"), "passes/general/eliminate_dead_ops exists already"),
        ]:
            with self.subTest(arguments):
                before = sorted(self.root.rglob("*"))
                result = self.new_pass(*arguments)
                self.assertEqual(result.returncode, 1)
                self.assertIn("new-pass: " + message, result.stderr)
                self.assertEqual(sorted(self.root.rglob("*")), before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
