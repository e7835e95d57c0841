"""Oracles: each layer's definition, written as loops over NumPy arrays in double precision."""

import itertools

import jax
import numpy as np
import pytest


def naive_convolution(x, kernel, strides, pairs, dilation, groups=1):
    x = np.pad(np.asarray(x, np.float64), ((0, 0), *pairs, (0, 0)))
    kernel = np.asarray(kernel, np.float64)
    taps = list(itertools.product(*map(range, kernel.shape[:-2])))
    sizes = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:-1], kernel.shape, strides, dilation, strict=False)
    ]
    y = np.zeros((x.shape[0], *sizes, kernel.shape[-1]))
    inputs, outputs = x.shape[-1] // groups, kernel.shape[-1] // groups
    for position in itertools.product(*map(range, sizes)):
        for tap, out in itertools.product(taps, range(kernel.shape[-1])):
            where = tuple(p * s + t * d for p, s, t, d in zip(position, strides, tap, dilation, strict=True))
            first = out // outputs * inputs
            seen = x[(slice(None), *where, slice(first, first + inputs))]
            y[(slice(None), *position, out)] += seen @ kernel[(*tap, slice(None), out)]
    return y


def naive_bilinear(image, row, column):
    """One (C,) value of an (H, W, C) image: every pixel times its tent, nothing outside."""
    total = np.zeros(image.shape[-1])
    for i, j in itertools.product(range(image.shape[0]), range(image.shape[1])):
        total += max(0.0, 1 - abs(row - i)) * max(0.0, 1 - abs(column - j)) * image[i, j]
    return total


@pytest.fixture(scope="session")
def oracle():
    return naive_convolution


@pytest.fixture(scope="session")
def bilinear_oracle():
    return naive_bilinear


@pytest.fixture
def normal():
    rng = np.random.default_rng(0)
    return lambda *shape: rng.normal(size=shape).astype(np.float32)


@pytest.fixture
def draw():
    """Random variables of a layer, statistics positive, without compiling its initializers."""
    rng = np.random.default_rng(1)

    def variables(layer, x):
        shapes = jax.eval_shape(layer.init, jax.random.key(0), x)
        return jax.tree.map(lambda leaf: jax.numpy.asarray(rng.uniform(0.1, 1.0, leaf.shape), leaf.dtype), shapes)

    return variables
