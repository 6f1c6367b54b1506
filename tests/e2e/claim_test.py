"""What stands around a proof: values by digest, attestations, audits, and files that an attacker made of them."""

import hashlib
import json
import random
import shutil
import subprocess

import onnx

from harness import BIN, MODELS, Models, case, cases, equal, lindero, main, outputs, succeed, temporary_folder
from messages import decoded, encoded, key_file, keys_of

FILE, INPUT, USAGE, REJECTED, PACKAGE, UNOPENED = 15, 8, 2, 13, 16, 17
TOKENS = "3,1,4,1,5,9,2,6"


def run_of(name, *options):
    """(package, proof) of the toy."""
    package, proof = models.package("toy_gpt"), models.folder / f"{name}.proof"
    if not proof.exists():
        succeed("prove", package, "--tokens", TOKENS, "-o", proof, *options)
    return package, proof


def refused(code, words, *arguments):
    run = lindero(*arguments)
    assert run.code == code and words in run.errors and run.errors.count("\n") == 1, f"exit {run.code}: {run.errors}"
    return run


@case
def the_claim_says_what_was_asked_for():
    nonce = "5a" * 32
    options = ("--nonce", nonce, "--label-model", "the “toy”", "--label-output", "a\nb")
    package, proof = run_of("labelled", *options)
    result = succeed("verify", proof, "--key", package / "model.key")
    claim = result["claim"]
    equal(claim["nonce"], nonce, "nonce")
    equal(claim["labels"], {"input": "", "model": "the “toy”", "output": "a\nb"}, "labels")
    equal(claim["policy"]["decode"], {"kind": "forward", "stop": []}, "decode policy")
    assert claim["frontier"] == {"end": None, "start": None} and claim["steps"] == {"count": 0, "first": 0}
    equal(claim["outputs"][0]["values"], outputs(result)["logits"], "outputs")
    text = lindero("verify", proof, "--key", package / "model.key").out
    assert 'calls the output "a\\nb"' in text and claim["model"]["onnx"] in text, text
    # Nobody asked for a nonce: each proof has its own.
    again, nonces = models.folder / "again.proof", set()
    for _ in range(2):
        succeed("prove", package, "--tokens", TOKENS, "-o", again)
        nonces.add(json.loads(decoded("Proof", again.read_bytes()).claim)["nonce"])
    assert len(nonces | {nonce}) == 3, nonces
    refused(USAGE, "64 hexadecimal digits", "prove", package, "--tokens", TOKENS, "-o", again, "--nonce", "5A" * 32)
    refused(USAGE, "UTF-8", "prove", package, "--tokens", TOKENS, "-o", again, "--label-model", b"\xff".decode(errors="surrogateescape"))


@case
def false_lengths_of_folds_are_no_secret_and_fail_the_audit():
    package = models.folder / "false lengths"
    shutil.copytree(models.package("toy_gpt"), package)
    path, key, proof = package / "circuit.pb", package / "model.key", models.folder / "false.proof"
    circuit = decoded("Circuit", path.read_bytes())
    scans = [column.scan for table in circuit.tables for column in table.columns if column.WhichOneof("generator") == "scan"]
    assert any(scan.rows > 1 for scan in scans), scans
    for scan in scans:
        scan.rows = 1
    path.write_bytes(encoded(circuit))
    command = [BIN / "lindero-prover-stwo", "setup", "--package", package, "--output", key]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    succeed("prove", package, "--tokens", TOKENS, "-o", proof)
    security = succeed("verify", proof, "--key", key)["security"]
    of_honest = succeed("inspect", models.package("toy_gpt"))["security"]
    member = "log_degrees_of_whole_tables"
    [of_false], [of_true] = security["sizes"], of_honest["sizes"]
    equal(of_false[member], of_true[member], "degrees, whatever is declared")
    assert of_false["log_degrees"][0] < of_true["log_degrees"][0] < of_false[member][0], security
    folds = security["fold_lengths"]
    assert folds["least_of_whole_tables"] <= folds["challenges_of_whole_tables"] < folds["challenges"], folds
    command = [BIN / "lindero-prover-stwo", "describe", "--key", key]
    [described] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["keys"]
    equal(described["security"], security, "security in describe and verify")
    refused(REJECTED, "its circuit is", "audit", MODELS / "toy_gpt.onnx", "--key", key)


def bits_of(result, regime):
    return {entry["regime"]: entry["bits"] for entry in result["security"]["regimes"]}[regime]


@case
def security_is_said_by_regime():
    package, proof = run_of("plain")
    key = package / "model.key"
    result = succeed("verify", proof, "--key", key)
    shown = lindero("verify", proof, "--key", key).out
    proven, assumed = bits_of(result, "proven"), bits_of(result, "list-decoding")
    assert proven >= 96 and assumed >= 96, (proven, assumed)
    line = f"{proven:.1f} bits proven (circle transfer: SOUNDNESS.md, lemma 1), {assumed:.1f} bits list-decoding"
    line += "; fold lengths as the key says (`lindero audit` confirms them)"
    assert line in shown and "as the key says; `lindero audit` confirms it" in shown, shown
    assert "conjectured" not in shown and result["key_digest"] in shown, shown
    inspected = succeed("inspect", package)
    equal(inspected["security"], result["security"], "security in inspect and verify")
    # What is left if these lengths are false: fewer bits, and enough.
    folds = result["security"]["fold_lengths"]
    assert folds["least_of_whole_tables"] <= folds["challenges_of_whole_tables"] < folds["challenges"], folds
    text = lindero("inspect", package).out
    assert f"were they false, challenges would still have {folds['challenges_of_whole_tables']:.1f} bits" in text, text
    for term in ("queries", "batching", "folds", "out of domain", "constraints", "challenges", "best known attack"):
        assert term in text, f"{term} is missing in {text}"
    # Other options than the key's: what a key for them would have.
    planned = succeed("inspect", package, "--regime", "list-decoding", "--security-bits", "90")
    equal((planned["security"]["regime"], planned["security"]["promised_bits"]), ("list-decoding", 90), "planned")


@case
def a_verifier_asks_for_bits_and_for_a_key():
    package, proof = run_of("plain")
    verify = ["verify", proof, "--key", package / "model.key"]
    result = succeed(*verify)
    bits, digest = int(bits_of(result, "proven")), result["key_digest"]
    succeed(*verify, "--min-bits", bits)
    succeed(*verify, "--min-bits", bits, "--regime", "proven", "--key-digest", digest)
    refused(REJECTED, "bits of security (proven)", *verify, "--min-bits", bits + 1)
    refused(REJECTED, "bits of security (list-decoding)", *verify, "--min-bits", "200", "--regime", "list-decoding")
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    refused(REJECTED, "not " + other, *verify, "--key-digest", other)
    refused(USAGE, "hexadecimal", *verify, "--key-digest", digest[1:])
    file = hashlib.sha256((package / "model.key").read_bytes()).hexdigest()
    refused(REJECTED, "SHA-256 of the file", *verify, "--key-digest", file)
    refused(USAGE, "--min-bits", *verify, "--regime", "proven")
    # The same for whoever opens values or signs.
    package, proof = run_of("input_ids", "--digest", "input_ids")
    opening = ["open", proof, "--key", package / "model.key", "--values", proof.with_suffix(".openings")]
    succeed(*opening, "--key-digest", digest)
    refused(REJECTED, "bits of security", *opening, "--min-bits", "200")
    refused(REJECTED, "not " + other, *opening, "--key-digest", other)


@case
def a_key_of_little_security_is_refused_unless_asked_for():
    package, proof = models.package("toy_gpt"), models.folder / "weak.proof"
    weak = ["--security-bits", "60", "--regime", "list-decoding"]
    succeed("prove", package, "--tokens", TOKENS, "-o", proof, "--key-out", models.folder / "weak.key", *weak)
    verify = ["verify", proof, "--key", models.folder / "weak.key"]
    refused(REJECTED, "asked for are 80", *verify)
    succeed(*verify, "--min-bits", "60", "--regime", "list-decoding")
    succeed(*verify, "--min-bits", "0")
    refused(REJECTED, "bits of security (proven), asked for are 60", *verify, "--min-bits", "60")


@case
def the_regime_of_earlier_versions_is_refused_by_name():
    for command in (["compile", models.onnx("toy_gpt")], ["prove", models.package("toy_gpt")], ["inspect", "x"]):
        refused(USAGE, "list-decoding", *command, "--regime", "conjectured")


@cases(("the input", ["input_ids"]), ("the output", ["logits"]), ("both", ["input_ids", "logits"]))
def values_by_digest_prove_nothing_before_they_are_opened(names):
    name = "-".join(names)
    package, proof = run_of(name, *(word for tensor in names for word in ("--digest", tensor)))
    key, values = package / "model.key", proof.with_suffix(".openings")
    refused(UNOPENED, "the digest is not tied to the run", "verify", proof, "--key", key)
    events = [json.loads(line) for line in lindero("verify", proof, "--key", key, "--json").out.splitlines()]
    (result,) = [event for event in events if event["event"] == "result"]
    equal(result["verdict"], "unopened", "verdict")
    equal([tensor["name"] for tensor in result["statement"] if tensor["values"] is None], names, "hidden tensors")
    opened = succeed("open", proof, "--key", key, "--values", values)
    plain = succeed("verify", run_of("plain")[1], "--key", key)
    equal(opened["statement"], plain["statement"], "opened values")
    equal(opened["verdict"], "accepted", "verdict")
    # One of two does not help.
    openings = json.loads(values.read_text())
    write_canonical(models.folder / "some", openings[1:])
    refused(UNOPENED, openings[0]["name"], "open", proof, "--key", key, "--values", models.folder / "some")


def write_canonical(path, value):
    path.write_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    return path


def changed_openings():
    def change(name, apply):
        openings = json.loads(run_of("input_ids", "--digest", "input_ids")[1].with_suffix(".openings").read_text())
        apply(openings)
        return name, openings

    yield change("a value", lambda o: o[0]["values"].__setitem__(2, 5))
    yield change("the salt", lambda o: o[0].update(salt="00" * 32))
    yield change("the name", lambda o: o[0].update(name="logits"))
    yield change("a value less", lambda o: o[0]["values"].pop())
    yield change("twice", lambda o: o.append(o[0]))
    yield change("an unknown member", lambda o: o[0].update(note=1))


@case
def other_values_do_not_open_a_digest():
    package, proof = run_of("input_ids", "--digest", "input_ids")
    key = package / "model.key"
    for name, openings in changed_openings():
        refused(REJECTED, "openings", "open", proof, "--key", key, "--values", write_canonical(models.folder / "bad", openings))
    other = models.folder / "another.proof"
    succeed("prove", package, "--tokens", TOKENS, "-o", other, "--digest", "input_ids")
    # The same values under the salt of another proof.
    refused(REJECTED, "does not hash", "open", proof, "--key", key, "--values", other.with_suffix(".openings"))
    refused(REJECTED, "given by its values", "open", run_of("plain")[1], "--key", key, "--values", other.with_suffix(".openings"))
    refused(USAGE, "is no public tensor", "prove", package, "--tokens", TOKENS, "-o", other, "--digest", "ids")


def signer(name="signer"):
    path = models.folder / f"{name}.pem"
    if not path.exists():
        succeed("keygen", "-o", path)
    return path


@case
def attestations():
    package, proof = run_of("plain")
    key, model, private = package / "model.key", models.onnx("toy_gpt"), signer()
    assert private.stat().st_mode & 0o77 == 0, "others may read the private key"
    refused(FILE, "not overwritten", "keygen", "-o", private)
    attestation = models.folder / "plain.attestation"
    arguments = ["attest", proof, "--key", key, "--sign", private, "-o", attestation]
    refused(REJECTED, "the claim is about", *arguments, "--onnx", models.onnx("char_gpt"))
    refused(INPUT, "no Ed25519 private key", *arguments[:5], private.with_suffix(".pub"), "--onnx", model)
    assert not attestation.exists()
    succeed(*arguments, "--onnx", model)
    verify = ["verify", proof, "--key", key, "--attestation", attestation, "--signer"]
    equal(succeed(*verify, private.with_suffix(".pub"))["verdict"], "accepted", "verdict")
    refused(REJECTED, "keyid", *verify, signer("other").with_suffix(".pub"))
    refused(INPUT, "no Ed25519 public key", *verify, private)
    refused(USAGE, "--signer", *verify[:-1])
    _, hidden = run_of("input_ids", "--digest", "input_ids")
    arguments[1] = hidden
    refused(UNOPENED, "input_ids", *arguments, "--onnx", model)
    succeed(*arguments, "--onnx", model, "--values", hidden.with_suffix(".openings"))


@case
def a_key_is_its_model():
    model, folder = models.onnx("toy_gpt"), models.folder / "audit"
    options = ["--argmax", "--positions", "last:3", "--lanes", "4", "--prefer", "size", "--security-bits", "80"]
    made = []
    for threads, place in ((1, folder / "a"), (2, folder / "b" / "c")):
        place.mkdir(parents=True)
        shutil.copy(model, place / "model.onnx")
        succeed("compile", place / "model.onnx", "-o", place / "model.lindero", *options, "--threads", threads)
        made.append(place / "model.lindero")
    for file in sorted(path.name for path in made[0].iterdir()):
        equal(*[(package / file).read_bytes() for package in made], f"{file} of two compilations")
    for threads in (1, 2):
        result = succeed("audit", model, "--key", made[0] / "model.key", "--threads", threads)
        equal(result["verdict"], "confirmed", "verdict")
    for name, *options in ("char_gpt_dynamic", "--dim", "batch=1", "--dim", "seq=16"), ("mlp",), ("toy_gpt", "--decode"):
        package = models.package(name, *options)
        succeed("audit", models.onnx(name), "--key", package / "model.key")


@case
def an_audit_says_what_a_calibration_is_worth():
    model, absurd = models.onnx("toy_gpt"), models.folder / "absurd.json"

    def notes(package):
        run = lindero("audit", model, "--key", package / "model.key", "--json")
        assert run.code == 0, run.errors
        equal(run.event("result")["verdict"], "confirmed", "verdict")
        return run.event("result"), run.notes()

    def recalibrated(name, change):
        exponents = json.loads((models.package("toy_gpt") / "exponents.json").read_bytes())
        for site in exponents["sites"]:
            change(site)
        absurd.write_text(json.dumps(exponents, sort_keys=True, separators=(",", ":")) + "\n")
        succeed("compile", model, "-o", models.folder / name, "--exponents", absurd)
        return models.folder / name

    result, said = notes(models.package("toy_gpt"))
    equal(result["precision"], "measured", "precision")
    assert not said and result["calibration"]["weight_bits"] == 16 and result["agreement"]["least_cosine"] > 0.99, (said, result)

    def coarse(site):
        if site["op"] == "tensor.activation":
            site["exponent"] -= 7

    _, said = notes(recalibrated("coarse.lindero", coarse))
    assert any("loses precision at /h.0/mlp" in text for text in said), said

    def clipping(site):
        if site["op"] == "tensor.add":
            site["exponent"] += 3

    clipped = recalibrated("clipping.lindero", clipping)
    result, said = notes(clipped)
    assert any("cannot hold 4 of 4 inputs" in text for text in said), said
    equal(result["precision"], "not measured", "precision")
    shown = lindero("audit", model, "--key", clipped / "model.key").out
    assert "CONFIRMED, precision not measured: this key is this model" in shown, shown
    assert "nothing to compare; 4 windows out of range" in shown, shown


@case
def what_is_said_of_a_decode_run_is_that_run():
    package, proof = models.package("toy_gpt", "--decode"), models.folder / "decoded.proof"
    key = package / "model.key"
    arguments = ["prove", package, "--tokens", "3,1,4", "--generate", 3, "-o", proof]
    blocks = ["prove", models.package("toy_gpt", "--decode", "--context", "carry", "--block", "2"), *arguments[2:]]
    for command, tensor in (arguments, "decode/tape"), (arguments, "decode/lengths"), (blocks, "decode/block"):
        refused(USAGE, "cannot be given by digest", *command, "--digest", tensor)
    run = succeed(*arguments)["decoded"]
    claim = succeed("verify", proof, "--key", key)["claim"]

    def frontier(tokens):
        state = {"model": claim["model"]["id"], "position": len(tokens), "tokens": tokens}
        digest = hashlib.sha256(json.dumps(state, sort_keys=True, separators=(",", ":")).encode())
        return {"digest": digest.hexdigest(), "position": len(tokens)}

    equal(claim["frontier"], {"start": frontier([3, 1, 4]), "end": frontier([3, 1, 4] + run["tokens"])}, "frontier")
    equal((claim["model"]["bucket"], claim["steps"]), (8, {"first": 0, "count": 5}), "positions and steps")
    equal((claim["policy"]["decode"], claim["policy"]["limits"]["steps"]), ({"kind": "greedy", "stop": []}, 3), "policy")


@case
def a_key_of_something_else_is_not():
    model, key = models.onnx("toy_gpt"), (models.package("toy_gpt") / "model.key").read_bytes()
    (single,) = keys_of(key)
    (other,) = keys_of((models.package("toy_gpt", "--argmax") / "model.key").read_bytes())
    other = decoded("VerifyingKey", other)
    path = models.folder / "bad.key"

    def audited(change, words, code=REJECTED):
        message = decoded("VerifyingKey", single)
        change(message)
        path.write_bytes(key_file(encoded(message)))
        refused(code, words, "audit", model, "--key", path)

    def record(**members):
        return lambda message: setattr(message, "model", json.dumps(
            {**json.loads(message.model), **members}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())

    def lanes(count):
        return lambda message: record(options={**json.loads(message.model)["options"], "lanes": count})(message)

    def renamed(message):
        circuit = decoded("Circuit", message.circuits[0])
        circuit.tables[0].name += "x"
        message.circuits[0] = encoded(circuit)

    audited(renamed, "its circuit is")
    audited(lambda message: message.circuits.__setitem__(0, other.circuits[0]), "is no public tensor of the circuit", PACKAGE)
    audited(record(shapes=[{"name": "logits", "shape": [1, 8, 3]}]), "has other elements there", PACKAGE)
    audited(record(shapes=[]), "does not come out again")
    audited(record(unread=[{"name": "mask", "shape": [1]}]), "does not come out again")
    audited(lambda message: message.fixed_roots.__setitem__(0, bytes(32)), "its weights have the root")
    audited(lambda message: setattr(message.stwo, "queries", 3), "its parameters")
    audited(lambda message: setattr(message.security, "bits", 10), "its parameters")
    audited(record(compiler="0.0.9"), "version 0.0.9")
    audited(record(bucket=4), "does not come out again")
    audited(record(context=1024), "does not come out again")
    for count in (-5, 0, 3, 10**8):  # which would take all memory and time, or none
        audited(lanes(count), f"with {count} lanes, which")
    audited(record(arithmetic="lindero/integer/2"), "id is not the hash", PACKAGE)
    audited(lambda message: message.ClearField("model"), "which model", PACKAGE)
    refused(REJECTED, "the file is", "audit", models.onnx("mlp"), "--key", models.package("toy_gpt") / "model.key")
    path.write_bytes(key[:-1])
    refused(PACKAGE, "key", "audit", model, "--key", path)


@case
def sizes_that_a_circuit_does_not_have_are_refused_at_once():
    make, real = onnx.helper, onnx.TensorProto.FLOAT
    x, mask, y = (make.make_tensor_value_info(name, real, shape)
                  for name, shape in (("x", ["n", "m"]), ("mask", ["k"]), ("y", ["n", "m"])))
    graph = make.make_graph([make.make_node("Relu", ["x"], ["y"])], "g", [x, mask], [y])
    model, package, path = models.folder / "sizes.onnx", models.folder / "sizes.lindero", models.folder / "sizes.key"
    onnx.save_model(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), model)
    succeed("compile", model, "-o", package, "--dim", "n=4", "--dim", "m=4", "--dim", "k=2")
    succeed("audit", model, "--key", package / "model.key")
    (single,) = keys_of((package / "model.key").read_bytes())

    def audited(words, unread=2, **sizes):
        message = decoded("VerifyingKey", single)
        record = json.loads(message.model)
        record["options"]["dims"] = [{"name": name, "size": size} for name, size in {"k": 2, "m": 4, "n": 4, **sizes}.items()]
        record["unread"] = [{"name": "mask", "shape": [unread]}]
        message.model = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        path.write_bytes(key_file(encoded(message)))
        refused(REJECTED, words, "audit", model, "--key", path)

    audited("input 'x' would have 1073741824 elements, not 16", n=2**15, m=2**15)
    audited("input 'mask' would have 1048576 elements, not 2", k=2**20)
    audited("input 'mask' has 1099511627776 elements; at most 67108864 are audited", k=2**20, unread=2**40)


@case
def weights_beside_the_model_belong_to_it():
    folder = models.folder / "external"
    folder.mkdir()
    path, weights = folder / "toy.onnx", folder / "weights.bin"
    onnx.save_model(onnx.load(models.onnx("toy_gpt")), path, save_as_external_data=True, location=weights.name)
    package, proof = folder / "toy.lindero", folder / "run.proof"
    succeed("compile", path, "-o", package)
    succeed("prove", package, "--tokens", TOKENS, "-o", proof)
    key = package / "model.key"
    claim = succeed("verify", proof, "--key", key)["claim"]
    digest = lambda file: hashlib.sha256(file.read_bytes()).hexdigest()
    equal(claim["model"]["onnx"], digest(path), "ONNX digest")
    equal(claim["model"]["external"], [{"name": "weights.bin", "sha256": digest(weights)}], "external data")
    attest = ["attest", proof, "--key", key, "--onnx", path, "--sign", signer(), "-o", folder / "attestation"]
    succeed(*attest)
    succeed("audit", path, "--key", key)
    changed = bytearray(weights.read_bytes())
    changed[5000] ^= 1  # a low bit of a weight: it may well be lost in rounding
    weights.write_bytes(changed)
    refused(REJECTED, "does not come out again", "audit", path, "--key", key)
    refused(REJECTED, "weights.bin is", *attest)


def damaged(content, rng):
    """Two of three keep their length."""
    content, at = bytearray(content), rng.randrange(len(content))
    kind = rng.randrange(3)
    if kind == 0:
        content[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        content[at] = rng.choice(b'0123456789{}[],:"-\\ \x00\xff')
    else:
        del content[at : at + rng.choice((1, 2, 40, len(content)))]
    return bytes(content)


@case
def damage_is_rejected_and_crashes_nothing():
    package, proof = run_of("input_ids", "--digest", "input_ids")
    key, model, values = package / "model.key", models.onnx("toy_gpt"), proof.with_suffix(".openings")
    attestation, public = models.folder / "damage.attestation", signer().with_suffix(".pub")
    succeed("attest", proof, "--key", key, "--values", values, "--onnx", model, "--sign", signer(), "-o", attestation)
    rng, path = random.Random(1), models.folder / "damaged"
    message = decoded("Proof", proof.read_bytes())
    claim = message.claim

    def with_claim(changed):
        message.claim = changed
        return encoded(message)

    targets = [
        (claim, lambda changed: with_claim(changed), ["open", path, "--key", key, "--values", values]),
        (values.read_bytes(), bytes, ["open", proof, "--key", key, "--values", path]),
        (attestation.read_bytes(), bytes, ["verify", proof, "--key", key, "--attestation", path, "--signer", public]),
    ]
    for honest, file, command in targets:
        for _ in range(60):
            changed = damaged(honest, rng)
            if changed == honest:
                continue
            path.write_bytes(file(changed))
            run = lindero(*command)
            assert run.code == REJECTED and run.errors.count("\n") == 1, f"{command}: exit {run.code}: {run.errors}"
    deep = b"[" * 10**6
    for content in (deep, deep + b"]" * 10**6, b'{"inputs":' + deep, b"", b"null", b"\0"):
        for honest, file, command in targets:
            path.write_bytes(file(content))
            assert lindero(*command).code == REJECTED, content[:20]


with temporary_folder() as folder:
    models = Models(folder)
    main()
