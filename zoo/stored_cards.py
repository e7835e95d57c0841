"""Cards of the catalogue that were computed before, in `cards.jsonl`: the same as `zoo.cards.measure`, without a trace.

`python -m zoo cards --write` renews the file, after a change of an architecture; a test compares it with the models.
"""

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from convzoo import files

FILE = Path(__file__).with_name("cards.jsonl")
"""One line `[name, figures]` for each model of the catalogue."""


@functools.cache
def read() -> dict[str, dict[str, Any]]:
    """{name: figures of the card}; empty where there is no file."""
    if not FILE.exists():
        return {}
    return dict(map(json.loads, FILE.read_text(encoding="utf-8").splitlines()))


def write(cards: Iterable[tuple[str, dict[str, Any]]]) -> Path:
    """Write the figures of cards by their names, one line each, in the order of the names.

    Returns:
      The path.

    Raises:
      OSError: the disk refuses.
    """
    lines = [json.dumps(entry, separators=(",", ":")) for entry in sorted(cards)]
    return files.write(FILE, "\n".join(lines) + "\n")
