"""Channel reports: statistics of the channels of a layer over a data set, and the defects among them."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import checks
from analysis.diagnosis.findings import Finding, told
from analysis.layers import find_layer
from analysis.network import Network
from convzoo.checks import integer
from convzoo.checks import key as check_key

CONSTANT = 1e-5
"""A channel is constant if over all images no pixel of it moves by more than this share of the layer's largest
magnitude: rounding moves float32 by 1e-7 of it, the weakest channel of a healthy layer by more than 1e-2."""
BOUND = 0.01
"""How near an end of the layer's range, as a share of the range, counts as being there."""
SATURATED = 0.9
"""A channel is saturated if a larger share of its values lies at the ends. Unbounded activations have almost none
there, and exact zeros, at which a ReLU rests, do not count. Healthy networks with tanh or sigmoid reach 0.78."""
DUPLICATE = 0.999
"""Correlation from which a channel repeats another. The nearest pair in healthy networks on the digits: 0.988."""
NOISE = 0.02
"""Standard deviation of the noise that a channel should not mind: five grey levels of 255, hardly visible."""
RELIABLE = 0.5
"""A channel is noisy if its response with and without that noise correlates less: then noise that can hardly be
seen decides more of it than the image does. Healthy channels on the digits lie above 0.99."""
CHECKERBOARD = 0.2
"""Share of a channel's variance that the parity of row and column explains, from which it is a checkerboard. On 8×8
pixels, trained and untrained, a resized image under a convolution stays below 0.08 in every channel, and the worst
channel of a transposed convolution of stride 2 lies between 0.39 and 0.63."""
SIDE = 8
"""Pixels of height and of width from which a checkerboard is judged: on 4×4, whose border is most of it, healthy
channels reach 0.6."""


@dataclasses.dataclass(frozen=True, eq=False)
class ChannelReport:
    """A layer's channels, measured over a data set.

    Attributes:
      layer: the path.
      images: how many there were.
      active: (C,) on how many of them the channel is positive anywhere.
      mean, deviation, low, high: (C,) over images and pixels.
      constant: (C,) whether the images change nothing.
      saturated: (C,) share of the values that lie at an end of the layer's range.
      reliability: (C,) correlation of the response with that to slightly noisy images; nan: constant.
      correlation: (C, C) between channels, over images and pixels; nan: constant.
      checkerboard: (C,) share of the variance that the parity of row and column explains; nan: constant, or
        fewer than 8×8 pixels.
      findings: defects; empty for a healthy layer.
    """

    layer: str
    images: int
    active: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray
    constant: np.ndarray
    saturated: np.ndarray
    reliability: np.ndarray
    correlation: np.ndarray
    checkerboard: np.ndarray
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        return (
            told(self.findings)
            or f"{self.layer}: {len(self.mean)} channels over {self.images:,} images, none defective"
        )


def channel_report(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    batch_size: int = 128,
    key: jax.Array | None = None,
) -> ChannelReport:
    r"""Find the channels of a layer that are dead, saturated, noisy, duplicated or checkerboards.

    A channel is dead if no image changes it; saturated if it hardly leaves the ends of the layer's range;
    duplicated if it correlates with an earlier one; noisy if slight noise on the images gives another response;
    and a checkerboard if much of its variance is a pattern of period two that all images share,

    .. math:: \eta^2 = \frac{\frac14 \sum_{p \in \{0,1\}^2} (\mu_p - \mu)^2}{\sigma^2}, \qquad
              \mu_p = \text{mean over the pixels } (i, j) \text{ with } (i \bmod 2, j \bmod 2) = p.

    The images are read twice, in batches; what is kept has the size of one activation and of its channels squared.

    Args:
      model: any Linen module from images to logits.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1], at least two: the more there are, the surer a dead channel is dead.
      layer: a path, or an ending that only one path has; best one behind its activation function.
      preprocess: a function from images to the input of the model; None: the images themselves.
      batch_size: images held at once.
      key: of the noise; None: `jax.random.key(0)`.

    Returns:
      The `ChannelReport`; printed, it is its findings in words.

    Raises:
      ValueError: images that are not of the above, or a layer that is unknown, ambiguous or not an array of channels.

    Example:
      >>> model, images = nn.Sequential([nn.Conv(2, (1, 1)), nn.relu]), jnp.linspace(0, 1, 32).reshape(2, 4, 4, 1)
      >>> variables = {"params": {"layers_0": {"kernel": jnp.array([[[[1.0, 0.0]]]]), "bias": jnp.array([0.0, -1.0])}}}
      >>> print(channel_report(model, variables, images, "layers_0"))
      layers_0: channel 1 is dead: -1 on each of 2 images

    References: checkerboards: Odena, Dumoulin & Olah, 2016, doi:10.23915/distill.00003.
    """
    integer("batch_size", batch_size)
    images = checks.as_images(images)
    if len(images) < 2:
        raise ValueError(
            "one image: expected at least two, since a channel that no image changes is found by comparing"
        )
    place = find_layer(Network(model, variables, preprocess), images, layer)
    key = jax.random.key(0) if key is None else check_key("key", key)

    first = _Sums()
    for rows, live in _batches(len(images), batch_size):
        first.add(_extremes(place.activation, images[rows], live))
    low, high = first["low"], first["high"]
    average = first["total"] / len(images)  # (h, w, C)
    mean = average.mean((0, 1))
    ends = np.array([low.min(), high.max()])

    second = _Sums()
    for rows, live in _batches(len(images), batch_size):
        second.add(_moments(place.activation, images[rows], live, rows, key, mean, ends))
    pixels = len(images) * place.height * place.width
    covariance = second["products"] / pixels
    variance = np.diagonal(covariance)
    constant = (high - low).max((0, 1)) <= CONSTANT * abs(ends).max()

    shift = second["noisy"] / pixels
    reliability = _over(
        second["cross"] / pixels, np.sqrt(variance * np.maximum(second["power"] / pixels - shift**2, 0)), constant
    )
    report = ChannelReport(
        layer=place.path,
        images=len(images),
        active=first["active"].astype(int),
        mean=mean,
        deviation=np.sqrt(variance),
        low=low.min((0, 1)),
        high=high.max((0, 1)),
        constant=constant,
        saturated=second["ends"] / pixels,
        reliability=reliability,
        correlation=_over(covariance, np.sqrt(np.outer(variance, variance)), np.logical_or.outer(constant, constant)),
        checkerboard=_over(_parity_variance(average), variance, constant),
    )
    return dataclasses.replace(report, findings=tuple(_judge(report)))


class _Sums(dict):
    """Running sums in double precision, and extremes, over batches."""

    def add(self, parts: dict[str, jax.Array]) -> None:
        for name, part in parts.items():
            value = np.asarray(part, np.float64)
            combine = {"low": np.minimum, "high": np.maximum}.get(name, np.add)
            self[name] = combine(self[name], value) if name in self else value


def _batches(count: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of equally large batches, the last filled up, and which of them are not filling."""
    for start in range(0, count, size):
        rows = np.arange(start, start + size)
        yield np.minimum(rows, count - 1), rows < count


@jax.jit
def _extremes(activation: Partial, images: jax.Array, live: jax.Array) -> dict[str, jax.Array]:
    values, live = activation(images), live[:, None, None, None]
    return {
        "low": jnp.where(live, values, jnp.inf).min(0),
        "high": jnp.where(live, values, -jnp.inf).max(0),
        "total": jnp.where(live, values, 0).sum(0),
        "active": ((values > 0) & live).any((1, 2)).sum(0),
    }


@jax.jit
def _moments(activation, images, live, rows, key, mean, ends) -> dict[str, jax.Array]:
    live, values = live[:, None, None, None], activation(images)
    mean, ends = mean.astype(values.dtype), ends.astype(values.dtype)
    noise = jax.vmap(lambda row: jax.random.normal(jax.random.fold_in(key, row), images.shape[1:], images.dtype))(rows)
    centred = jnp.where(live, values - mean[None, None, None], 0)
    noisy = jnp.where(live, activation(images + NOISE * noise) - mean[None, None, None], 0)
    margin = BOUND * (ends[1] - ends[0])
    at_end = ((values <= ends[0] + margin) | (values >= ends[1] - margin)) & (values != 0) & live
    return {
        "products": jnp.einsum("nhwc,nhwd->cd", centred, centred, precision="highest"),
        "cross": (centred * noisy).sum((0, 1, 2)),
        "power": jnp.square(noisy).sum((0, 1, 2)),
        "noisy": noisy.sum((0, 1, 2)),
        "ends": at_end.sum((0, 1, 2)),
    }


def _over(value: np.ndarray, scale: np.ndarray, undefined: np.ndarray) -> np.ndarray:
    undefined = undefined | (scale <= 0)
    return np.where(undefined, np.nan, value / np.where(undefined, 1, scale))


def _parity_variance(average: np.ndarray) -> np.ndarray:
    """(h, w, C) mean maps → (C,) the variance between the four parities of row and column."""
    height, width = (size // 2 * 2 for size in average.shape[:2])
    if min(height, width) < SIDE:
        return np.full(average.shape[-1], np.nan)
    return np.stack([average[i:height:2, j:width:2].mean((0, 1)) for i in (0, 1) for j in (0, 1)]).var(0)


def _judge(report: ChannelReport) -> Iterator[Finding]:
    top, bottom = report.high.max(), report.low.min()
    margin = BOUND * (top - bottom)
    for channel in range(len(report.mean)):

        def finding(kind: str, number: float, text: str, *others: int, channel: int = channel) -> Finding:
            return Finding(kind, report.layer, (channel, *others), float(number), f"channel {channel} {text}")

        value, share = report.mean[channel], report.saturated[channel]
        # Where no other channel comes as far, the end is this channel's own doing and no bound.
        others = np.delete(report.high, channel), np.delete(report.low, channel)
        shared = len(others[0]) and (
            (value >= top - margin and others[0].max() >= top - margin)
            or (value <= bottom + margin and others[1].min() <= bottom + margin)
        )
        if share > SATURATED and (shared or not report.constant[channel]):
            ends = f"{100 * share:.1f} % of its values lie at {bottom:.3g} or {top:.3g}, the ends of the layer's range"
            yield finding("saturated", share, f"is saturated: {ends}")
        elif report.constant[channel]:
            why = f"active on 0 of {report.images:,} images"
            yield finding(
                "dead", value, f"is dead: {why if value == 0 else f'{value:.3g} on each of {report.images:,} images'}"
            )
        if report.reliability[channel] < RELIABLE:
            number = report.reliability[channel]
            text = f"is noisy: noise of {NOISE:g} on the images leaves a correlation of {number:.2f} with its response"
            yield finding("noisy", number, text)
        twins = np.flatnonzero(report.correlation[channel, :channel] >= DUPLICATE)
        if twins.size:
            number = report.correlation[channel, twins[0]]
            yield finding("duplicated", number, f"repeats channel {twins[0]}: correlation {number:.4f}", int(twins[0]))
        if report.checkerboard[channel] > CHECKERBOARD:
            number = report.checkerboard[channel]
            text = f"is a checkerboard: {100 * number:.0f} % of its variance is one pattern of period two"
            yield finding("checkerboard", number, text)
