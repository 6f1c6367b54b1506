"""The models that the benchmark knows by name, what they are given, and what is asked of them."""

import dataclasses
import json
import random
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = ROOT / "models/char_gpt/held_out.txt"


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    about: str
    committed: str = ""  # below models/; else models/generate.py makes it
    options: tuple = ()  # of `lindero compile`
    text: bool = False  # is given the beginning of held_out.txt
    default: bool = True  # runs when no model is named
    generate: tuple = ()  # words for models/generate.py; none: the name
    chosen: int = 0  # tokens after the prompt that are the model's choice; the prompt leaves room for them

    @property
    def file_name(self):
        return self.name.replace(", ", "-").replace(" ", "_")

    def file(self, folder, python):
        """Its ONNX file; one that is generated goes to `folder`."""
        if self.committed:
            return ROOT / "models" / self.committed
        path = folder / f"{self.file_name}.onnx"
        subprocess.run([python, ROOT / "models/generate.py", *(self.generate or [self.name]), "-o", path], check=True,
                       stdout=subprocess.DEVNULL)
        return path

    def input(self, facts, folder):
        """What `lindero prove` is given. `facts` are those of the compiled model."""
        (tensor,) = facts["inputs"]
        count = 1
        for size in tensor["shape"]:
            count *= size
        if self.text:
            # The last choice needs no position.
            prompt = HELD_OUT.read_text()[: count + 1 - self.chosen if self.chosen else count]
            return ["--prompt", prompt, *(["--generate", str(self.chosen)] if self.chosen else [])]
        draw = random.Random(1)
        if tensor["element"] == "int":
            return ["--tokens", ",".join(str(draw.randrange(facts["vocabulary"])) for _ in range(count))]
        path = folder / f"{self.file_name}.input.json"
        path.write_text(json.dumps({tensor["name"]: gaussian(draw, tensor["shape"])}))
        return ["--input", path]


def gaussian(draw, shape):
    """Nested lists; cut off at 2, so that no value leaves the range of any calibration."""
    if not shape:
        return max(-2.0, min(2.0, draw.gauss(0, 1)))
    return [gaussian(draw, shape[1:]) for _ in range(shape[0])]


LAST_32 = ("--argmax", "--positions", "last:32")
MODELS = {model.name: model for model in (
    Model("toy", "2 layers, d 32, 8 tokens; all logits", committed="toy_gpt.onnx"),
    Model("mlp", "64-256-64, one vector"),
    # Of operators that every peer takes.
    Model("relu_mlp", "64-256-64, ReLU, one vector; a layer is one Gemm", default=False,
          generate=("mlp", "--activation", "relu", "--gemm")),
    Model("block", "1 block, d 64, 64 tokens"),
    Model("nanogpt", "4 layers, d 64, 64 tokens; all logits"),
    Model("char_gpt", "4 layers, d 128, 64 tokens; argmax at the last 32", "char_gpt/char_gpt.onnx", LAST_32, True),
    Model("char_gpt_massive", "the same with a massive channel", "char_gpt/char_gpt_massive.onnx", LAST_32, True),
    Model("gpt2", "GPT-2-small shape, 32 tokens; argmax at the last 16",
          options=("--argmax", "--positions", "last:16"), default=False),
    # As many parameters, within 1 %.
    Model("llama_block", "1 block of Llama's shape, d 2048, 32/8 heads, SwiGLU 5632, 32 tokens", default=False,
          generate=("llama-block",)),
    Model("gpt_block", "1 GPT block, d 1936, 22 heads, 32 tokens", default=False,
          generate=("block", "--dim", "1936", "--heads", "22", "--seq", "32")),
)}


# Over 2 GB, in a file beside the model.
LARGE = Model("gpt2-xl-13", "GPT-2 XL's shape, 13 of its layers, 32 tokens; argmax at the last 16",
              options=("--argmax", "--positions", "last:16"), generate=("gpt2-xl", "--layers", "13"))


def sweep_model(layers, tokens):
    return Model(f"layers {layers}, tokens {tokens}", f"{layers} layers, d 64, {tokens} tokens",
                 options=("--argmax", "--positions", f"last:{tokens // 2}"),
                 generate=("nanogpt", "--layers", str(layers), "--seq", str(tokens)))


# How the cost grows: one size at a time.
SWEEP = [sweep_model(layers, 64) for layers in (2, 4, 6, 8, 10, 12)]
SWEEP += [sweep_model(4, tokens) for tokens in (8, 16, 32, 128)]



def gpt2_model(name, layers, tokens, *options):
    return Model(name, f"GPT-2-small shape, {layers} layers, {tokens} tokens; argmax at the last 16",
                 options=("--argmax", "--positions", "last:16", *options),
                 generate=("gpt2", "--layers", str(layers), "--seq", str(tokens)))


# GPT-2-small's shape: more tokens, and twice as many layers. What would take too much memory is proven in parts.
GPT2_SWEEP = [gpt2_model(f"tokens {tokens}", 12, tokens) for tokens in (32, 64, 128, 256)]
GPT2_SWEEP += [gpt2_model("tokens 512, in parts", 12, 512, "--boundaries", "per-layer"),
               gpt2_model("layers 24, tokens 32", 24, 32)]

# The same positions of one model: as a forward pass, and as decode runs of 20 + 45 tokens.
DECODE = [
    Model("forward", "char GPT; argmax at all 64 positions", "char_gpt/char_gpt.onnx", ("--argmax",), True),
    Model("recompute", "decode run in one proof", "char_gpt/char_gpt.onnx", ("--decode", "--buckets", "64"), True, chosen=45),
    Model("carry", "decode run in 4 blocks of 16 steps", "char_gpt/char_gpt.onnx", ("--decode", "--context", "carry"), True,
          chosen=45),
]

# What is asked, as (what, where in the model's result, largest value allowed).
PROVE, VERIFY = "stages.prove.total.median", "processes.verify.wall.median"
BARS = {
    "char_gpt": (
        ("online cells", "sizes.online_cells", 8e6),
        ("prove [s]", PROVE, 2),
        ("prove / Stwo alone", "bare_ratio", 2),
        ("proof [bytes]", "bytes.proof.max", 400e3),
        ("verify, the process [s]", VERIFY, 0.050),
        ("peak memory [bytes]", "processes.prove.peak_bytes.max", 2**30),
    ),
    "nanogpt": (
        ("prove [s]", PROVE, 1),
        ("prove / Stwo alone", "bare_ratio", 2),
    ),
    "gpt2": (
        ("online cells", "sizes.online_cells", 70e6),
        ("tables", "sizes.tables", 24),
        ("columns", "sizes.columns", 900),
        ("compile [s]", "processes.compile.wall.median", 120),
        ("prove [s]", PROVE, 30),
        ("proof [bytes]", "bytes.proof.max", 1e6),
        ("verify, the process [s]", VERIFY, 0.100),
        ("peak memory [bytes]", "processes.prove.peak_bytes.max", 12 * 2**30),
    ),
    # Step table, claim and continuity, over the forward pass.
    "recompute": (("online cells / those of the forward pass", "cells_ratio", 1.03),),
    # Ours over the peer's, if the peer ran.
    "mlp": (("prove / EZKL's prove", "peers.ezkl.prove_ratio", 1 / 50),),
}
