"""What the tests of scaffolds share: a copy of the tree, and this build's compiler on its files."""

import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def compile_command(model, source, includes):
    """The command that compiles `model` in this build, for another source, with headers of `includes` first."""
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    entry = next(e for e in entries if e["file"].endswith(model))
    words = shlex.split(entry["command"])
    first = [word for folder in includes for word in ("-I", str(folder))]
    return [words[0], *first, *words[1 : words.index("-o")], "-c", str(source)], entry["directory"]


class ScaffoldTest(unittest.TestCase):
    copied = []  # files and folders

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        for path in self.copied:
            copy = shutil.copytree if (SOURCE / path).is_dir() else shutil.copy
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            copy(SOURCE / path, self.root / path)

    def build(self, model, source, *options, includes=()):
        command, directory = compile_command(model, source, [*includes, self.root])
        result = run([*command, *options], cwd=directory)
        self.assertEqual(result.returncode, 0, result.stderr)

    def check_refusals(self, tool, cases):
        """Each refusal ends with 1 and this message, and leaves nothing behind."""
        for arguments, message in cases:
            with self.subTest(arguments):
                before = sorted(self.root.rglob("*"))
                result = run([self.root / "tools" / tool, *arguments])
                self.assertEqual(result.returncode, 1)
                self.assertIn(f"{tool}: {message}", result.stderr)
                self.assertEqual(sorted(self.root.rglob("*")), before)
