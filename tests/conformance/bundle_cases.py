"""Broken bundles, of a circuit that exports two groups: F34 to F36. That members of several circuits are read from folders of their
own is tested where they are proven."""

from case import case, field


def bundle(rule, name, change):
    case(rule, name, change, of="bundle")


def member(name, value):
    return lambda b: setattr(b.members[0], name, value)


def end(number, name, value):
    return lambda b: setattr(b.links[0].ends[number], name, value)


bundle(None, "a bundle as it is", lambda b: None)
bundle("F1", "another format of bundles", field("format", 2, lambda b: b))

# F34
bundle("F34", "no member", lambda b: b.ClearField("members"))
for name in ("", "..", ".hidden", "a/b", "a b", "x" * 65):
    bundle("F34", f"a member of the name {name!r}", member("name", name))
bundle(None, "a member of another name", member("name", "layer_0.attention-2"))
bundle("F34", "a circuit that there is not", member("circuit", 1))

# F35
bundle("F35", "an end of no member", end(0, "member", 1))
bundle("F35", "an end of no group", end(0, "group", 99))
bundle("F35", "an end of a group that is not exported", end(0, "group", 1))
bundle("F35", "a group that is linked twice", lambda b: b.links.append(b.links[0]))
bundle("F35", "a group that is both ends", lambda b: setattr(b.links[0].ends[1], "group", b.links[0].ends[0].group))
bundle("F35", "one end", lambda b: b.links[0].ends.pop())
bundle("F35", "no end", lambda b: b.links.add())
bundle("F35", "ends of the step before alone", end(0, "before", True))

# F36
for steps in (0, 1, 65537):
    bundle("F36", f"links between steps, and {steps} of them", field("most_steps", steps, lambda b: b))
bundle(None, "most steps", field("most_steps", 65536, lambda b: b))
bundle("F36", "steps without links between them", end(1, "before", False))
bundle(None, "one step with a link", lambda b: (end(1, "before", False)(b), setattr(b, "most_steps", 1)))
bundle("F36", "steps without links", lambda b: b.ClearField("links"))
