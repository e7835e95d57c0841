"""Guided Grad-CAM: where the class is, times which pixels it is made of there.

Reference: Selvaraju et al., 2016, arXiv:1610.02391.
"""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax

from analysis import checks
from analysis.attribution.grad_cam import grad_cam
from analysis.attribution.guided_backprop import with_rule
from analysis.attribution.reduction import Channels, Score, check_channels, over_channels
from analysis.attribution.saliency import saliency
from analysis.network import Network
from convzoo.checks import choice


def guided_grad_cam(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    layer: str | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    channels: Channels = "max",
    score: Score = "logit",
    resize: Literal["bilinear", "nearest"] = "bilinear",
    batch_size: int | None = None,
) -> jax.Array:
    r"""Guided backpropagation, kept where Grad-CAM sees the class.

    .. math:: M = \mathrm{resize}(M^{\text{Grad-CAM}}) \odot M^{\text{guided}}

    Args:
      model: a Linen module from images to logits with a field `act`, as in `guided_backprop`.
      variables, images, labels, layer, preprocess, score, batch_size: as in `grad_cam`.
      channels: `"max"`: the largest absolute value; `"sum"`: the signed sum; None: all of them.
      resize: how Grad-CAM's map is brought to the size of the images (captum: `"nearest"`).

    Returns:
      (N, H, W), or (N, H, W, C) for `channels=None`; raw.

    Raises:
      ValueError: as in `grad_cam` and `guided_backprop`.

    Example:
      >>> import jax.numpy as jnp
      >>> class Net(nn.Module):
      ...     act: Callable | None = None
      ...     @nn.compact
      ...     def __call__(self, images):
      ...         x = (self.act or nn.relu)(nn.Conv(1, (1, 1), name="stage1")(images))
      ...         return x.mean((1, 2))
      >>> variables = {"params": {"stage1": {"kernel": jnp.full((1, 1, 1, 1), 4.0), "bias": jnp.zeros(1)}}}
      >>> guided_grad_cam(Net(), variables, jnp.array([[[[0.5], [1.0]]]]), [0]).tolist()
      [[[2.0, 4.0]]]
    """
    check_channels(channels)
    choice("resize", resize, ("bilinear", "nearest"))
    network = Network(model, variables, preprocess)
    guided = with_rule("guided", network, checks.as_images(images).shape[1:])
    places = grad_cam(model, variables, images, labels, layer, preprocess, score, resize=resize, batch_size=batch_size)
    pixels = saliency(guided.logits_fn, images, labels, None, score, batch_size)
    return over_channels(pixels * places[..., None].astype(pixels.dtype), channels)
