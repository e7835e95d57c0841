"""Adversarial patches: one small picture that makes a model answer a class, wherever it lies in an image.

Reference: Brown, Mané, Roy, Abadi & Gilmer, 2017, arXiv:1712.09665.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from analysis import checks, execution
from analysis.attacks.goal import Goal
from convzoo.checks import integer, number
from convzoo.checks import key as check_key
from convzoo.pytrees import register

ADAM = optax.scale_by_adam()


@register
@dataclasses.dataclass(frozen=True)
class Patch:
    """A square picture, and the views in which it is shown: a pytree of both.

    Attributes:
      pixels: (size, size, C) in [0, 1].
      degrees: the largest angle by which it is turned, to either side.
      low: the least factor by which it is scaled.
      high: the largest one.
    """

    pixels: jax.Array
    degrees: float = 0.0
    low: float = 1.0
    high: float = 1.0

    def apply(self, images: Any, key: jax.Array, batch_size: int | None = None) -> jax.Array:
        """Images with the patch, at a random place, turned and scaled.

        Places are uniform over those at which the whole patch is inside the image, and differentiable in the pixels.

        Args:
          images: (N, H, W, C) floats in [0, 1].
          key: from `jax.random.key`; image i of the call uses `fold_in(key, i)`, whatever the batch size.
          batch_size: images held at once; None: all.

        Returns:
          (N, H, W, C) in [0, 1].

        Raises:
          ValueError: images or key that are not of the above, or images that the patch does not fit.

        Example:
          >>> shown = Patch(jnp.ones((2, 2, 1))).apply(np.zeros((1, 4, 4, 1), np.float32), jax.random.key(0))
          >>> round(shown.sum().item(), 4)
          4.0
        """
        images = checks.as_images(images)
        _fits(self.pixels.shape, images.shape)
        keys = checks.keys(key, len(images))
        return execution.in_batches(lambda images, keys: _show(self, images, keys), batch_size, images, keys)


def adversarial_patch(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    target: int,
    size: int,
    key: jax.Array | None = None,
    steps: int = 500,
    learning_rate: float = 0.05,
    degrees: float = 22.5,
    low: float = 0.8,
    high: float = 1.2,
    batch_size: int | None = None,
) -> Patch:
    r"""A patch trained to make images be taken for a class at any place, angle and size.

    .. math:: \min_p\ \mathbb{E}_{x, \tau} \big[ -\log p_{\text{target}}(A(p, x, \tau)) \big]

    where A lays the patch p on image x in view τ, bilinear. Adam follows the gradient over all images or a random
    batch of them in each step, and pixels are clipped to [0, 1]. It assumes useful gradients and images like those
    that it will be laid on: measure it on others, with `Patch.apply` and another key. That it fails shows nothing of
    larger patches, other views or longer training; and a patch on a screen is not yet one on paper.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1], to train on.
      target: class to be taken for.
      size: side of the patch in pixels, at scale 1.
      key: from `jax.random.key`, for the first pixels, the batches and the views.
      steps: of Adam.
      learning_rate: of Adam, for pixels in [0, 1].
      degrees: the largest angle of the views, to either side; 0: upright.
      low, high: the range of their scale.
      batch_size: images of a step, and held at once, each of which takes H · W · size · (C + 1) numbers for the
        patch; None: all.

    Returns:
      The patch.

    Raises:
      ValueError: images, target, size, key, views or numbers that are not of the above, or that do not fit.

    Example:
      >>> linear = lambda images: images.sum((1, 2)) @ jnp.array([[1.0, -1.0]])
      >>> images = jnp.full((2, 6, 6, 1), 0.5)
      >>> patch = adversarial_patch(linear, images, target=1, size=2, key=jax.random.key(0), steps=30)
      >>> bool((patch.apply(images, jax.random.key(1)).sum((1, 2, 3)) < images.sum((1, 2, 3))).all())
      True
    """
    integer("size", size)
    integer("steps", steps)
    number("learning_rate", learning_rate, 0, above=True)
    number("degrees", degrees, 0, 180)
    number("low", low, 0, above=True)
    number("high", high, low)
    function, images = execution.as_argument(logits_fn), checks.as_images(images)
    integer("target", target, 0, checks.several(checks.classes_of(function, images)) - 1)
    _fits((size, size, images.shape[-1]), images.shape)
    count = len(images) if batch_size is None else min(integer("batch_size", batch_size), len(images))
    first, key = _split(check_key("key", key))
    start = Patch(_draw(first, np.zeros((size, size, images.shape[-1]), images.dtype)), degrees, low, high)
    state = _Training(start, ADAM.init(start.pixels), jnp.int32(0))
    rows = np.arange(count)  # its length is that of a batch
    arguments = function, jnp.asarray(images), jnp.int32(target), key, rows, learning_rate
    state = execution.iterate(_step, state, steps, *arguments)
    return dataclasses.replace(start, pixels=state.patch.pixels)


class _Training(NamedTuple):
    patch: Patch
    moments: Any
    step: jax.Array


def _step(state, logits_fn, images, target, key, rows, learning_rate):
    choice, views = jax.random.split(jax.random.fold_in(key, state.step))
    batch = images[jax.random.permutation(choice, len(images))[: len(rows)]]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(views, rows)
    goal = Goal(jnp.full(len(rows), target), -jnp.ones(len(rows)))

    def loss(pixels):
        logits = logits_fn(_show(dataclasses.replace(state.patch, pixels=pixels), batch, keys))
        return jax.nn.softplus(-goal.loss(logits)).mean()

    gradient = jax.grad(loss)(state.patch.pixels)
    # Where a user forbids promotion, optax's counts still meet its floats.
    with jax.numpy_dtype_promotion("standard"):
        change, moments = ADAM.update(gradient, state.moments)
    pixels = jnp.clip(state.patch.pixels - jnp.asarray(learning_rate, change.dtype) * change, 0, 1)
    return _Training(dataclasses.replace(state.patch, pixels=pixels), moments, state.step + 1)


@jax.jit
def _show(patch: Patch, images: jax.Array, keys: jax.Array) -> jax.Array:
    return jax.vmap(_lay, (None, 0, 0))(patch, images, keys)


def _lay(patch: Patch, image: jax.Array, key: jax.Array) -> jax.Array:
    """One image with the patch, its edge blended as its pixels are."""
    turn, scale, place = jax.random.split(key, 3)
    angle = jnp.deg2rad(jax.random.uniform(turn, (), image.dtype, -patch.degrees, patch.degrees))
    factor = jax.random.uniform(scale, (), image.dtype, patch.low, patch.high)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    height, width = image.shape[:2]
    bounds = jnp.array([height - 1, width - 1], image.dtype)
    reach = factor * patch.pixels.shape[0] / 2 * (jnp.abs(cos) + jnp.abs(sin)) - 0.5  # from the centre to a corner
    margin = jnp.minimum(reach, bounds / 2)
    at = margin + jax.random.uniform(place, (2,), image.dtype) * (bounds - 2 * margin)
    back = jnp.array([[cos, sin], [-sin, cos]]) / factor  # from a place in the image to one in the patch
    return _blend(image, patch.pixels.astype(image.dtype), back, at)


def _blend(image: jax.Array, pixels: jax.Array, back: jax.Array, at: jax.Array) -> jax.Array:
    """Bilinear sampling as two products with weights 1 − |distance|, whose gradients are products too, not scatters."""
    height, width = image.shape[:2]
    grid = jnp.stack(jnp.indices((height, width))).astype(image.dtype) - at.reshape(2, 1, 1)
    places = jnp.einsum("ij,jhw->ihw", back, grid, precision="highest") + (len(pixels) - 1) / 2
    distances = jnp.abs(places[..., None] - jnp.arange(len(pixels)).astype(image.dtype).reshape(1, 1, 1, -1))
    rows, columns = jnp.maximum(1 - distances, 0)
    covered = jnp.concatenate([pixels, jnp.ones_like(pixels[..., :1])], -1)
    laid = jnp.einsum("hwi,ijc->hwjc", rows, covered, precision="highest")
    laid = jnp.einsum("hwj,hwjc->hwc", columns, laid, precision="highest")
    return image * (1 - laid[..., -1:]) + laid[..., :-1]


def _fits(patch: tuple[int, ...], images: tuple[int, ...]) -> None:
    if patch[-1] != images[-1] or patch[0] > min(images[1:3]):
        raise ValueError(
            f"a patch of shape {patch} on images of shape {images[1:]}: expected as many channels, "
            f"and a side of at most {min(images[1:3])}"
        )


@jax.jit
def _split(key):
    return jax.random.split(key)


@jax.jit
def _draw(key, like):
    return jax.random.uniform(key, like.shape, like.dtype)
