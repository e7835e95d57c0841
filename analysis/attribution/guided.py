"""Guided backpropagation, the deconvolutional network and guided Grad-CAM: other backward rules for rectifiers.

References: Springenberg et al., 2014, arXiv:1412.6806; Zeiler & Fergus, 2013, arXiv:1311.2901; Selvaraju et al.,
2016, arXiv:1610.02391.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import flax.linen as nn
import jax

from analysis import checks
from analysis.attribution.channels import Channels, check_channels, over_channels
from analysis.attribution.gradient_weighted import grad_cam
from analysis.attribution.gradients import saliency
from analysis.attribution.rectifiers import own_rectifier
from analysis.network import Network
from analysis.scores import Score
from convzoo.checks import choice


def guided_backprop(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    layer: str | None = None,
    at: tuple[int, int] | None = None,
    channels: Channels = "max",
    score: Score = "logit",
    batch_size: int | None = None,
) -> jax.Array:
    r"""The gradient in the pixels, where every rectifier lets only positive gradients back.

    .. math:: R = \mathrm{relu}(G) \odot \mathbb 1[a > 0]

    for a gradient G that reaches a ReLU with input a.

    Rectifiers are ReLU and ReLU6. The model's `act` field is what is replaced, so it must exist and reach
    every rectifier of the model; a model whose paper has another activation (SiLU, GELU, tanh) has no such
    map, and is refused.

    Args:
      model: a Linen module from images to logits with a field `act`, such as any of the zoo.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map, or the channel of `layer`.
      preprocess: a function from images to what the model takes; None: the images themselves.
      layer: start from the channels of this layer instead of the classes (see `analysis.neurons`).
      at: row and column of the neuron in `layer`; None: the mean of its channel.
      channels: `"max"`: the largest absolute value; `"sum"`: the signed sum; None: all of them.
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W), or (N, H, W, C) for `channels=None`; raw.

    Raises:
      ValueError: images, labels or choices that are not of the above; a model without rectifiers to replace.

    Example:
      >>> import jax.numpy as jnp
      >>> class Net(nn.Module):
      ...     act: Callable | None = None
      ...     @nn.compact
      ...     def __call__(self, images):
      ...         x = (self.act or nn.relu)(images.sum((1, 2)))
      ...         return jnp.concatenate([x, -(x**2)], 1)
      >>> guided_backprop(Net(), {}, jnp.full((2, 1, 1, 1), 0.5), [0, 1]).tolist()
      [[[1.0]], [[0.0]]]
    """
    network = Network(model, variables, preprocess)
    return _backward("guided", network, images, labels, layer, at, channels, score, batch_size)


def deconvnet(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    layer: str | None = None,
    at: tuple[int, int] | None = None,
    channels: Channels = "max",
    score: Score = "logit",
    batch_size: int | None = None,
) -> jax.Array:
    r"""The gradient in the pixels, where rectifiers rectify the gradient and forget what they let through.

    .. math:: R = \mathrm{relu}(G)

    for a gradient G that reaches a ReLU. Max pooling sends it back to where its maximum was, as
    the switches of the paper do.

    Args:
      model, variables, images, labels, preprocess, layer, at, channels, score, batch_size: as in
        `guided_backprop`.

    Returns:
      (N, H, W), or (N, H, W, C) for `channels=None`; raw.

    Raises:
      ValueError: as in `guided_backprop`.

    Example:
      >>> import jax.numpy as jnp
      >>> class Net(nn.Module):
      ...     act: Callable | None = None
      ...     @nn.compact
      ...     def __call__(self, images):
      ...         return (self.act or nn.relu)(-images.sum((1, 2)))
      >>> deconvnet(Net(), {}, jnp.full((1, 1, 1, 1), 0.5), [0]).tolist()
      [[[1.0]]]
    """
    network = Network(model, variables, preprocess)
    return _backward("deconvnet", network, images, labels, layer, at, channels, score, batch_size)


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
    r"""Guided backpropagation times Grad-CAM: the pixels, where the layer speaks for the class.

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


def _backward(rule, network, images, labels, layer, at, channels, score, batch_size):
    if layer is None and at is not None:
        raise ValueError(f"at={at!r} is a place in a layer: give layer= as well")
    changed = with_rule(rule, network, checks.as_images(images).shape[1:])
    function = changed.logits_fn if layer is None else changed.neurons(layer, at)
    return saliency(function, images, labels, channels, score, batch_size)


def with_rule(rule: str, network: Network, image_shape: Sequence[int]) -> Network:
    """The network that computes the same, and whose gradient goes back through rectifiers by another rule.

    Args:
      rule: `"guided"` or `"deconvnet"`.
      network: a network whose model has a field `act`.
      image_shape: (H, W, C) of the images.

    Raises:
      ValueError: as in `analysis.attribution.rectifiers.own_rectifier`.
    """
    rectifier = own_rectifier(network, image_shape)
    return dataclasses.replace(network, model=network.model.clone(act=_Rule(rectifier, rule)))


BACKWARD_RULES: dict[str, Callable[..., jax.Array]] = {
    "guided": lambda rectifier, x, gradient: jax.vjp(rectifier, x)[1](nn.relu(gradient))[0],
    "deconvnet": lambda rectifier, x, gradient: nn.relu(gradient),
}


@dataclasses.dataclass(frozen=True)
class _Rule:
    """A rectifier with another backward rule; a class so that equal rules make equal models."""

    rectifier: Callable[[jax.Array], jax.Array]
    name: str

    def __call__(self, x: jax.Array) -> jax.Array:
        @jax.custom_vjp
        def rectify(x):
            return self.rectifier(x)

        rectify.defvjp(
            lambda x: (self.rectifier(x), x),
            lambda x, gradient: (BACKWARD_RULES[self.name](self.rectifier, x, gradient),),
        )
        return rectify(x)
