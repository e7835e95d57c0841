"""Sheets of channels and of filters, numbered, with their defects written below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import numpy as np

from analysis import checks, execution
from analysis.diagnosis.channels import ChannelReport
from analysis.diagnosis.kernels import KernelReport, as_kernel
from analysis.layers import as_channels, find_layer
from analysis.network import Network

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure


def activation_figure(
    model: nn.Module,
    variables: Any,
    image: Any,
    layer: str,
    channels: int | Sequence[int] | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    report: ChannelReport | None = None,
) -> Figure:
    """The channels of a layer on one image, all on one scale.

    Args:
      model: any Linen module from images to logits.
      variables: its variables.
      image: (1, H, W, C) floats in [0, 1].
      layer: one with spatial extent, by path or by an ending that only one path has.
      channels: one channel or several; None: all.
      preprocess: a function from images to the input of the model; None: the images themselves.
      report: a `channel_report`, whose findings are written under their channels; None: nothing.

    Returns:
      A figure; the titles are channel and largest value. Dark is zero and bright the layer's largest value; where
      there are negative ones, blue is below zero and orange above.

    Raises:
      ValueError: an image, layer or channel that is not of the above.

    Example:
      >>> model, image = nn.Sequential([nn.Conv(2, (3, 3)), nn.relu]), np.ones((1, 6, 6, 3), np.float32)
      >>> figure = activation_figure(model, model.init(jax.random.key(0), image), image, "layers_0")
      >>> len(figure.axes[0].images)
      2
    """
    from analysis import draw

    image = checks.as_images(image)
    if len(image) != 1:
        raise ValueError(f"{len(image)} images: expected one, since every channel has its own tile")
    place = find_layer(Network(model, variables, preprocess), image, layer, spatial=True)
    chosen = as_channels(channels, place)
    maps = np.moveaxis(np.asarray(execution.call(place.activation, image))[0], -1, 0)
    saturation, signed = draw.limit(maps), bool((maps < 0).any())
    ground = np.zeros((len(chosen), *maps.shape[1:], 1))
    tiles = draw.blend(ground, maps[chosen], saturation, signed)
    titles = [f"{channel}: {maps[channel].max():.3g}" for channel in chosen]
    return draw.mosaic(tiles, titles, _notes(report, chosen))


def kernel_figure(kernel: Any, report: KernelReport | None = None) -> Figure:
    """Filters that see pixels, as small pictures.

    Args:
      kernel: (k_h, k_w, C_in, F), of 1 or 3 channels in.
      report: a `kernel_report`, whose findings are written under their filters; None: nothing.

    Returns:
      A figure; grey is zero, and each filter has a scale of its own, since their strengths differ widely.

    Raises:
      ValueError: a kernel of another shape.

    Example:
      >>> len(kernel_figure(np.ones((3, 3, 1, 4))).axes[0].images)
      4
    """
    from analysis import draw

    kernel = as_kernel(kernel)
    if kernel.shape[2] not in (1, 3):
        raise ValueError(
            f"a kernel over {kernel.shape[2]} channels is no picture: expected 1 or 3, (k_h, k_w, C_in, F)"
        )
    largest = abs(kernel).max((0, 1, 2))
    tiles = np.moveaxis(0.5 + 0.5 * kernel / np.where(largest > 0, largest, 1), -1, 0)
    return draw.mosaic(tiles, notes=_notes(report, np.arange(len(tiles))), side=0.5)


def _notes(report: ChannelReport | KernelReport | None, shown: np.ndarray) -> dict[int, str]:
    """The words about a tile's channel, by the number of the tile."""
    words: dict[int, list[str]] = {}
    for finding in () if report is None else report.findings:
        for culprit in finding.channels[:1]:
            words.setdefault(culprit, []).append(finding.kind)
    return {at: ", ".join(words[int(channel)]) for at, channel in enumerate(shown) if int(channel) in words}
