"""Look at, perturb and replace the activations inside any Linen model, by path.

A tap sits on the output of a module: `"stage3/block1"` is what that block returns. A layer is named
by its whole path or by an ending that only one path has. Models are applied in test mode. Every function
here is pure and works under `jit`, `grad` and inside rematerialised modules.

Never put a function that is itself jitted between a tap and the module it is meant for: traced before,
it would skip the tap in silence, and so a tap that does not fire is an error.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from analysis.network import Network


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
    return Network(model, variables).layers(inputs)


def input_form(images: Any, preprocess: Callable[[jax.Array], jax.Array] | None = None) -> jax.ShapeDtypeStruct:
    """Shape and dtype of what a model takes for one image.

    Args:
      images: (N, H, W, C), or their shape and type.
      preprocess: a function from images to what the model takes; None: the images themselves.

    Example:
      >>> input_form(jnp.ones((5, 6, 6, 3)), lambda images: images[:, ::2, ::2]).shape
      (1, 3, 3, 3)
    """
    return Network(nn.Module(), {}, preprocess).input_form(images.shape[1:], images.dtype)


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
    return Network(model, variables).find(inputs, layer)


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
      The model's output, and the activations by the names in `layers`.

    Raises:
      ValueError, RuntimeError: as in `read`; ValueError too for an edit that changes shape or type.

    Example:
      >>> model, inputs = nn.Sequential([nn.Dense(1), nn.relu]), jnp.ones((1, 1))
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1), 2.0), "bias": jnp.zeros(1)}}}
      >>> logits, activations = run(model, variables, inputs, ["layers_0"], {"layers_0": jnp.negative})
      >>> logits.tolist(), activations["layers_0"].tolist()
      ([[0.0]], [[-2.0]])
    """
    return Network(model, variables).run(inputs, layers, edits)


def logits_fn(model: nn.Module, variables: Any, preprocess: Callable[[jax.Array], jax.Array] | None = None) -> Partial:
    """A model in test mode as a function of images, with its variables as arguments of the program.

    Args:
      model: a Linen module.
      variables: its variables.
      preprocess: a function from images to what the model takes; None: the images themselves.

    Returns:
      `images -> logits`.
    """
    return Network(model, variables, preprocess).logits_fn


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
      preprocess: a function from images to what the model takes; None: the images themselves.

    Returns:
      `images -> (N, channels)`. It raises ValueError for a layer that is unknown or not an image or a row of
      numbers an example, and for a position outside of it.

    Example:
      >>> model, inputs = nn.Sequential([nn.Dense(1), nn.relu]), jnp.ones((1, 2, 2, 1))
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1), -2.0), "bias": jnp.zeros(1)}}}
      >>> neurons(model, variables, "layers_0", at=(0, 1))(inputs).tolist()
      [[-2.0]]
    """
    return Network(model, variables, preprocess).neurons(layer, at)
