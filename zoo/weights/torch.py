"""PyTorch state dictionaries to variables and back: every array has a place, or the error lists those that do not."""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from convzoo.checks import choice
from zoo import catalog
from zoo.variables import image_shape, variable_structs
from zoo.weights.torch_names import dialects, names
from zoo.weights.torch_names.table import Dialect, Flattened, Name, Pointwise

LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


class Place(NamedTuple):
    """The place of one array in our variables and in PyTorch's state dictionary.

    Attributes:
      collection, path: of our variables: `"params"`, `("stem", "conv", "kernel")`.
      key: PyTorch's, such as `"conv1.weight"`.
      shape: ours.
      flattened: (height, width) if PyTorch's flattening order differs, else None.
      pointwise: PyTorch adds two spatial axes of one.
    """

    collection: str
    path: tuple[str, ...]
    key: str
    shape: tuple[int, ...]
    flattened: tuple[int, int] | None
    pointwise: bool

    @property
    def torch_shape(self) -> tuple[int, ...]:
        """Its shape in PyTorch."""
        shape = self.shape
        if self.path[-1] == "kernel":
            *spatial, inputs, outputs = shape
            shape = (outputs, inputs, *spatial)
        return (*shape, 1, 1) if self.pointwise else shape


def load_torch(
    model: str | nn.Module,
    state_dict: Mapping[str, Any],
    input_shape: tuple[int, ...] | None = None,
) -> dict[str, Any]:
    """Convert the state dictionary of a PyTorch implementation to a model's variables.

    Where several implementations are known, the names tell them apart.

    Args:
      model: a catalogued name, or a module of a family whose PyTorch names are known.
      state_dict: {PyTorch key: array}, as from `{k: v.numpy() for k, v in module.state_dict().items()}`.
      input_shape: (H, W, C) of the images, if not the catalogue's; it matters only where a dense layer
        follows the flattened features.

    Returns:
      Variables as from `zoo.init`, in float32.

    Raises:
      ValueError: a missing, unexpected or mis-shaped key; the message names them all, both ways.

    Warns:
      UserWarning: an implementation that computes otherwise than the model, such as with another padding;
        `zoo.load_pretrained` gives the model that suits.

    Example:
      >>> import zoo
      >>> load_torch("resnet18", {})
      Traceback (most recent call last):
      ...
      ValueError: the state dictionary does not fit resnet18...
    """
    name, model, shape = _resolve(model, input_shape)
    arrays = {key: value for key, value in state_dict.items() if not key.endswith("num_batches_tracked")}
    dialect = match(model, arrays, shape)
    if other := {field: value for field, value in dialect.fields.items() if getattr(model, field) != value}:
        changes = ", ".join(f"{field}={value!r}" for field, value in other.items())
        warnings.warn(f"weights of {dialect.source} expect {name} with {changes}", stacklevel=2)
    expected = {place.key: place for place in places(model, shape, dialect)}
    sides = {
        "missing": [f"{key} {expected[key].torch_shape}" for key in expected.keys() - arrays.keys()],
        "unexpected": [f"{key} {np.shape(arrays[key])}" for key in arrays.keys() - expected.keys()],
        "wrong shape": [
            f"{key} is {np.shape(arrays[key])}, expected {place.torch_shape}"
            for key, place in expected.items()
            if key in arrays and np.shape(arrays[key]) != place.torch_shape
        ],
    }
    if any(sides.values()):
        heads = {key.partition(".")[0] for key in arrays}
        hint = ""
        if len(heads) == 1:
            hint = f" (all keys begin with {min(heads)!r}: strip that, or give the file to zoo.load_pretrained)"
        raise ValueError(
            f"the state dictionary does not fit {name}{hint}:" + "".join(_listed(*side) for side in sides.items())
        )
    variables = {
        (place.collection, *place.path): jnp.asarray(_to_ours(np.asarray(arrays[key], np.float32), place))
        for key, place in expected.items()
    }
    return unflatten_dict(variables)


def match(model: nn.Module, keys: Iterable[str], input_shape: tuple[int, ...]) -> Dialect:
    """The implementation whose names of a model agree best with the keys of a state dictionary.

    Args:
      model: of a family whose PyTorch names are known.
      keys: of the state dictionary.
      input_shape: (H, W, C) of the images.

    Returns:
      Its names: those with the fewest keys that are missing or unexpected.
    """
    options, present = dialects(model), {key for key in keys if not key.endswith("num_batches_tracked")}
    if len(options) == 1:
        return options[0]
    return min(options, key=lambda option: len({place.key for place in places(model, input_shape, option)} ^ present))


def to_torch(
    model: str | nn.Module,
    variables: Mapping[str, Any],
    input_shape: tuple[int, ...] | None = None,
    *,
    implementation: str = "default",
) -> dict[str, np.ndarray]:
    """Convert a model's variables to PyTorch's names and layout; `load_torch` undoes it, bit for bit.

    `module.load_state_dict({key: torch.from_numpy(array) for key, array in ….items()})` takes them.

    Args:
      model: a catalogued name, or a module of a family whose PyTorch names are known; of a name, the
        number of classes and input channels may differ.
      variables: the model's variables.
      input_shape: as for `load_torch`.
      implementation: whose names, where several are known: `"timm"` or `"efficientnet_pytorch"` of EfficientNet,
        `"tonylins"` of MobileNetV2; by default torchvision's, or the only ones.

    Returns:
      {PyTorch key: array}.

    Raises:
      ValueError: variables of another model, or an implementation that has no such model.

    Example:
      >>> import zoo
      >>> shapes = jax.eval_shape(lambda: zoo.init(zoo.create("resnet20"), jax.random.key(0), (32, 32, 3)))
      >>> variables = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
      >>> to_torch("resnet20", variables)["fc.weight"].shape
      (10, 64)
    """
    name, model, shape = _resolve(model, input_shape)
    sources = {dialect.source: dialect for dialect in dialects(model)}
    choice("implementation", implementation, sources)
    expected = {(place.collection, *place.path): place for place in places(model, shape, sources[implementation])}
    arrays = flatten_dict(variables)
    sides = {
        "missing": ["/".join(path) for path in expected.keys() - arrays.keys()],
        "unexpected": ["/".join(path) for path in arrays.keys() - expected.keys()],
    }
    if any(sides.values()):
        raise ValueError(f"the variables do not fit {name}:" + "".join(_listed(*side) for side in sides.items()))
    return {place.key: _to_theirs(np.asarray(arrays[path]), place) for path, place in expected.items()}


def _resolve(model: str | nn.Module, input_shape: tuple[int, ...] | None) -> tuple[str, nn.Module, tuple[int, ...]]:
    """Name, module and image shape of a model or its name."""
    if isinstance(model, str):
        return model, catalog.create(model), tuple(input_shape or catalog.variant(model).input_shape)
    return catalog.find(model)[0], model, tuple(input_shape or catalog.input_shape(model))


def _listed(title: str, lines: list[str], most: int = 8) -> str:
    """One side of a report, or nothing."""
    more = [f"… and {len(lines) - most} more"] if len(lines) > most else []
    return "".join(f"\n  {title}: {line}" for line in sorted(lines)[:most] + more)


def places(model: nn.Module, input_shape: tuple[int, ...], dialect: Dialect | None = None) -> Iterator[Place]:
    """Iterate over the arrays of a model with their PyTorch keys.

    Args:
      model: of a family whose PyTorch names are known.
      input_shape: (H, W, C) of the images.
      dialect: the names; by default the family's first.

    Raises:
      ValueError: a module that the family's table does not name.
    """
    structs = variable_structs(model, image_shape(input_shape))
    table = [(re.compile(_regex(ours)), theirs) for ours, theirs in names(model, dialect).items()]
    for collection in ("params", "batch_stats"):
        for keys, leaf in jax.tree_util.tree_leaves_with_path(structs.get(collection, {})):
            path = tuple(key.key for key in keys)
            theirs = _translate("/".join(path[:-1]), table)
            name = theirs if isinstance(theirs, str) else theirs.name
            yield Place(
                collection,
                path,
                f"{name}.{LEAVES.get(path[-1], path[-1])}",
                leaf.shape,
                theirs[1:] if isinstance(theirs, Flattened) and path[-1] == "kernel" else None,
                isinstance(theirs, Pointwise) and path[-1] != "bias",
            )


def _regex(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"(?P<\1>\\d+)", template)


def _translate(path: str, table: list[tuple[re.Pattern[str], Name]]) -> Name:
    for pattern, theirs in table:
        if match := pattern.fullmatch(path):

            def number(field, match=match):
                return str(int(match[field[1]]) + int(field[2] or 0))

            fill = lambda text: re.sub(r"\{(\w+)([+-]\d+)?\}", number, text)  # noqa: E731
            return fill(theirs) if isinstance(theirs, str) else theirs._replace(name=fill(theirs.name))
    raise ValueError(f"the table of PyTorch names has no entry for our module {path!r}")


def _to_ours(array: np.ndarray, place: Place) -> np.ndarray:
    if place.pointwise:
        array = array[..., 0, 0]
    if place.path[-1] != "kernel":
        return array
    if place.flattened:
        height, width = place.flattened
        array = array.reshape(array.shape[0], -1, height, width).transpose(0, 2, 3, 1).reshape(array.shape)
    return array.transpose(*range(2, array.ndim), 1, 0)


def _to_theirs(array: np.ndarray, place: Place) -> np.ndarray:
    if place.path[-1] == "kernel":
        array = array.transpose(-1, -2, *range(array.ndim - 2))
    if place.flattened:
        height, width = place.flattened
        array = array.reshape(array.shape[0], height, width, -1).transpose(0, 3, 1, 2).reshape(array.shape)
    return np.ascontiguousarray(array[..., None, None] if place.pointwise else array)
