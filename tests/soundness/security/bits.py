"""The errors of the protocol, written down from the papers a second time: nothing is taken from the Rust crate.

A word far from the code is accepted with at most the sum of these. Errors are numbers, not bits, until the end. Names: k
coefficients and n points of the first code, F the extension field's size.
"""

from dataclasses import dataclass
from math import inf, log2

F = (2**31 - 1) ** 4


@dataclass(frozen=True)
class Sizes:
    log_height: int
    quotients: float  # M: powers of the coefficient that batches
    constraints: float
    log_degrees: tuple  # of the sums, in the challenges of phase 1 and in those of phase 2 alone


@dataclass(frozen=True)
class Bundle:
    """Members, repeated in steps, and log2 of the degrees of the sums over the ends of each link."""

    members: tuple
    links: tuple = ()
    steps: int = 1


@dataclass(frozen=True)
class Parameters:
    log_blowup: int
    queries: int
    pow_bits: int = 0
    challenge_pow_bits: int = 0
    composition_pow_bits: int = 0
    out_of_domain_pow_bits: int = 0
    batching_pow_bits: int = 0
    fold_pow_bits: int = 0
    fold_step: int = 3
    log_last_layer_degree: int = 5


def arities(sizes, parameters):
    """By how much each fold divides its domain, first to last."""
    left, steps = sizes.log_height - parameters.log_last_layer_degree, []
    while left > 0:
        steps.append(2 ** min(parameters.fold_step, left))
        left -= parameters.fold_step
    return steps


class Radius:
    """What is known at a distance from the code: `passes` is how much of the domain agrees, `batch` how many points of a line,
    and `folds` how many points of all folds' curves may be that near, though the rest is not."""

    def __init__(self, passes, batch, folds):
        self.passes, self.batch, self.folds = passes, batch, folds


def unique(sizes, parameters, loss=1e-6):
    """Half the distance, less a loss: SOUNDNESS.md, lemmas 2 to 4. From distance `start` down to `end`: the points of
    a line, and d times as many of a curve of degree d."""
    k, n = 2**sizes.log_height, 2 ** (sizes.log_height + parameters.log_blowup)
    relative = 1 - (k + 3) / n  # the distance of a code with k + 3 coefficients
    half = relative / 2
    folds = arities(sizes, parameters)

    def lossy(start, end):
        return max((relative - end) / (end * (relative - 2 * end)), start / (start - end))

    step = loss / 2 / len(folds)
    ends = [half - loss / 2 - i * step for i in range(len(folds) + 1)]
    total = sum((a - 1) * lossy(start, end) for a, start, end in zip(folds, ends, ends[1:]))
    return Radius(1 - ends[-1], lossy(half, ends[0]), total)


def assumed(sizes, parameters, passes):
    n, total = 2.0 ** (sizes.log_height + parameters.log_blowup), 0.0
    layer = n
    for arity in arities(sizes, parameters):
        total += (arity - 1) * (layer + 1)
        layer /= arity
    return Radius(passes, n, total)


def elias(sizes, parameters):
    rho = 2.0**-parameters.log_blowup
    entropy = rho * log2(1 / rho) + (1 - rho) * log2(1 / (1 - rho))
    return assumed(sizes, parameters, rho + entropy / 31)


def rate(sizes, parameters):
    return Radius(2.0**-parameters.log_blowup, 1, sum(arity - 1 for arity in arities(sizes, parameters)))


def errors(sizes, parameters, radius):
    early, late = (2.0**degree for degree in sizes.log_degrees)
    return {
        "queries": radius.passes**parameters.queries / 2**parameters.pow_bits,
        "batching": max(sizes.quotients - 1, 1) * radius.batch / F / 2**parameters.batching_pow_bits,
        "folds": radius.folds / F / 2**parameters.fold_pow_bits,
        "out_of_domain": (4 * 2**sizes.log_height + 8) / F / 2**parameters.out_of_domain_pow_bits,
        "constraints": sizes.constraints / F / 2**parameters.composition_pow_bits,
        "challenges": (early / 2**parameters.challenge_pow_bits + late) / F,
    }


def of_bundle(bundle, parameters, radius_of):
    """One false block or link makes a bundle false. A link's sum hangs on the challenges of phase 1; its ends stand for one
    codeword each, by every regime."""
    blocks = [errors(sizes, parameters, radius_of(sizes, parameters)) for sizes in bundle.members]
    total = {name: sum(block[name] for block in blocks) for name in blocks[0]}
    total["challenges"] += sum(2.0**degree for degree in bundle.links) / F / 2**parameters.challenge_pow_bits
    return {name: bundle.steps * error for name, error in total.items()}


def bits(error):
    return -log2(error) if error > 0 else inf


def radii(bundle, parameters, regime):
    """What a regime may count on, finer than the tool looks: functions of sizes and parameters."""
    if regime == "best known attack":
        return [rate]
    least = min(bundle.members, key=lambda sizes: sizes.log_height)
    half = (1 - (2**least.log_height + 3) / 2 ** (least.log_height + parameters.log_blowup)) / 2
    losses = [loss for i in range(12, 320) if (loss := 2 ** (-i / 16)) < half / 2]
    proven = [lambda sizes, parameters, loss=loss: unique(sizes, parameters, loss) for loss in losses]
    return proven if regime == "proven" else [*proven, elias]


def best(bundle, parameters, regime):
    """The least sum of errors, with its terms."""
    found = (of_bundle(bundle, parameters, radius) for radius in radii(bundle, parameters, regime))
    return min(found, key=lambda terms: sum(terms.values()))
