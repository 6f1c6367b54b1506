"""One configuration, exported for prefixes, with a symbolic past and with a fixed one: the same tokens are proven.

Prefix and symbolic past generate (`prove --generate`). The fixed past is that of all tokens of the prompt but the last;
given the last one and the tokens generated, its model must choose these.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import causal
import lindero
import table

PROMPT, GENERATED = 9, 8


@dataclass
class Decoded:
    name: str
    family: str


def generate(program, path, prompt, *dims):
    """The tokens after the prompt in an accepted proof, and what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        proof, key = f"{folder}/run.proof", f"{folder}/run.key"
        wanted = ["--tokens", ",".join(map(str, prompt)), "--generate", GENERATED]
        events = lindero.run(program, "prove", path, *wanted, "-o", proof, *dims)
        verified = lindero.result(lindero.run(program, "verify", proof, "--key", key, *wanted))
        return verified["decoded"]["tokens"], events


def chosen_tokens(got):
    """Of an accepted proof's inputs and outputs."""
    return next(array for name, array in got.items() if name.startswith("logits")).ravel().astype(int).tolist()


def greedy(path, prompt):
    """onnxruntime's choices, and its keys and values of all tokens of the prompt but the last."""
    ids = list(prompt)
    for _ in range(GENERATED):
        logits, *present = lindero.reference(path, {"input_ids": np.array([ids])}).values()
        ids.append(int(logits[0, -1].argmax()))
    return ids[len(prompt):]


def chosen(program, family, folder, prompt, generated):
    """What the export of a fixed past chooses, given its own choices."""
    fixed, grown = folder / f"decoded_{family}_fixed.onnx", folder / f"decoded_{family}_past.onnx"
    present = lindero.reference(grown, {"input_ids": np.array([prompt[:-1]])})
    inputs = {"input_ids": np.array([[prompt[-1], *generated[:-1]]])}
    inputs |= {name: present[name.replace("past_key_values", "present")]
               for name in causal.cache_names("past_key_values")}
    got, events, _ = lindero.prove(program, fixed, inputs, "--output-name", "logits", "--argmax")
    return chosen_tokens(got), events


def attempt(program, model, folder, exporting):
    row = {"name": model.name, "family": model.family, "form": "8 tokens, generated"}
    exports = {"prefix": causal.plain(model.family, "torchscript"), "past": causal.symbolic_past(model.family),
               "fixed": causal.fixed_past(model.family, GENERATED, PROMPT - 1)}
    prefix, grown, _ = (folder / f"decoded_{model.family}_{name}.onnx" for name in exports)
    try:
        with exporting:
            for name, export in exports.items():
                path = folder / f"decoded_{model.family}_{name}.onnx"
                if not path.exists():
                    export(path)
        prompt = causal.tokens(1, PROMPT)[0].tolist()
        wanted = greedy(grown, prompt)
        by_prefix, events = generate(program, prefix, prompt)
        by_past, past_events = generate(program, grown, prompt, "--dim", "batch=1", "--dim", "length=16")
        by_fixed, fixed_events = chosen(program, model.family, folder, prompt, by_prefix)
        row |= {"tokens": by_prefix, "onnxruntime": wanted, "symbolic": by_past, "fixed": by_fixed,
                "costs": [table.costs(some) for some in (events, past_events, fixed_events)]}
        if not by_prefix == by_past == by_fixed:
            raise lindero.Failed(f"other tokens: prefix {by_prefix}, symbolic past {by_past}, fixed past {by_fixed}")
    except lindero.Failed as failed:
        row["error"] = str(failed)
    return row


def models():
    for family in ("gpt2", "opt", "llama", "qwen3", "gemma2", "bloom"):
        yield Decoded(f"decoded_{family}", family)
