"""The Neocognitron: simple cells that match templates, and complex cells that tolerate shifts.

Reference: Fukushima, 1980, doi:10.1007/BF00344251; templates made by hand and a blur for the complex
cells as in Fukushima, 1988, doi:10.1016/0893-6080(88)90014-7.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.composite import Activation
from zoo.layers.convolutions import convolution
from zoo.layers.normalization import NoNorm, Norm
from zoo.layers.pooling import adaptive_avg_pool, blur_pool, flatten
from zoo.variant import Paper, Variant


def oriented_lines(size: int = 5, orientations: int = 8) -> np.ndarray:
    """Templates of straight lines through the centre, evenly spread over half a turn.

    Args:
      size: of the templates in pixels.
      orientations: how many; the first line is horizontal.

    Returns:
      (size, size, 1, orientations), each template of length 1.

    Example:
      >>> oriented_lines(3, 2)[:, :, 0, 1].round(2).tolist()
      [[0.0, 0.58, 0.0], [0.0, 0.58, 0.0], [0.0, 0.58, 0.0]]
    """
    across = [_distances(size, np.pi * index / orientations)[0] for index in range(orientations)]
    return _unit(np.stack([np.maximum(0, 1 - np.abs(line)) for line in across], axis=-1)[:, :, None])


def junctions(size: int = 5, orientations: int = 8) -> np.ndarray:
    """Templates of one or two arms that meet in the centre: line ends, corners of every angle, and lines.

    An arm is looked for in the responses to lines of its own orientation.

    Args:
      size: of the templates in pixels.
      orientations: of the lines that the input stands for; arms have twice as many directions.

    Returns:
      (size, size, orientations, n (2 n + 1)) for n orientations, each template of length 1.

    Example:
      >>> junctions(5, 4).shape
      (5, 5, 4, 36)
    """
    arms = np.zeros((2 * orientations, size, size, orientations))
    for direction in range(2 * orientations):
        across, along = _distances(size, np.pi * direction / orientations)
        arms[direction, :, :, direction % orientations] = np.maximum(0, 1 - np.abs(across)) * (along > -0.5)
    pairs = itertools.combinations_with_replacement(range(2 * orientations), 2)
    return _unit(np.stack([np.maximum(arms[one], arms[other]) for one, other in pairs], axis=-1))


def _distances(size: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each pixel from the line through the centre at this angle, and along it."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    return rows * np.cos(angle) + columns * np.sin(angle), columns * np.cos(angle) - rows * np.sin(angle)


def _unit(templates: np.ndarray) -> np.ndarray:
    return templates / np.sqrt(np.square(templates).sum(axis=(0, 1, 2), keepdims=True))


class SimpleCells(nn.Module):
    r"""Comparison with templates: excitation by the template, divided by inhibition from the whole window.

    .. math:: s = \frac{1}{1 - \theta}\, \varphi\!\left(\frac{1 + \sum_{t,c} a_{t,c} x_{t,c}}
       {1 + \theta\, \sqrt{\sum_{t,c} x_{t,c}^2}} - 1\right)

    For templates a of length 1 a cell fires where the angle between the template and what it sees
    has a cosine above θ.

    Attributes:
      templates: makes the (height, width, C, features) templates.
      threshold: θ in [0, 1): how alike is alike enough.
      learned: the templates are parameters, and where they start; otherwise constants.
      act: the activation φ.
      norm: the normalization before it.
      dtype: type of the computation.
    """

    templates: Callable[[], np.ndarray]
    threshold: float
    learned: bool = False
    act: Activation = nn.relu
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H, W, features)."""
        start = jnp.asarray(self.templates(), jnp.float32)
        templates = self.param("kernel", lambda key: start) if self.learned else start
        x, templates = nn.dtypes.promote_dtype(x, templates, dtype=self.dtype)
        excitation = convolution(x, templates)
        window = jnp.ones((*templates.shape[:2], x.shape[-1], 1), x.dtype)
        inhibition = jnp.sqrt(convolution(jnp.square(x), window) + jnp.asarray(1e-6, x.dtype))
        similarity = (1 + excitation) / (1 + self.threshold * inhibition) - 1
        similarity = self.norm(similarity, train=train, name="norm", dtype=self.dtype)
        return self.act(similarity) / (1 - self.threshold)


def complex_cells(x: jax.Array, window: int = 5) -> jax.Array:
    """Blur, keep every second pixel, saturate: responses that tolerate shifts within the window.

    Args:
      x: (N, H, W, C) responses of simple cells, not negative.
      window: size of the blur.

    Returns:
      (N, ceil(H / 2), ceil(W / 2), C), in [0, 1).

    Example:
      >>> complex_cells(jnp.ones((1, 8, 8, 1)))[0, 0, 0, 0].item()
      0.5
    """
    x = blur_pool(x, window)
    return x / (1 + jnp.abs(x))


# What an average of complex cells is multiplied by, to be of the order of one: a read-out learns at its inputs' scale.
GAIN = 2000.0


class Neocognitron(nn.Module):
    """Two stages of simple and complex cells, means over a grid, and a linear read-out.

    The first stage's templates are lines of several orientations, the second's are ends, corners
    and continuations of those. Nothing is trained but the read-out, unless `learned`.

    Attributes:
      orientations: of the lines.
      thresholds: of the simple cells of both stages.
      grid: cells on a side over which the last stage is averaged.
      learned: train the templates too, from the hand-made ones on.
      num_classes: width of the output; 0: the averages, times `GAIN`.
      act: the activation of the simple cells; None: ReLU.
      norm: the normalization of the simple cells; none in the paper.
      dtype: type of the computation.

    Example:
      >>> model = Neocognitron(orientations=4)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 1)))[0].shape
      (2, 10)
    """

    orientations: int = 8
    thresholds: tuple[float, float] = (0.5, 0.4)
    grid: int = 2
    learned: bool = False
    num_classes: int = 10
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Responses of the complex cells by stage: (N, H, W, C) images, whose channels are averaged."""
        x, stages = jnp.mean(images, axis=-1, keepdims=True), dict[str, jax.Array]()
        for index, (make, threshold) in enumerate(
            zip((oriented_lines, junctions), self.thresholds, strict=True), start=1
        ):
            simple = SimpleCells(
                functools.partial(make, orientations=self.orientations),
                threshold,
                self.learned,
                act=self.act or nn.relu,
                norm=self.norm,
                dtype=self.dtype,
                name=f"stage{index}",
            )
            x = stages[f"stage{index}"] = complex_cells(simple(x, train))
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        x = GAIN * flatten(adaptive_avg_pool(self.features(images, train)["stage2"], self.grid))
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper(
    "Neocognitron: A Self-organizing Neural Network Model for a Mechanism of Pattern Recognition Unaffected by "
    "Shift in Position",
    1980,
    "doi:10.1007/BF00344251",
)

VARIANTS = {
    "neocognitron": Variant(
        Neocognitron, {}, PAPER, (32, 32, 1), note="templates made by hand, not self-organized; a linear read-out"
    ),
    "neocognitron_learned": Variant(
        Neocognitron, {"learned": True}, PAPER, (32, 32, 1), note="the same network, its templates trained by gradient"
    ),
}
