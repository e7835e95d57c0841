"""Class activation mapping: the maps that a global average reads, with the weights of the linear layer after it.

Reference: Zhou, Khosla, Lapedriza, Oliva & Torralba, 2015, arXiv:1512.04150.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
from jax.extend import core
from jax.tree_util import Partial

from analysis import checks, execution, taps
from analysis.attribution.grad_cam import is_spatial, layer_map, spatial_layer
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
    r"""What each place of the last maps adds to the class: their mean is its logit, but for the bias.

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
      preprocess: what stands between the images and the model; None: nothing.
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
    preprocess = None if preprocess is None else execution.as_argument(preprocess)
    inputs = taps.input_form(images, preprocess)
    path = averaged_layer(model, variables, inputs, layer)
    return layer_map(
        Partial(execution.Static(_times_places)),
        model,
        variables,
        images,
        labels,
        path,
        preprocess,
        "logit",
        relu,
        resize,
        batch_size,
    )


def _times_places(gradient, activation):
    """The weight w where the ReLU after the activation lets it through: h·w times its share of the mean."""
    return gradient * (gradient.shape[1] * gradient.shape[2])


def averaged_layer(model: nn.Module, variables: Any, inputs: Any, layer: str | None = None) -> str:
    """The path of the layer whose mean over space the logits are a linear function of, proved on the program.

    Args:
      model, variables: a Linen module and its variables, or their shapes.
      inputs: (N, H, W, C) what the model takes, or its shape and type.
      layer: a path, or an ending that only one path has; None: the last layer with spatial extent.

    Raises:
      ValueError: a layer that is unknown, ambiguous or without spatial extent, or read in another way.

    Example:
      >>> model, image = nn.Conv(2, (3, 3)), jax.ShapeDtypeStruct((1, 6, 6, 3), "float32")
      >>> model = nn.Sequential([model, lambda x: x.mean((1, 2))])
      >>> averaged_layer(model, jax.eval_shape(model.init, jax.random.key(0), image), image)
      'layers_0'
    """
    forms = taps.list(model, variables, inputs)
    if layer is None:
        layer = next((path for path in reversed(forms) if is_spatial(forms[path])), None)
    path = spatial_layer(model, variables, inputs, layer)

    program = jaxprs.trace(Partial(_Tail(execution.Static(model), path), variables), inputs, forms[path])
    states = [*[None] * (len(program.jaxpr.invars) - 1), MAPS]
    reached = _walk(program, states)[0]
    if reached is not MEAN:
        found = f"{reached.primitive!r} in {reached.where}" if isinstance(reached, Broken) else "no global average"
        raise ValueError(
            f"{type(model).__name__} has no class activation map of layer {path!r}: between it and the logits stands "
            f"{found}, but only a global average and a linear layer may; grad_cam takes any network and any layer"
        )
    return path


@dataclasses.dataclass(frozen=True)
class _Tail:
    """The logits as a function of a layer's activation; a class so that equal tails are equal functions."""

    model: execution.Static
    path: str

    def __call__(self, variables: Any, inputs: jax.Array, activation: jax.Array) -> jax.Array:
        return taps.run(self.model.value, variables, inputs, edits={self.path: lambda _: activation})[0]


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


def _walk(program: Any, states: list, path: str = "") -> list:
    """For each output: None where it does not depend on the maps, MAPS, MEAN, or the first thing that broke it."""
    jaxpr = getattr(program, "jaxpr", program)
    known = dict(zip(jaxpr.invars, states, strict=True))
    for equation in jaxpr.eqns:
        given = [None if isinstance(atom, core.Literal) else known.get(atom) for atom in equation.invars]
        inner = jaxprs.inner_program(equation)
        if all(state is None for state in given):
            continue
        here = jaxprs.scope_of(equation, path)
        if inner is None:
            results = [_step(equation, given, here)] * len(equation.outvars)
        else:
            results = _walk(inner, given[-len(getattr(inner, "jaxpr", inner).invars) :], here)
        known.update(zip(equation.outvars, results, strict=True))
    return [None if isinstance(atom, core.Literal) else known.get(atom) for atom in jaxpr.outvars]


def _step(equation: core.JaxprEqn, given: list, path: str) -> Any:
    name = equation.primitive.name
    broken = next((state for state in given if isinstance(state, Broken)), None)
    if broken:
        return broken
    if MAPS in given:
        others = [atom for atom, state in zip(equation.invars, given, strict=True) if state is None]
        if name == "reduce_sum" and equation.params["axes"] == (1, 2):
            return MEAN
        if name in ("convert_element_type", "copy") or (name == "max" and jaxprs.literal(others[0]) == 0):
            return MAPS
    elif name in (*_MOVES, *_SUMS) or (name in _PRODUCTS and given.count(None) == 1 and (name != "div" or given[0])):
        return MEAN
    return Broken(name, path)
