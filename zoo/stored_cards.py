"""Cards of the catalogue that were computed before, in `cards.jsonl`: the same as `zoo.cards.measure`, without a trace.

`python -m zoo cards --write` renews the file, after a change of an architecture; a test compares it with the models.
"""

import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import flax.linen as nn

from convzoo import files

FILE = Path(__file__).with_name("cards.jsonl")
"""One line `[name, figures]` for each model of the catalogue."""


@functools.cache
def read() -> dict[str, dict[str, Any]]:
    """{name: figures of the card}; empty where there is no file."""
    if not FILE.exists():
        return {}
    return dict(map(json.loads, FILE.read_text(encoding="utf-8").splitlines()))


def digest(model: nn.Module) -> str:
    """A digest of a model's class and fields, stored with its card: a card of other fields is out of date.

    Example:
      >>> import zoo
      >>> digest(zoo.create("resnet20")) == digest(zoo.create("resnet20", num_classes=5))
      False
    """
    from zoo.weights import codec  # reads all architectures, which a card that is stored does without

    return hashlib.sha256(json.dumps(codec.encode(model), sort_keys=True).encode()).hexdigest()[:16]


def write(cards: Iterable[tuple[str, dict[str, Any]]]) -> Path:
    """Write the figures of cards by their names, one line each, in the order of the names.

    Returns:
      The path.

    Raises:
      OSError: the disk refuses.
    """
    lines = [json.dumps(entry, separators=(",", ":")) for entry in sorted(cards)]
    return files.write(FILE, "\n".join(lines) + "\n")
