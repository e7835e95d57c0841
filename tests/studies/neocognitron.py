"""Templates made by hand against templates learned, on shifted digits: `python -m tests.studies.neocognitron`.

Trains three nets on the digits, in as many steps and from the same seeds: a linear read-out of the pixels, one of the
Neocognitron with its templates made by hand, and the Neocognitron with templates and read-out trained end to end.
Prints a table of their accuracy on test digits as they are and moved by some pixels; none was trained on moved digits.
"""

import argparse
import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import zoo
from train import datasets
from zoo.layers.pooling import flatten

MARGIN = 4
SHIFTS = (0, 1, 2, 4)


class Pixels(nn.Module):
    """Ten classes, linear in pixels."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, 10) logits."""
        return nn.Dense(10, name="head")(flatten(images))


class Net(NamedTuple):
    """What is trained, and how.

    Attributes:
      model: of 10 classes.
      rate: the first of Adam, which falls to zero by a cosine: of 0.003, 0.01 and 0.03 the one with the least loss on
        training images, seed 0, 220 steps.
    """

    model: nn.Module
    rate: float


def nets(orientations: int) -> dict[str, Net]:
    """By where their templates come from."""
    return {
        "none: pixels": Net(Pixels(), 0.03),
        **{
            templates: Net(zoo.create(name, orientations=orientations), rate)
            for templates, name, rate in (
                ("made by hand", "neocognitron", 0.03),
                ("learned", "neocognitron_learned", 0.003),
            )
        },
    }


def digits() -> datasets.Dataset:
    """Images of 24×24 pixels in a black frame of 4, so that a shift loses no ink."""
    data = datasets.load("digits", 32 - 2 * MARGIN)
    frame = ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    splits = {name: getattr(data, name) for name in ("train", "test")}
    framed = {name: datasets.Split(np.pad(split.images, frame), split.labels) for name, split in splits.items()}
    return datasets.Dataset("digits", **framed, classes=data.classes)


def _optimizer(rate: float, steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(rate, steps))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _step(net: Net, steps: int, variables: Any, state: Any, images: jax.Array, labels: jax.Array) -> tuple:
    def loss(variables):
        logits = net.model.apply(variables, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    value, gradient = jax.value_and_grad(loss)(variables)
    updates, state = _optimizer(net.rate, steps).update(gradient, state)
    return optax.apply_updates(variables, updates), state, value


def trained(net: Net, data: datasets.Split, seed: int, steps: int, batch_size: int = 64) -> tuple[Any, float]:
    """Variables after so many steps, and the mean loss of the last epoch."""
    variables = zoo.init(net.model, jax.random.key(seed), data.images.shape[1:])
    state = _optimizer(net.rate, steps).init(variables)
    draw, epoch, losses = np.random.default_rng(seed), len(data) // batch_size, []
    for number in range(steps):
        if number % epoch == 0:
            order = draw.permutation(len(data))
        chosen = order[number % epoch * batch_size :][:batch_size]
        variables, state, value = _step(net, steps, variables, state, data.images[chosen], data.labels[chosen])
        losses.append(value)
    return variables, float(np.mean(losses[-epoch:]))


@functools.partial(jax.jit, static_argnums=0)
def _classify(model: nn.Module, variables: Any, images: jax.Array) -> jax.Array:
    return jnp.argmax(model.apply(variables, images), axis=-1)


def accuracy(model: nn.Module, variables: Any, data: datasets.Split, shift: int) -> float:
    """Mean over shifts to the four sides by so many pixels."""
    ways = [(sign * shift, axis) for sign in (1, -1) for axis in (1, 2)] if shift else [(0, 1)]
    moved = [_classify(model, variables, np.roll(data.images, *way)) for way in ways]
    return float(np.mean(np.asarray(moved) == data.labels))


def study(seeds: int, steps: int, orientations: int) -> dict[str, np.ndarray]:
    """Accuracies (seeds, shifts) of each net."""
    data = digits()
    found = {}
    for name, net in nets(orientations).items():
        every = [trained(net, data.train, seed, steps)[0] for seed in range(seeds)]
        found[name] = np.array([[accuracy(net.model, one, data.test, shift) for shift in SHIFTS] for one in every])
    return found


def markdown(found: dict[str, np.ndarray]) -> str:
    """A row for each net: mean over seeds, least and most in brackets."""
    head = ("templates", *(f"moved by {shift}" if shift else "as they are" for shift in SHIFTS))
    rows = [
        (name, *(f"{100 * one.mean():.1f} ({100 * one.min():.1f}–{100 * one.max():.1f})" for one in values.T))
        for name, values in found.items()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ("---",) * len(head), *rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.studies.neocognitron", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=220)
    parser.add_argument("--orientations", type=int, default=4, help="of the lines; the catalogued net has 8")
    given = parser.parse_args()
    print(markdown(study(given.seeds, given.steps, given.orientations)))


if __name__ == "__main__":
    main()
