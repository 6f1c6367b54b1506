"""Compiles a file of over 2 GB in little more memory than its size, page cache included."""

from pathlib import Path

from memory_group import MemoryGroup, Watch, forget
from process import measure

TIMES = 1.3  # of the file's size: the memory that there is


def run(lindero, model, folder, python):
    """The figures of one compilation of `model`, without a key: the prover needs memory of another order."""
    onnx = model.file(folder, python)
    data = Path(f"{onnx}.data")
    size = onnx.stat().st_size + data.stat().st_size
    for file in (onnx, data):
        forget(file)
    words = [lindero, "--json", "compile", onnx, "-o", folder / f"{model.file_name}.lindero", "--no-key", *model.options]
    with MemoryGroup(int(TIMES * size)) as group, Watch(group) as watch:
        _, cost = measure(words, enter=group.enter)
        peak = group.peak()
    return {"file_bytes": size, "limit_bytes": group.limit, "wall": cost["wall"], "cpu": cost["cpu"],
            "peak_bytes": peak, "peak_anonymous_bytes": watch.anonymous, "read_bytes": watch.read}
