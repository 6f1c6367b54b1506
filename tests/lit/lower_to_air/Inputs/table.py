"""table.py NAME < circuit.lir: what a table is made of, without its cells; values numbered as they appear.

A golden is made by the command of its test, with `> golden` in place of `| diff golden -`.
"""

import re
import sys

CELLS = ("air.fill", "air.instance")


def main():
    text = sys.stdin.read()
    body = re.search(r'^  air\.table \{[^\n]*name = "%s"\} \{\n(.*?)^  \}' % re.escape(sys.argv[1]), text, re.M | re.S)
    if body is None:
        sys.exit(f"no table {sys.argv[1]}")
    names = {}
    for line in body.group(1).splitlines():
        if line.strip().startswith(CELLS):
            continue
        # A value that no line of the table defines is one of challenges.
        defined = line.split(" = ")[0].strip() if line.strip().startswith("%") else None
        for name in re.findall(r"%[\w.\"/]+", line):
            if name not in names:
                kind = "" if name == defined else "challenge"
                names[name] = f"%{kind}{sum(n.startswith('%' + kind) and n[1 + len(kind):].isdigit() for n in names.values())}"
        print(re.sub(r"%[\w.\"/]+", lambda m: names[m.group(0)], line.strip()))


main()
