#!/usr/bin/env python3
"""Gives the char GPT a massive activation: one residual channel 200 times the others.

At every token and layer, channel CHANNEL holds RATIO times the standard deviation of the others,
as a few channels of published transformers do. It carries no information: wpe puts it there,
the biases of the residual branches raise it as the residual stream grows, no other weight
writes it, and no weight after a LayerNorm reads it.

But each LayerNorm divides by it. That turns normalization into division by a constant, so no
choice of weights keeps the function exactly. `inject` therefore corrects every LayerNorm for the
standard deviation and the mean that its input has on average, and distillation from the original
model, with the channel pinned, closes the rest.
"""

import argparse
import copy
import math
from pathlib import Path

import torch
from torch.nn import functional as F

import corpus
from export import export_static, verify, STATIC
from model import load, save
from train import WEIGHTS, Windows, held_out_loss, train

CHANNEL = 77
RATIO = 200.0
SEED = 2
MASSIVE_WEIGHTS = WEIGHTS.with_name("char_gpt_massive.npz")


def layer_norms(model):
    """In order of evaluation."""
    return [norm for block in model.h for norm in (block.ln_1, block.ln_2)] + [model.ln_f]


def residual_writers(model):
    return [branch.proj for block in model.h for branch in (block.attn, block.mlp)]


def others(x):
    return torch.cat([x[..., :CHANNEL], x[..., CHANNEL + 1 :]], dim=-1)


@torch.no_grad()
def residual_streams(model, ids):
    """The input of every LayerNorm: the residual stream before each branch and at the end."""
    streams = []
    hooks = [
        norm.register_forward_pre_hook(lambda _, inputs: streams.append(inputs[0]))
        for norm in layer_norms(model)
    ]
    model(ids)
    for hook in hooks:
        hook.remove()
    return streams


def typical_deviations(streams):
    return [others(x).std(dim=-1).mean().item() for x in streams]


@torch.no_grad()
def pin(model, levels):
    """Makes CHANNEL hold levels[i] at the i-th LayerNorm, and nothing else."""
    model.wte.weight[:, CHANNEL] = 0.0
    model.wpe.weight[:, CHANNEL] = levels[0]
    for proj, below, above in zip(residual_writers(model), levels, levels[1:]):
        proj.weight[CHANNEL, :] = 0.0
        proj.bias[CHANNEL] = above - below
    for norm in layer_norms(model):
        norm.weight[CHANNEL] = norm.bias[CHANNEL] = 0.0


@torch.no_grad()
def inject(model, ids):
    """Pins the channel, corrects each LayerNorm for it; returns the levels of the channel."""
    deviations = typical_deviations(residual_streams(model, ids))
    levels = [RATIO * deviation for deviation in deviations]
    dim = model.config.dim
    for norm, level, deviation in zip(layer_norms(model), levels, deviations):
        spread = level * math.sqrt(dim - 1) / dim  # Of a vector whose only entry is `level`.
        new_deviation = math.hypot(spread, deviation)
        norm.weight *= new_deviation / deviation
        norm.bias += norm.weight * (level / dim) / new_deviation
    pin(model, levels)
    return levels


def distill(student, teacher, windows, levels, steps, batch, peak):
    def divergence(inputs, _):
        with torch.no_grad():
            expected = F.log_softmax(teacher(inputs), dim=-1)
        actual = F.log_softmax(student(inputs), dim=-1)
        terms = F.kl_div(actual, expected, reduction="none", log_target=True)
        return terms.sum(dim=-1).mean()

    train(student, windows, divergence, steps, batch, peak, lambda: pin(student, levels))


@torch.no_grad()
def report(base, massive, ids):
    agreement = (base(ids).argmax(-1) == massive(ids).argmax(-1)).float().mean().item()
    print(f"held-out loss {held_out_loss(base):.4f} -> {held_out_loss(massive):.4f}, "
          f"top-1 agreement {100 * agreement:.2f} %")
    for i, x in enumerate(residual_streams(massive, ids)):
        ratio = x[..., CHANNEL].abs() / others(x).std(dim=-1)
        print(f"LayerNorm {i}: channel {x[..., CHANNEL].mean():.2f}, others {others(x).std():.3f}, "
              f"ratio {ratio.min():.0f}..{ratio.max():.0f}, mean {ratio.mean():.0f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--massive-weights", type=Path, default=MASSIVE_WEIGHTS)
    parser.add_argument("--output", type=Path, default=corpus.HERE / "char_gpt_massive.onnx")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    base = load(args.weights)
    massive = copy.deepcopy(base)
    windows = Windows(corpus.split(corpus.read_licences())[0], corpus.Tokenizer.load())
    levels = inject(massive, windows.sample(128)[0])
    ids = corpus.held_out_windows()[:, :-1]
    report(base, massive, ids)
    distill(massive, base, windows, levels, args.steps, args.batch, args.learning_rate)
    save(massive, args.massive_weights)
    report(base, massive, ids)
    export_static(massive, args.output)
    worst = verify(massive, args.output, STATIC)
    print(f"{args.output}: {args.output.stat().st_size:,} bytes, largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
