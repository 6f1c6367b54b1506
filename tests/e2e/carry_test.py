"""Decode runs in blocks that carry keys and values: the run of one pass, in as many proofs of one circuit as it needs."""

import functools
import hashlib
import shutil

from harness import HELD_OUT, Models, case, cases, equal, lindero, main, outputs, succeed, temporary_folder
from messages import decoded, encoded, key_file, keys_of

USAGE, INPUT, REJECTED = 2, 8, 13
TEXT = HELD_OUT.read_text()
CARRY = ("--decode", "--context", "carry")
TOY, TOY_BLOCK, TOY_CONTEXT = ("toy_gpt", *CARRY, "--block", "2"), 2, 8
GPT, GPT_BLOCK, GPT_CONTEXT = ("char_gpt", *CARRY), 16, 64
# Nine tokens fill the context of the toy.
TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5]


def refused(code, words, *arguments):
    run = lindero(*arguments)
    assert run.code == code and words in run.errors and run.errors.count("\n") == 1, f"exit {run.code}: {run.errors}"


def listed(tokens):
    return ",".join(map(str, tokens))


def inputs(run):
    return {t["name"]: t["values"] for t in run["statement"] if t["kind"] == "input"}


@functools.cache
def toy_proof(*options):
    """(proof, result of prove) of the toy in blocks of two steps."""
    path = models.folder / f"toy-{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}.proof"
    return path, succeed("prove", models.package(*TOY), *options, "-o", path)


def toy_message(*options):
    return decoded("Proof", toy_proof(*options)[0].read_bytes())


def verified(proof, package):
    return succeed("verify", proof, "--key", package / "model.key")


def stated(tokens, steps, given, block):
    """Tape and lengths of a run, by definition: a part of each per block."""
    tape, lengths = [], []
    for start in range(0, steps, block):
        end = min(start + block, steps)
        tape += tokens[start : end + 1] + [0] * (start + block - end)
        lengths += [start, end, min(start, given), min(end, given)]
    return tape, lengths


@cases(("toy", TOY, ("--tokens", listed(TOKENS[:3])), 6, TOY_CONTEXT, TOY_BLOCK),
       ("char GPT", GPT, ("--prompt", "To be, or not to be,"), 32, GPT_CONTEXT, GPT_BLOCK))
def both_layouts_are_the_interpreters_run(model, prompt, generate, context, block):
    name, runs, claims = model[0], {}, {}
    packages = {"carry": models.package(*model), "recompute": models.package(name, "--decode")}
    for layout, package in packages.items():
        proof = models.folder / f"{name}-{layout}.proof"
        runs[layout] = succeed("prove", package, *prompt, "--generate", generate, "-o", proof)
        result = verified(proof, package)
        claims[layout] = result["claim"]
        for member in "prompt", "tokens", "given_that_are_choices":
            equal(result["decoded"][member], runs["carry"]["decoded"][member], f"{layout}: {member}")
    found = runs["carry"]["decoded"]
    tokens, given = found["prompt"] + found["tokens"], found["prompt_tokens"]
    steps, blocks = len(tokens) - 1, -(-(len(tokens) - 1) // block)
    equal(found["generated_tokens"], generate, "chosen tokens")
    # The run by definition, token for token.
    prefixes = [{"input_ids": tokens[:n] + [0] * (context - n)} for n in range(given, steps + 1)]
    defined = models.interpret(name, packages["carry"], ("--argmax",), prefixes)
    equal([run["logits_argmax"][given + i - 1] for i, run in enumerate(defined)], found["tokens"], "chosen tokens")
    choices = defined[-1]["logits_argmax"][:steps]
    for layout, run in runs.items():
        shown = outputs(run)["logits_argmax"]
        equal(shown, choices + [0] * (len(shown) - steps), f"{layout}: choices of all steps")
    tape, lengths = stated(tokens, steps, given - 1, block)
    equal(inputs(runs["carry"]),
          {"decode/tape": tape, "decode/lengths": lengths, "decode/block": list(range(blocks))}, "the run in blocks")
    # The same model, the same state before and after; another circuit.
    carry, recompute = claims["carry"], claims["recompute"]
    for member in "id", "onnx", "external", "bucket":
        equal(carry["model"][member], recompute["model"][member], member)
    for member in "frontier", "steps":
        equal(carry[member], recompute[member], member)
    equal((carry["policy"].pop("boundary"), recompute["policy"].pop("boundary")), (f"per-step={block}", "whole"), "boundary")
    equal(carry["policy"], recompute["policy"], "the rest of the policy")
    assert carry["model"]["members"] != recompute["model"]["members"]
    # Neither proof is one under the other's key.
    for layout, other in ("carry", "recompute"), ("recompute", "carry"):
        refused(REJECTED, "REJECTED", "verify", models.folder / f"{name}-{layout}.proof", "--key", packages[other] / "model.key")


@case
def a_key_value_cache_is_the_same_run():
    """An export that takes and returns keys and values, and one that recomputes: what circuits carry is our choice."""
    cached = models.package("char_gpt_cached", *CARRY, "--dim", "batch=1", "--dim", "seq=64")
    runs = []
    for package in models.package(*GPT), cached:
        proof = models.folder / "cached.proof"
        succeed("prove", package, "--prompt", TEXT[:20], "--generate", 32, "-o", proof)
        runs.append(verified(proof, package))
    for name in "inputs", "outputs", "policy", "steps":
        equal(runs[0]["claim"][name], runs[1]["claim"][name], name)
    equal(runs[0]["decoded"], runs[1]["decoded"], "decoded")


@cases(
    ("within the first block", 1, 1),
    ("at the end of the first block", 1, 2),
    ("within a later block", 3, 1),
    ("at the end of a later block", 2, 3),
    ("at the full context", 3, 6),
    ("at the full context, all but one given", 8, 1),
    ("given, and one choice more", 4, 0),
    ("given, at the full context", 9, 0),
)
def a_run_ends(given, generate):
    options = ("--tokens", listed(TOKENS[:given]), *(("--generate", generate) if generate else ()))
    proof, run = toy_proof(*options)
    package = models.package(*TOY)
    one_pass = succeed("check", models.package("toy_gpt", "--decode"), *options)
    result = verified(proof, package)
    equal(result["decoded"], one_pass["decoded"], "the run, and that of one pass")
    found = result["decoded"]
    steps = found["prompt_tokens"] + found["generated_tokens"] - 1
    expected = outputs(one_pass)["logits_argmax"][:steps]
    shown = outputs(result)["logits_argmax"]
    equal(shown, expected + [0] * (len(shown) - steps), "choices")
    blocks = -(-steps // TOY_BLOCK)
    equal(result["blocks"], {"count": blocks, "steps": TOY_BLOCK}, "blocks as verify says")
    equal(run["blocks"], result["blocks"], "blocks as prove says")
    # One circuit, one root of what is fixed, in each block.
    message, key = decoded("Proof", proof.read_bytes()), decoded("VerifyingKey", keys_of((package / "model.key").read_bytes())[0])
    equal(len(message.blocks), blocks, "blocks of the proof")
    assert all(block.commitment.count(key.fixed_roots[0]) == 1 for block in message.blocks), "the root of the fixed columns"
    equal(len({block.commitment for block in message.blocks}), blocks, "different blocks")
    claim = result["claim"]
    [member] = claim["model"]["members"]
    equal((member["name"], member["fixed_root"]), ("whole", key.fixed_roots[0].hex()), "name and fixed root")
    equal(member["circuit"], hashlib.sha256((package / "bucket-8/circuit.pb").read_bytes()).hexdigest(), "circuit")
    equal(claim["model"]["bundle"], hashlib.sha256(encoded(key.bundle)).hexdigest(), "bundle")
    equal((claim["model"]["bucket"], claim["policy"]["limits"]["context"]), (8, 8), "bucket and context")
    equal(claim["policy"]["decode"]["kind"], "teacher-forced" if given == 9 else "greedy", "kind")


@case
def a_claim_is_of_the_bundle_of_its_key():
    package, folder = models.package(*TOY), models.folder
    key = decoded("VerifyingKey", keys_of((package / "model.key").read_bytes())[0])
    key.bundle.most_steps -= 1
    (folder / "fewer.key").write_bytes(key_file(encoded(key)))
    message = toy_message("--tokens", listed(TOKENS[:3]), "--generate", 1)
    message.key_digest = hashlib.sha256(encoded(key)).digest()
    (folder / "fewer.proof").write_bytes(encoded(message))
    refused(REJECTED, "model.bundle is", "verify", folder / "fewer.proof", "--key", folder / "fewer.key")


@case
def a_stop_token_ends_a_run():
    tokens = toy_proof("--tokens", listed(TOKENS[:3]), "--generate", 6)[1]["decoded"]["tokens"]
    for at in 1, 2:  # within a block and at its end
        stop = tokens[at]
        expected = tokens[: tokens.index(stop) + 1]
        options = ("--tokens", listed(TOKENS[:3]), "--generate", 6, "--stop", stop)
        proof, run = toy_proof(*options)
        equal(run["decoded"]["tokens"], expected, "chosen tokens")
        assert run["decoded"]["stopped"]
        key = ("--key", models.package(*TOY) / "model.key")
        succeed("verify", proof, *key, *options)
        refused(REJECTED, "no such decoding", "verify", proof, *key, *options[:4])


@cases(
    ("one step", 1, 1, 1),
    ("first block filled by choices", 1, 16, 1),
    ("first block filled by the prompt", 16, 1, 1),
    ("a step after the first block", 17, 1, 2),
    ("full context", 33, 32, 4),
    ("full context, all given", 65, 0, 4),
    ("full context, all chosen", 1, 64, 4),
)
def check_of_the_char_GPT(given, generate, blocks):
    options = ("--generate", generate) if generate else ()
    run = succeed("check", models.package(*GPT), "--prompt", TEXT[:given], *options)
    assert run["ok"], run["failures"]
    one_pass = succeed("check", models.package("char_gpt", "--decode"), "--prompt", TEXT[:given], *options)
    equal(run["decoded"], one_pass["decoded"], "the run, and that of one pass")
    equal(run["blocks"], {"count": blocks, "steps": GPT_BLOCK}, "blocks")


@case
def check_keeps_the_traces_of_all_blocks():
    for generate, names in (1, ["trace-0.bin", "trace-1.bin"]), (4, ["trace-0.bin", "trace-1.bin", "trace-2.bin"]):
        folder = models.folder / f"traces-{generate}"
        run = succeed("check", models.package(*TOY), "--tokens", listed(TOKENS[:3]), "--generate", generate,
                      "--save-trace", folder)
        assert run["ok"]
        equal(sorted(path.name for path in folder.iterdir()), ["claim.json", "statement.pb", *names], "files")
        equal(len({path.stat().st_size for path in folder.glob("trace-*")}), 1, "sizes of traces")
        equal(len({path.read_bytes() for path in folder.glob("trace-*")}), len(names), "different traces")
    folder = models.folder / "trace-of-one"
    succeed("check", models.package(*TOY), "--tokens", "3,1", "--save-trace", folder)
    equal(sorted(path.name for path in folder.iterdir()), ["claim.json", "statement.pb", "trace.bin"], "files of one block")


@case
def a_model_file_can_be_proven_in_blocks():
    folder = models.folder / "one"
    folder.mkdir()
    succeed("prove", models.onnx("toy_gpt"), "--tokens", "3,1,4", "--generate", 4, *CARRY[1:], "--block", 2, cwd=folder)
    equal((folder / "run.key").read_bytes(), (models.package(*TOY) / "model.key").read_bytes(), "the package's key")
    verified(folder / "run.proof", models.package(*TOY))


@case
def an_audit_makes_the_key_again():
    model, folder, made = models.onnx("toy_gpt"), models.folder / "audit", []
    for threads, place in ((1, folder / "a"), (2, folder / "b" / "c")):
        place.mkdir(parents=True)
        shutil.copy(model, place / "model.onnx")
        succeed("compile", place / "model.onnx", "-o", place / "model.lindero", *TOY[1:], "--threads", threads)
        made.append({str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()})
    equal(made[0].keys(), made[1].keys(), "files of two compilations")
    for name in made[0]:
        equal(made[0][name], made[1][name], f"{name} of two compilations")
    four = keys_of((models.package("toy_gpt", *CARRY, "--block", "4") / "model.key").read_bytes())[0]
    two = keys_of((models.package(*TOY) / "model.key").read_bytes())[0]
    for threads in 1, 2:
        for key in two, four:
            file = folder / "audited.key"
            file.write_bytes(key_file(key))
            equal(succeed("audit", model, "--key", file, "--threads", threads)["verdict"], "confirmed", "verdict")
    # The circuit of one length of blocks under the name of another.
    named = decoded("VerifyingKey", two)
    named.model = decoded("VerifyingKey", four).model
    file.write_bytes(key_file(encoded(named)))
    refused(REJECTED, "its circuit is", "audit", model, "--key", file)
    proof, _ = toy_proof("--tokens", listed(TOKENS[:3]), "--generate", 4)
    for other in key_file(four), key_file(encoded(named)):
        file.write_bytes(other)
        refused(REJECTED, "REJECTED", "verify", proof, "--key", file)


@case
def a_chain_goes_on_in_blocks():
    package = models.package(*TOY)
    a, _ = toy_proof("--tokens", listed(TOKENS[:3]), "--generate", 2)
    b, _ = toy_proof("--from", a, "--generate", 3)
    other, _ = toy_proof("--tokens", listed([2, *TOKENS[1:3]]), "--generate", 2)
    key = package / "model.key"
    result = succeed("verify", a, b, "--chain", "--key", key)
    equal(result["blocks"]["count"], 4, "blocks of the second run")
    for name, proofs in {"reversed": (b, a), "first repeated": (a, a), "second repeated": (a, b, b), "gapped": (a, a, b),
                         "of another prompt": (other, b)}.items():
        refused(REJECTED, "no chain", "verify", *proofs, "--chain", "--key", key)
    # A run that went on without carrying is of the same model; its proof has a key of its own.
    whole = models.package("toy_gpt", "--decode")
    c = models.folder / "whole.proof"
    succeed("prove", whole, "--from", a, "--generate", 3, "-o", c)
    refused(REJECTED, "another key", "verify", a, c, "--chain", "--key", key)


RUN = ("--tokens", listed(TOKENS[:3]), "--generate", "4")  # three blocks
# Its first block is of the same tokens; the same run again, under another nonce; another prompt.
SHORTER, AGAIN, OTHER = (*RUN[:3], "3"), (*RUN, "--nonce", "ab" * 32), ("--tokens", "2,1,4", "--generate", "4")


def mixed(change):
    """The proof of RUN with another list of blocks."""
    message = toy_message(*RUN)
    blocks = change(list(message.blocks))
    del message.blocks[:]
    message.blocks.extend(blocks)
    return encoded(message)


# What the verifier says of another number of blocks than the claim's, and of blocks under challenges that are not theirs.
NUMBER, MOVED = ("blocks; key and claim are of 3 steps",), ("lacks the grinding", "does not hold")


@cases(
    ("as they are", lambda b: b, None),
    ("first two swapped", lambda b: [b[1], b[0], b[2]], MOVED),
    ("last two swapped", lambda b: [b[0], b[2], b[1]], MOVED),
    ("reversed", lambda b: b[::-1], MOVED),
    ("last dropped", lambda b: b[:2], NUMBER),
    ("first dropped", lambda b: b[1:], NUMBER),
    ("all dropped", lambda b: [], NUMBER),
    ("last twice", lambda b: [*b, b[2]], NUMBER),
    ("first twice", lambda b: [b[0], *b], NUMBER),
    ("second instead of the third", lambda b: [b[0], b[1], b[1]], MOVED),
    ("more than the circuit may have", lambda b: [*b, b[2], b[2]], NUMBER),
    ("first of a shorter run", lambda b: [toy_message(*SHORTER).blocks[0], *b[1:]], MOVED),
    ("last of a shorter run", lambda b: [*b[:2], toy_message(*SHORTER).blocks[-1]], MOVED),
    ("first of the same run, proven again", lambda b: [toy_message(*AGAIN).blocks[0], *b[1:]], MOVED),
    ("last of the same run, proven again", lambda b: [*b[:2], toy_message(*AGAIN).blocks[2]], MOVED),
    ("second of another run", lambda b: [b[0], toy_message(*OTHER).blocks[1], b[2]], MOVED),
    ("all of the same run, proven again", lambda b: list(toy_message(*AGAIN).blocks), MOVED),
)
def the_blocks_of_a_proof(change, reasons):
    proof = models.folder / "mixed.proof"
    proof.write_bytes(mixed(change))
    run = lindero("verify", proof, "--key", models.package(*TOY) / "model.key")
    equal(run.code, REJECTED if reasons else 0, f"exit code: {run.errors}")
    assert not reasons or any(reason in run.errors for reason in reasons), run.errors


@cases(
    ("carry without decode", "--context=carry: only decode runs", "--context", "carry"),
    ("carry with argmax", "--context=carry: only decode runs", "--context=carry", "--argmax"),
    ("block without decode", "--block: only decode runs", "--block", "2"),
    ("block without carry", "--block: there are blocks with --context=carry only", "--decode", "--block", "2"),
    ("block with recompute", "--block: there are", "--decode", "--context", "recompute", "--block", "2"),
    ("buckets with carry", "--buckets: with --context=carry", *CARRY, "--block", "2", "--buckets", "4"),
    ("positions of a decode run", "--positions all", *CARRY, "--block", "2", "--positions", "last:2"),
    ("block that does not divide", "--block 3: the model's 8 positions", *CARRY, "--block", "3"),
    ("block of all positions", "--block 8: the model's 8 positions", *CARRY, "--block", "8"),
    ("block of more than all", "--block 16: the model's 8 positions", *CARRY),
    ("block of none", "--block: Value 0 not in range 1 to", *CARRY, "--block", "0"),
    ("negative block", "--block: Value -2 not in range 1 to", *CARRY, "--block", "-2"),
    ("block in words", "--block", *CARRY, "--block", "two"),
    ("another context", "--context: kv not in {recompute,carry}", "--decode", "--context", "kv"),
)
def wrong_options(words, *options):
    output = models.folder / "wrong.lindero"
    refused(USAGE, words, "compile", models.onnx("toy_gpt"), "-o", output, *options)
    assert not output.exists()


@case
def what_does_not_fit_a_package_in_blocks():
    package, out = models.package(*TOY), models.folder / "unfit.proof"
    refused(USAGE, "--context", "prove", package, *RUN, "--context", "carry", "-o", out)
    refused(USAGE, "--block", "prove", package, *RUN, "--block", 2, "-o", out)
    refused(INPUT, "more than the 9", "prove", package, "--tokens", "3,1,4", "--generate", 7, "-o", out)
    refused(INPUT, "more than the 9", "check", package, "--tokens", listed([*TOKENS, 3]))
    for name in "decode/tape", "decode/lengths", "decode/block":
        refused(USAGE, "cannot be given by digest", "prove", package, *RUN, "--digest", name, "-o", out)
    assert not out.exists()


@case
def choices_can_be_given_by_digest():
    package, proof = models.package(*TOY), models.folder / "digest.proof"
    succeed("prove", package, *RUN, "--digest", "logits_argmax", "-o", proof)
    key = ("--key", package / "model.key")
    equal(lindero("verify", proof, *key).code, 17, "exit code before it is opened")
    opened = succeed("open", proof, *key, "--values", models.folder / "digest.openings")
    equal(outputs(opened), outputs(toy_proof(*RUN)[1]), "choices")


@case
def people_are_told():
    proof, _ = toy_proof(*RUN)
    package = models.package(*TOY)
    text = lindero("verify", proof, "--key", package / "model.key").out
    assert "3 of 2 steps, each given the keys and values of those before it" in text, text
    assert "8 positions in blocks of 2" in text, text
    shown = succeed("inspect", package)
    equal(shown["blocks"], {"steps": 2, "most": 4}, "blocks")
    equal([(row["region"], row["elements"]) for row in shown["carried"]],
          [(f"layer{layer}/attention/views", 6 * 32) for layer in (0, 0, 1, 1)], "what is handed on")
    equal({row["kind"] for row in shown["constraints"]}, {"local", "continuity", "boundary"}, "classes")
    regions = {row["name"] for row in shown["regions"]}
    assert {f"layer0/attention/{part}" for part in ("views", "compare", "normalize", "mix")} < regions, regions
    words = lindero("inspect", package).out
    assert "up to 4, of 2 steps each" in words and "Cells per region, of a block" in words and "Buckets" not in words
    costs = succeed("compile", models.onnx("toy_gpt"), "--estimate", *TOY[1:])
    equal((costs["blocks"], costs["online_cells"]), (shown["blocks"], shown["online_cells"]), "costs before and after")
    assert "blocks" not in succeed("inspect", models.package("toy_gpt", "--decode"))


@case
def no_change_of_a_run_in_blocks_goes_unnoticed():
    result = succeed("tamper", models.package(*TOY), *RUN, "--rows", 16, "--steps", 50, "--proof", 48)
    equal(result["survived"], 0, "survivors")
    assert result["proof"]["rejected"] > 30 and result["cells"]["caught"] > 1000, result["proof"]
    shown = {part["part"] for part in result["parts"] if part["necessary"]}
    assert any("link.in" in part for part in shown), shown


with temporary_folder() as folder:
    models = Models(folder)
    main()
