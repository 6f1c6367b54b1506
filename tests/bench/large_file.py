"""Compiles a file of over 2 GB in little more memory than its size, page cache included."""

import threading
from pathlib import Path

from memory_group import MemoryGroup, forget
from process import measure

TIMES = 1.3  # of the file's size: the memory that there is


class Watch:
    """Looks at a program as it runs: its memory that is of no file, and what it reads from disk."""

    def __init__(self, group):
        self.anonymous, self.read = 0, 0
        self._group, self._done = group, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _look(self):
        while not self._done.wait(0.05):
            self.anonymous = max(self.anonymous, self._group.anonymous())
            self.read = max(self.read, sum(map(_read_bytes, self._group.processes())))


def _read_bytes(process):
    try:
        lines = Path(f"/proc/{process}/io").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


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
