"""PyTorch state dictionaries to variables, strictly: every array finds its place, or all that do not are named."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo import catalog
from zoo.weights.names import names
from zoo.weights.names.table import Flattened

LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


class Place(NamedTuple):
    """Where one array stands on both sides.

    Attributes:
      collection, path: of our variables: `"params"`, `("stem", "conv", "kernel")`.
      key: PyTorch's, such as `"conv1.weight"`.
      shape: ours.
      flattened: (height, width) if PyTorch's flattening order differs, else None.
    """

    collection: str
    path: tuple[str, ...]
    key: str
    shape: tuple[int, ...]
    flattened: tuple[int, int] | None


def load_torch(
    model: str | nn.Module,
    state_dict: Mapping[str, Any],
    input_shape: tuple[int, ...] | None = None,
) -> dict[str, Any]:
    """A model's variables from the arrays of a PyTorch implementation.

    Args:
      model: a catalogued name, or a module of a family whose PyTorch names are known.
      state_dict: {PyTorch key: array}, as from `{k: v.numpy() for k, v in module.state_dict().items()}`.
      input_shape: (H, W, C) of the images, if not the catalogue's; it matters only where a dense layer
        follows the flattened features.

    Returns:
      Variables as from `zoo.init`, in float32.

    Raises:
      ValueError: a missing, unexpected or mis-shaped key; the message names them all, both ways.

    Example:
      >>> import zoo
      >>> load_torch("resnet18", {})
      Traceback (most recent call last):
      ...
      ValueError: the state dictionary does not fit resnet18...
    """
    if isinstance(model, str):
        name, shape, model = model, catalog.variant(model).input_shape, catalog.create(model)
    else:
        name, entry = catalog.find(model)
        shape = entry.input_shape if entry else (224, 224, 3)
    wanted = list(places(model, tuple(input_shape or shape)))
    given = {key: value for key, value in state_dict.items() if not key.endswith("num_batches_tracked")}
    problems = [f"missing: {place.key} {_torch_shape(place)}" for place in wanted if place.key not in given]
    problems += [f"unexpected: {key} {np.shape(given[key])}" for key in given.keys() - {p.key for p in wanted}]
    problems += [
        f"wrong shape: {place.key} is {np.shape(given[place.key])}, expected {_torch_shape(place)}"
        for place in wanted
        if place.key in given and np.shape(given[place.key]) != _torch_shape(place)
    ]
    if problems:
        shown = sorted(problems)[:20]
        rest = f"\n  … and {len(problems) - len(shown)} more" if len(problems) > len(shown) else ""
        raise ValueError(f"the state dictionary does not fit {name}:\n  " + "\n  ".join(shown) + rest)
    variables: dict[str, Any] = {}
    for place in wanted:
        node = variables.setdefault(place.collection, {})
        for part in place.path[:-1]:
            node = node.setdefault(part, {})
        node[place.path[-1]] = jnp.asarray(_to_ours(np.asarray(given[place.key], np.float32), place))
    return variables


def places(model: nn.Module, input_shape: tuple[int, ...]) -> Iterator[Place]:
    """Every array of a model, with PyTorch's key for it.

    Raises:
      ValueError: a module that the family's table does not name.
    """
    image = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)
    table = [(re.compile(_regex(ours)), theirs) for ours, theirs in names(model).items()]
    for collection in ("params", "batch_stats"):
        for keys, leaf in jax.tree_util.tree_leaves_with_path(shapes.get(collection, {})):
            path = tuple(key.key for key in keys)
            theirs = _translate("/".join(path[:-1]), table)
            name, flattened = (theirs.name, theirs[1:]) if isinstance(theirs, Flattened) else (theirs, None)
            yield Place(
                collection,
                path,
                f"{name}.{LEAVES.get(path[-1], path[-1])}",
                leaf.shape,
                flattened if path[-1] == "kernel" else None,
            )


def _regex(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"(?P<\1>\\d+)", template)


def _translate(path: str, table: list[tuple[re.Pattern[str], str | Flattened]]) -> str | Flattened:
    for pattern, theirs in table:
        if found := pattern.fullmatch(path):

            def number(match, found=found):
                return str(int(found[match[1]]) + int(match[2] or 0))

            fill = lambda text: re.sub(r"\{(\w+)([+-]\d+)?\}", number, text)  # noqa: E731
            return theirs._replace(name=fill(theirs.name)) if isinstance(theirs, Flattened) else fill(theirs)
    raise ValueError(f"the table of PyTorch names has no entry for our module {path!r}")


def _torch_shape(place: Place) -> tuple[int, ...]:
    if place.path[-1] != "kernel":
        return place.shape
    *spatial, inputs, outputs = place.shape
    return (outputs, inputs, *spatial)


def _to_ours(array: np.ndarray, place: Place) -> np.ndarray:
    if place.path[-1] != "kernel":
        return array
    if place.flattened:
        height, width = place.flattened
        array = array.reshape(array.shape[0], -1, height, width).transpose(0, 2, 3, 1).reshape(array.shape)
    return array.transpose(*range(2, array.ndim), 1, 0)
