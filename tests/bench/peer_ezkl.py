"""EZKL on the same ONNX file. Run by a Python that has onnx, `peer_ezkl.py copy FOLDER MODEL` makes the file that it reads."""

import json
import subprocess
import sys
import time
from pathlib import Path

import peer


def prepare(folder, path, values):
    subprocess.run([path.python, __file__, "copy", folder, path.onnx], check=True)
    (folder / "input.json").write_text(json.dumps({"input_data": [values]}))


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


def logrows(folder):
    return json.loads((folder / "settings.json").read_text())["run_args"]["logrows"]


def sizes(folder):
    proof = json.loads((folder / "proof.json").read_text())
    return {
        "proof": len(proof["hex_proof"]) // 2 - 1,
        "proof_file": (folder / "proof.json").stat().st_size,
        "key": (folder / "vk").stat().st_size,
        "proving_key": (folder / "pk").stat().st_size,
    }


def work(ezkl, name):
    """True if it went well."""
    if name == "compile":
        # As in Lindero: public input and output, and weights that the verifying key pins.
        arguments = ezkl.PyRunArgs()
        arguments.input_visibility = arguments.output_visibility = "public"
        arguments.param_visibility = "fixed"
        ezkl.gen_settings("model.onnx", "settings.json", py_run_args=arguments)
        ezkl.calibrate_settings(data="input.json", model="model.onnx", settings="settings.json", target="resources")
        return ezkl.compile_circuit("model.onnx", "circuit", "settings.json")
    if name == "srs":  # made here: of the right size, by nobody to be trusted
        ezkl.gen_srs("srs", logrows(Path()))
        return True
    if name == "setup":
        return ezkl.setup("circuit", "vk", "pk", "srs")
    if name == "witness":
        return ezkl.gen_witness("input.json", "circuit", "witness.json")
    if name == "prove":
        return ezkl.prove("witness.json", "circuit", "pk", "proof.json", "srs")
    return ezkl.verify("proof.json", "settings.json", "vk", "srs")


def stage(name):
    import ezkl
    begun = time.monotonic()
    if not work(ezkl, name):
        sys.exit(f"{name} says no")
    return time.monotonic() - begun


VERSION = "23.0.5"
PEER = peer.Peer(
    name="EZKL",
    version=VERSION,
    requirements=(f"ezkl=={VERSION}",),
    file=__file__,
    models=("mlp", "relu_mlp", "block"),  # the float models: it takes no token ids
    stages=("compile", "srs", "setup", "witness", "prove", "verify"),
    prepare=prepare,
    circuit=lambda folder: f"2^{logrows(folder)} rows",
    sizes=sizes,
)

if __name__ == "__main__":
    copy(*sys.argv[2:]) if sys.argv[1] == "copy" else peer.main(stage)
