"""The forger's lies about bundles of several members: a model cut into four, and three members made by hand over two steps."""

import os
import subprocess

import cut_lies
import lies
from package import Bundle

TOKENS, OTHER_TOKENS = ("--tokens", "3,1,4,1,5,9,2,6"), ("--tokens", "7,7,0,2,11,3,15,1")
# Of the four members, the first that has products; that before it gives what it takes.
GIVER, TAKER, TAKEN = 1, 2, 1
LINK = f"link:cut/{TAKEN}"


def cut(lab, hole):
    """The toy by layer. `hole` is the constraint without which a gathered cell is free."""
    package, whole = lab.compiled("cut")
    run, other = lab.run("cut", *TOKENS), lab.run("cut", *OTHER_TOKENS)
    lab.honest("cut", run)
    changed = lambda how: cut_lies.changed(lab.build, whole, run, lab.new("revised"), TAKEN, how)
    one_side, permuted = changed("altered"), changed("permuted")
    within = cut_lies.within(run, other, TAKER)
    lab.show("cut", "output of choice", package, lies.text(run, [5, 6, 7, 8, 9, 10, 11, 12]))
    lab.show("cut", "members of another input", package, cut_lies.members_of(run, other, TAKER))
    lab.show("cut", "output of another input within a member", package, within)
    lab.show("cut", "what is taken is not what is given", package, one_side, freedoms="all" if lab.everything else "links")
    lab.show("cut", "what is taken is permuted", package, permuted)
    lab.show("cut", "input altered", package, lies.input_altered(run))
    lab.show("cut", "public sum altered", package, lies.stated(run, 1))
    blocks(lab, package, run, other)
    # Faults, at either end of the link and within a member.
    name = lambda member: f"segment{member}"
    for member, what in (GIVER, "giver"), (TAKER, "taker"):
        faulty = lab.faulty("cut", lambda table, constraint: constraint == f"{LINK}.sum", member=name(member))
        lab.show(f"cut, a link's sum undefined at the {what}", "a lie", faulty, one_side, believed=True)
    unrepaired = lab.faulty("cut", lambda table, constraint: constraint == hole, member=name(TAKER))
    lab.show("cut, a member without the repair", "output of another input within a member", unrepaired, within, believed=True)
    for kind in "gather", "scan":
        slipped = lab.faulty("cut", edit=lambda circuit: cut_lies.slip(circuit, LINK, kind), member=name(TAKER))
        lab.show(f"cut, a cell of a {kind} in a crossing sum", "a lie", slipped, permuted, believed=True)
    slipped = lab.faulty("cut", edit=lambda circuit: cut_lies.slip(circuit, LINK, "scan", defined=True), member=name(TAKER))
    refused_by_rule(lab, slipped, "R7")
    if lab.everything:
        each_link(lab)


def blocks(lab, package, run, other):
    """What can be done to the blocks of a run that holds, and blocks of others in their places."""
    finely, _ = lab.compiled("cut finely")
    again = run.copy()
    again.nonce = "another"
    proofs = {"another input": (package, other), "another proof of the run": (package, again),
              "another placement": (finely, lab.run("cut finely", *TOKENS))}
    for what, (of, honest) in proofs.items():
        _, folder = lab.attempts(of, honest, "none")
        lab.show("cut", f"blocks of {what}, or out of their places", package, run, "--blocks-of", folder / "proof",
                 freedoms="blocks")


def each_link(lab):
    """The toy by region: each of its links, changed where it is taken."""
    package, whole = lab.compiled("cut finely")
    run = lab.run("cut finely", *TOKENS)
    for link in range(len(run.bundle.message.links)):
        for how in "altered", "permuted":
            lie = cut_lies.changed(lab.build, whole, run, lab.new("revised"), link, how)
            lab.show("cut finely", f"what link {link} takes is {how}", package, lie, freedoms="links")


def refused_by_rule(lab, package, rule):
    """No reader takes the circuit."""
    command = [lab.build / "bin" / "lindero-prover-stwo", "setup", "--package", package, "--output", package / "model.key"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    lab.rows.append(lab.row("cut, a defined scan in a crossing sum", "its key", "", "", rule))
    if done.returncode == 0 or f"{rule}: " not in done.stdout + done.stderr:
        lab.wrong.append(f"{rule} does not refuse it: {done.stderr}")


def network(lab):
    """Members that share challenges and a table of ranges, tied within a step and to the one before."""
    folder = lab.new("network")
    run = cut_lies.network(os.environ["WRITE_SAMPLE"], folder, Bundle, 2)
    lab.packages["network"] = folder, folder
    lab.honest("network", run)
    state, range_ = cut_lies.another_state(run, 1), cut_lies.out_of_range(run, 1)
    lab.show("network", "an error on one link compensated on another", folder, cut_lies.compensated(run, 1), freedoms="all")
    lab.show("network", "forged multiplicities of a table", folder, range_, freedoms="all")
    lab.show("network", "a step begins where none ended", folder, state)
    lab.show("network", "a member of another step", folder, cut_lies.of_another_step(run, cut_lies.SUMS))
    lab.show("network", "a step twice", folder, cut_lies.steps(run, (0, 0)))
    lab.show("network", "steps in another order", folder, cut_lies.steps(run, (1, 0)))
    lab.show("network", "blocks out of their places", folder, run, freedoms="blocks")
    for constraint, member, lie in [("left", "sums", state), ("taken", "sums", state), ("range", "sums", range_),
                                    ("to sums", "table", range_)]:
        faulty = lab.faulty("network", lambda table, of: of == constraint, member=member)
        lab.show(f"network, {member}.{constraint} undefined", "a lie", faulty, lie, believed=True)
