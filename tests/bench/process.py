"""Runs a program and says what it took."""

import json
import os
import resource
import subprocess
import tempfile
import threading
import time


class Failed(Exception):
    """A program that did not end well; the message is one line."""


def measure(words, address_space=None, seconds=None, enter=None):
    """Runs `words`; returns what it printed and {"wall", "cpu", "peak_bytes"}.

    Wall and CPU are in seconds. CPU time is that of the program and those it started and waited for; the peak is the
    largest resident set among them (never less than this Python's own, about 20 MB: Linux carries it over). Beyond
    `address_space` bytes allocations fail; after `seconds` it is killed. The child calls `enter` before it runs them.
    """
    def limit():
        if enter:
            enter()
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
            # Should memory run out all the same, this is the process to end.
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")

    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.monotonic()
        child = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=errors, preexec_fn=limit if address_space or enter else None)
        timer = threading.Timer(seconds, child.kill) if seconds else None
        if timer:
            timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - begun
        if timer:
            timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        for file in (output, errors):
            file.seek(0)
        printed = output.read().decode(errors="replace")
        complaint = errors.read().decode(errors="replace").strip().splitlines()
    cost = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_bytes": 1024 * usage.ru_maxrss}
    if child.returncode == 0:
        return printed, cost
    reason = complaint[-1][:300] if complaint else "\n".join(printed.splitlines()[-1:])[:300]
    if seconds and wall >= seconds:
        reason = f"not done after {seconds} s"
    elif child.returncode < 0:
        reason = f"ended by signal {-child.returncode}: {reason}"
    raise Failed(f"{reason} (wall {wall:.1f} s, peak {cost['peak_bytes'] / 1e9:.1f} GB)")


def events(printed):
    """The JSON lines of `lindero --json`: the progress events, and the result."""
    lines = [json.loads(line) for line in printed.splitlines()]
    result = next(line for line in reversed(lines) if line["event"] == "result")
    return [line for line in lines if line["event"] == "progress"], result
