"""Arithmetic modulo p = 2^31 - 1 and in its extension of degree 4, on whole numpy arrays.

i^2 = -1, u^2 = 2 + i; an extension element is (a + b i) + (c + d i) u. Base field arrays have the shape (n,), extension
arrays (4, n), both uint64 with canonical residues; n = 1 broadcasts. Every function takes either kind, mixed at will.
Products of residues stay below 2^62, so four of them can be summed before they are reduced.
"""

import numpy as np

P = 2**31 - 1
_P = np.uint64(P)
_BITS = np.uint64(31)


def reduce(x):
    """The canonical residues of any uint64."""
    x = (x & _P) + (x >> _BITS)
    x = (x & _P) + (x >> _BITS)  # at most p + 5
    return np.minimum(x, x - _P)


def residues(integers):
    """Signed integers as residues."""
    return np.mod(np.asarray(integers, dtype=np.int64), P).astype(np.uint64)


def signed(residue):
    """A residue as the integer of least absolute value."""
    residue = int(residue)
    return residue - P if residue > (P - 1) // 2 else residue


def extension(x):
    """The same values as an extension array."""
    if x.ndim == 2:
        return x
    out = np.zeros((4, x.shape[0]), dtype=np.uint64)
    out[0] = x
    return out


def is_zero(x):
    return x == 0 if x.ndim == 1 else ~x.any(axis=0)


def add(x, y):
    if x.ndim == y.ndim:
        total = x + y
        return np.minimum(total, total - _P)
    if x.ndim < y.ndim:
        x, y = y, x
    out = np.empty((4, max(x.shape[1], y.shape[0])), dtype=np.uint64)
    out[0] = add(x[0], y)
    out[1:] = x[1:]
    return out


def neg(x):
    x = _P - x
    return np.minimum(x, x - _P)


def sub(x, y):
    return add(x, neg(y))


def mul(x, y):
    if x.ndim == 1 or y.ndim == 1:
        return reduce(x * y)
    a, b, c, d = x
    e, f, g, h = y
    minus_f, minus_h = _P - f, _P - h
    out = np.empty((4, max(x.shape[1], y.shape[1])), dtype=np.uint64)
    # (c + d i)(g + h i) = m + n i, and (2 + i)(m + n i) = (2m - n) + (m + 2n) i.
    m = reduce(c * g + d * minus_h)
    n = reduce(c * h + d * g)
    out[0] = a * e + b * minus_f + (m + m + (_P - n))
    out[1] = a * f + b * e + (m + n + n)
    out[2] = a * g + b * minus_h + c * e + d * minus_f
    out[3] = a * h + b * g + c * f + d * e
    return reduce(out)


def _power_of_two(x, k):
    """x^(2^k)."""
    for _ in range(k):
        x = mul(x, x)
    return x


def _inverse_base(x):
    """x^(p - 2) = (x^(2^29 - 1))^4 * x; doubling the number of ones in the exponent, or adding one, along 29 = 0b11101."""
    power, ones = x, 1
    for bit in "1101":
        power = mul(_power_of_two(power, ones), power)
        ones *= 2
        if bit == "1":
            power = mul(mul(power, power), x)
            ones += 1
    return mul(_power_of_two(power, 2), x)


def _complex_mul(x, y):
    (a, b), (c, d) = x, y
    return reduce(a * c + b * (_P - d)), reduce(a * d + b * c)


def inverse(x):
    """1 / x; no element may be zero."""
    if x.ndim == 1:
        return _inverse_base(x)
    low, high = (x[0], x[1]), (x[2], x[3])
    square = _complex_mul(low, low)
    s, t = _complex_mul(high, high)
    # (low + high u)(low - high u) = low^2 - (2 + i) high^2, a complex number.
    norm = sub(square[0], sub(add(s, s), t)), sub(square[1], add(s, add(t, t)))
    scale = _inverse_base(reduce(norm[0] * norm[0] + norm[1] * norm[1]))
    inverted = mul(norm[0], scale), mul(neg(norm[1]), scale)
    return np.stack(_complex_mul(low, inverted) + _complex_mul((neg(high[0]), neg(high[1])), inverted))


def scan(factor, addend):
    """y with y[0] = addend[0] and y[i] = factor[i] * y[i-1] + addend[i], extension arrays of one length.

    Row i stands for the map y -> factor y + addend; maps are composed over 1, 2, 4, … rows, until each row has met a
    factor of zero.
    """
    y, factor = addend.copy(), factor.copy()
    factor[:, 0] = 0
    step = 1
    while factor.any():
        y[:, step:] = add(y[:, step:], mul(factor[:, step:], y[:, :-step]))
        factor[:, step:] = mul(factor[:, step:], factor[:, :-step])
        step *= 2
    return y


def prefix_sums(x):
    """Running sums of at most 2^32 elements."""
    return reduce(np.cumsum(x, axis=-1, dtype=np.uint64))


def total(x):
    """The sum over the last axis, which it keeps, with length 1."""
    return reduce(np.sum(x, axis=-1, keepdims=True, dtype=np.uint64))
