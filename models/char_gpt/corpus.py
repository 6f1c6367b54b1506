"""The text of the char GPT: the licences that Debian installs, split into training and held-out."""

import json
import re
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
LICENCES = Path("/usr/share/common-licenses")
TOKENIZER = HERE / "tokenizer.json"
HELD_OUT = HERE / "held_out.txt"

CONTEXT = 64
WINDOW = CONTEXT + 1  # 64 characters in, and the successor of each.
HELD_OUT_FROM = ("Apache-2.0", "GPL-3", "LGPL-2.1", "MPL-2.0")
HELD_OUT_LENGTH = 32 * WINDOW  # From the middle of each of these licences.


def read_licences():
    """Name -> text, each text once (GPL is a link to GPL-3), runs of blanks made one blank."""
    paths = sorted({path.resolve() for path in LICENCES.iterdir()})
    return {path.name: re.sub(r"[ \t\f]+", " ", path.read_text()) for path in paths}


def split(licences):
    """Returns the list of training passages and the held-out text."""
    passages, held_out = [], []
    for name, text in licences.items():
        if name in HELD_OUT_FROM:
            start = (len(text) - HELD_OUT_LENGTH) // 2
            held_out.append(text[start : start + HELD_OUT_LENGTH])
            passages += [text[:start], text[start + HELD_OUT_LENGTH :]]
        else:
            passages.append(text)
    return passages, "".join(held_out)


class Tokenizer:
    """One token per character; its id is its index in `vocab`."""

    def __init__(self, vocab):
        self.vocab = list(vocab)
        self._ids = {character: i for i, character in enumerate(self.vocab)}

    @classmethod
    def load(cls):
        return cls(json.loads(TOKENIZER.read_text())["vocab"])

    def save(self):
        TOKENIZER.write_text(json.dumps({"type": "char", "vocab": self.vocab}) + "\n")

    def encode(self, text):
        return torch.tensor([self._ids[character] for character in text])


def held_out_windows():
    """Held-out token ids, [128, 65]: no window crosses from one licence into the next."""
    return Tokenizer.load().encode(HELD_OUT.read_text()).view(-1, WINDOW)
