"""The tables of README.md."""

import re

BEGIN, END = "<!-- results -->", "<!-- end -->"


def costs(events):
    """Cells, prove time, peak memory and proof size, of the events of `prove`."""
    found = {event["event"]: event for event in events}
    proven = found["result"]
    return {"cells": found["estimate"]["online_cells"], "prove_seconds": proven["prove_seconds"],
            "memory": proven["peak_memory_bytes"], "proof_bytes": proven["proof_bytes"]}


def line(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def shown_costs(row):
    return f"{row['cells']:,}", f"{row['prove_seconds']:.2f} s", f"{row['proof_bytes'] / 1000:,.0f} KB"


def proven(rows):
    yield line("model", "form", "file", "cells", "prove time", "proof", "least cosine", "rows left out")
    yield line(*["---"] * 8)
    for row in rows:
        left_out = ", ".join(f"{count} of `{name}`" for name, count in row["excluded"].items())
        form = row["form"] + (" (own input)" if row["own_input"] else "")
        yield line(f"`{row['name']}`", form, f"{row['bytes'] / 1000:.0f} KB", *shown_costs(row),
                   f"{row['cosine']:.5f}", left_out)


def shortened(message):
    """Without the folders of this machine, and the list of all operators."""
    return re.sub(r"; supported are [^;]*", "", re.sub(r"/\S*/(?=\w+\.onnx)", "", message)).replace("|", "\\|")


def refused(rows):
    yield line("model", "form", "message")
    yield line(*["---"] * 3)
    for row in rows:
        yield line(f"`{row['name']}`", row["form"], shortened(row["error"]))


def decoded(rows):
    yield line("model", "export", "by", "cells", "prove time", "proof", "tokens")
    yield line(*["---"] * 7)
    for row in rows:
        exports = ("prefix", "tokens"), ("symbolic past", "symbolic"), ("fixed past", "fixed")
        for (export, key), cost in zip(exports, row["costs"]):
            by = "`--argmax`" if key == "fixed" else "`--generate`"
            yield line(row["family"], export, by, *shown_costs(cost), ", ".join(map(str, row[key])))


def write(path, rows, version):
    runs = [row for row in rows if row["name"].startswith("decoded_")]
    files = [row for row in rows if row not in runs]
    good, bad = ([row for row in files if ("error" in row) == failed] for failed in (False, True))
    parts = [f"{version}: {len(good)} of {len(files)} files proven and verified.", "\n".join(proven(good))]
    bad += [row for row in runs if "error" in row]
    if bad:
        parts += ["### Refused", "\n".join(refused(bad))]
    if runs:
        parts += ["### The same tokens from three exports",
                  "\n".join(decoded([row for row in runs if "error" not in row]))]
    text = path.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    path.write_text(text[:start] + "\n" + "\n\n".join(parts) + "\n" + text[end:])
