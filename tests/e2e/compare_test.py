"""`lindero compare`: placements of one model side by side, each proof verified, all with the same integers."""

import csv
import json
import stat

from harness import BIN, Models, case, cases, equal, lindero, main, statement, succeed, temporary_folder

USAGE, MODEL, UNSUPPORTED, INPUT, REJECTED, FILE, PACKAGE = 2, 3, 4, 8, 13, 15, 16
PLUGIN = BIN.parent / "plugins" / "cut_narrowest.so"
POLICIES = ("fused", "per-layer", "cut-narrowest{segments=3}")
SEGMENTS = {"fused": 1, "per-layer": 4, "cut-narrowest{segments=3}": 3}
TOKENS = ("--tokens", "3,1,4,1,5,9,2,6")
ROUNDS = 2
QUICK = ("--security-bits", "50")
# Without layers: cut by region or not at all; and with one region.
SMALL, LEAST = "mlp", "linear_scaled"

PROVER = """#!/bin/bash
# The real prover, watched.
verb=$1
cd {folder}
echo $verb >> verbs
count=$(grep -c "^$verb$" verbs)
{code}
exec {real} "$@"
"""
# What it is given to verify stays.
KEEP = 'if [ $verb = verify ]; then cp "$3" $count.key; cp "$5" $count.proof; fi'
REJECT = 'if [ $verb-$count = verify-2 ]; then echo "not this one" >&2; exit 4; fi'
WEAKEN = 'if [ $verb-$count = setup-2 ]; then set -- "${@/#50/45}"; fi'


def placements(*policies):
    return [word for policy in policies for word in ("--boundaries", policy)]


def watched(name, code):
    """The environment in which lindero finds a prover of ours, and the folder of what that saw."""
    home = folder / name
    home.mkdir()
    prover = home / "lindero-prover-stwo"
    prover.write_text(PROVER.format(folder=home, real=BIN / "lindero-prover-stwo", code=code))
    prover.chmod(prover.stat().st_mode | stat.S_IXUSR)
    return {"LINDERO_PROVER_DIR": str(home)}, home


class Compared:
    """The toy under three placements, one of them a plugin's."""

    def __init__(self):
        env, self.seen = watched("seen", KEEP)
        self.csv = folder / "rows.csv"
        self.run = lindero("compare", models.onnx("toy_gpt"), *placements(*POLICIES), "--load-pass-plugin", PLUGIN, *TOKENS,
                           "--transcripts", ROUNDS, "--csv", self.csv, *QUICK, "--json", env=env)
        assert self.run.code == 0, f"exit {self.run.code}: {self.run.out}{self.run.errors}"
        self.result = self.run.event("result")
        events = [json.loads(line) for line in self.run.out.splitlines()]
        self.rows = [event for event in events if event["event"] == "transcript"]
        self.placements = [event for event in events if event["event"] == "placement"]


def compared(known=[]):
    if not known:
        known.append(Compared())
    return known[0]


@case
def each_placement_has_a_transcript_a_round():
    rows = compared().rows
    equal([row["transcript"] for row in rows], [1] * 3 + [2] * 3, "rounds")
    for number in range(ROUNDS):
        equal({row["placement"] for row in rows[3 * number : 3 * number + 3]}, set(POLICIES), "placements of a round")
    assert rows[0]["placement"] != rows[3]["placement"], "the rounds begin alike"
    equal(len({row["nonce"] for row in rows}), len(rows), "nonces")
    for row in rows:
        equal(sum(row["bytes"].values()), row["proof_bytes"], "bytes of all parts")
        assert {"out_of_domain", "opened_rows", "merkle_paths", "fri", "claimed_sums"} <= set(row["bytes"]), row
        assert min(row["bytes"].values()) >= 0 < row["bytes"]["fri"], row
        assert 0 < sum(row["stages"].values()) <= row["prove_seconds"] + 0.01, row
        assert {"composition", "fri", "grinding"} <= set(row["stages"]) and "verify" not in row["stages"], row
        assert row["verify_seconds"] > 0 < row["processor_seconds"] and row["peak_memory_bytes"] > 1 << 20 and row["threads"] > 0 and row["commit"], row


@case
def placements_are_medians_beside_predictions():
    equal([p["placement"] for p in compared().placements], list(POLICIES), "placements")
    equal(compared().result["placements"], [{k: v for k, v in p.items() if k != "event"} for p in compared().placements],
          "placements of the result")
    for placement in compared().placements:
        own = [row for row in compared().rows if row["placement"] == placement["placement"]]
        equal({row["key_digest"] for row in own}, {placement["key_digest"]}, "keys")
        sizes = sorted(row["proof_bytes"] for row in own)
        equal(placement["proof_bytes"], {"median": sum(sizes) / 2, "least": sizes[0], "most": sizes[1]}, "proof bytes")
        segments = SEGMENTS[placement["placement"]]
        equal((placement["segments"], placement["links"] > 0), (segments, segments > 1), "segments, links")
        assert (placement["crossing_values"] > 0) == (segments > 1), placement
        assert placement["security"]["promised_bits"] == 50 <= placement["security"]["bits"] < 51, placement
        predicted = placement["predicted"]
        equal(list(predicted), ["online_cells", "fixed_cells", "seconds_without_grinding", "peak_memory_bytes", "proof_bytes"],
              "what is predicted")
        equal(predicted["proof_bytes"]["measured"], placement["proof_bytes"]["median"], "what it is compared with")
        for name, forecast in predicted.items():
            error = 100 * (forecast["predicted"] / forecast["measured"] - 1)
            assert abs(forecast["error_percent"] - error) < 1e-6, (name, forecast)
        for name, most in (("online_cells", 10), ("fixed_cells", 10), ("proof_bytes", 30)):
            assert abs(predicted[name]["error_percent"]) < most, (placement["placement"], name, predicted[name])


@case
def all_were_verified_and_state_the_same():
    verbs = (compared().seen / "verbs").read_text().split()
    equal([verb for verb in verbs if verb in ("setup", "prove", "verify")], ["setup"] * 3 + ["prove", "verify"] * 6, "calls")
    checked = statement(succeed("check", models.package("toy_gpt"), *TOKENS))
    digests = set()
    for number in range(1, 7):
        proof, key = (compared().seen / f"{number}.{kind}" for kind in ("proof", "key"))
        verified = succeed("verify", proof, "--key", key, "--min-bits", 50)
        equal(sorted(map(str, statement(verified))), sorted(map(str, checked)), "public values")
        digests.add(verified["key_digest"])
    equal(digests, {p["key_digest"] for p in compared().placements}, "keys")


@case
def the_csv_file_has_the_raw_rows():
    with open(compared().csv, newline="") as file:
        read = list(csv.DictReader(file))
    equal(len(read), len(compared().rows), "rows")
    for line, row in zip(read, compared().rows):
        flat = {**{f"stages.{k}": v for k, v in row["stages"].items()}, **{f"bytes.{k}": v for k, v in row["bytes"].items()},
                **{k: v for k, v in row.items() if k not in ("event", "stages", "bytes")}}
        equal({name: text for name, text in line.items() if text}, {name: str(value) for name, value in flat.items()}, "row")


@case
def by_default_all_policies_on_an_input_of_its_own():
    run = lindero("compare", models.onnx(SMALL), "--transcripts", "1", *QUICK)
    assert run.code == 0, f"exit {run.code}: {run.out}{run.errors}"
    for words in ("note: file is left out: file: which one?", "note: per-layer is left out: ", "note: budget-memory=",
                  "note: medians of 1 transcript", "Prove time by stage", "Proof bytes by part", "What the cost model predicts"):
        assert words in run.out, f"no {words!r}: {run.out}"
    table = run.out.split("\nPlacements\n")[1].split("\n\n")[0].splitlines()
    equal([line.split()[0] for line in table[1:]], ["fused", "per-region"], "placements")


@case
def a_model_with_one_placement():
    run = lindero("compare", models.onnx(LEAST), *QUICK)
    assert run.code == USAGE and "nothing to compare" in run.errors, f"exit {run.code}: {run.out}{run.errors}"
    assert "note: per-region is left out: it places as fused does" in run.out, run.out


@cases(("an unknown policy", placements("fused", "by-luck"), USAGE, "by-luck"),
       ("an option that it does not take", placements("fused", "per-layer{depth=1}"), USAGE, "depth"),
       ("one placement", placements("fused"), USAGE, "nothing to compare"),
       ("the same twice", placements("fused", "fused"), USAGE, "it places as fused does"),
       ("layers of a model without", placements("fused", "per-layer"), UNSUPPORTED, "no op is in a layer"),
       ("decode runs", ["--decode"], USAGE, "--decode"),
       ("no transcripts", ["--transcripts", "0"], USAGE, "--transcripts"),
       ("a file of rows that cannot be", ["--csv", "none/rows.csv"], FILE, "none"),
       ("an input of another model", ["--tokens", "1,2"], INPUT, "reads no tokens"))
def refused(arguments, code, words):
    run = lindero("compare", models.onnx(SMALL), *QUICK, *arguments)
    assert run.code == code and words in run.errors + run.out, f"exit {run.code}: {run.errors}"
    assert not [line for line in run.out.splitlines() if "Medians" in line], run.out


@case
def a_package_is_compiled_already():
    equal(lindero("compare", models.package("toy_gpt")).code, MODEL, "exit code")


@cases(("a proof that is rejected", REJECT, REJECTED, "not this one"),
       ("a key that promises less", WEAKEN, PACKAGE, "promises 45 bits"))
def the_prover_fails(code, exit_code, words):
    env, _ = watched(f"failing-{exit_code}", code)
    run = lindero("compare", models.onnx(SMALL), *placements("fused", "per-region"), *QUICK, env=env)
    assert run.code == exit_code and words in run.errors, f"exit {run.code}: {run.errors}"
    assert "Medians" not in run.out, run.out


with temporary_folder() as folder:
    models = Models(folder)
    main()
