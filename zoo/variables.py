"""Variables of a model, and the model as a function of images."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from convzoo.checks import is_integer
from convzoo.checks import key as checked_key
from zoo import initializers

SMALLEST_IMAGE = 8
"""Pixels on a side from which on a shape that begins with 1 or 3 is one with its channels first."""


def init(
    model: nn.Module, key: jax.Array, input_shape: tuple[int, int, int], dtype: Any = jnp.float32
) -> dict[str, Any]:
    """Make a model's variables.

    Args:
      model: a module of this zoo's signature, `(images, train=False) -> logits`.
      key: from `jax.random.key`.
      input_shape: (H, W, C) of one image.
      dtype: type of the images.

    Returns:
      `{"params": ..., "batch_stats": ...}`, nested plain dicts of arrays; `batch_stats` only where there are any.

    Raises:
      ValueError: not a key, or a shape that is not (H, W, C) or that the model cannot take.

    Example:
      >>> import zoo
      >>> variables = init(zoo.create("lenet5"), jax.random.key(0), (32, 32, 1))
      >>> variables["params"]["head"]["kernel"].shape
      (84, 10)
    """
    shape, key = image_shape(input_shape), checked_key("key", key)
    traced = any(isinstance(value, jax.core.Tracer) for value in (key, jnp.zeros(())))  # also of `jax.eval_shape`
    return (initializers.plain if traced else initializers.run)(model, key, shape, jnp.dtype(dtype))


def image_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Check the shape of one image.

    Raises:
      ValueError: anything but three positive integers, or channels that come first.

    Example:
      >>> image_shape([32, 32, 3])
      (32, 32, 3)
    """
    if not isinstance(shape, Sequence) or len(shape) != 3 or not all(is_integer(size, 1) for size in shape):
        raise ValueError(f"input_shape={shape!r}: expected (height, width, channels), such as (224, 224, 3)")
    height, width, channels = map(int, shape)
    if height in (1, 3) and min(width, channels) >= SMALLEST_IMAGE:
        raise ValueError(f"input_shape={shape!r}: channels come last, did you mean {(width, channels, height)}?")
    return height, width, channels


@functools.lru_cache(maxsize=512)
def variable_structs(model: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Trace the shapes and types of a model's variables, nested as the variables are; cached, so do not change it.

    Example:
      >>> import zoo
      >>> variable_structs(zoo.create("lenet5"), (32, 32, 1))["params"]["head"]["kernel"].shape
      (84, 10)
    """
    image = jax.ShapeDtypeStruct((1, *image_shape(input_shape)), jnp.float32)
    structs = jax.eval_shape(model.init, jax.random.key(0), image)
    return {kind: structs[kind] for kind in ("params", "batch_stats") if kind in structs}


def variable_shapes(model: nn.Module, input_shape: tuple[int, int, int]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """{path: shape} of a model's variables; a path starts with the collection.

    Example:
      >>> import zoo
      >>> variable_shapes(zoo.create("lenet5"), (32, 32, 1))["params", "head", "kernel"]
      (84, 10)
    """
    return {path: leaf.shape for path, leaf in flatten_dict(variable_structs(model, input_shape)).items()}


def stored_shape(model: nn.Module, variables: Any, input_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """An image shape, or the same with one or three channels where the variables take those.

    Example:
      >>> import zoo
      >>> model = zoo.create("lenet5")
      >>> stored_shape(model, variable_structs(model, (32, 32, 3)), (32, 32, 1))
      (32, 32, 3)
    """
    present = {path: leaf.shape for path, leaf in flatten_dict(variables).items()}
    for channels in (input_shape[2], 1, 3):
        shape = (*input_shape[:2], channels)
        if variable_shapes(model, shape) == present:
            return shape
    return input_shape


@dataclasses.dataclass(frozen=True)
class _Logits:
    """The static part of a logits function; equal parts are equal, so jit compiles them once."""

    model: nn.Module
    preprocess: Callable[[jax.Array], jax.Array] | None

    def __call__(self, variables: Any, images: jax.Array) -> jax.Array:
        if images.ndim != 4:
            raise ValueError(f"images of shape {images.shape}: expected (N, H, W, C); images[None] of a single one")
        return self.model.apply(variables, images if self.preprocess is None else self.preprocess(images))  # type: ignore[return-value]


def logits_fn(
    model: nn.Module, variables: Any, preprocess: Callable[[jax.Array], jax.Array] | None = None
) -> Callable[[jax.Array], jax.Array]:
    """Bind a model and its variables to one function of images.

    The variables are leaves of the function (a `jax.tree_util.Partial`), so a jitted function that
    takes it as an argument gets them as arguments of the program, not as constants inside it.

    Args:
      model: a module of this zoo's signature.
      variables: its variables.
      preprocess: normalization of images in [0, 1]; None: images are passed as they are.

    Returns:
      `images -> logits`, for (N, H, W, C) images in [0, 1].

    Example:
      >>> import zoo
      >>> model = zoo.create("lenet5")
      >>> function = logits_fn(model, zoo.init(model, jax.random.key(0), (32, 32, 1)))
      >>> function(jnp.zeros((4, 32, 32, 1))).shape
      (4, 10)
    """
    return jax.tree_util.Partial(_Logits(model, preprocess), variables)
