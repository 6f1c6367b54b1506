"""The commands of a page work, and print what the page says.

A page shows them in ```console blocks: "$ command", "> continuation", and below the output, to the letter. All commands
of a page run in one bash, in the root of the source tree; build/ stands for the build directory, /tmp/walk for a
folder that is empty at first.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE, BUILD, PAGES = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
MARK = "---- end of command ----"


def examples(text):
    """Command, expected output and line, of each command of the page."""
    found, inside = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append([line[2:], [], number])
        elif inside and line.startswith("> ") and not found[-1][1]:
            found[-1][0] += "\n" + line[2:]
        elif inside:
            found[-1][1].append(line)
    return found


def check(page, folder):
    commands = examples((SOURCE / page).read_text())
    script = ""
    for command, _, _ in commands:
        script += f"{command}\ncode=$?; echo; echo '{MARK}' $code\n"
    script = re.sub(r"(?<![\w/])build/", f"{BUILD}/", script).replace("/tmp/walk", folder)
    result = subprocess.run(["bash", "-c", script], cwd=SOURCE, capture_output=True, text=True)
    outputs = re.split(rf"^{MARK} (\d+)\n", result.stdout, flags=re.MULTILINE)
    failures = 0 if commands else 1
    for i, (command, expected, number) in enumerate(commands):
        output, code = (outputs[2 * i], outputs[2 * i + 1]) if 2 * i + 1 < len(outputs) else ("", "none")
        output = output.rstrip("\n").split("\n") if output.strip() else []
        if output == expected and code == "0":
            continue
        failures += 1
        print(f"{page}:{number}: exit code {code}\n$ {command}")
        print("--- the page says", *expected, "--- it prints", *output, sep="\n")
    if failures:
        print(result.stderr)
    print(f"{page}: {len(commands)} commands, {failures} failed")
    return failures == 0


def main():
    results = []
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            results.append(check(page, folder))
    sys.exit(not all(results))


main()
