"""Which circuits are proven together, how often, and what ties them to each other: rules F34 to F36 of FORMAT.md."""

import re

from format_rules import F, obey

MOST_BLOCKS = 1 << 16  # members times steps
MOST_PARTS = 1 << 24  # tables, challenges and sum groups, those of a circuit counted with each member
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def bundle_of_one(message):
    """What stands for a bundle.pb where there is none: a circuit by itself."""
    bundle = message(format=1, most_steps=1)
    bundle.members.add(name="whole")
    return bundle


def check_name(name):
    """It is that of a folder, too."""
    obey(F.MEMBERS, NAME.fullmatch(name), repr(name), "cannot be the name of a member")


def check_bundle(bundle, circuits):
    """`circuits` has that of each member."""
    _check_members(bundle, circuits)
    carried = _check_links(bundle, circuits)
    least, most = (2, MOST_BLOCKS // len(circuits)) if carried else (1, 1)
    obey(F.STEPS, least <= bundle.most_steps <= most, bundle.most_steps, "steps at most, and", len(bundle.links), "links")


def _check_members(bundle, circuits):
    obey(F.MEMBERS, 1 <= len(bundle.members) <= MOST_BLOCKS, len(bundle.members), "members")
    for member in bundle.members:
        check_name(member.name)
    names = [member.name for member in bundle.members]
    obey(F.MEMBERS, len(set(names)) == len(names), "two members have the same name")
    seen = 0
    for member in bundle.members:
        obey(F.MEMBERS, member.circuit <= seen, "member", member.name, "has a circuit out of order")
        seen = max(seen, member.circuit + 1)
    parts = sum(len(of.tables) + len(of.challenges) + len(of.sum_groups) for of in circuits)
    obey(F.MEMBERS, parts <= MOST_PARTS, parts, "tables, challenges and sum groups of all members")
    tensors = [tensor.name for circuit in circuits for tensor in circuit.publics]
    obey(F.MEMBERS, len(set(tensors)) == len(tensors), "two members have a public tensor of the same name")


def _check_links(bundle, circuits):
    """Whether there is a link between steps."""
    linked = set()
    for link in bundle.links:
        for end in link.ends:
            groups = circuits[end.member].sum_groups if end.member < len(circuits) else []
            known = end.group < len(groups) and groups[end.group].exported
            obey(F.LINKS, known, "an end of a link is no exported sum group")
            obey(F.LINKS, (end.member, end.group) not in linked, "a sum group is linked twice")
            linked.add((end.member, end.group))
        obey(F.LINKS, len(link.ends) == 2, "a link of", len(link.ends), "ends")
        obey(F.LINKS, not all(end.before for end in link.ends), "all ends of a link are of the step before")
    return any(end.before for link in bundle.links for end in link.ends)
