"""The images of a data set that excite a unit most, and what they have in common.

Reference: Zeiler & Fergus, 2013, arXiv:1311.2901.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.features.saturation import unsaturated
from analysis.layers import as_channels, find_layer
from analysis.network import Network
from convzoo.checks import integer

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure

TIED = 1e-6
"""Share of the range of a channel's largest values within which two of them are equal but for rounding."""


@dataclasses.dataclass(frozen=True, eq=False)
class TopImages:
    """For each of K channels the `count` images that excite it most, the strongest first.

    Attributes:
      layer: the path.
      channels: (K,) which channels.
      indices: (K, count) which images.
      activations: (K, count) the channel's largest value on each.
      positions: (K, count, 2) row and column of that value in the layer's own pixels.
      ties: (K,) how many images of the data set come as near to the largest value as rounding does: a millionth of
        the channel's range over the images. More than `count` for a saturated channel, for example.
      before: (K, count) the value without the bounded activation function that the layer ends in (`unsaturated`), by
        which images that tie are ranked; None: it ends in none, and those that tie come in the order of the data set.
    """

    layer: str
    channels: np.ndarray
    indices: np.ndarray
    activations: np.ndarray
    positions: np.ndarray
    ties: np.ndarray
    before: np.ndarray | None = None


def top_images(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str,
    channels: int | Sequence[int] | None = None,
    count: int = 9,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    batch_size: int | None = 128,
) -> TopImages:
    """The images that excite channels most, and where in them.

    Images that excite a channel equally, as where tanh is 1, are ranked by the value before the activation function,
    and without one come in the order of the data set; `TopImages.ties` counts them.

    Args:
      model: any Linen module from images to logits.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1].
      layer: a path, or an ending that only one path has.
      channels: one channel or several; None: all.
      count: images a channel.
      preprocess: a function from images to the input of the model; None: the images themselves.
      batch_size: images held at once; None: all.

    Returns:
      The `TopImages`.

    Raises:
      ValueError: images that are not of the above, a layer or channel that does not exist, or more images asked
        for than there are.

    Example:
      >>> model, images = nn.Sequential([nn.Conv(1, (1, 1)), nn.relu]), jnp.array([0.2, 0.9, 0.5]).reshape(3, 1, 1, 1)
      >>> variables = {"params": {"layers_0": {"kernel": jnp.ones((1, 1, 1, 1)), "bias": jnp.zeros(1)}}}
      >>> top_images(model, variables, images, "layers_0", count=2).indices.tolist()
      [[1, 2]]
    """
    images = checks.as_images(images)
    integer("count", count)
    if count > len(images):
        raise ValueError(f"count={count} is more than the {len(images)} images there are")
    place = find_layer(Network(model, variables, preprocess), images, layer)
    chosen = as_channels(channels, place)
    strongest = execution.in_batches(lambda images: _strongest(place.activation, images, chosen), batch_size, images)
    values, places = (np.asarray(array).T for array in strongest[:2])
    before = None if strongest[2] is None else np.asarray(strongest[2]).T
    least = values.max(1, keepdims=True) - TIED * np.ptp(values, axis=1, keepdims=True)
    ties = values >= least
    rank = values if before is None else np.where(ties, before, values)
    indices = np.lexsort((-rank, ~ties), axis=1)[:, :count]
    places = np.take_along_axis(places, indices, 1)
    return TopImages(
        layer=place.path,
        channels=chosen,
        indices=indices,
        activations=np.take_along_axis(values, indices, 1),
        positions=np.stack(np.divmod(places, place.width), -1),
        ties=ties.sum(1),
        before=None if before is None else np.take_along_axis(before, indices, 1),
    )


def receptive_boxes(
    model: nn.Module,
    variables: Any,
    images: Any,
    top: TopImages,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    batch_size: int | None = 128,
) -> np.ndarray:
    """The part of each top image that the channel looks at: the pixels that its largest value has a gradient in.

    They lie within the receptive field and may be fewer, where a ReLU or a maximum lets nothing through. A layer that
    ends in a bounded activation function has none where that is saturated: there the gradient is that of the value
    before it. It takes one gradient an image and channel.

    Args:
      model, variables, images, preprocess: those that `top` was made from.
      top: of `top_images`.
      batch_size: images held at once; None: all.

    Returns:
      (K, count, 4) top, left, bottom and right in pixels, the last two exclusive; zeros where there are none.

    Raises:
      ValueError: images that are not of the above, or fewer than `top` was made from.

    Example:
      >>> model, images = nn.Sequential([nn.Conv(1, (1, 1)), nn.relu]), jnp.zeros((1, 3, 3, 1)).at[0, 1, 2].set(0.5)
      >>> variables = {"params": {"layers_0": {"kernel": jnp.ones((1, 1, 1, 1)), "bias": jnp.zeros(1)}}}
      >>> top = top_images(model, variables, images, "layers_0", count=1)
      >>> receptive_boxes(model, variables, images, top).tolist()
      [[[1, 2, 2, 3]]]
    """
    images = checks.as_images(images)
    check_shown(images, top)
    place = find_layer(Network(model, variables, preprocess), images, top.layer)
    shape = top.indices.shape
    boxes = execution.in_batches(
        lambda index, neuron, channel: _touched(place.activation, images[index], neuron, channel),
        batch_size,
        top.indices.ravel(),
        (top.positions @ [place.width, 1]).ravel(),
        np.repeat(top.channels, shape[1]),
    )
    return np.asarray(boxes).reshape(*shape, 4)


def check_shown(images: Any, top: TopImages) -> None:
    """Refuse a data set that has fewer images than top images were chosen from."""
    if len(images) <= top.indices.max():
        raise ValueError(f"image {top.indices.max()} is among the top images, but there are {len(images)}")


@jax.jit
def _strongest(
    activation: Partial, images: jax.Array, channels: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """(N, K) the largest value of each channel, where it is, and what it is before saturation."""
    outputs, earlier = unsaturated(activation, images)
    values = _flat(outputs)[..., channels]
    largest = values.max(1)
    if earlier is None:
        return largest, values.argmax(1), None
    before = _flat(earlier)[..., channels]
    ties = values >= (largest - TIED * abs(largest))[:, None]
    places = jnp.where(ties, before, -jnp.inf).argmax(1)
    return largest, places, jnp.take_along_axis(before, places[:, None], 1)[:, 0]


def _flat(values: jax.Array) -> jax.Array:
    """(N, positions, channels)."""
    return values.reshape(values.shape[0], -1, values.shape[-1])


@jax.jit
def _touched(activation: Partial, images: jax.Array, places: jax.Array, channels: jax.Array) -> jax.Array:
    """(N, 4) box of the pixels that one neuron on each image depends on."""

    def neurons(images):
        values, before = unsaturated(activation, images)
        values = _flat(values if before is None else before)
        return values[jnp.arange(values.shape[0]), places, channels].sum()

    touched = (jax.grad(neurons)(images) != 0).any(-1)
    edges = []
    for axis in (2, 1):  # reduced over columns: rows that are touched
        lines = touched.any(axis)
        first, last = lines.argmax(1), lines.shape[1] - lines[:, ::-1].argmax(1)
        edges.append((first, jnp.where(lines.any(1), last, 0)))
    (top, bottom), (left, right) = edges
    return jnp.stack([top, left, bottom, right], -1)


def exemplar_figure(images: Any, top: TopImages, names: Sequence[str] | None = None, boxes: Any = None) -> Figure:
    """The images that excite channels most, a row each.

    Args:
      images: (N, H, W, C) the data set that `top` was made from.
      top: of `top_images`.
      names: (N,) what to write under each image of the data set, such as its class; None: nothing.
      boxes: (K, count, 4) of `receptive_boxes`, framed; None: no frames.

    Returns:
      A figure; the titles are channel and activation.

    Raises:
      ValueError: images that are not of the above, or fewer than `top` was made from.

    Example:
      >>> zero = np.zeros((1, 1), int)
      >>> top = TopImages("stem", channels=zero[0], indices=zero, activations=zero, positions=zero, ties=zero[0])
      >>> exemplar_figure(np.zeros((1, 8, 8, 1)), top).axes[0].texts[0].get_text()
      '0: 0'
    """
    from analysis import draw

    images, indices = np.asarray(checks.as_images(images)), top.indices.ravel()
    check_shown(images, top)
    titles = [
        f"{channel}: {value:.3g}"
        for channel, values in zip(top.channels, top.activations, strict=True)
        for value in values
    ]
    notes = {} if names is None else {at: str(names[index]) for at, index in enumerate(indices)}
    frames = None if boxes is None else np.asarray(boxes).reshape(-1, 4)
    return draw.mosaic(images[indices], titles, notes, top.indices.shape[1], frames)
