"""Saved models: safetensors files that hold the architecture too, so that one file is a whole model."""

import hashlib
import json
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict

from convzoo import files
from zoo import catalog
from zoo.preprocess import Preprocess
from zoo.variables import variable_shapes
from zoo.weights.codec import decode, encode
from zoo.weights.pretrained import Pretrained

ENTRY = "convzoo"
FORMAT = 2
"""Of the files that `save` writes: 2 names classes by stable public names, 1 named them by module paths."""


def save(path: str | Path, model: nn.Module, variables: dict[str, Any], preprocess: Preprocess | None = None) -> None:
    """Write a model, its variables and its preprocessing to one safetensors file, which `load` reads.

    Arrays are named by their paths (`params/stem/conv/kernel`); the metadata hold the model's class and
    all its fields as JSON, and a checksum of the arrays. The file appears whole or not at all.

    Args:
      path: of the file; by convention it ends in `.safetensors`.
      model: a module of this package, with fields that a file can hold (`zoo.weights.codec`).
      variables: its variables.
      preprocess: preprocessing of its images; None: no preprocessing.

    Raises:
      ValueError: variables of another model, or a field such as a lambda.
      OSError: a path that cannot be written.

    Example:
      >>> import jax, tempfile, zoo
      >>> model = zoo.create("lenet5", num_classes=3)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save(f"{folder}/lenet.safetensors", model, zoo.init(model, jax.random.key(0), (32, 32, 1)))
      ...     load(f"{folder}/lenet.safetensors").model.num_classes
      3
    """
    arrays = {"/".join(names): np.asarray(leaf) for names, leaf in flatten_dict(variables).items()}
    _check_names(f"the variables are not those of {catalog.find(model)[0]}", arrays, model)
    header = {
        "format": FORMAT,
        "name": catalog.find(model)[0],
        "model": encode(model),
        "preprocess": encode(preprocess or Preprocess()),
        "sha256": _digest(arrays),
    }
    files.write(path, safetensors.numpy.save(arrays, {ENTRY: json.dumps(header)}))


def is_native(path: str | Path) -> bool:
    """Whether a file was written by `save`.

    Example:
      >>> is_native("none.safetensors")
      False
    """
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return ENTRY in (file.metadata() or {})
    except (OSError, safetensors.SafetensorError):
        return False


def load(path: str | Path) -> Pretrained:
    """Read a model that `save` wrote; nothing in the file is run, and names are looked up in a fixed table.

    Args:
      path: of the file.

    Returns:
      The model, its variables (on the default device) and its preprocessing.

    Raises:
      ValueError: a file that is missing, damaged, of a later format or not written by `save`.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no file {path}")
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
        arrays = safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged, or no safetensors file: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds numbers of a type that NumPy does not know: {error}") from error
    if ENTRY not in metadata:
        raise ValueError(f"{path} was not written by zoo.save: zoo.load_pretrained(name, path) reads others' weights")
    try:
        header = json.loads(metadata[ENTRY])
        if header["format"] > FORMAT:
            raise ValueError(f"written in format {header['format']}, and this version of zoo knows {FORMAT}")
        model, preprocess = decode(header["model"]), decode(header["preprocess"])
        expected = header["sha256"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(model, nn.Module) or not isinstance(preprocess, Preprocess):
        raise ValueError(f"{path} does not describe a model and its preprocessing")
    if _digest(arrays) != expected:
        raise ValueError(f"{path} is damaged: the checksum of its arrays is not the one in its metadata")
    _check_names(f"{path} does not hold the variables of its own model", arrays, model)
    return Pretrained(
        model,
        unflatten_dict({tuple(name.split("/")): jnp.asarray(array) for name, array in arrays.items()}),
        preprocess,
    )


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check_names(title: str, arrays: dict[str, np.ndarray], model: nn.Module) -> None:
    height, width, channels = shape = catalog.input_shape(model)
    shapes = {"/".join(path): size for path, size in variable_shapes(model, shape).items()}
    # What depends on the images' size or channels may have any shape; the rest is the model's own.
    others = variable_shapes(model, (2 * height, 2 * width, channels + 1))
    fixed = {name: size for name, size in shapes.items() if others[tuple(name.split("/"))] == size}
    problems = [f"missing: {name}" for name in sorted(shapes.keys() - arrays.keys())[:8]]
    problems += [f"unexpected: {name}" for name in sorted(arrays.keys() - shapes.keys())[:8]]
    problems += [
        f"wrong shape: {name} is {arrays[name].shape}, expected {fixed[name]}"
        for name in sorted(fixed.keys() & arrays.keys())
        if arrays[name].shape != fixed[name]
    ][:8]
    if problems:
        raise ValueError(f"{title}:\n  " + "\n  ".join(problems))
