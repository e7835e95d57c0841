"""Look at, perturb and replace the activations inside any Linen model, by path.

A tap sits on the output of a module: `"stage3/block1"` is what that block returns. A layer is named
by its whole path or by an ending that only one path has. Models are applied in test mode. Every function
here is pure and works under `jit`, `grad` and inside rematerialised modules.

Never put a function that is itself jitted between a tap and the module it is meant for: traced before,
it would skip the tap in silence, and so a tap that does not fire is an error.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import FlaxError
from flax.traverse_util import flatten_dict
from jax.tree_util import Partial

from analysis import checks, execution


def list(model: nn.Module, variables: Any, inputs: Any) -> dict[str, Any]:
    """The paths that can be tapped, in the order in which they are computed; from shapes alone.

    Args:
      model: a Linen module.
      variables: its variables, or their shapes.
      inputs: (N, H, W, C) what the model takes, or its shape and type.

    Returns:
      `jax.ShapeDtypeStruct` of each module's output by path (a tree of them where it returns one);
      of the last call where a module is called several times.

    Example:
      >>> model, image = nn.Sequential([nn.Conv(8, (3, 3)), nn.relu]), jnp.ones((1, 6, 6, 3))
      >>> list(model, jax.eval_shape(model.init, jax.random.key(0), image), image)["layers_0"].shape
      (1, 6, 6, 8)
    """
    _, activations = jax.eval_shape(_shapes, execution.Static(model), variables, inputs)
    return {path: calls[-1] for activation in activations for path, calls in activation.items()}


def input_form(images: Any, preprocess: Callable[[jax.Array], jax.Array] | None = None) -> jax.ShapeDtypeStruct:
    """Shape and type of what a model is given for one image.

    Args:
      images: (N, H, W, C), or their shape and type.
      preprocess: what stands between images and the model; None: nothing.

    Example:
      >>> input_form(jnp.ones((5, 6, 6, 3)), lambda images: images[:, ::2, ::2]).shape
      (1, 3, 3, 3)
    """
    one = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    return one if preprocess is None else jax.eval_shape(execution.call, execution.as_argument(preprocess), one)


@functools.partial(jax.jit, static_argnames="model")
def _shapes(model: execution.Static, variables: Any, inputs: Any) -> tuple[Any, Any]:
    return _captured(model.value, variables, inputs)  # only ever traced; jit remembers the trace


def find(model: nn.Module, variables: Any, inputs: Any, layer: str) -> str:
    """The path of a layer, from its path or an ending that only it has.

    Raises:
      ValueError: no such layer, with the nearest names; or several, with their paths.

    Example:
      >>> model, image = nn.Sequential([nn.Conv(8, (3, 3)), nn.relu]), jnp.ones((1, 6, 6, 3))
      >>> find(model, jax.eval_shape(model.init, jax.random.key(0), image), image, "layers0")
      Traceback (most recent call last):
      ValueError: Sequential has no layer 'layers0', did you mean layers_0?...
    """
    paths = list(model, variables, inputs)
    found = [layer] if layer in paths else [path for path in paths if path.endswith(f"/{layer}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"layer {layer!r} could be {_some(found)}: give more of the path")
    parts = [path.split("/") for path in paths]
    endings = dict.fromkeys("/".join(part[start:]) for part in parts for start in range(len(part)))
    children = dict.fromkeys(part[0] for part in parts)
    raise ValueError(
        f"{type(model).__name__} has no layer {layer!r}{checks.did_you_mean(layer, endings)}; "
        f"it is made of {_some(children)}"
    )


def _some(names: Iterable[str], most: int = 8) -> str:
    names = [*names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def read(model: nn.Module, variables: Any, inputs: jax.Array, layer: str) -> Any:
    """The activation of a layer.

    Args:
      model: a Linen module.
      variables: its variables.
      inputs: (N, H, W, C) what the model takes.
      layer: a path, or an ending that only one path has.

    Returns:
      What the layer returns.

    Raises:
      ValueError: no such layer, several of them, or one that is called several times.
      RuntimeError: the layer was not reached.

    Example:
      >>> model, inputs = nn.Sequential([nn.Dense(1), nn.relu]), jnp.ones((1, 1))
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1), 2.0), "bias": jnp.zeros(1)}}}
      >>> read(model, variables, inputs, "layers_0").tolist()
      [[2.0]]
    """
    return run(model, variables, inputs, layers=(layer,))[1][layer]


def perturb(model: nn.Module, variables: Any, inputs: jax.Array, layer: str, delta: Any) -> jax.Array:
    """The logits when `delta` is added to the activation of a layer; its gradient is the layer's.

    Args:
      model, variables, inputs, layer: as in `read`.
      delta: what is added; a number, or an array that broadcasts to the activation.

    Returns:
      The model's output.

    Raises:
      ValueError, RuntimeError: as in `read`.

    Example:
      >>> model, inputs = nn.Sequential([nn.Dense(1), nn.relu]), jnp.ones((1, 1))
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1), 2.0), "bias": jnp.zeros(1)}}}
      >>> perturb(model, variables, inputs, "layers_0", 3.0).tolist()
      [[5.0]]
    """
    return run(model, variables, inputs, edits={layer: lambda output: output + _like(delta, output)})[0]


def replace(model: nn.Module, variables: Any, inputs: jax.Array, layer: str, value: Any) -> jax.Array:
    """The logits when the activation of a layer is replaced.

    Args:
      model, variables, inputs, layer: as in `read`.
      value: what takes its place; a number, or an array that broadcasts to the activation.

    Returns:
      The model's output.

    Raises:
      ValueError, RuntimeError: as in `read`.

    Example:
      >>> model, inputs = nn.Sequential([nn.Dense(1), nn.relu]), jnp.ones((1, 1))
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1), 2.0), "bias": jnp.zeros(1)}}}
      >>> replace(model, variables, inputs, "layers_0", -1.0).tolist()
      [[0.0]]
    """
    return run(model, variables, inputs, edits={layer: lambda output: _like(value, output)})[0]


def _like(value: Any, output: Any) -> jax.Array:
    if not isinstance(output, jax.Array):
        raise ValueError(f"a layer that returns a {type(output).__name__} takes an edit of `run`, not one array")
    return jnp.broadcast_to(jnp.asarray(value, output.dtype), output.shape)


def run(
    model: nn.Module,
    variables: Any,
    inputs: jax.Array,
    layers: Iterable[str] = (),
    edits: Mapping[str, Callable[[Any], Any]] | None = None,
) -> tuple[jax.Array, dict[str, Any]]:
    """One forward pass in which some activations are read and some are changed.

    Args:
      model, variables, inputs: as in `read`.
      layers: the layers to read, after any change.
      edits: for each layer to change, a function of its output that keeps shapes and types.

    Returns:
      The model's output, and the activations by the names given in `layers`.

    Raises:
      ValueError, RuntimeError: as in `read`; ValueError too for an edit that changes shape or type.

    Example:
      >>> model, inputs = nn.Sequential([nn.Dense(1), nn.relu]), jnp.ones((1, 1))
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1), 2.0), "bias": jnp.zeros(1)}}}
      >>> logits, seen = run(model, variables, inputs, ["layers_0"], {"layers_0": jnp.negative})
      >>> logits.tolist(), seen["layers_0"].tolist()
      ([[0.0]], [[-2.0]])
    """
    layers, edits = tuple(layers), edits or {}
    paths = {layer: find(model, variables, inputs, layer) for layer in (*layers, *edits)}
    changes = {paths[layer]: edit for layer, edit in edits.items()}
    fired: set[str] = set()

    def interceptor(call, args, kwargs, context):
        output = call(*args, **kwargs)
        path = "/".join(context.module.path)
        if context.method_name != "__call__" or path not in changes:
            return output
        fired.add(path)
        changed = changes[path](output)
        if checks.form(changed) != checks.form(output):
            raise ValueError(f"the edit of layer {path!r} gave {checks.form(changed)}: expected {checks.form(output)}")
        return changed

    with nn.intercept_methods(interceptor):
        logits, activations = _captured(model, variables, inputs)
    seen = {path: calls for activation in activations for path, calls in activation.items()}
    for path in paths.values():
        if path not in seen or (path in changes and path not in fired):
            raise RuntimeError(f"the tap on {path!r} did not fire: {type(model).__name__} did not call it this time")
        if len(seen[path]) > 1:
            raise ValueError(f"layer {path!r} is called {len(seen[path])} times in one pass, and a tap takes one call")
    return logits, {layer: seen[paths[layer]][0] for layer in layers}


def logits_fn(model: nn.Module, variables: Any, preprocess: Callable[[jax.Array], jax.Array] | None = None) -> Partial:
    """A model in test mode as a function of images, with its variables as arguments of the program.

    Args:
      model: a Linen module.
      variables: its variables.
      preprocess: what stands between images in [0, 1] and the model; None: nothing.

    Returns:
      `images -> logits`.
    """
    preprocess = None if preprocess is None else execution.as_argument(preprocess)
    return Partial(_Forward(execution.Static(model)), variables, preprocess)


def neurons(
    model: nn.Module,
    variables: Any,
    layer: str,
    at: tuple[int, int] | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
) -> Partial:
    """A layer as a function of images, so that whatever explains a class explains a channel.

    `analysis.saliency(neurons(model, variables, "stage2"), images, [7] * len(images))` shows what channel 7
    of that layer looks at.

    Args:
      model: a Linen module.
      variables: its variables.
      layer: a path, or an ending that only one path has.
      at: row and column of the neuron in each channel, in the layer's own pixels, negative ones from the end;
        None: the mean of each channel.
      preprocess: what stands between images in [0, 1] and the model; None: nothing.

    Returns:
      `images -> (N, channels)`. It raises ValueError for a layer that is unknown or not an image or a row of
      numbers an example, and for a position outside of it.

    Example:
      >>> model, inputs = nn.Sequential([nn.Dense(1), nn.relu]), jnp.ones((1, 2, 2, 1))
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1), -2.0), "bias": jnp.zeros(1)}}}
      >>> neurons(model, variables, "layers_0", at=(0, 1))(inputs).tolist()
      [[-2.0]]
    """
    if at is not None and [isinstance(entry, int | np.integer) for entry in np.atleast_1d(at)] != [True, True]:
        raise ValueError(f"at={at!r}: expected a row and a column, or None for the mean of each channel")
    preprocess = None if preprocess is None else execution.as_argument(preprocess)
    return Partial(_Neurons(execution.Static(model), layer, None if at is None else (*at,)), variables, preprocess)


@dataclasses.dataclass(frozen=True)
class _Neurons:
    """The channels of a layer; a class so that equal layers of equal models are equal functions."""

    model: execution.Static
    layer: str
    at: tuple[int, int] | None

    def __call__(self, variables: Any, preprocess: Partial | None, images: jax.Array) -> jax.Array:
        inputs = images if preprocess is None else preprocess(images)
        output = read(self.model.value, variables, inputs, self.layer)
        rank = output.ndim if isinstance(output, jax.Array) else None
        if rank not in (2, 4) or (rank == 2 and self.at is not None):
            raise ValueError(
                f"layer {self.layer!r} gives {checks.form(output)}: expected (N, h, w, channels), "
                "or (N, channels) with at=None"
            )
        if rank == 2:
            return output
        if self.at is None:
            return output.mean((1, 2))
        if any(not -size <= entry < size for entry, size in zip(self.at, output.shape[1:3], strict=True)):
            raise ValueError(f"at={self.at} is outside of layer {self.layer!r}, {output.shape[1:3]} pixels")
        return output[:, self.at[0], self.at[1]]


@dataclasses.dataclass(frozen=True)
class _Forward:
    """A model's output in test mode; a class so that equal models are equal functions."""

    model: execution.Static

    def __call__(self, variables: Any, preprocess: Partial | None, images: jax.Array, **settings: Any) -> Any:
        model = self.model.value
        if "train" in inspect.signature(type(model).__call__).parameters:
            settings["train"] = False
        inputs = images if preprocess is None else preprocess(images)
        try:
            return model.apply(variables, inputs, **settings)
        except FlaxError as error:
            name = type(model).__name__
            raise ValueError(
                f"{name} does not take images of shape {inputs.shape} with these variables: {error}"
            ) from error


def _captured(model: nn.Module, variables: Any, inputs: jax.Array) -> tuple[jax.Array, Any]:
    """The output, and in the order of computation `{path: (output of each call, ...)}` of each module."""

    def inner_call(module, method):
        return method == "__call__" and bool(module.path)

    logits, state = _Forward(execution.Static(model))(
        variables, None, inputs, capture_intermediates=inner_call, mutable=["intermediates"]
    )
    captured = flatten_dict(state.get("intermediates", {}))
    return logits, [{"/".join(path[:-1]): calls} for path, calls in captured.items() if path[-1] == "__call__"]
