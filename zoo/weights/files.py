"""Readers of published weights, chosen by a file's contents and not by its name."""

from pathlib import Path

import numpy as np
import safetensors.numpy

from zoo.weights.checkpoints import weights_of
from zoo.weights.pickles import Content, is_pickle, read_pickle


def read_arrays(path: str | Path, which: str | None = None) -> dict[str, np.ndarray]:
    """Read the named arrays of a file of weights, without running its code and without PyTorch.

    A checkpoint that keeps its weights under `"state_dict"` or `"model"`, or has one dictionary of arrays under another
    name, is unwrapped. Prefixes that all weights share are taken away: `module.` and `_orig_mod.`, which data-parallel
    training and `torch.compile` put before every name, and `model.`, `net.`, `network.` and `backbone.` of training
    modules, in any order. Objects that are neither tensors nor containers, and arrays beside the weights such as
    `n_averaged` and `criterion.weight`, are skipped and listed in a warning.

    Args:
      path: a `.safetensors` file, or what `torch.save` wrote of a state dictionary, in its present or
        its legacy format.
      which: `"raw"` weights or their moving average, `"ema"`, where the file has both; None: it has one of them.

    Returns:
      {name: array}; arrays may be read-only views of the file's contents.

    Raises:
      ValueError: a missing, damaged or foreign file, one without arrays, or raw weights beside averaged ones without a
        choice between them.

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
        return weights_of(path, read_pickle(path), which)
    if head[8:9] == b"{":
        try:
            return weights_of(path, Content(safetensors.numpy.load_file(path), ()), which)
        except safetensors.SafetensorError as error:
            raise ValueError(f"{path} is damaged or cut short: {error}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds numbers of a type that NumPy does not know: {error}") from error
    raise ValueError(f"{path} is neither a safetensors file nor one of torch.save: it starts with {head!r}")
