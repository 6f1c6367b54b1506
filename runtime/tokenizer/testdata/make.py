#!/usr/bin/env python3
"""Makes the tokenizers of this folder, and what the library that defines their format makes of some texts.

    pip install tokenizers==0.23.3
    python3 runtime/tokenizer/testdata/make.py

gpt2.json cuts words as GPT-2 does; llama.json by an expression of its own, after NFC, with whole words first.
"""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = Path(__file__).resolve().parent
TEXT = (HERE.parents[2] / "models" / "char_gpt" / "held_out.txt").read_text()
SCRIPTS = ("naïve café “quotes” — Größe Привет мир 你好世界 한국어 ١٢٣ 12345 it's we'll they've   tabs\t\tand\n\n lines\u2003em\u000b"
           "vt\u0085nel 🙂👍🏽 e\u0301 don't 100,000.00\r\n")
CASES = ["", "Hello world", TEXT[:200], SCRIPTS, "a<|endoftext|>b <|end|>", "   x  y\n\n\nz", "IT'S Don'T", "e\u0301\u0301 \u00e9",
         "\0\x7f\u00a0\u00ad", "x" * 50 + " " * 20, "123456 7 1234567"]
WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def make(name, pre_tokenizer, normalizer=None, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<|endoftext|>", "<|end|>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator([TEXT, SCRIPTS * 20], trainer)
    tokenizer.save(str(HERE / f"{name}.json"), pretty=False)
    cases = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in CASES]
    (HERE / f"{name}.cases.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")


make("gpt2", pre_tokenizers.ByteLevel(add_prefix_space=False))
make("llama", pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(WORDS), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
]), normalizers.NFC(), ignore_merges=True)
