"""Bad input: one line that says what, where, why and what to do; an exit code of its own; no file left behind."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness import (BIN, CHAR_GPT, HELD_OUT, MODELS, Models, case, cases, equal, lindero, listing, main, succeed,
                     temporary_folder)

OK, USAGE, MODEL, UNSUPPORTED, UNBOUND, NOT_FINITE, OVER_BOUND, INPUT, TOKEN = 0, 2, 3, 4, 5, 6, 7, 8, 9
OUT_OF_RANGE, PROVER_MISSING, PROVER_FAILED, REJECTED, CHECK_FAILED, FILE, PACKAGE = 10, 11, 12, 13, 14, 15, 16


def refused(codes, words, *arguments, **options):
    """Runs in a folder of its own, which must look the same afterwards; so must the folder for temporary files."""
    work, scratch = models.folder / "work", models.folder / "scratch"
    options.setdefault("cwd", work)
    before = listing(work, scratch)
    run = lindero(*arguments, env={"TMPDIR": str(scratch), **options.pop("env", {})}, **options)
    said = f"{' '.join(map(str, arguments))}: exit {run.code}: {run.out[-300:]}{run.errors}"
    assert run.code in ((codes,) if isinstance(codes, int) else codes), f"wanted {codes}; {said}"
    equal(listing(work, scratch), before, f"{said}: files")
    if run.code != OK:
        assert run.errors.startswith("lindero: ") and run.errors.count("\n") == 1, said
        assert len(run.errors) < 4096, said
    for word in words:
        assert word in run.errors, f"wanted '{word}'; {said}"
    return run


def given(name, content):
    """A file of the input folder."""
    path = models.folder / "given" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, onnx.ModelProto):
        content = content.SerializeToString()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def compile_refused(codes, words, model, *options):
    return refused(codes, words, "compile", model, "-o", "out.lindero", "--no-key", *options)


# Models.

TOY = (MODELS / "toy_gpt.onnx").read_bytes()


@case
def truncated_model():
    for size in [*range(0, len(TOY), len(TOY) // 24), 1, 2, 9, len(TOY) - 1]:
        compile_refused(MODEL, ["cut.onnx", "ONNX" if size else "empty"], given("cut.onnx", TOY[:size]))


@case
def random_bytes_as_model():
    for seed in range(20):
        noise = random.Random(seed).randbytes(1 << seed % 13)
        compile_refused(MODEL, ["noise.onnx"], given("noise.onnx", noise))


@case
def changed_bytes_in_a_model():
    """What is left may be a model; nothing may crash, and nothing may be called our own error."""
    for seed in range(24):
        rng = random.Random(seed)
        changed = bytearray(TOY)
        for _ in range(4):
            changed[rng.choice([rng.randrange(9000), rng.randrange(len(TOY))])] = rng.randrange(256)
        codes = (OK, MODEL, UNSUPPORTED, UNBOUND, NOT_FINITE, OVER_BOUND)
        refused(codes, [], "check", given("changed.onnx", bytes(changed)), "--tokens", "1,2,3")


def mlp(change=lambda graph: None, weight=lambda values: None):
    """The MLP, changed: the graph, or the values of one weight, /fc.0."""
    model = onnx.load(models.onnx("mlp"))
    for initializer in model.graph.initializer:
        if initializer.name == "fc.0.weight":
            values = numpy_helper.to_array(initializer).copy()
            weight(values)
            initializer.CopyFrom(numpy_helper.from_array(values, initializer.name))
    change(model.graph)
    return model


def projection(what):
    """Patches, projected, with learned positions; or constants in other places where values are computed."""
    rng = np.random.default_rng(1)
    constants = {"w": (12, 16), "positions": (1, 8, 16), "gamma": (16,), "beta": (16,), "head": (16, 6)}
    normalized = "positions" if what == "constant norm" else "placed" if what == "positions" else "patches"
    nodes = [helper.make_node("MatMul", ["x", "w"], ["patches"], name="/w"),
             helper.make_node("Add", ["patches", "positions"], ["placed"], name="/add"),
             helper.make_node("LayerNormalization", [normalized, "gamma", "beta"], ["normed"], name="/norm"),
             helper.make_node("Add", ["patches", "normed"], ["sum"], name="/sum"),
             helper.make_node("MatMul", ["sum", "head"], ["y"], name="/head"),
             helper.make_node("Identity", ["positions"], ["z"], name="/constant")]
    outputs = [("y", (1, 8, 6))] if what != "constant output" else [("z", (1, 8, 16))]
    graph = helper.make_graph(
        nodes, "projection", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 8, 12))],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs],
        [numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), n) for n, shape in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def lone_constant():
    value = numpy_helper.from_array(np.ones((2, 3), np.float32))
    graph = helper.make_graph([helper.make_node("Constant", [], ["y"], value=value)], "constant", [],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 3))])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def set_at(value):
    def change(values):
        values[3, 5] = value
    return change


def node(op, domain=""):
    """Makes the second node another operator, of one operand."""
    def change(graph):
        graph.node[1].op_type, graph.node[1].domain = op, domain
        del graph.node[1].input[:]
        graph.node[1].input.append(graph.node[0].output[0])
    return change


def alternating(values):
    """Products that cancel on equal inputs, so that calibration finds small results of large weights."""
    values[:] = 1e4
    values[::2] = -1e4


@cases(
    ("unknown operator", UNSUPPORTED, ["Frobnicate", "/fc.0/Add"], lambda: mlp(node("Frobnicate"))),
    ("unknown domain", UNSUPPORTED, ["acme", "/fc.0/Add"], lambda: mlp(node("Relu", "acme"))),
    ("operator without a circuit", UNSUPPORTED, ["Bernoulli", "/fc.0/Add"], lambda: mlp(node("Bernoulli"))),
    ("an output that is constant", UNSUPPORTED, ["output", "inputs"], lambda: projection("constant output")),
    ("nothing but a constant", UNSUPPORTED, ["output", "inputs"], lambda: lone_constant()),
    ("NaN", NOT_FINITE, ["fc.0.weight", "nan"], lambda: mlp(weight=set_at(np.nan))),
    ("infinity", NOT_FINITE, ["fc.0.weight", "inf"], lambda: mlp(weight=set_at(np.inf))),
    ("minus infinity alone", NOT_FINITE, ["fc.0.weight", "-inf"], lambda: mlp(weight=lambda values: values.fill(-np.inf))),
)
def model_with(codes, words, make):
    compile_refused(codes, ["bad.onnx", *words], given("bad.onnx", make()))


@cases(("for each row", "positions"), ("for each row, normalized", "constant norm"))
def constants_are_values(what):
    package = models.folder / "projection.lindero"
    succeed("compile", given("projection.onnx", projection(what)), "-o", package, "--no-key")
    shutil.rmtree(package)


@cases(
    ("on one side of zero alone", "Reciprocal", ["hold none of the inputs", "outside [1, 8191]"]),
    ("where samples are", "Log", ["infinite or not a number"]),
)
def function_without_a_table(op, words):
    compile_refused(UNSUPPORTED, ["/fc.0/Add", *words], given("bad.onnx", mlp(node(op))))


@case
def weights_over_the_static_bound():
    equal_inputs = given("equal.json", json.dumps({"x": [[0.5] * 64]}))
    compile_refused(OVER_BOUND, ["/fc.0/MatMul", "no shift keeps the product exact", "larger margins for its result"],
                    given("bad.onnx", mlp(weight=alternating)), "--calibrate", equal_inputs)


@case
def unbound_dimension():
    compile_refused(UNBOUND, ["seq", "--dim"], models.onnx("char_gpt_dynamic"), "--dim", "batch=1")


def mlp_with_external(location):
    model = mlp()
    weight = next(w for w in model.graph.initializer if w.name == "fc.0.weight")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return model


@cases(
    ("parent folder", "../secret.bin", "folder"),
    ("absolute path", "/etc/passwd", "relative"),
    ("link that leaves", "link.bin", "folder"),
    ("missing file", "none.bin", "none.bin"),
    ("short file", "short.bin", "100 bytes"),
    ("folder", ".", "."),
)
def external_data(location, word):
    path = given("external/model.onnx", mlp_with_external(location))
    given("secret.bin", bytes(1 << 20))
    given("external/short.bin", bytes(100))
    if not (path.parent / "link.bin").is_symlink():
        (path.parent / "link.bin").symlink_to("../secret.bin")
    compile_refused((MODEL, FILE), ["fc.0.weight", word], path)


@cases(
    ("no size", ["--dim", "seq"], USAGE, "seq=64"),
    ("negative size", ["--dim", "seq=-1"], (USAGE, MODEL), "seq"),
    ("unknown output", ["--output-name", "logitz"], USAGE, "logits"),
    ("positions beyond the end", ["--positions", "last:9"], USAGE, "last:9"),
    ("positions without sense", ["--positions", "some"], USAGE, "some"),
    ("missing calibration", ["--calibrate", "none.json"], FILE, "none.json"),
    ("exponents of another format", ["--exponents", "bad.json"], INPUT, "bad.json"),
    ("text without a tokenizer", ["--calibrate", str(HELD_OUT)], INPUT, "--tokenizer"),
    ("unknown option", ["--sped"], USAGE, "--sped"),
)
def compile_with(options, codes, word):
    given("bad.json", '{"sites": 3}')
    options = [str(models.folder / "given" / o) if o == "bad.json" else o for o in options]
    compile_refused(codes, [word], models.onnx("toy_gpt"), *options)


# Inputs.

REALS = [0.5] * 64


@cases(
    ("wrong name", '{"z": [1.5]}', INPUT, ["'z'", "'x'"]),
    ("wrong shape", json.dumps({"x": [REALS, REALS]}), INPUT, ["'x'", "[2, 64]"]),
    ("integers", json.dumps({"x": [[1] * 64]}), OK, []),
    ("text", '{"x": "abc"}', INPUT, ["'x'", "number"]),
    ("out of range", json.dumps({"x": [[0.5] * 63 + [1e6]]}), OUT_OF_RANGE, ["'x'", "1e+06", "63", "calibrate"]),
    ("NaN", '{"x": [NaN]}', INPUT, ["JSON"]),
    ("null", '{"x": [null]}', INPUT, ["'x'", "number"]),
    ("infinite number", '{"x": [1e999]}', INPUT, ["in.json"]),
    ("huge integer", '{"x": [123456789012345678901234567890]}', INPUT, ["'x'"]),
    ("ragged lists", '{"x": [[1.5, 2], [3]]}', INPUT, ["'x'", "lengths"]),
    ("deep lists", '{"x": ' + "[" * 100000 + "]" * 100000 + "}", INPUT, ["in.json"]),
    ("empty list", '{"x": []}', INPUT, ["'x'", "empty"]),
    ("cut JSON", '{"x": [1.5', INPUT, ["in.json", "JSON"]),
    ("empty file", "", INPUT, ["in.json", "JSON"]),
    ("twice", json.dumps({"x": REALS})[:-1] + ', "x": [1.5]}', INPUT, ["'x'"]),
    ("no UTF-8", b'{"\xff\xfe": [1.5]}', INPUT, ["in.json"]),
)
def json_input(content, codes, words):
    path = given("in.json", content)
    refused(codes, words, "check", models.package("mlp"), "--input", path)


def npz(**arrays):
    path = models.folder / "given" / "in.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **arrays)
    return path


@cases(
    ("wrong name", dict(z=np.ones((1, 64), np.float32)), INPUT, ["'z'", "'x'"]),
    ("wrong shape", dict(x=np.ones((2, 64), np.float32)), INPUT, ["'x'", "[2, 64]"]),
    ("wrong type", dict(x=np.ones((1, 64), np.complex64)), INPUT, ["'x'", "<c8"]),
    ("integers", dict(x=np.ones((1, 64), np.int64)), INPUT, ["'x'", "integers"]),
    ("NaN", dict(x=np.full((1, 64), np.nan, np.float32)), OUT_OF_RANGE, ["'x'", "nan"]),
    ("infinity", dict(x=np.full((1, 64), np.inf, np.float32)), OUT_OF_RANGE, ["'x'", "inf"]),
    ("objects", dict(x=np.array([[None]])), INPUT, ["'x'"]),
    ("Fortran order", dict(x=np.asfortranarray(np.ones((8, 8), np.float32))), INPUT, ["'x'", "row-major"]),
    ("no arrays", dict(), INPUT, ["'x'"]),
)
def npz_input(arrays, codes, words):
    refused(codes, words, "check", models.package("mlp"), "--input", npz(**arrays))


@case
def damaged_npz_input():
    good = npz(x=np.ones((1, 64), np.float32)).read_bytes()
    for size in 0, 1, 30, len(good) // 2, len(good) - 1:
        refused(INPUT, ["in.npz"], "check", models.package("mlp"), "--input", given("in.npz", good[:size]))
    for seed in range(20):
        rng = random.Random(seed)
        damaged = bytearray(good)
        damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        refused((OK, INPUT, OUT_OF_RANGE), [], "check", models.package("mlp"), "--input",
                given("in.npz", bytes(damaged)))


@cases(
    ("token beyond the vocabulary", ["--tokens", "1,84"], TOKEN, ["84", "position 1", "0 .. 83"]),
    ("negative token", ["--tokens", "-1"], TOKEN, ["-1", "0 .. 83"]),
    ("token beyond int64", ["--tokens", "99999999999999999999"], (USAGE, TOKEN), ["99999999999999999999"]),
    ("too many tokens", ["--tokens", ",".join(["1"] * 65)], INPUT, ["[65]", "[64]", "too long"]),
    ("real tokens", ["--input", "real.json"], INPUT, ["input_ids", "integers"]),
    ("unknown character", ["--prompt", "a Ω b"], TOKEN, ["Ω", "position 2"]),
    ("empty prompt", ["--prompt", ""], INPUT, ["empty"]),
    ("prompt that is no UTF-8", ["--prompt", b"a\xff".decode(errors="surrogateescape")], TOKEN, ["position 1"]),
    ("nothing", [], USAGE, ["--prompt"]),
    ("two inputs", ["--prompt", "a", "--tokens", "1"], USAGE, ["--prompt"]),
    ("missing file", ["--input", "none.json"], FILE, ["none.json"]),
    ("folder as file", ["--input", "."], (INPUT, FILE), ["."]),
)
def tokens(options, codes, words):
    given("real.json", '{"input_ids": [1.5]}')
    options = [str(models.folder / "given" / o) if o == "real.json" else o for o in options]
    refused(codes, words, "check", package_with_key(), *options)


@cases(
    ("another sampling policy", "char_gpt", ["--sampling", "nucleus"], USAGE, ["nucleus", "greedy", "--tokens"]),
    ("temperature", "char_gpt", ["--temperature", "0.7"], USAGE, ["--temperature", "greedy", "--tokens"]),
    ("no token", "char_gpt", ["--generate", "0"], USAGE, ["--generate", "0"]),
    ("no room", "char_gpt", ["--generate", "64"], INPUT, ["3 tokens", "64"]),
    ("choices of some positions", "char_gpt", ["--generate", "4", "--positions", "last:32"], USAGE,
     ["--positions all"]),
    ("choices and a decode run", "char_gpt", ["--decode", "--argmax"], USAGE, ["--decode", "--argmax"]),
    ("a model without tokens", "mlp", ["--generate", "4"], UNSUPPORTED, ["tokens"]),
)
def decoding(model, options, code, words):
    refused(code, words, "check", models.onnx(model), "--tokens", "1,2,3", *options)


@case
def value_out_of_range_inside_the_model():
    """Every input is in its own range; a node after them is not."""
    model = mlp()
    first = next(w for w in model.graph.initializer if w.name == "fc.0.weight")
    signs = np.sign(numpy_helper.to_array(first)[:, 0])
    calm = given("calm.json", json.dumps({"x": [[0.5] * 64]}))
    package = models.folder / "narrow.lindero"
    succeed("compile", models.onnx("mlp"), "-o", package, "--no-key", "--calibrate", calm)
    extreme = given("extreme.json", json.dumps({"x": [[0.9 * float(s) for s in signs]]}))
    refused(OUT_OF_RANGE, ["/act.0/", "range"], "check", package, "--input", extreme)


@cases(
    ("not JSON", "{", "tokenizer.json"),
    ("another type", '{"type": "BPE"}', "tokenizer.json"),
    ("no vocabulary", '{"type": "char"}', "tokenizer.json"),
    ("deep", "[" * 100000, "tokenizer.json"),
)
def tokenizer(content, word):
    path = given("bad/tokenizer.json", content)
    refused(INPUT, [word], "check", package_with_key(), "--prompt", "a", "--tokenizer", path)


# Packages, keys, proofs.


def package_with_key():
    return models.package("char_gpt", "--argmax", "--positions", "last:32")


def damaged_package(name, change):
    """A copy of the package, one file changed; None removes it."""
    copy = models.folder / "given" / "damaged.lindero"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(package_with_key(), copy)
    content = change((copy / name).read_bytes())
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    return copy


def flip(at):
    return lambda content: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGE = (
    ("missing", lambda content: None),
    ("empty", lambda content: b""),
    ("cut", lambda content: content[:-2]),
    ("longer", lambda content: content + b"\0"),
    ("noise", lambda content: random.Random(1).randbytes(1000)),
)


@cases(*((f"{name}, {what}", name, change) for name in ("circuit.pb", "program.pb", "fixed.bin", "report.json")
         for what, change in DAMAGE if (name, what) != ("report.json", "longer")))
def damaged_file_of_a_package(name, change):
    for command in (["check"], ["prove", "-o", "x.proof"]):
        run = refused((PACKAGE, FILE), [name], *command, damaged_package(name, change), "--prompt", "a")
        assert run.code == PACKAGE or change(b"ab") is None, run.errors


@cases(("circuit", "circuit.pb", 1), ("program", "program.pb", 2))
def package_of_another_version(name, version):
    """The first field is the number of the format."""
    def next_format(content):
        assert content[:2] == bytes([8, version])
        return bytes([8, version + 1]) + content[2:]

    refused(PACKAGE, [name, f"format {version + 1}", "compile"], "check", damaged_package(name, next_format), "--prompt", "a")


@case
def changed_bits_of_a_package():
    for name in "circuit.pb", "program.pb", "fixed.bin", "report.json":
        size = (package_with_key() / name).stat().st_size
        for seed in range(6):
            at = random.Random(seed).randrange(size)
            codes = (OK, INPUT, TOKEN, OUT_OF_RANGE, PACKAGE, CHECK_FAILED)
            refused(codes, [], "check", damaged_package(name, flip(at)), "--prompt", "a")


@case
def changed_weights_are_not_proven():
    """A model that is not the key's."""
    size = (package_with_key() / "fixed.bin").stat().st_size
    package = damaged_package("fixed.bin", flip(size // 3 // 4 * 4))
    refused((PROVER_FAILED, PACKAGE, OUT_OF_RANGE), [], "prove", package, "--prompt", "a", "-o", "x.proof")


@case
def options_of_compile_on_a_package():
    refused(USAGE, ["--positions", "lindero compile"], "prove", package_with_key(), "--prompt", "a", "--positions", "3")
    refused(MODEL, ["folder"], "compile", package_with_key(), "-o", "out.lindero")


@case
def unknown_command():
    refused(USAGE, ["`lindero --help`"], "prov", package_with_key())
    refused(USAGE, ["--key", "`lindero verify --help`"], "verify", "run.proof")
    refused(USAGE, ["--help"])


@case
def folder_that_is_no_package():
    refused(PACKAGE, ["circuit.pb"], "check", models.folder / "given", "--prompt", "a")
    refused(FILE, ["none.lindero"], "inspect", "none.lindero")
    refused(FILE, ["no folder none"], "compile", models.onnx("mlp"), "-o", "none/out.lindero")
    key = package_with_key() / "model.key"
    refused(REJECTED, ["no file of this kind"], "verify", given("empty.proof", ""), "--key", key)
    refused(FILE, ["not a file"], "verify", ".", "--key", key)
    refused((MODEL, FILE), ["none.onnx"], "check", "none.onnx", "--prompt", "a")


NO_PROOF = (("text", "hello\n"), ("empty", ""), ("noise", random.Random(3).randbytes(5000)), ("JSON", "{}"))


@cases(*NO_PROOF)
def proof_that_is_no_proof(content):
    refused(REJECTED, ["REJECTED", "x.proof"], "verify", given("x.proof", content), "--key",
            package_with_key() / "model.key")


@cases(*NO_PROOF)
def key_that_is_no_key(content):
    key = given("x.key", content)
    refused(REJECTED, ["REJECTED", "x.key"], "verify", given("x.proof", ""), "--key", key)
    refused(PACKAGE, ["x.key"], "prove", package_with_key(), "--prompt", "a", "--key", key)


@case
def missing_proof_or_key():
    refused(FILE, ["none.proof"], "verify", "none.proof", "--key", package_with_key() / "model.key")
    refused(FILE, ["none.key"], "verify", given("x.proof", "x"), "--key", "none.key")
    refused(USAGE, ["--key"], "verify", given("x.proof", "x"))


@case
def key_of_another_model():
    refused(PACKAGE, ["key"], "prove", package_with_key(), "--prompt", "a", "--key", models.package("mlp") / "model.key")


# The machine.


@cases(("variable", {"LINDERO_PROVER_DIR": "/nowhere"}, []), ("backend", {}, ["--backend", "nosuch"]),
       ("backend with a path", {}, ["--backend", "../stwo"]))
def missing_prover(env, options):
    for command in (
        ["compile", models.onnx("mlp"), "-o", "out.lindero"],
        ["prove", package_with_key(), "--prompt", "a"],
        ["verify", given("x.proof", "x"), "--key", package_with_key() / "model.key"],
    ):
        refused(PROVER_MISSING, ["lindero-prover-", "LINDERO_PROVER_DIR"], *command, *options, env=env)


@case
def prover_of_another_kind():
    folder = models.folder / "given" / "provers"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "lindero-prover-stwo"
    for script, codes in (("exit 0", PROVER_FAILED), ("echo hm >&2; exit 77", PROVER_FAILED),
                          ("kill -9 $$", PROVER_FAILED), ("echo '{}'", PROVER_FAILED)):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        refused(codes, [], "prove", package_with_key(), "--prompt", "a", env={"LINDERO_PROVER_DIR": str(folder)})
        refused(codes, [], "compile", models.onnx("mlp"), env={"LINDERO_PROVER_DIR": str(folder)})


@cases(
    ("folder that does not exist", "none/out"),
    ("file as a folder", "occupied/out"),
    ("folder in use", "folder"),
    ("device", "/dev/full"),
)
def unwritable_output(output):
    work = models.folder / "work"
    (work / "folder" / "inner").mkdir(parents=True, exist_ok=True)
    (work / "occupied").write_text("mine")
    refused(FILE, [output], "compile", models.onnx("mlp"), "-o", output)
    refused(FILE, [output], "prove", package_with_key(), "--prompt", "a", "-o", output)
    refused(FILE, [output], "prove", package_with_key(), "--prompt", "a", "--key-out", output)
    refused(FILE, [output], "prove", models.onnx("char_gpt"), "--prompt", "a", "--key-out", output)
    for folder in "occupied", "no/such/folder":
        refused(FILE, [folder], "check", package_with_key(), "--prompt", "a", "--save-trace", folder)
    assert (work / "occupied").read_text() == "mine" and not os.path.isfile("/dev/full")


@cases(("64 bytes", 64), ("64 KB", 1 << 16), ("300 KB", 300_000), ("2 MB", 2_000_000), ("8 MB", 8_000_000))
def full_disk(size):
    words = ["disk space"]
    package = package_with_key()
    refused(FILE, words, "compile", models.onnx("char_gpt"), "-o", "out.lindero", file_limit=size)
    refused(FILE, words, "prove", package, "--prompt", "a", file_limit=size)
    refused(FILE, words, "check", package, "--prompt", "a", file_limit=size)
    refused(FILE, words, "check", package, "--prompt", "a", "--save-trace", "saved", file_limit=size)


@cases(("SIGINT while proving", signal.SIGINT, "prove: "), ("SIGTERM while proving", signal.SIGTERM, "prove: "),
       ("SIGINT while making a key", signal.SIGINT, "setup: "), ("SIGINT while calibrating", signal.SIGINT, "calibrate"))
def interrupted(number, stage):
    work, scratch = models.folder / "work", models.folder / "scratch"
    before = listing(work, scratch)
    command = [BIN / "lindero", "prove", models.onnx("char_gpt"), "--prompt", "a", "-o", "x.proof", "--json"]
    process = subprocess.Popen(command, cwd=work, env={**os.environ, "TMPDIR": str(scratch)}, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    while stage not in (line := process.stdout.readline()):
        assert line, f"no stage {stage}"
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
        provers = children.read().split()
    assert len(provers) == (":" in stage)
    process.send_signal(number)
    process.stdout.read()
    equal(process.wait(timeout=20), 128 + number, "exit code")
    equal(listing(work, scratch), before, "files")
    deadline = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in provers):
        assert time.monotonic() < deadline, "the prover still runs"
        time.sleep(0.02)


@case
def every_exit_code_has_an_error_in_json():
    run = lindero("check", package_with_key(), "--tokens", "84", "--json")
    error = run.event("error")
    assert run.code == TOKEN and error["code"] == TOKEN and error["name"] == "token" and run.errors == ""


with temporary_folder() as folder:
    models = Models(folder)
    for name in "work", "scratch", "given":
        (folder / name).mkdir()
    main()
