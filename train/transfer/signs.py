"""Warning signs of a transfer that goes wrong: exploding gradients, losses above the start, and forgetting."""

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convzoo import files

FILE = "transfer.json"
"""In the run directory: the baseline, the rates, and all warnings."""

REFERENCE = 20
"""Steps whose median gradient norm is the measure of later ones."""

EXPLOSION = 10.0
"""Factor of that median from which on a norm is a warning."""

FORGOTTEN = 0.05
"""Share of the figure on the old problem whose loss is a warning."""


class Watch:
    """The warnings of a run; the first of each kind is said and kept in `transfer.json`, the others are counted.

    Args:
      out: the run directory; warnings of an earlier part of the run are read from it.
      say: takes each warning, a line.

    Example:
      >>> import tempfile
      >>> watch = Watch(Path(tempfile.mkdtemp()), print)
      >>> watch.begin(loss=0.5, rates="head: 0.01")
      >>> watch.epoch(1, loss=0.7)
      warning: loss 0.7 after epoch 1 is above 0.5, that of the pre-trained network before: lower the rates
    """

    def __init__(self, out: Path, say: Callable[[str], None]):
        self._file, self._say = out / FILE, say
        self._norms: list[float] = []
        empty: dict[str, Any] = {"baseline": None, "rates": "", "warnings": []}
        self._content = json.loads(self._file.read_text()) if self._file.exists() else empty

    @property
    def begun(self) -> bool:
        """Whether the baseline is there."""
        return self._content["baseline"] is not None

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """The first warning of each kind: `kind`, `text`, where, and the `count` of its kind."""
        return self._content["warnings"]

    def begin(self, loss: float, rates: str) -> None:
        """Keep the evaluation loss of the network before its first step, and the rates in words."""
        self._content |= {"baseline": loss, "rates": rates}
        self._write()

    def gradient(self, step: int, norm: float) -> None:
        """Compare a gradient norm with those of the first steps of this process."""
        if len(self._norms) < REFERENCE:
            self._norms.append(norm)
            return
        usual = statistics.median(self._norms)
        if norm > EXPLOSION * usual > 0:
            text = f"gradient norm {norm:.3g} at step {step} is {norm / usual:.0f} times that of the first {REFERENCE}"
            self._warn("gradient", f"{text} steps: lower the rates or --clip", step=step)

    def epoch(self, epoch: int, loss: float) -> None:
        """Compare the evaluation loss of an epoch with the baseline."""
        baseline = self._content["baseline"]
        if loss > baseline:
            text = (
                f"loss {loss:.4g} after epoch {epoch} is above {baseline:.4g}, that of the pre-trained network before"
            )
            self._warn("baseline", f"{text}: lower the rates", epoch=epoch)
        self._write()

    def forgetting(self, figure: str, before: float, after: float) -> None:
        """Compare a figure on the old problem before and after, where higher is better."""
        self._content["old problem"] = {"figure": figure, "before": before, "after": after}
        self._write()
        if math.isfinite(after) and after < (1 - FORGOTTEN) * before:
            self._warn(
                "forgetting", f"{figure} on the old problem, with the old head, fell from {before:.4g} to {after:.4g}"
            )

    def _warn(self, kind: str, text: str, **place: int) -> None:
        for warning in self.warnings:
            if warning["kind"] == kind:
                warning["count"] += 1
                return
        self._say(f"warning: {text}")
        self.warnings.append({"kind": kind, "text": text, "count": 1} | place)
        self._write()

    def _write(self) -> None:
        files.write(self._file, json.dumps(self._content, indent=1) + "\n")
