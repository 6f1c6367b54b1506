"""One package for decode runs of every length: a circuit per bucket, and one set of keys."""

import functools
import json
import shutil
from pathlib import Path

from harness import HELD_OUT, Models, case, cases, equal, lindero, main, outputs, statement, succeed, temporary_folder
from messages import decoded, encoded, key_file, keys_of

USAGE, INPUT, REJECTED, PACKAGE = 2, 8, 13, 16
TEXT = HELD_OUT.read_text()
TOY = ("toy_gpt", "--decode", "--buckets", "4,8")  # of a context of 8


def refused(code, words, *arguments):
    run = lindero(*arguments)
    assert run.code == code and words in run.errors and run.errors.count("\n") == 1, f"exit {run.code}: {run.errors}"


def keys(package):
    return keys_of((package / "model.key").read_bytes())


def record(key):
    return json.loads(decoded("VerifyingKey", key).model)


@functools.cache
def toy_run(bucket, tokens="3,1,4", generate=2):
    """(proof, claim, result of prove) of the toy in this bucket."""
    package = models.package(*TOY)
    proof = models.folder / f"toy-{bucket}-{tokens}-{generate}.proof"
    run = succeed("prove", package / f"bucket-{bucket}", "--key", package / "model.key", "--tokens", tokens,
                  "--generate", generate, "-o", proof)
    return proof, succeed("verify", proof, "--key", package / "model.key")["claim"], run


@case
def a_package_has_a_circuit_per_length():
    package = models.package("char_gpt", "--decode")
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    wanted = {f"bucket-{bucket}/{name}" for bucket in (16, 32, 64)
              for name in ("circuit.pb", "fixed.bin", "model.json", "program.pb", "report.json")}
    made = {name for name in files if Path(name).suffix in (".tree", ".rows")}
    equal(len(made), 2 * 3, "files of fixed columns")
    equal(files - made, wanted | {"exponents.json", "model.key", "tokenizer.json"}, "files")
    records = [record(key) for key in keys(package)]
    equal([(r["bucket"], r["context"]) for r in records], [(16, 64), (32, 64), (64, 64)], "buckets and contexts")
    equal(len({r["id"] for r in records}), 1, "models")
    shown = succeed("inspect", package)
    equal([row["bucket"] for row in shown["buckets"]], [16, 32, 64], "buckets that inspect shows")
    equal(shown["bucket"], 64, "the bucket that inspect shows")
    cells = [row["online_cells"] for row in shown["buckets"]]
    assert cells == sorted(set(cells)) and shown["online_cells"] == cells[-1], cells
    one = succeed("inspect", package, "--bucket", 16)
    assert one["online_cells"] == cells[0] and one["circuit"] != shown["circuit"]
    refused(USAGE, "16, 32, 64", "inspect", package, "--bucket", 8)
    refused(USAGE, "no buckets", "inspect", models.package("toy_gpt"), "--bucket", 8)


# Attention that no pass recognizes: heads that share keys and values, rotary positions. Logits that no product gives.
@cases(("Llama's shape", "exported_llama_dynamo"), ("written out", "family_llama"),
       ("capped logits", "family_llama_capped_logits"))
def attention_that_is_spelled_out_decodes(name):
    package, chosen = models.package(name, "--decode", "--buckets", "3,6"), {}
    for generate, bucket in (2, 3), (4, 6):
        proof = models.folder / f"{name}-{generate}.proof"
        succeed("prove", package, "--tokens", "1,2", "--generate", generate, "-o", proof)
        verified = succeed("verify", proof, "--key", package / "model.key")
        equal(verified["claim"]["model"]["bucket"], bucket, "bucket")
        chosen[generate] = verified["decoded"]["tokens"]
    equal(chosen[4][:2], chosen[2], "tokens in both buckets")
    # One forward pass each, over the tokens so far.
    forward = models.package(name, "--argmax")
    for given in range(4):
        tokens = [1, 2, *chosen[4][:given]]
        found = outputs(succeed("check", forward, "--tokens", ",".join(map(str, tokens))))
        equal(next(iter(found.values()))[len(tokens) - 1], chosen[4][given], f"choice after {len(tokens)} tokens")


@case
def a_run_takes_the_shortest_bucket_that_it_fits_in():
    package, proof = models.package(*TOY), models.folder / "fits.proof"
    tokens = [3, 1, 4, 1, 5, 9, 2, 6, 5]
    for given, generate, bucket in [(1, 1, 4), (1, 4, 4), (1, 5, 8), (4, 1, 4), (4, 0, 4), (5, 0, 8), (5, 4, 8), (9, 0, 8)]:
        options = ("--generate", generate) if generate else ()
        succeed("prove", package, "--tokens", ",".join(map(str, tokens[:given])), *options, "-o", proof)
        claim = succeed("verify", proof, "--key", package / "model.key")["claim"]
        equal((claim["model"]["bucket"], claim["policy"]["limits"]["context"]), (bucket, 8), f"{given} + {generate}")
    refused(INPUT, "more than the 9", "prove", package, "--tokens", "3,1,4,1", "--generate", 6, "-o", proof)
    refused(INPUT, "more than the 9", "check", package, "--tokens", "3,1,4,1,5,9,2,6,5,3")


@case
def buckets_agree_on_every_integer():
    package, runs = models.package("char_gpt", "--decode"), {}
    options = ("--prompt", TEXT[:6], "--tokenizer", package / "tokenizer.json", "--generate", 10)
    for bucket in 16, 32, 64:
        runs[bucket] = succeed("check", package / f"bucket-{bucket}", *options)
        assert runs[bucket]["ok"]
        equal(runs[bucket]["decoded"], runs[16]["decoded"], f"decoded in bucket {bucket}")
        for short, long in zip(statement(runs[16]), statement(runs[bucket])):
            equal(long["values"][: len(short["values"])], short["values"], f"bucket {bucket}: {short['name']}")
            assert not any(long["values"][len(short["values"]) :]), f"bucket {bucket}: {short['name']} goes on"
    equal(statement(succeed("check", package, *options[:2], *options[4:])), statement(runs[16]), "the package's run")


@case
def two_buckets_prove_the_same_run_of_one_model():
    (_, short, a), (_, long, b) = toy_run(4), toy_run(8)
    equal(a["decoded"], b["decoded"], "decoded")
    equal(outputs(b)["logits_argmax"][:4], outputs(a)["logits_argmax"], "outputs")
    for member in "id", "onnx", "external":
        equal(short["model"][member], long["model"][member], member)
    for member in "frontier", "steps", "policy":
        equal(short[member], long[member], member)
    assert all(short["model"][member] != long["model"][member] for member in ("bucket", "members"))


@case
def a_chain_goes_on_in_another_bucket():
    package = models.package("char_gpt", "--decode")
    a, b = models.folder / "a.proof", models.folder / "b.proof"
    succeed("prove", package, "--prompt", TEXT[:20], "--generate", 12, "-o", a)
    succeed("prove", package, "--from", a, "--generate", 32, "-o", b)
    chain = lambda *proofs: ("verify", *proofs, "--chain", "--key", package / "model.key")
    result = succeed(*chain(a, b))
    equal([run["claim"]["model"]["bucket"] for run in result["runs"]], [32, 64], "buckets")
    equal(result["decoded"]["prompt_tokens"], 32, "tokens before the second run")
    for proofs in [(b, a), (a, a), (b, b)]:
        refused(REJECTED, "no chain", *chain(*proofs))
    # All runs are of the keys' model.
    refused(REJECTED, "another key", "verify", a, b, "--chain", "--key", models.package(*TOY) / "model.key")
    long = models.folder / "long.key"
    long.write_bytes(key_file(keys(package)[2]))
    refused(REJECTED, "another key than that of bucket 64", "verify", a, b, "--chain", "--key", long)


@case
def a_proof_needs_the_key_of_its_bucket():
    (four, eight), file = keys(models.package(*TOY)), models.folder / "some.key"
    for bucket, own, other in (4, four, eight), (8, eight, four):
        proof, *_ = toy_run(bucket)
        file.write_bytes(key_file(own))
        equal(succeed("verify", proof, "--key", file)["verdict"], "accepted", "verdict")
        file.write_bytes(key_file(other))
        refused(REJECTED, f"made for another key than that of bucket {12 - bucket}", "verify", proof, "--key", file)
        # That the proof names the other key does not help.
        message = decoded("Proof", proof.read_bytes())
        message.key_digest = decoded("Proof", toy_run(12 - bucket)[0].read_bytes()).key_digest
        renamed = models.folder / "renamed.proof"
        renamed.write_bytes(encoded(message))
        refused(REJECTED, "model.bucket", "verify", renamed, "--key", file)
    file.write_bytes(key_file(four))
    refused(PACKAGE, "no key of the circuit", "prove", models.package(*TOY), "--tokens", "1,2,3,4,5,6", "--key", file)


@case
def only_a_set_of_one_model_is_a_key_file():
    proof, file = toy_run(4)[0], models.folder / "set.key"
    four, eight = keys(models.package(*TOY))
    stranger = keys(models.package("char_gpt", "--decode"))[0]
    for name, words, content in [
        ("descending", "8, 4", key_file(eight, four)),
        ("twice", "4, 4", key_file(four, four)),
        ("of two models", "two models", key_file(four, stranger)),
        ("empty", "holds none", key_file()),
        ("trailing bytes", "key", key_file(four, eight) + b"\0"),
        ("a key alone", "key", four),
    ]:
        file.write_bytes(content)
        refused(REJECTED, words, "verify", proof, "--key", file)
        refused(PACKAGE, words, "audit", models.onnx("toy_gpt"), "--key", file)


@case
def an_audit_makes_every_key_again():
    model, folder, made = models.onnx("toy_gpt"), models.folder / "audit", []
    for threads, place in ((1, folder / "a"), (2, folder / "b" / "c")):
        place.mkdir(parents=True)
        shutil.copy(model, place / "model.onnx")
        succeed("compile", place / "model.onnx", "-o", place / "model.lindero", *TOY[1:], "--threads", threads)
        made.append(place / "model.lindero")
    files = [{str(path.relative_to(package)): path.read_bytes() for path in package.rglob("*") if path.is_file()}
             for package in made]
    equal(files[0].keys(), files[1].keys(), "files of two compilations")
    for name in files[0]:
        equal(files[0][name], files[1][name], f"{name} of two compilations")
    for threads in 1, 2:
        result = succeed("audit", model, "--key", made[0] / "model.key", "--threads", threads)
        equal([key["bucket"] for key in result["keys"]], [4, 8], "buckets")


@cases(
    ("a part of the set", lambda four, eight: [four], None),
    ("the longest alone", lambda four, eight: [eight], None),
    ("another circuit in the longer bucket", lambda four, eight: [four, of_circuit(eight, four)], "bucket 8: its circuit"),
    ("other weights in the shorter bucket", lambda four, eight: [with_root(four), eight], "bucket 4: its weights"),
    ("another length's name", lambda four, eight: [with_record(four, bucket=3), eight], "bucket 3: its circuit"),
    ("one bucket twice under two names", lambda four, eight: [four, with_record(four, bucket=5), eight], "bucket 5"),
    ("a longer context", lambda four, eight: [with_record(key, context=16) for key in (four, eight)], "come out again"),
    ("a bucket beyond the model", lambda four, eight: [with_record(key, context=16, bucket=bucket)
                                                       for key, bucket in ((four, 4), (eight, 16))], "16"),
)
def an_audit_of_a_set(change, words):
    file = models.folder / "audited.key"
    file.write_bytes(key_file(*change(*keys(models.package(*TOY)))))
    if words is None:
        equal(succeed("audit", models.onnx("toy_gpt"), "--key", file)["verdict"], "confirmed", "verdict")
    else:
        refused(REJECTED, words, "audit", models.onnx("toy_gpt"), "--key", file)


def changed(key, apply):
    message = decoded("VerifyingKey", key)
    apply(message)
    return encoded(message)


def of_circuit(key, other):
    other = decoded("VerifyingKey", other)
    return changed(key, lambda key: (key.circuits.__setitem__(0, other.circuits[0]), key.fixed_roots.__setitem__(0, other.fixed_roots[0])))


def with_root(key):
    return changed(key, lambda key: key.fixed_roots.__setitem__(0, bytes(32)))


def with_record(key, **members):
    model = json.dumps({**record(key), **members}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return changed(key, lambda key: setattr(key, "model", model.encode()))


@case
def a_model_file_gets_the_bucket_that_the_run_needs():
    folder = models.folder / "one"
    folder.mkdir()
    succeed("prove", models.onnx("toy_gpt"), "--tokens", "3,1,4", "--generate", 2, "--buckets", "4,6,8", cwd=folder)
    (key,) = keys_of((folder / "run.key").read_bytes())
    equal((record(key)["bucket"], record(key)["context"]), (4, 8), "bucket and context")
    equal(key, keys(models.package(*TOY))[0], "the key, and that of a package with all buckets")
    succeed("audit", models.onnx("toy_gpt"), "--key", folder / "run.key")
    succeed("verify", folder / "run.proof", "--key", models.package(*TOY) / "model.key")


@case
def buckets_are_an_option_of_decode_runs():
    model, output = models.onnx("toy_gpt"), models.folder / "refused.lindero"
    for words, *options in [
        ("8 positions", "--decode", "--buckets", "4,9"),
        ("--decode", "--buckets", "4"),
        ("--buckets", "--decode", "--buckets", "0"),
    ]:
        refused(USAGE, words, "compile", model, "-o", output, *options)
    assert not output.exists()
    equal([record(key)["bucket"] for key in keys(models.package("toy_gpt", "--decode"))], [8], "buckets of the toy")
    costs = succeed("compile", model, "--estimate", *TOY[1:])["buckets"]
    equal([row["bucket"] for row in costs], [4, 8], "buckets of an estimate")
    # A package is replaced as a whole.
    for options in TOY[1:], ("--decode",), (), TOY[1:]:
        succeed("compile", model, "-o", output, "--no-key", *options)
    equal(sorted(path.name for path in output.iterdir()), ["bucket-4", "bucket-8", "exponents.json"], "files")


@case
def no_change_of_a_short_run_goes_unnoticed():
    result = succeed("tamper", models.package(*TOY), "--tokens", "3,1,4", "--generate", 2, "--rows", 4, "--steps", 50,
                     "--proof", 48)
    equal(result["survived"], 0, "survivors")


with temporary_folder() as folder:
    models = Models(folder)
    main()
