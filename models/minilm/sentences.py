"""Varied sentences, from templates and word lists: the same ones for the same seed."""

import random

PEOPLE = (
    "a nurse", "the old man", "two students", "my neighbour", "the committee", "a stray dog", "the pilot",
    "our teacher", "several farmers", "an engineer", "the children", "nobody", "the mayor of Lisbon", "Dr. Kim",
    "the goalkeeper",
)
ACTS = (
    "repaired", "painted", "forgot", "discovered", "sold", "photographed", "explained", "carried", "refused",
    "cooked", "measured", "borrowed", "translated", "hid", "celebrated",
)
THINGS = (
    "the broken engine", "a bowl of soup", "seven letters", "the national budget", "an unusual fossil",
    "the red bicycle", "a proof of the theorem", "fresh bread", "their holiday photos", "the quarterly report",
    "a wooden boat", "the vaccine", "an encrypted file", "the piano", "three tickets to Madrid",
)
PLACES = (
    "in the kitchen", "near the river", "at the airport", "on Mars", "during the storm", "before sunrise", "in 1997",
    "at the hospital", "under the bridge", "on television", "after the election", "in the library", "by mistake",
)
TOPICS = (
    "interest rates", "photosynthesis", "the offside rule", "gradient descent", "sourdough", "black holes",
    "rent control", "jazz harmony", "malaria", "tax law", "volcanoes", "chess openings", "train timetables", "whales",
    "password security",
)
TEMPLATES = (
    "{person} {act} {thing} {place}.", "{person} {act} {thing}.",
    "Did {person} really say that {person} {act} {thing}?", "How does {topic} work?",
    "What is the difference between {topic} and {topic}?", "{topic}", "I love {topic}!",
    "Nobody understands {topic} {place}, least of all {person}.",
    "The price of {thing} rose by {number} percent {place}.", "{number} + {number} = {number}",
    "WARNING: do not touch {thing} {place}!!!", "Le chat dort {place}.", "error {number}: file not found",
    "Please explain {topic} to {person} in {number} words or fewer, without any formulas at all.",
    "There is {thing} {place}, and {person} wants it back.", "{topic}, {topic} and {topic}", "Yes.",
    "No, {person} never {act} it.", "x = f({number}) # {topic}",
    "Der Zug nach Berlin {place} hat {number} Minuten Versp\u00e4tung.",
)


def sentence(source):
    parts = dict(person=PEOPLE, act=ACTS, thing=THINGS, place=PLACES, topic=TOPICS)
    text = source.choice(TEMPLATES)
    while "{" in text:
        name = text[text.index("{") + 1 : text.index("}")]
        word = str(source.randrange(2, 5000)) if name == "number" else source.choice(parts[name])
        text = text.replace("{" + name + "}", word, 1)
    return text[0].upper() + text[1:]


def sentences(count, seed, without=()):
    """Different ones, none of `without`."""
    source, found = random.Random(seed), dict.fromkeys(without)
    while len(found) < count + len(without):
        found[sentence(source)] = None
    return list(found)[len(without):]
