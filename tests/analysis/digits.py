"""A small network trained on the digits in a second, to be made sick."""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax
from sklearn.datasets import load_digits

OPTIMIZER = optax.adamw(2e-3, weight_decay=1e-3)


class Unit(nn.Module):
    """Convolution and ReLU, so that a tap sees what the ReLU leaves."""

    features: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Conv(self.features, (self.size, self.size), self.stride, name="conv")(x))


class Digits(nn.Module):
    """Three units, global average pooling, and one dense layer."""

    @nn.compact
    def __call__(self, images, train=False):
        x = Unit(8, 5, name="stage1")(images)
        x = Unit(16, 3, 2, name="stage2")(x)
        x = Unit(24, 3, name="stage3")(x)
        return nn.Dense(10, name="head")(x.mean((1, 2)))


class Split(NamedTuple):
    """Digits: 300 to train on and 797 held out, and a training set with its labels shuffled."""

    train: tuple[np.ndarray, np.ndarray]
    shuffled: tuple[np.ndarray, np.ndarray]
    images: np.ndarray
    labels: np.ndarray


@functools.cache
def split():
    digits, rng = load_digits(), np.random.default_rng(0)
    order = rng.permutation(len(digits.target))
    images = np.float32(digits.images[order, ..., None] / 16)
    labels = np.int32(digits.target[order])
    train = images[:300], labels[:300]
    return Split(train, (train[0], rng.permutation(train[1])), images[1000:], labels[1000:])


@functools.cache
def fit(which, seed, steps):
    """Variables of the network, trained on the split of that name."""
    images, labels = getattr(split(), which)
    variables = Digits().init(jax.random.key(seed), images[:1])
    state, rng = OPTIMIZER.init(variables), np.random.default_rng(seed)
    for _ in range(steps):
        batch = rng.integers(0, len(images), 64)
        variables, state = _step(variables, state, images[batch], labels[batch])
    return jax.tree.map(np.asarray, variables)


@jax.jit
@jax.numpy_dtype_promotion("standard")  # optax raises to an integer power
def _step(variables, state, images, labels):
    def loss(variables):
        return optax.softmax_cross_entropy_with_integer_labels(Digits().apply(variables, images), labels).mean()

    updates, state = OPTIMIZER.update(jax.grad(loss)(variables), state, variables)
    return optax.apply_updates(variables, updates), state
