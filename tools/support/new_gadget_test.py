"""tools/new-gadget in a copy of the tree: what it writes is registered and compiles, and its tests are there to fail."""

import sys
import unittest

import scaffold_test_case
from scaffold_test_case import SOURCE, run

PROTOC = sys.argv[3]

# What it writes in a list, or edits.
REGISTERED = {
    "ir/integer/run.cc": '  if (op.is("integer.halve_up")) return **x;\n',
    "ir/integer/ops.cc": '{.name = "integer.halve_up",\n',
    "ir/integer/verify_rounding.cc": '      .Case("integer.halve_up", verifyHalveUp)\n',
    "passes/lower_air/GADGETS.md": "| `halve_up` | [halve_up](gadgets/halve_up/README.md) |\n",
    "passes/lower_air/gadgets/gadgets.cc": "  gadgets.push_back(makeHalveUp(wiring));\n",
    "runtime/program/program.proto": "    HalveUp halve_up = ",
    "runtime/gadgets/gadgets.h": "X(halve_up)",
    "tests/soundness/forged_cheats_test.cc": '      {"HalveUpOffByOne",\n',
}
# Each is compiled as this source is.
COMPILED = {
    "passes/lower_air/gadgets/halve_up/halve_up.cc": "gadgets/multiply/multiply.cc",
    "passes/lower_air/gadgets/halve_up/halve_up_test.cc": "gadgets/multiply/multiply_test.cc",
    "passes/lower_air/gadgets/gadgets.cc": "passes/lower_air/gadgets/gadgets.cc",
    "ir/integer/verify_rounding.cc": "ir/integer/verify_rounding.cc",
    "runtime/gadgets/halve_up/run.cc": "runtime/gadgets/multiply/run.cc",
    "runtime/gadgets/halve_up/run_test.cc": "runtime/gadgets/multiply/run_test.cc",
    "runtime/gadgets/halve_up/cheats.cc": "runtime/gadgets/multiply/cheats.cc",
}
# Tests that fail until they are filled in, and pages to write.
UNFINISHED = [
    "passes/lower_air/gadgets/halve_up/README.md",
    "passes/lower_air/gadgets/halve_up/halve_up_test.cc",
    "runtime/gadgets/halve_up/run_test.cc",
    "tests/lit/lower_to_air/Inputs/halve_up/halve_up.golden",
    "tests/soundness/forged_cheats_test.cc",
]


class NewGadgetTest(scaffold_test_case.ScaffoldTest):
    copied = [*REGISTERED, "runtime/program/step_options.proto", "tools/new-gadget", "tools/support/new_gadget"]

    def test_what_it_writes_is_registered_and_compiles(self):
        result = run([self.root / "tools/new-gadget", "halve_up"])
        self.assertEqual(result.returncode, 0, result.stderr)
        for path, text in REGISTERED.items():
            self.assertIn(text, (self.root / path).read_text(), path)
            self.assertIn(f"{path}\n", result.stdout)
        for path in UNFINISHED:
            self.assertIn("TODO", (self.root / path).read_text(), path)
        # A folder is found without a list: what has the same place as the example's is built.
        for home in ("passes/lower_air/gadgets", "runtime/gadgets"):
            for path in (SOURCE / home / "multiply").iterdir():
                expected = str(path.relative_to(SOURCE)).replace("multiply", "halve_up")
                self.assertTrue((self.root / expected).exists(), expected)

        headers = self.root / "headers"
        headers.mkdir()
        made = run([PROTOC, f"--proto_path={self.root}", f"--cpp_out={headers}", "runtime/program/program.proto"])
        self.assertEqual(made.returncode, 0, made.stderr)
        for path, model in COMPILED.items():
            with self.subTest(path):
                self.build(model, self.root / path, "-fsyntax-only", "-O0", includes=[headers])

    def test_what_it_refuses(self):
        (self.root / "runtime/gadgets/taken").mkdir(parents=True)
        self.check_refusals("new-gadget", [
            ((), "usage: tools/new-gadget NAME"),
            (("HalveUp",), "'HalveUp' is not made of lower-case words joined by '_'"),
            (("halve-up",), "'halve-up' is not made of lower-case words"),
            (("taken",), "runtime/gadgets/taken exists already"),
            (("softmax",), "ir/integer/ops.cc has a 'softmax' already"),
            (("table_lookup",), "runtime/program/program.proto has a 'table_lookup' already"),
        ])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
