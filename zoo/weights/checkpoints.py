"""The weights among the content of a checkpoint: unwrapped, without strangers, and without prefixes that all share."""

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convzoo.checks import choice
from zoo.weights.pickles import Content, Foreign

WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Names of the dictionary of weights in a checkpoint, the preferred first."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.")
"""Before every name: of data-parallel training, of torch.compile, and of attributes of a training module."""
AVERAGED = re.compile(r"(?:.*_)?(?:ema|swa|averaged)(?:_.*)?")
"""Names of moving averages of the weights: `state_dict_ema`, `model_ema`, `ema_model`, `params_ema`, `ema`."""
STRANGERS = re.compile(r"n_averaged|(?:criterion|metrics?|(?:\w+_)?(?:loss|loss_fn|acc|accuracy|metrics?))\..*")
"""Names of what is saved beside the weights of a network: counters, losses and measures."""
WHICH = ("raw", "ema")
LISTED = 5
"""Names that a message lists."""


def weights_of(path: Path, content: Content, which: str | None) -> dict[str, np.ndarray]:
    """The named arrays of a network in the content of a file.

    Args:
      path: of the file, for messages.
      content: of the file.
      which: `"raw"` weights or their moving average, `"ema"`, where the file has both; None: it has one of them.

    Returns:
      {name: array}; what is not among the weights is skipped, and listed in a warning.

    Raises:
      ValueError: no arrays, or raw weights beside averaged ones without a choice between them.
    """
    if which is not None:
        choice("which", which, WHICH)
    named = _unwrapped(path, content.saved, which)
    if isinstance(named, Foreign) or not isinstance(named, dict):
        kind = named.name if isinstance(named, Foreign) else type(named).__name__
        raise ValueError(
            f"{path} holds a {kind}: expected a state dictionary, {{name: tensor}}; save module.state_dict() alone"
        )
    skipped = [_described(name, value) for name, value in named.items() if not isinstance(value, np.ndarray)]
    arrays = {str(name): value for name, value in named.items() if isinstance(value, np.ndarray)}
    if not arrays:
        asked = f" and asks for {_listed(content.foreign)}" if content.foreign else ""
        raise ValueError(
            f"{path} holds {_listed(skipped) or 'nothing'} beside tensors{asked}: "
            "expected a state dictionary, {name: tensor}"
        )
    arrays, strangers = _stripped(_chosen(path, arrays, which))
    if skipped or strangers or content.foreign:
        parts = [_listed(skipped + strangers)] if skipped or strangers else []
        parts += [f"objects of {_listed(content.foreign)}, of which nothing was run"] if content.foreign else []
        warnings.warn(f"{path}: skipped {', and '.join(parts)}", stacklevel=4)
    return arrays


def _unwrapped(path: Path, saved: Any, which: str | None) -> Any:
    """The dictionary of weights in that of a checkpoint; what is none stays as it is."""
    if not isinstance(saved, dict):
        return saved
    inner = {name: _inside(value) for name, value in saved.items()}
    inner = {str(name): value for name, value in inner.items() if value is not None}
    averaged = [name for name in inner if AVERAGED.fullmatch(name)]
    raw = [name for name in WRAPPERS if name in inner][:1] or [name for name in inner if name not in averaged]
    if len(raw) == len(averaged) == 1:
        _require_choice(path, which, raw[0], averaged[0])
        return inner[raw[0] if which == "raw" else averaged[0]]
    if len(raw) == 1 or (not raw and len(averaged) == 1):
        return inner[(raw or averaged)[0]]
    return saved


def _inside(value: Any) -> dict | None:
    """A dictionary with arrays, perhaps alone in another; None: this is neither."""
    if not isinstance(value, dict) or not value:
        return None
    if any(isinstance(entry, np.ndarray) for entry in value.values()):
        return value
    inner = [entry for name, entry in value.items() if name in ("module", *WRAPPERS) and isinstance(entry, dict)]
    return _inside(inner[0]) if len(inner) == 1 else None


def _chosen(path: Path, arrays: Mapping[str, np.ndarray], which: str | None) -> dict[str, np.ndarray]:
    """The raw or the averaged arrays, where their first names tell them apart."""
    own = [name for name in arrays if not STRANGERS.fullmatch(name)]
    averaged = {name: arrays[name] for name in own if AVERAGED.fullmatch(_without_wrappers(name))}
    raw = {name: array for name, array in arrays.items() if name not in averaged}
    if len(averaged) in (0, len(own)):
        return {**arrays}
    _require_choice(path, which, f"{next(iter(raw))}, …", f"{next(iter(averaged))}, …")
    return raw if which == "raw" else averaged


def _without_wrappers(name: str) -> str:
    """The first part of a name that is not of data-parallel training or of torch.compile."""
    return next((part for part in name.split(".") if f"{part}." not in PREFIXES[:2]), "")


def _require_choice(path: Path, which: str | None, raw: str, averaged: str) -> None:
    if which is None:
        raise ValueError(
            f"{path} holds weights in {raw!r} and their moving average in {averaged!r}: choose which='raw' or "
            "which='ema' (`python -m analysis … --which`)"
        )


def _stripped(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays without the prefixes that all weights share, and the names of strangers."""
    strangers = [name for name in arrays if STRANGERS.fullmatch(name)]
    rest = {name: array for name, array in arrays.items() if name not in strangers}
    if not rest:
        return {**arrays}, []
    while prefix := _shared(rest):
        rest = {name.removeprefix(prefix): array for name, array in rest.items()}
        inner = [name for name in rest if STRANGERS.fullmatch(name)]
        if len(inner) == len(rest):
            break
        strangers += inner
        rest = {name: array for name, array in rest.items() if name not in inner}
    return rest, strangers


def _shared(names: Iterable[str]) -> str | None:
    names = [*names]
    first = f"{names[0].partition('.')[0]}."
    usual = first in PREFIXES or AVERAGED.fullmatch(first[:-1])
    return first if usual and all(name.startswith(first) for name in names) else None


def _described(name: Any, value: Any) -> str:
    return f"{name} ({value.name})" if isinstance(value, Foreign) else str(name)


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
