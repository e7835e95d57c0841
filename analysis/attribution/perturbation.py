"""Occlusion: the drop of a score when a window of the image is hidden.

Reference: Zeiler & Fergus, 2013, arXiv:1311.2901.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.scores import Score, check_score, score_of
from convzoo.checks import choice, integer

Extent = int | tuple[int, int] | None


def occlusion(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    window: Extent = None,
    stride: Extent = None,
    fill: float | Sequence[float] = 0.0,
    edge: Literal["move", "cut"] = "move",
    score: Score = "logit",
    batch_size: int | None = 32,
) -> jax.Array:
    r"""The score of the image minus its score without a window, averaged over the windows on a pixel.

    .. math:: M_p = \frac{1}{|\{w : p \in w\}|} \sum_{w \ni p} \left[ S_y(x) - S_y(x_{w \leftarrow fill}) \right]

    Windows start every `stride` pixels until one reaches the end of the image, so that every pixel is under at
    least one.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      window: height and width of a window in pixels, or one integer; None: max(1, min(H, W) // 8).
      stride: step between windows, at most a window; None: half of the window, at least 1.
      fill: what hides: one number, or one a channel.
      edge: what becomes of a window that reaches beyond the image: `"move"` it back inside, or `"cut"` it
        (captum's `Occlusion`).
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      batch_size: occluded images held at once; None: all windows of all images.

    Returns:
      (N, H, W), signed: positive where hiding lowers the score.

    Raises:
      ValueError: images, labels or choices that are not of the above, a window larger than the image, or
        strides that leave pixels out.

    Example:
      >>> total = lambda images: images.sum((1, 2, 3), keepdims=True)[:, :, 0, 0]
      >>> occlusion(total, jnp.ones((1, 2, 2, 1)), [0], window=1).tolist()
      [[[1.0, 1.0], [1.0, 1.0]]]
    """
    check_score(score)
    choice("edge", edge, ("move", "cut"))
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    count, *sizes, channels = images.shape
    extents, tops, lefts = _windows(sizes, window, stride, edge)
    values = fill if isinstance(fill, jax.Array) else np.asarray(fill)
    if not jnp.issubdtype(values.dtype, np.number) or (
        checks.is_concrete(values) and not np.isfinite(np.asarray(values)).all()
    ):
        raise ValueError(f"fill={fill!r}: expected a finite number, or one a channel")
    filling = jnp.asarray(values, images.dtype)
    if filling.shape not in ((), (channels,)):
        raise ValueError(f"fill of shape {filling.shape}: expected one number, or one for each of {channels} channels")
    corners = [(top, left, top + extents[0], left + extents[1]) for top in tops for left in lefts]
    boxes = np.array([(0, 0, 0, 0), *corners])  # the first hides nothing
    scores = execution.in_batches(
        lambda pair: _scores(
            logits_fn,
            *(execution.rows_of(part, pair // len(boxes)) for part in (images, labels)),
            boxes[pair % len(boxes)],
            filling,
            score,
        ),
        batch_size,
        np.arange(count * len(boxes)),
    ).reshape(count, len(boxes))
    drops = (scores[:, :1] - scores[:, 1:]).reshape(count, len(tops), len(lefts))
    rows, columns = (
        ((starts[:, None] <= pixel) & (pixel < starts[:, None] + extent)).astype(drops.dtype)
        for starts, extent, pixel in zip((tops, lefts), extents, map(np.arange, sizes), strict=True)
    )
    return execution.in_batches(lambda drops: _average(drops, rows, columns), batch_size, drops)


def _windows(
    sizes: Sequence[int], window: Extent, stride: Extent, edge: str
) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    extents = _pair("window", max(1, min(sizes) // 8) if window is None else window)
    steps = _pair("stride", tuple(max(1, extent // 2) for extent in extents) if stride is None else stride)
    for size, extent, step in zip(sizes, extents, steps, strict=True):
        if extent > size:
            raise ValueError(f"window={window!r} is larger than the image of {sizes[0]}×{sizes[1]} pixels")
        if step > extent:
            raise ValueError(f"stride={stride!r} leaves pixels between windows of {extent}: use at most {extent}")
    tops, lefts = (
        np.arange(0, size - extent + step, step) for size, extent, step in zip(sizes, extents, steps, strict=True)
    )
    if edge == "move":
        tops, lefts = (
            np.minimum(starts, size - extent)
            for starts, size, extent in zip((tops, lefts), sizes, extents, strict=True)
        )
    return extents, tops, lefts


def _pair(name: str, value: Any) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    for entry in pair:
        integer(name, entry)
    if len(pair) != 2:
        raise ValueError(f"{name}={value!r}: expected a height and a width, or one integer")
    return pair


@functools.partial(jax.jit, static_argnames="score")
def _scores(logits_fn, images, labels, boxes, fill, score):
    top, left, bottom, right = (edge[:, None] for edge in boxes.T)
    row, column = (jnp.arange(size)[None] for size in images.shape[1:3])
    in_rows, in_columns = (row >= top) & (row < bottom), (column >= left) & (column < right)
    hidden = in_rows[:, :, None, None] & in_columns[:, None, :, None]
    fill = jnp.broadcast_to(fill, images.shape)
    return score_of(logits_fn(jnp.where(hidden, fill, images)), labels, score)


@jax.jit
def _average(drops, rows, columns):
    """Spread each window's drop over its pixels, which is separable, and divide by the windows on each."""
    total = jnp.einsum("nij,ih,jw->nhw", drops, rows, columns, precision="highest")
    return total / (rows.sum(0)[:, None] * columns.sum(0)[None])[None]
