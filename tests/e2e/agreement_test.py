"""One meaning, everywhere: float model, interpreter, runtime and proof agree as far as they should."""

import json
import random
import shutil

from harness import (CHAR_GPT, HELD_OUT, Models, case, cases, equal, main, outputs, statement, succeed,
                     temporary_folder)

WINDOW = 64
TEXT = HELD_OUT.read_text()
STYLES = {
    "TorchScript, static": ("char_gpt",),
    "TorchScript, dynamic": ("char_gpt_dynamic", "--dim", "batch=1", "--dim", "seq=64"),
    "dynamo": ("char_gpt_dynamo", "--dim", "batch=1", "--dim", "seq=64"),
    "key-value cache": ("char_gpt_cached", "--dim", "batch=1", "--dim", "seq=64"),
}
SELECT = ("--argmax", "--positions", "last:32")


def write_json(name, value):
    path = models.folder / name
    path.write_text(json.dumps(value))
    return path


def random_reals(shape, seed):
    """Nested lists; every other run is small, so that fine steps count too."""
    rng = random.Random(seed)
    size = 1.0 if seed % 2 else 0.05
    if len(shape) == 1:
        return [rng.gauss(0, size) for _ in range(shape[0])]
    return [random_reals(shape[1:], 2 * rng.randrange(1 << 30) + seed % 2) for _ in range(shape[0])]


def inputs_for(name):
    """Three inputs as options of `check`."""
    for i in range(3):
        rng = random.Random(i)
        if name.startswith("char_gpt"):
            yield "--prompt", TEXT[1000 * i : 1000 * i + WINDOW]
        elif name == "nanogpt":
            yield "--tokens", ",".join(str(rng.randrange(136)) for _ in range(WINDOW - 20 * i))
        else:
            shape = {"block": [1, 64, 64], "mlp": [1, 64], "mlp --gated": [1, 8, 64]}[name]
            yield "--input", write_json(f"{name}-{i}.json", {"x": random_reals(shape, i)})


def interpret(name, package, options, runs):
    """The outputs of the integer interpreter on the inputs of `runs`, which are results of `check`."""
    given = [{t["name"]: t["values"] for t in run["statement"] if t["kind"] == "input"} for run in runs]
    return models.interpret(name, package, options, given)


@cases(
    ("char GPT, next tokens", "char_gpt", *SELECT),
    ("char GPT, logits", "char_gpt", "--positions", "0,17,62,63"),
    ("massive activations", "char_gpt_massive"),
    ("nanoGPT", "nanogpt"),
    ("block", "block"),
    ("MLP", "mlp"),
    ("gated MLP", "mlp --gated"),
)
def interpreter_runtime_and_proof_agree(name, *options):
    package = models.package(name, *options)
    given = list(inputs_for(name))
    runs = [succeed("check", package, *each) for each in given]
    assert len({str(outputs(run)) for run in runs}) == len(runs), "the inputs make no difference"
    for run, defined in zip(runs, interpret(name, package, options, runs)):
        assert run["ok"]
        equal(outputs(run), defined, "runtime and interpreter")
    proof = models.folder / "agreement.proof"
    proven = succeed("prove", package, *given[-1], "-o", proof)
    verified = succeed("verify", proof, "--key", package / "model.key")
    equal(statement(verified), statement(runs[-1]), "verified statement and runtime")
    equal(statement(proven), statement(runs[-1]), "proven statement and runtime")


@case
def decoded_text_is_the_interpreters():
    """Each generated token is what the interpreter chooses for the tokens before it."""
    package = models.package("char_gpt", "--decode")
    given, generated = 20, 32
    run = succeed("check", package, "--prompt", TEXT[:given], "--generate", generated)
    assert run["ok"] and run["decoded"]["generated_tokens"] == generated, run["decoded"]
    tape, lengths = (t["values"] for t in run["statement"] if t["kind"] == "input")
    equal(tape, run["decoded"]["prompt"] + run["decoded"]["tokens"] + [0] * (WINDOW + 1 - given - generated), "tape")
    equal(lengths, [0, given + generated - 1, 0, given - 1], "steps before and after, and given tokens")
    tokens = tape[: given + generated]
    prefixes = range(given, given + generated)
    inputs = [{"input_ids": tokens[:n] + [0] * (WINDOW - n)} for n in prefixes]
    chosen = models.interpret("char_gpt", package, ("--argmax",), inputs)
    equal([found["logits_argmax"][n - 1] for n, found in zip(prefixes, chosen)], run["decoded"]["tokens"],
          "interpreter and decoded text")
    choices = chosen[-1]["logits_argmax"][: len(tokens) - 1]
    equal(outputs(run)["logits_argmax"], choices + [0] * (WINDOW - len(choices)), "choices of all steps")


@case
def one_package_serves_every_run_that_fits():
    package = models.package("char_gpt", "--decode")
    for given, generated in [(1, 1), (1, 64), (64, 1), (33, 7), (7, 33)]:
        run = succeed("check", package, "--prompt", TEXT[:given], "--generate", generated)
        assert run["ok"], run["failures"]
        equal((run["decoded"]["prompt_tokens"], run["decoded"]["generated_tokens"]), (given, generated), "lengths")
    forced = succeed("check", package, "--prompt", TEXT[:65])
    assert forced["ok"] and forced["decoded"]["generated_tokens"] == 0, forced["decoded"]
    equal(succeed("check", package, "--prompt", TEXT[:40])["decoded"]["generated_tokens"], 1, "one choice more")


@cases(("char GPT", "char_gpt"), ("massive activations", "char_gpt_massive"))
def fidelity(name):
    result = succeed("compile", models.onnx(name), "-o", models.folder / "compared.lindero", "--no-key",
                     "--compare", HELD_OUT)
    found = result["agreement"]
    change = found["integer_perplexity"] / found["float_perplexity"] - 1
    print(f"  {name}: {found['positions']} positions, top-1 {found['top1_agreement']:.4%}, perplexity {change:+.4%}")
    assert found["positions"] >= 2000 and found["refused_windows"] == 0, found
    assert found["top1_agreement"] >= 0.99, found
    assert change <= 0.002, found


def exponents(package):
    """What calibration chose, without the names of nodes."""
    found = json.loads((package / "exponents.json").read_text())
    for site in found["sites"]:
        del site["node"]
    return found


@case
def export_styles_give_one_integer_program():
    prompt = ("--prompt", TEXT[:WINDOW])
    packages = {style: models.package(*model, *SELECT) for style, model in STYLES.items()}
    (_, first), *others = packages.items()
    wanted = outputs(succeed("check", first, *prompt))
    for style, package in others:
        equal(exponents(package), exponents(first), f"{style}: exponents")
        equal((package / "fixed.bin").read_bytes(), (first / "fixed.bin").read_bytes(), f"{style}: fixed.bin")
        equal(outputs(succeed("check", package, *prompt)), wanted, f"{style}: outputs")


@case
def a_position_does_not_depend_on_what_follows():
    """One package, fewer tokens: the rows that they have are those of the long run."""
    package = models.package("char_gpt")
    long = outputs(succeed("check", package, "--prompt", TEXT[:WINDOW]))["logits"]
    vocabulary = len(long) // WINDOW
    for length in 1, 17, 63:
        short = outputs(succeed("check", package, "--prompt", TEXT[:length]))["logits"]
        equal(short[: length * vocabulary], long[: length * vocabulary], f"rows of {length} and {WINDOW} tokens")
    assert short != long, "the last token makes no difference"


@case
def a_position_does_not_depend_on_the_compiled_length():
    """Two packages of one model, for 64 and for 17 tokens, under the same exponents."""
    name, *_ = STYLES["TorchScript, dynamic"]
    long = models.package(name, "--dim", "batch=1", "--dim", "seq=64", "--no-key")
    short = models.package(name, "--dim", "batch=1", "--dim", "seq=17", "--no-key",
                           "--exponents", long / "exponents.json")
    few = outputs(succeed("check", short, "--prompt", TEXT[:17]))["logits"]
    many = outputs(succeed("check", long, "--prompt", TEXT[:WINDOW]))["logits"]
    equal(few, many[: len(few)], "rows of packages for 17 and 64 tokens")


@case
def compilation_is_deterministic():
    """Other folder, other number of threads: the same bytes."""
    found = []
    for threads in 1, 2:
        folder = models.folder / f"threads-{threads}"
        folder.mkdir()
        for name in "char_gpt.onnx", "tokenizer.json":
            shutil.copy(CHAR_GPT / name, folder)
        succeed("compile", "char_gpt.onnx", "-o", "p.lindero", "--threads", threads, *SELECT, cwd=folder)
        found.append({path.name: path.read_bytes() for path in (folder / "p.lindero").iterdir()})
    assert found[0].keys() == found[1].keys() and "model.key" in found[0]
    for name in found[0]:
        equal(found[0][name], found[1][name], name)


with temporary_folder() as folder:
    models = Models(folder)
    main()
