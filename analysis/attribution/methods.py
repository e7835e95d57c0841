"""All attribution methods in one table: what each takes, and what its values mean."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from analysis import attribution
from analysis.network import Network
from convzoo.checks import choice


class Method(NamedTuple):
    """An attribution method.

    Attributes:
      function: of `analysis.attribution`.
      label: what it is called.
      unit: what a value measures.
      meaning: the method in a clause.
      signed: whether values below zero mean something.
      of_model: it takes a model and its variables instead of a function of images.
      of_layer: it takes `layer`.
      drawn: it takes `key`.
    """

    function: Callable
    label: str
    unit: str
    meaning: str
    signed: bool = False
    of_model: bool = False
    of_layer: bool = False
    drawn: bool = False


METHODS: dict[str, Method] = {
    "saliency": Method(
        attribution.saliency,
        "saliency",
        "|∂ logit / ∂ pixel|",
        "the gradient's largest magnitude over channels",
    ),
    "smoothgrad": Method(
        attribution.smoothgrad,
        "SmoothGrad",
        "|mean ∂ logit / ∂ pixel|",
        "the gradient averaged over noisy copies of the image, its largest magnitude over channels",
        drawn=True,
    ),
    "integrated_gradients": Method(
        attribution.integrated_gradients,
        "integrated gradients",
        "logit",
        "what each pixel adds to the logit on the way from a black image",
        signed=True,
    ),
    "input_times_gradient": Method(
        attribution.input_times_gradient,
        "input × gradient",
        "pixel · ∂ logit / ∂ pixel",
        "the gradient times the pixel, summed over channels",
        signed=True,
    ),
    "occlusion": Method(
        attribution.occlusion,
        "occlusion",
        "drop of the logit",
        "how far the logit falls when a black window an eighth of the image wide hides a pixel, averaged over the "
        "windows that do",
        signed=True,
    ),
    "guided_backprop": Method(
        attribution.guided_backprop,
        "guided backprop",
        "|guided gradient|",
        "the gradient, of which every rectifier lets only what is positive back, and only where it was active",
        of_model=True,
    ),
    "deconvnet": Method(
        attribution.deconvnet,
        "deconvnet",
        "|rectified gradient|",
        "the gradient, of which every rectifier lets only what is positive back",
        of_model=True,
    ),
    "cam": Method(
        attribution.cam,
        "CAM",
        "logit · pixels of the layer",
        "what each place of the last maps adds to the logit, which is their mean",
        signed=True,
        of_model=True,
    ),
    "grad_cam": Method(
        attribution.grad_cam,
        "Grad-CAM",
        "weighted activation",
        "the channels of a layer, weighted by their mean gradient, where their sum is positive",
        of_model=True,
        of_layer=True,
    ),
    "grad_cam_plus_plus": Method(
        attribution.grad_cam_plus_plus,
        "Grad-CAM++",
        "weighted activation",
        "as Grad-CAM, with each place where a channel speaks for the class counted once",
        of_model=True,
        of_layer=True,
    ),
    "guided_grad_cam": Method(
        attribution.guided_grad_cam,
        "guided Grad-CAM",
        "|gradient| · activation",
        "guided backprop times Grad-CAM",
        of_model=True,
        of_layer=True,
    ),
    "score_cam": Method(
        attribution.score_cam,
        "Score-CAM",
        "weighted activation",
        "the channels of a layer, weighted by the logit of the image seen through each, where their sum is positive",
        of_model=True,
        of_layer=True,
    ),
}
"""By the name of the function."""


def explainer(
    name: str,
    logits_fn: Callable[[jax.Array], jax.Array],
    network: Network | None = None,
    layer: str | None = None,
    key: jax.Array | None = None,
    batch_size: int | None = 32,
) -> Callable[[Any, Any], jax.Array]:
    """A method with all but images and labels filled in.

    Args:
      name: of a function of `analysis.attribution`.
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      network: the same as a model, for the methods that look into it; None: those are refused.
      layer: of the methods that take one; None: their own default.
      key: from `jax.random.key`, for the methods that draw; None: `jax.random.key(0)`.
      batch_size: images, copies or windows held at once; None: all.

    Returns:
      (images, labels) → (N, H, W) maps.

    Raises:
      ValueError: an unknown name, or a method that needs a network where there is only a function.

    Example:
      >>> import jax.numpy as jnp
      >>> total = lambda images: images.sum((1, 2))
      >>> explainer("saliency", total)(jnp.ones((1, 2, 2, 1)), [0]).tolist()
      [[[1.0, 1.0], [1.0, 1.0]]]
    """
    choice("method", name, METHODS)
    method = METHODS[name]
    if method.of_model and network is None:
        raise ValueError(f"{name} looks into a model: expected a network, not a function of images alone")
    settings: dict[str, Any] = {"batch_size": batch_size}
    if method.of_layer:
        settings["layer"] = layer
    if method.drawn:
        settings["key"] = jax.random.key(0) if key is None else key
    if not method.of_model:
        return lambda images, labels: method.function(logits_fn, images, labels, **settings)
    assert network is not None
    model, variables = network.model, network.variables
    settings["preprocess"] = network.preprocess
    return lambda images, labels: method.function(model, variables, images, labels, **settings)
