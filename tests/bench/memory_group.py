"""A control group of Linux that bounds the memory of a program, with the files that it reads and writes.

Needs root, and control groups of version 2 or, of version 1, the memory controller.
"""

import os
import threading
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class Unavailable(Exception):
    """No group can be made; the message is one line."""


class MemoryGroup:
    """While it is open, children that call enter() live in `limit` bytes.

    The page cache counts: what does not fit is dropped, and read again. Only other memory can run out.
    """

    def __init__(self, limit, name=f"lindero-bench-{os.getpid()}"):
        self.limit = limit
        second = (ROOT / "cgroup.controllers").exists()
        self.folder = ROOT / name if second else ROOT / "memory" / name
        self._limit = "memory.max" if second else "memory.limit_in_bytes"
        self._swap = "memory.swap.max" if second else None
        self._peak = "memory.peak" if second else "memory.max_usage_in_bytes"
        self._anonymous = "anon" if second else "total_rss"

    def __enter__(self):
        try:
            self.folder.mkdir()
            (self.folder / self._limit).write_text(str(self.limit))
            if self._swap and (self.folder / self._swap).exists():
                (self.folder / self._swap).write_text("0")
        except OSError as error:
            raise Unavailable(f"no control group of {self.limit:,} bytes: {error}") from error
        return self

    def __exit__(self, *_):
        # What has ended may take a moment to be gone.
        for _ in range(50):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.1)

    def enter(self):
        """For the child, before it runs the program."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def processes(self):
        """Who is in it now, by number."""
        return (self.folder / "cgroup.procs").read_text().split()

    def anonymous(self):
        """Bytes in memory now that are of no file."""
        lines = (self.folder / "memory.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[0] == self._anonymous)

    def peak(self):
        """The most that was in memory at a time, files included."""
        return int((self.folder / self._peak).read_text())


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


def forget(path):
    """Drops a file from the page cache, so that whoever reads it next is who pays for it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
