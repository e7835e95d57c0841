"""The images of a data set that excite a unit most, and what they have in common.

Reference: Zeiler & Fergus, 2013, arXiv:1311.2901.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.visualize.layer import Layer, find_layer


@dataclasses.dataclass(frozen=True, eq=False)
class TopImages:
    """For each of K channels the `count` images that excite it most, the strongest first.

    Attributes:
      layer: the path.
      channels: (K,) which channels.
      indices: (K, count) which images.
      activations: (K, count) the channel's largest value on each.
      positions: (K, count, 2) row and column of that value in the layer's own pixels.
    """

    layer: str
    channels: np.ndarray
    indices: np.ndarray
    activations: np.ndarray
    positions: np.ndarray


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

    Images that excite a channel equally come in the order of the data set.

    Args:
      model: any Linen module from images to logits.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1].
      layer: a path, or an ending that only one path has.
      channels: one channel or several; None: all.
      count: images a channel.
      preprocess: what stands between the images and the model; None: nothing.
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
    checks.positive("count", count)
    if count > len(images):
        raise ValueError(f"count={count} is more than the {len(images)} images there are")
    place = find_layer(model, variables, images, layer, preprocess)
    chosen = as_channels(channels, place)
    values, places = execution.in_batches(
        lambda images: _strongest(place.activation, images, chosen), batch_size, images
    )
    values, places = np.asarray(values), np.asarray(places)
    indices = np.argsort(-values, axis=0, kind="stable")[:count].T
    places = np.take_along_axis(places.T, indices, 1)
    return TopImages(
        layer=place.path,
        channels=chosen,
        indices=indices,
        activations=np.take_along_axis(values.T, indices, 1),
        positions=np.stack(np.divmod(places, place.width), -1),
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

    They lie within the receptive field and may be fewer, where a ReLU or a maximum lets nothing through. It takes
    one gradient an image and channel.

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
    place = find_layer(model, variables, images, top.layer, preprocess)
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


def as_channels(channels: int | Sequence[int] | None, layer: Layer) -> np.ndarray:
    """Numbers of channels that a layer has.

    Raises:
      ValueError: a channel that it does not have, or none at all.
    """
    chosen = np.arange(layer.channels) if channels is None else np.atleast_1d(np.asarray(channels))
    expected = f"expected integers from 0 to {layer.channels - 1}, the channels of {layer.path!r}"
    if chosen.ndim != 1 or not chosen.size or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"channels={channels!r}: {expected}")
    wrong = chosen[(chosen < 0) | (chosen >= layer.channels)]
    if wrong.size:
        raise ValueError(f"channel {wrong[0]}: {expected}")
    return chosen.astype(np.int32)


@jax.jit
def _strongest(activation: Partial, images: jax.Array, channels: jax.Array) -> tuple[jax.Array, jax.Array]:
    values = activation(images)[..., channels]
    values = values.reshape(values.shape[0], -1, values.shape[-1])
    return values.max(1), values.argmax(1)


@jax.jit
def _touched(activation: Partial, images: jax.Array, places: jax.Array, channels: jax.Array) -> jax.Array:
    """(N, 4) box of the pixels that one neuron on each image depends on."""

    def neurons(images):
        values = activation(images)
        values = values.reshape(values.shape[0], -1, values.shape[-1])
        return values[jnp.arange(values.shape[0]), places, channels].sum()

    touched = (jax.grad(neurons)(images) != 0).any(-1)
    edges = []
    for axis in (2, 1):  # reduced over columns: rows that are touched
        lines = touched.any(axis)
        first, last = lines.argmax(1), lines.shape[1] - lines[:, ::-1].argmax(1)
        edges.append((first, jnp.where(lines.any(1), last, 0)))
    (top, bottom), (left, right) = edges
    return jnp.stack([top, left, bottom, right], -1)


def class_purity(labels: Any, indices: Any) -> np.ndarray:
    """How alike the classes of a channel's top images are: the share of the most frequent one.

    To be read against `chance_purity`: nine of ten equal classes drawn blindly have a purity of 0.29.

    Args:
      labels: (N,) the class of each image of the data set.
      indices: (K, count) images of each channel, `TopImages.indices`.

    Returns:
      (K,) in [1 / count, 1].

    Raises:
      ValueError: labels or indices of another form, or indices that there are no labels for.

    Example:
      >>> class_purity([3, 3, 5, 7], [[0, 1, 2, 3], [0, 1, 0, 1]]).tolist()
      [0.5, 1.0]
    """
    labels, indices = _whole("labels", labels, 1), _whole("indices", indices, 2)
    if indices.min() < 0 or indices.max() >= len(labels):
        raise ValueError(f"indices span [{indices.min()}, {indices.max()}]: expected those of {len(labels)} labels")
    _, numbers = np.unique(labels, return_inverse=True)
    classes = numbers[indices]
    return np.array([np.bincount(row).max() for row in classes]) / indices.shape[1]


def chance_purity(labels: Any, count: int) -> float:
    r"""The purity to expect of `count` images drawn blindly, with replacement.

    .. math:: \frac1n \operatorname{E} \max_k X_k = \frac1n \sum_{m=0}^{n-1} 1 - P(\max_k X_k \le m), \qquad
              P(\max_k X_k \le m) = n!\,[z^n] \prod_k \sum_{j=0}^{m} \frac{(p_k z)^j}{j!}

    Args:
      labels: (N,) the class of each image of the data set, for how frequent the classes are.
      count: images a channel.

    Returns:
      The expected share of the most frequent class.

    Raises:
      ValueError: labels of another form, or a count that is not positive.

    Example:
      >>> chance_purity([0, 1], 2)
      0.75
    """
    checks.positive("count", count)
    shares = np.unique(_whole("labels", labels, 1), return_counts=True)[1] / len(np.asarray(labels))
    powers = np.arange(count + 1)
    # Each factor is a truncated Poisson distribution of mean p·n, which keeps the numbers near one.
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(powers[1:]))])
    missing = 0.0
    for most in range(count):
        product = np.ones(1)
        for share in shares:
            terms = np.exp(powers * np.log(share * count) - share * count - logarithms)
            product = np.convolve(product, np.where(powers <= most, terms, 0))[: count + 1]
        missing += 1 - product[-1:].sum() * (len(product) > count) / _poisson(count)
    return float(missing / count)


def _poisson(count: int) -> float:
    """The probability of a Poisson variable to hit its mean."""
    return float(np.exp(count * np.log(count) - count - np.log(np.arange(1, count + 1)).sum()))


def _whole(name: str, values: Any, rank: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != rank or not array.size or not np.issubdtype(array.dtype, np.integer):
        form = "(N,)" if rank == 1 else "(K, count)"
        raise ValueError(f"{name} of shape {array.shape}, {array.dtype}: expected integers of shape {form}")
    return array
