"""A network as one value: a model, its variables and its preprocessing, with its layers and their activations."""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import FlaxError
from flax.traverse_util import flatten_dict
from jax.tree_util import Partial

from analysis import checks, execution
from convzoo.checks import did_you_mean, is_integer


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A Linen model in test mode, with its variables and the preprocessing of its images.

    It is a pytree: variables and what the preprocessing holds are leaves, the model is static. A compiled
    function takes it as an argument, and compiles once for equal models and equal shapes.

    Attributes:
      model: any Linen module from images to logits.
      variables: its variables, or their shapes and dtypes where only shapes are asked for.
      preprocess: a function from images in [0, 1] to what the model takes; None: the images themselves.

    Raises:
      ValueError: a `preprocess` that is not callable.

    Example:
      >>> model = nn.Sequential([nn.Conv(8, (3, 3)), nn.relu, lambda x: x.mean((1, 2))])
      >>> network = Network(model, model.init(jax.random.key(0), jnp.ones((1, 6, 6, 3))))
      >>> network.logits_fn(jnp.ones((2, 6, 6, 3))).shape, network.spatial_layer((6, 6, 3))
      ((2, 8), 'layers_0')
    """

    model: nn.Module
    variables: Any
    preprocess: Callable[[jax.Array], jax.Array] | None = None

    def __post_init__(self):
        if self.preprocess is not None:
            object.__setattr__(self, "preprocess", execution.as_argument(self.preprocess))

    def tree_flatten(self) -> tuple[tuple, execution.Static]:
        """The variables and the preprocessing as children, the model as static data."""
        return (self.variables, self.preprocess), execution.Static(self.model)

    @classmethod
    def tree_unflatten(cls, static: execution.Static, children: tuple) -> "Network":
        """The network of `tree_flatten`'s parts, unchecked: JAX also puts placeholders in place of leaves."""
        network = object.__new__(cls)
        for name, value in zip(("model", "variables", "preprocess"), (static.value, *children), strict=True):
            object.__setattr__(network, name, value)
        return network

    @property
    def logits_fn(self) -> Partial:
        """(N, H, W, C) images in [0, 1] → (N, classes) logits."""
        return Partial(_forward, self)

    def neurons(self, layer: str, at: tuple[int, int] | None = None) -> Partial:
        """(N, H, W, C) images → (N, channels) of a layer: see `analysis.neurons`."""
        if at is not None and not (isinstance(at, Sequence | np.ndarray) and [*map(is_integer, at)] == [True, True]):
            raise ValueError(f"at={at!r}: expected a row and a column, or None for the mean of each channel")
        return Partial(_neurons, self, execution.Static(layer), execution.Static(None if at is None else (*at,)))

    def inputs(self, images: jax.Array) -> jax.Array:
        """The model's input for (N, H, W, C) images: the images after `preprocess`."""
        return images if self.preprocess is None else self.preprocess(images)

    def input_form(self, image_shape: Sequence[int], dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
        """Shape and dtype of what the model takes for one (H, W, C) image.

        Example:
          >>> Network(nn.Dense(1), {}, lambda images: images[:, ::2, ::2]).input_form((6, 6, 3)).shape
          (1, 3, 3, 3)
        """
        return jax.eval_shape(_inputs, self, jax.ShapeDtypeStruct((1, *image_shape), dtype))

    def layers(self, images: Any) -> dict[str, Any]:
        """Shape and dtype of each layer's output, by path, in order of computation; from shapes alone.

        Args:
          images: (N, H, W, C), or their shape and dtype.

        Returns:
          `jax.ShapeDtypeStruct` of each layer (a tree of them where it returns one); of the last call where a
          layer is called several times.
        """
        _, calls_of = jax.eval_shape(_activations, self, images)
        return {path: calls[-1] for entry in calls_of for path, calls in entry.items()}

    def find(self, images: Any, layer: str) -> str:
        """The path of a layer, from its path or an ending that only it has.

        Args:
          images: (N, H, W, C), or their shape and dtype.
          layer: a path or an ending.

        Raises:
          ValueError: no such layer, with the nearest names; or several, with their paths.
        """
        paths = [*self.layers(images)]
        matches = [layer] if layer in paths else [path for path in paths if path.endswith(f"/{layer}")]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ValueError(f"layer {layer!r} could be {_listed(matches)}: give more of the path")
        parts = [path.split("/") for path in paths]
        endings = dict.fromkeys("/".join(part[start:]) for part in parts for start in range(len(part)))
        children = dict.fromkeys(part[0] for part in parts)
        raise ValueError(
            f"{type(self.model).__name__} has no layer {layer!r}{did_you_mean(layer, endings)}; "
            f"it is made of {_listed(children)}"
        )

    def spatial_layer(self, image_shape: Sequence[int], layer: str | None = None) -> str:
        """The path of a layer whose activation is an image of more than one pixel.

        Args:
          image_shape: (H, W, C) of the images.
          layer: a path, or an ending that only one path has; None: the highest `stageN`, the outermost where
            stages nest, and in a model without stages the last layer that qualifies.

        Raises:
          ValueError: a layer that is unknown, ambiguous or without spatial extent, or a model that has none.
        """
        images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
        forms = self.layers(images)
        spatial = [path for path, form in forms.items() if is_spatial(form)]
        if layer is not None:
            path = self.find(images, layer)
            if path not in spatial:
                shape = jax.tree.map(lambda form: form.shape, forms[path])
                near = f": the last layer that has it is {spatial[-1]!r}" if spatial else ""
                raise ValueError(f"layer {path!r} gives {shape}, which has no spatial extent{near}")
            return path
        name = type(self.model).__name__
        if not spatial:
            raise ValueError(f"no layer of {name} has spatial extent, which Grad-CAM needs: use saliency")
        stages = {path: re.fullmatch(r"(?:.*/)?stage(\d+)", path) for path in spatial}
        rank = {path: (-path.count("/"), int(match[1])) for path, match in stages.items() if match}
        last = [path for path in rank if rank[path] == max(rank.values())] or spatial[-1:]
        if len(last) > 1:
            raise ValueError(f"{name} has several last stages: give layer= one of {', '.join(last)}")
        return last[0]

    def depths(self, image_shape: Sequence[int], most: int = 4) -> tuple[str, ...]:
        """Layers with spatial extent to look at, the shallowest first.

        Args:
          image_shape: (H, W, C) of the images.
          most: at most so many layers; of more, an even choice with the first and the last.

        Returns:
          Paths: `stem` and the stages, of the outermost module that has stages; else the outermost layers; an
          empty tuple where no layer has spatial extent.

        Example:
          >>> model = nn.Sequential([nn.Conv(2, (3, 3)), nn.relu, nn.Conv(4, (3, 3)), lambda x: x.mean((1, 2))])
          >>> variables = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 6, 6, 1)))
          >>> Network(model, variables).depths((6, 6, 1))
          ('layers_0', 'layers_2')
        """
        forms = self.layers(jax.ShapeDtypeStruct((1, *image_shape), jnp.float32))
        spatial = [path for path, form in forms.items() if is_spatial(form)]
        staged = [path for path in spatial if re.fullmatch(r"(?:.*/)?(?:stem|stage\d+)", path)]
        staged = staged if any("stage" in path for path in staged) else spatial
        level = min((path.count("/") for path in staged), default=0)
        outermost = [path for path in staged if path.count("/") == level]
        chosen = np.linspace(0, len(outermost) - 1, min(most, len(outermost))).round().astype(int)
        return tuple(outermost[index] for index in chosen)

    def run(
        self,
        images: jax.Array,
        layers: Iterable[str] = (),
        edits: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> tuple[jax.Array, dict[str, Any]]:
        """One forward pass that reads some activations and changes some: see `analysis.taps.run`.

        Args:
          images: (N, H, W, C) before `preprocess`.
          layers: the layers to read, after any change.
          edits: for each layer to change, a function of its output that keeps shapes and dtypes.

        Returns:
          The model's output, and the activations by the names in `layers`.
        """
        layers, edits = tuple(layers), edits or {}
        paths = {layer: self.find(images, layer) for layer in (*layers, *edits)}
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
                raise ValueError(
                    f"the edit of layer {path!r} gave {checks.form(changed)}: expected {checks.form(output)}"
                )
            return changed

        with nn.intercept_methods(interceptor):
            logits, activations = _captured(self, images)
        calls_of = {path: calls for entry in activations for path, calls in entry.items()}
        for path in paths.values():
            if path not in calls_of or (path in changes and path not in fired):
                name = type(self.model).__name__
                raise RuntimeError(f"the tap on {path!r} did not fire: {name} did not call it this time")
            if len(calls_of[path]) > 1:
                count = len(calls_of[path])
                raise ValueError(f"layer {path!r} is called {count} times in one pass, and a tap takes one call")
        return logits, {layer: calls_of[paths[layer]][0] for layer in layers}

    def read(self, images: jax.Array, layer: str) -> Any:
        """The activation of a layer for (N, H, W, C) images, before `preprocess`."""
        return self.run(images, (layer,))[1][layer]

    def gradient(
        self,
        images: jax.Array,
        layer: str,
        score: Callable[[jax.Array, dict[str, Any]], jax.Array],
        layers: Iterable[str] = (),
    ) -> tuple[jax.Array, jax.Array]:
        """The gradient of a score with respect to a layer's activation.

        Args:
          images: (N, H, W, C) before `preprocess`.
          layer: whose activation, one array, the score is differentiated in.
          score: (logits, activations of `layers`) → a number.
          layers: further layers that the score reads.

        Returns:
          The gradient and the activation, of the same shape.
        """
        layers = {layer, *layers}
        form = self.layers(images)[self.find(images, layer)]

        def of_change(delta):
            logits, activations = self.run(images, layers, {layer: lambda output: output + delta})
            return score(logits, activations), activations[layer]

        return jax.grad(of_change, has_aux=True)(jnp.zeros(form.shape, form.dtype))


def is_spatial(form: Any) -> bool:
    """Whether a layer's output, as shape and dtype, is an image of more than one pixel."""
    return isinstance(form, jax.ShapeDtypeStruct) and form.ndim == 4 and form.shape[1] * form.shape[2] > 1


def _listed(names: Iterable[str], most: int = 8) -> str:
    names = [*names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# Functions of this module, so that `Partial`s of equal networks are equal functions and compile once.


def _forward(network: Network, images: jax.Array, **options: Any) -> Any:
    model, inputs = network.model, network.inputs(images)
    if "train" in inspect.signature(type(model).__call__).parameters:
        options["train"] = False
    try:
        return model.apply(network.variables, inputs, **options)
    except FlaxError as error:
        name = type(model).__name__
        raise ValueError(
            f"{name} does not take images of shape {inputs.shape} with these variables: {error}"
        ) from error


def _captured(network: Network, images: jax.Array) -> tuple[jax.Array, Any]:
    """The output, and in the order of computation `{path: (output of each call, ...)}` of each layer."""

    def inner_call(module, method):
        return method == "__call__" and bool(module.path)

    logits, state = _forward(network, images, capture_intermediates=inner_call, mutable=["intermediates"])
    captured = flatten_dict(state.get("intermediates", {}))
    return logits, [{"/".join(path[:-1]): calls} for path, calls in captured.items() if path[-1] == "__call__"]


_activations = jax.jit(_captured)  # only ever traced; jit remembers the trace


@jax.jit
def _inputs(network: Network, images: jax.Array) -> jax.Array:
    return network.inputs(images)


def _neurons(network: Network, layer: execution.Static, at: execution.Static, images: jax.Array) -> jax.Array:
    output, place = network.read(images, layer.value), at.value
    rank = output.ndim if isinstance(output, jax.Array) else None
    if rank not in (2, 4) or (rank == 2 and place is not None):
        raise ValueError(
            f"layer {layer.value!r} gives {checks.form(output)}: expected (N, h, w, channels), "
            "or (N, channels) with at=None"
        )
    if rank == 2:
        return output
    if place is None:
        return output.mean((1, 2))
    if any(not -size <= entry < size for entry, size in zip(place, output.shape[1:3], strict=True)):
        raise ValueError(f"at={place} is outside of layer {layer.value!r}, {output.shape[1:3]} pixels")
    return output[:, place[0], place[1]]
