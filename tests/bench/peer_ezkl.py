"""EZKL on the same ONNX file: its Python wheel in an environment of its own, each stage a process.

Run by that environment's Python, `peer_ezkl.py STAGE FOLDER` is one stage; by one that has onnx,
`peer_ezkl.py copy FOLDER MODEL` makes the file that EZKL reads.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

from process import Failed, measure

VERSION = "23.0.5"
MODELS = ("mlp", "block")  # the float models: EZKL takes no token ids
STAGES = ("compile", "srs", "setup", "witness", "prove", "verify")
REPEATED = ("prove", "verify")


def environment():
    """The Python that has EZKL; made in the user's cache when it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "lindero" / f"ezkl-{VERSION}"
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"ezkl=={VERSION}"], check=True)
        (folder / "complete").touch()
    return python


def run(path, options):
    """All stages for the ONNX file and input of a `Path`. The result holds what was measured until a stage failed."""
    folder = path.folder / f"{path.model.name}.ezkl"
    folder.mkdir(exist_ok=True)
    subprocess.run([path.python, __file__, "copy", folder, path.onnx], check=True)
    (values,) = json.loads(path.input[-1].read_text()).values()
    (folder / "input.json").write_text(json.dumps({"input_data": [flat(values)]}))
    python = environment()
    result = {"version": VERSION, "address_space": options.peer_memory, "stages": {}}
    for name in STAGES:
        runs = []
        for _ in range(options.repeat if name in REPEATED else 1):
            try:
                printed, cost = measure([python, __file__, name, folder], options.peer_memory, options.peer_seconds)
            except Failed as error:
                return result | {"failed": f"{name}: {error}"}
            runs.append(cost | {"inside": json.loads(printed.splitlines()[-1])["seconds"]})
        if name == "compile":
            result["logrows"] = json.loads((folder / "settings.json").read_text())["run_args"]["logrows"]
        result["stages"][name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    proof = json.loads((folder / "proof.json").read_text())
    return result | {
        "peak_bytes": max(stage["peak_bytes"] for stage in result["stages"].values()),
        "bytes": {
            "proof": len(proof["hex_proof"]) // 2 - 1,
            "proof_file": (folder / "proof.json").stat().st_size,
            "key": (folder / "vk").stat().st_size,
            "proving_key": (folder / "pk").stat().st_size,
        },
    }


def flat(values):
    return [values] if isinstance(values, float) else [x for value in values for x in flat(value)]


def copy(folder, model):
    """EZKL refuses minus infinity, so that a dropped score gets -100 in its copy, which no score comes near."""
    import numpy
    import onnx
    model = onnx.load(model)
    for node in model.graph.node:
        if node.op_type == "Constant":
            value = onnx.numpy_helper.to_array(node.attribute[0].t)
            if numpy.isneginf(value).any():
                node.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(numpy.maximum(value, value.dtype.type(-100))))
    onnx.save(model, Path(folder) / "model.onnx")


def stage(name):
    """In the environment, in the folder."""
    import ezkl
    logrows = lambda: json.loads(Path("settings.json").read_text())["run_args"]["logrows"]
    if name == "compile":
        # As in Lindero: public input and output, and weights that the verifying key pins.
        arguments = ezkl.PyRunArgs()
        arguments.input_visibility = arguments.output_visibility = "public"
        arguments.param_visibility = "fixed"
        ezkl.gen_settings("model.onnx", "settings.json", py_run_args=arguments)
        ezkl.calibrate_settings(data="input.json", model="model.onnx", settings="settings.json", target="resources")
        return ezkl.compile_circuit("model.onnx", "circuit", "settings.json")
    if name == "srs":  # made here: of the right size, by nobody to be trusted
        ezkl.gen_srs("srs", logrows())
        return True
    if name == "setup":
        return ezkl.setup("circuit", "vk", "pk", "srs")
    if name == "witness":
        return ezkl.gen_witness("input.json", "circuit", "witness.json")
    if name == "prove":
        return ezkl.prove("witness.json", "circuit", "pk", "proof.json", "srs")
    return ezkl.verify("proof.json", "settings.json", "vk", "srs")


def main():
    name, folder = sys.argv[1:3]
    if name == "copy":
        return copy(folder, sys.argv[3])
    os.chdir(folder)
    begun = time.monotonic()
    if not stage(name):
        sys.exit(f"{name} says no")
    print("\n" + json.dumps({"seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    main()
