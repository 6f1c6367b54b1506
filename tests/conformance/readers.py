"""The readers of a package, in three languages: what each says of one that it refuses, or None if it takes it."""

import os
import subprocess

from harness import BIN
from package import BadInput, Bundle


def refusal(code, command):
    """What a program says of what it refuses with this exit code."""
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert process.returncode in (0, code), f"exit {process.returncode}: {process.stderr}"
    return None if process.returncode == 0 else process.stderr.strip()


def python(package):
    try:
        Bundle(package)
    except BadInput as error:
        return str(error)
    return None


def cpp(package):
    return refusal(16, [BIN / "lindero", "inspect", package])


def rust(package):
    return refusal(2, [BIN / "lindero-prover-stwo", "setup", "--package", package, "--output", package / "model.key",
                       "--security-bits", "1", "--threads", "1"])


def chosen(readers):
    """Those that READERS in the environment names, a list with commas; else all."""
    return os.environ.get("READERS", ",".join(readers)).split(",")
