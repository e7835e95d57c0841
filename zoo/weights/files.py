"""Readers of published weights, chosen by a file's contents and not by its name."""

from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from zoo.weights.pickles import is_pickle, read_pickle

WRAPPERS = ("state_dict", "model", "model_state_dict")
# Of data-parallel training and of torch.compile.
PREFIXES = ("module.", "_orig_mod.")


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the named arrays of a file of weights, without running its code and without PyTorch.

    A checkpoint that keeps its weights under `"state_dict"` or `"model"`, or has one dictionary of arrays under
    another name, is unwrapped; and the `module.` and `_orig_mod.` that data-parallel training and `torch.compile`
    put before every name are taken away.

    Args:
      path: a `.safetensors` file, or what `torch.save` wrote of a state dictionary, in its present or
        its legacy format.

    Returns:
      {name: array}; arrays may be read-only views of the file's contents.

    Raises:
      ValueError: a missing, damaged or foreign file, entries that are not arrays, or a pickle that asks for
        anything but tensors and containers.

    Example:
      >>> read_arrays("weights.pth")
      Traceback (most recent call last):
      ...
      ValueError: no file weights.pth...
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no file {path}{': it is a directory' if path.is_dir() else ''}")
    with path.open("rb") as file:
        head = file.read(16)
    if is_pickle(head):
        return _named_arrays(path, _unwrap(read_pickle(path)))
    if head[8:9] == b"{":
        try:
            return _named_arrays(path, safetensors.numpy.load_file(path))
        except safetensors.SafetensorError as error:
            raise ValueError(f"{path} is damaged or cut short: {error}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds numbers of a type that NumPy does not know: {error}") from error
    raise ValueError(f"{path} is neither a safetensors file nor one of torch.save: it starts with {head!r}")


def _unwrap(saved: Any) -> Any:
    if not isinstance(saved, dict):
        return saved
    named = [saved[name] for name in WRAPPERS if isinstance(saved.get(name), dict)]
    inner = [value for value in saved.values() if isinstance(value, dict) and value and _is_arrays(value)]
    return named[0] if named else inner[0] if len(inner) == 1 else saved


def _is_arrays(content: dict) -> bool:
    return all(isinstance(value, np.ndarray) for value in content.values())


def _named_arrays(path: Path, content: Any) -> dict[str, np.ndarray]:
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}: expected a state dictionary, {{name: tensor}}")
    strange = [str(name) for name, value in content.items() if not isinstance(value, np.ndarray)]
    if strange or not content:
        raise ValueError(
            f"{path} holds {', '.join(sorted(strange)[:5]) or 'nothing'} beside tensors: "
            "expected a state dictionary, {name: tensor}"
        )
    arrays = {str(name): value for name, value in content.items()}
    while prefix := next((start for start in PREFIXES if all(name.startswith(start) for name in arrays)), None):
        arrays = {name.removeprefix(prefix): value for name, value in arrays.items()}
    return arrays
