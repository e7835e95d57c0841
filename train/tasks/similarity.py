"""Losses on pairs and triplets of embeddings: what shows the same identity is drawn together, the rest apart."""

import jax
import jax.numpy as jnp

MARGIN = {"triplet": 0.2, "contrastive": 1.0}
"""Distance beyond which a pair of different identities no longer counts: squared for triplets."""


def unit(outputs: jax.Array) -> jax.Array:
    """(N, D) outputs as float32 vectors of length 1.

    Example:
      >>> unit(jnp.array([[0.0, 4.0]])).tolist()
      [[0.0, 1.0]]
    """
    if outputs.ndim != 2:
        raise ValueError(f"outputs of shape {outputs.shape}: expected (N, D) embeddings")
    outputs = outputs.astype(jnp.float32)
    square = jnp.sum(jnp.square(outputs), axis=-1, keepdims=True)
    return outputs * jax.lax.rsqrt(jnp.maximum(square, 1e-12))


def pairs(labels: jax.Array, counted: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(N, N) masks of the pairs of the same and of different identities, without pairs of one image with itself.

    Args:
      labels: (N,) integers.
      counted: (N,) booleans: images that count.

    Example:
      >>> same, different = pairs(jnp.array([0, 0, 1]), jnp.array([True, True, True]))
      >>> same.sum().item(), different.sum().item()
      (2, 4)
    """
    both = counted[:, None] & counted[None, :]
    same = labels[:, None] == labels[None, :]
    return both & same & ~jnp.eye(len(labels), dtype=bool), both & ~same


def triplet(embeddings: jax.Array, labels: jax.Array, counted: jax.Array) -> jax.Array:
    r"""The triplet loss with semi-hard negatives of each image as an anchor.

    .. math:: \sum_p \max\big(0,\; d(a, p) - d(a, n_p) + m\big), \qquad d(a, b) = \lVert a - b \rVert^2

    :math:`n_p` is the nearest image of another identity that is farther than p; where none is, the farthest one.
    The values are scaled so that their mean over the images is the mean over all pairs (a, p) of the batch.

    Args:
      embeddings: (N, D) of length 1.
      labels: (N,) integers.
      counted: (N,) booleans: images that count.

    Returns:
      (N,) float32.

    Example:
      >>> points = unit(jnp.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]]))
      >>> triplet(points, jnp.array([0, 0, 1]), jnp.ones(3, bool)).tolist()
      [0.0, 0.0, 0.0]

    Reference: Schroff, Kalenichenko & Philbin, 2015, arXiv:1503.03832.
    """
    same, different = pairs(labels, counted)
    distances = _squared(embeddings)
    # Sorted, the negatives beyond each positive begin at one place, and the last before infinity is the farthest.
    negatives = jnp.sort(jnp.where(different, distances, jnp.inf), axis=1)
    count = jnp.sum(different, axis=1, keepdims=True)
    place = jax.vmap(lambda row, values: jnp.searchsorted(row, values, side="right"))(negatives, distances)
    place = jnp.clip(place, 0, jnp.maximum(count - 1, 0))
    negative = jnp.take_along_axis(negatives, place, axis=1)
    active = same & (count > 0)
    losses = jnp.where(active, jnp.maximum(0, distances - jnp.where(active, negative, 0) + MARGIN["triplet"]), 0)
    return _scaled(jnp.sum(losses, axis=1), jnp.sum(active), counted)


def contrastive(embeddings: jax.Array, labels: jax.Array, counted: jax.Array) -> jax.Array:
    r"""The contrastive loss of each image with all others of the batch.

    .. math:: \tfrac{1}{2} \operatorname{mean}_{same} d^2 + \tfrac{1}{2} \operatorname{mean}_{different}
              \max(0, m - d)^2, \qquad d = \lVert a - b \rVert

    The values are scaled so that their mean over the images is this sum of two means.

    Args:
      embeddings: (N, D) of length 1.
      labels: (N,) integers.
      counted: (N,) booleans: images that count.

    Returns:
      (N,) float32.

    Example:
      >>> points = unit(jnp.array([[1.0, 0.0], [0.0, 1.0]]))
      >>> contrastive(points, jnp.array([0, 0]), jnp.ones(2, bool)).tolist()
      [1.0, 1.0]

    Reference: Hadsell, Chopra & LeCun, 2006, doi:10.1109/CVPR.2006.100.
    """
    same, different = pairs(labels, counted)
    squared = _squared(embeddings)
    # The root has no derivative at 0, where a pair of equal images lies.
    distances = jnp.sqrt(jnp.maximum(squared, 1e-12))
    drawn = jnp.sum(jnp.where(same, squared, 0), axis=1)
    pushed = jnp.sum(jnp.where(different, jnp.square(jnp.maximum(0, MARGIN["contrastive"] - distances)), 0), axis=1)
    sums = ((drawn, same), (pushed, different))
    return 0.5 * sum((_scaled(values, jnp.sum(mask), counted) for values, mask in sums), jnp.zeros(len(labels)))


LOSSES = {"triplet": triplet, "contrastive": contrastive}


def _squared(embeddings: jax.Array) -> jax.Array:
    return jnp.maximum(0, 2 - 2 * embeddings @ embeddings.T)


def _scaled(values: jax.Array, terms: jax.Array, counted: jax.Array) -> jax.Array:
    images = jnp.sum(counted).astype(jnp.float32)
    return values * images / jnp.maximum(terms.astype(jnp.float32), 1)
