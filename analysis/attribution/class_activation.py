"""Class activation mapping: the maps that a global average reads, with the weights of the linear layer after it.

Reference: Zhou, Khosla, Lapedriza, Oliva & Torralba, 2015, arXiv:1512.04150.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
from jax.extend import core
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.attribution.gradient_weighted import layer_map
from analysis.network import Network, is_spatial
from convzoo import jaxprs


def cam(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    layer: str | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    relu: bool = False,
    resize: Literal["bilinear", "nearest"] | None = "bilinear",
    batch_size: int | None = None,
) -> jax.Array:
    r"""Class activation maps: the terms of the class's logit at each place of the last maps, without the bias.

    .. math:: M_{ij} = \sum_k w_{ky} A_{ijk}, \qquad S_y = \frac{1}{hw} \sum_{ij} M_{ij} + b_y

    Only a network of the form maps → global average → linear layer has such a map. On one, it is Grad-CAM
    without its rectifier times h·w. A ReLU between `layer` and the average belongs to A.

    Args:
      model: a Linen module from images to logits, of that form.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      layer: whose output the average reads, by path or by an ending that only one path has; None: the last one
        with spatial extent.
      preprocess: a function from images to what the model takes; None: the images themselves.
      relu: keep what speaks for the class only; False: signed.
      resize: how the map is brought to the size of the images; None: leave it at the layer's.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W), or (N, h, w) for `resize=None`; raw, in float32.

    Raises:
      ValueError: images, labels or choices that are not of the above; a network of another form, or a layer
        that its average does not read.

    Example:
      >>> import jax.numpy as jnp
      >>> model = nn.Sequential([nn.Conv(2, (1, 1)), lambda x: x.mean((1, 2))])
      >>> variables = {"params": {"layers_0": {"kernel": jnp.array([[[[4.0, 8.0]]]]), "bias": jnp.zeros(2)}}}
      >>> cam(model, variables, jnp.array([[[[0.0], [1.0]]]]), [1]).tolist()
      [[[0.0, 8.0]]]
    """
    images = checks.as_images(images)
    network = Network(model, variables, preprocess)
    path = averaged_layer(network, images.shape[1:], layer)
    weigh = Partial(_times_places)
    return layer_map(weigh, network, images, labels, path, "logit", relu, resize, batch_size)


def _times_places(gradient, activation):
    """The weight w where the ReLU after the activation lets it through: h·w times its share of the mean."""
    return gradient * (gradient.shape[1] * gradient.shape[2])


def averaged_layer(network: Network, image_shape: Sequence[int], layer: str | None = None) -> str:
    """The path of the layer whose mean over space the logits are a linear function of, proved on the program.

    Args:
      network: a network; the shapes of its variables are enough.
      image_shape: (H, W, C) of the images.
      layer: a path, or an ending that only one path has; None: the last layer with spatial extent.

    Raises:
      ValueError: a layer that is unknown, ambiguous or without spatial extent, or read in another way.

    Example:
      >>> model = nn.Sequential([nn.Conv(2, (3, 3)), lambda x: x.mean((1, 2))])
      >>> variables = jax.eval_shape(model.init, jax.random.key(0), jax.numpy.ones((1, 6, 6, 3)))
      >>> averaged_layer(Network(model, variables), (6, 6, 3))
      'layers_0'
    """
    images = jax.ShapeDtypeStruct((1, *image_shape), "float32")
    forms = network.layers(images)
    if layer is None:
        layer = next((path for path in reversed(forms) if is_spatial(forms[path])), None)
    path = network.spatial_layer(image_shape, layer)

    program = jaxprs.trace(Partial(_tail, network, execution.Static(path)), images, forms[path])
    states = [*[None] * (len(program.jaxpr.invars) - 1), MAPS]
    reached = jaxprs.interpret(program, states, _rule)[0]
    if reached is not MEAN:
        obstacle = f"{reached.primitive!r} in {reached.where}" if isinstance(reached, Broken) else "no global average"
        raise ValueError(
            f"{type(network.model).__name__} has no class activation map of layer {path!r}: between it and the logits "
            f"stands {obstacle}, but only a global average and a linear layer may; "
            "grad_cam takes any network and any layer"
        )
    return path


def _tail(network: Network, path: execution.Static, images: jax.Array, activation: jax.Array) -> jax.Array:
    """The logits as a function of a layer's activation."""
    return network.run(images, edits={path.value: lambda _: activation})[0]


class Broken(NamedTuple):
    """Neither the maps nor a linear function of their mean any more.

    Attributes:
      primitive: the operation that made it so.
      where: the path of the module it is in.
    """

    primitive: str
    where: str


MAPS, MEAN = "maps", "mean"
_MOVES = ("reshape", "squeeze", "expand_dims", "transpose", "broadcast_in_dim", "slice", "convert_element_type", "copy")
_SUMS = ("add", "sub", "neg", "reduce_sum", "concatenate", "add_any")
_PRODUCTS = ("mul", "dot_general", "conv_general_dilated", "div")


def _rule(equation: core.JaxprEqn, states: Sequence[Any], path: str) -> list:
    """A rule of the interpreter over None (independent of the maps), MAPS, MEAN, and what broke them first."""
    return [_state(equation, states, path)] * len(equation.outvars)


def _state(equation: core.JaxprEqn, states: Sequence[Any], path: str) -> Any:
    name, dependent = equation.primitive.name, [state for state in states if state is not None]
    broken = next((state for state in dependent if isinstance(state, Broken)), None)
    if broken or not dependent:
        return broken
    if MAPS in dependent:
        others = [atom for atom, state in zip(equation.invars, states, strict=True) if state is None]
        if name == "reduce_sum" and equation.params["axes"] == (1, 2):
            return MEAN
        if name in ("convert_element_type", "copy") or (name == "max" and jaxprs.literal(others[0]) == 0):
            return MAPS
    elif name in (*_MOVES, *_SUMS) or (name in _PRODUCTS and len(dependent) == 1 and (name != "div" or states[0])):
        return MEAN
    return Broken(name, path)
