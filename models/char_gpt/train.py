#!/usr/bin/env python3
"""Trains the char GPT on Debian's licence texts; about ten minutes on one core.

Writes tokenizer.json and held_out.txt beside this file, and the weights to --weights.
The text is that of the installed `base-files` package: with another release of it, or on another
processor, the weights differ; the committed models do not need this script.
"""

import argparse
import math
import time
from pathlib import Path

import torch

import corpus
from model import Config, Gpt, loss, save

SEED = 1
WEIGHTS = corpus.HERE.parent / "generated" / "char_gpt.npz"


def learning_rate(step, steps, peak, warmup=100, floor=0.05):
    """Linear warm-up, then a cosine down to `floor` of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    phase = (step - warmup) / max(1, steps - warmup)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * phase)))


def make_optimizer(model, peak, decay=0.1):
    """AdamW; weight decay on matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.99))


class Windows:
    """Random windows of the training text; none spans a passage's end."""

    def __init__(self, passages, tokenizer):
        self.tokens = torch.cat([tokenizer.encode(passage) for passage in passages])
        starts, offset = [], 0
        for passage in passages:
            starts.append(torch.arange(offset, offset + len(passage) - corpus.CONTEXT))
            offset += len(passage)
        self.starts = torch.cat(starts)

    def sample(self, batch):
        starts = self.starts[torch.randint(len(self.starts), (batch, 1))]
        windows = self.tokens[starts + torch.arange(corpus.WINDOW)]
        return windows[:, :-1], windows[:, 1:]


@torch.no_grad()
def held_out_loss(model):
    windows = corpus.held_out_windows()
    model.eval()
    value = loss(model(windows[:, :-1]), windows[:, 1:]).item()
    model.train()
    return value


def train(model, windows, objective, steps, batch, peak, after_step=None):
    """Minimizes objective(inputs, targets) over `model`; `after_step()` may restore constraints."""
    optimizer = make_optimizer(model, peak)
    start = time.monotonic()
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        value = objective(*windows.sample(batch))
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if after_step:
            after_step()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            seconds = time.monotonic() - start
            print(f"step {step + 1}/{steps}  objective {value.item():.4f}  "
                  f"held out {held_out_loss(model):.4f}  {seconds:.0f} s", flush=True)
    model.eval()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    args = parser.parse_args()

    torch.set_num_threads(1)  # One thread also fixes the order of every sum.
    torch.manual_seed(SEED)
    passages, held_out = corpus.split(corpus.read_licences())
    tokenizer = corpus.Tokenizer(sorted(set("".join(passages))))
    tokenizer.save()
    corpus.HELD_OUT.write_text(held_out)

    windows = Windows(passages, tokenizer)
    model = Gpt(Config(vocab=len(tokenizer.vocab), dropout=args.dropout))
    count = sum(p.numel() for p in model.parameters())
    print(f"{len(windows.tokens):,} characters, {len(windows.tokens.unique())} of them distinct, "
          f"{count:,} parameters")
    train(
        model, windows, lambda inputs, targets: loss(model(inputs), targets),
        args.steps, args.batch, args.learning_rate)
    save(model, args.weights)
    print(f"{args.weights}: held-out perplexity {math.exp(held_out_loss(model)):.3f}")


if __name__ == "__main__":
    main()
