"""Records: what an evaluation has done so far, kept in a file from which the same call goes on."""

import dataclasses
import importlib.metadata
import io
import json
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from analysis import execution
from analysis.attacks.evaluation.evaluations import CLEAN, SURVIVES, Evaluation
from analysis.attacks.evaluation.suites import Step
from analysis.attacks.queries import Queried
from analysis.attacks.threat import Threat
from convzoo import files

SLACK = 1e-5
"""Excess over a radius that rounding may cause, relative, and absolute for pixels in [0, 1]."""
VERSIONS = ("convzoo", "jax", "numpy")


@dataclasses.dataclass(eq=False)
class Record:
    """The state of an evaluation; E radii, S attacks, N images.

    Attributes:
      names: of the S attacks.
      radii: (E,) ascending.
      level: (N,) index of the smallest radius at which the image is broken; E: none yet; −1: misclassified before.
      attack: (N,) index of the attack that broke it, or `CLEAN`, or `SURVIVES`.
      images: (N, H, W, C) the nearest adversarial images so far, or the images.
      lengths: (N,) their distances; 0 where there is none.
      tried: (S, R, N) whether an attack for the nearest image has run, by number of the rival class.
      done: (E, S) whether an attack has run at a radius.
      seconds: (S,).
      queries: (S, N).
    """

    names: tuple[str, ...]
    radii: np.ndarray
    level: np.ndarray
    attack: np.ndarray
    images: np.ndarray
    lengths: np.ndarray
    tried: np.ndarray
    done: np.ndarray
    seconds: np.ndarray
    queries: np.ndarray

    @classmethod
    def begin(cls, images: np.ndarray, correct: np.ndarray, radii: Sequence[float], steps: Sequence[Step]) -> "Record":
        """The record of an evaluation in which no attack has run."""
        count, rivals = len(images), max(1, *(step.rivals for step in steps))
        return cls(
            names=tuple(step.label for step in steps),
            radii=np.asarray(radii, np.float64),
            level=np.where(correct, len(radii), -1),
            attack=np.where(correct, SURVIVES, CLEAN),
            images=images.copy(),
            lengths=np.zeros(count),
            tried=np.zeros((len(steps), rivals, count), bool),
            done=np.zeros((len(radii), len(steps)), bool),
            seconds=np.zeros(len(steps)),
            queries=np.zeros((len(steps), count), np.int64),
        )

    def live(self, level: int) -> np.ndarray:
        """(N,) whether the images are not yet broken at a radius."""
        return self.level > level

    def note(self, index: int, rows: np.ndarray, outcome: Queried, wrong: np.ndarray, lengths: np.ndarray) -> None:
        """Note the outcome of an attack on some images: which break at which radius, and how much it asked."""
        self.queries[index, rows] += outcome.queries
        reach = np.searchsorted(self.radii * (1 + SLACK) + SLACK, lengths)
        inside = np.asarray(outcome.images).reshape(len(rows), -1)
        wrong = wrong & ((inside >= 0) & (inside <= 1)).all(1) & (reach < self.level[rows])
        broken = rows[wrong]
        self.level[broken], self.attack[broken] = reach[wrong], index
        self.images[broken], self.lengths[broken] = outcome.images[wrong], lengths[wrong]

    def withdraw(self, rows: np.ndarray, images: np.ndarray) -> None:
        """Take back successes that a recount did not confirm."""
        self.level[rows], self.attack[rows], self.lengths[rows] = len(self.radii), SURVIVES, 0
        self.images[rows] = images[rows]

    def curve(self) -> dict[str, np.ndarray]:
        """{attack: (E,) share of images that it and those before it have left, at each radius}."""
        levels = np.arange(len(self.radii))[:, None]

        def shares(index):
            broken = (self.level < levels) | ((self.level == levels) & (self.attack <= index))
            return 1 - broken.mean(1)

        return {name: shares(index) for index, name in enumerate(self.names)}

    def evaluation(self, **others: Any) -> Evaluation:
        """The result, with what a record does not know."""
        return Evaluation(
            names=self.names,
            radii=tuple(self.radii.tolist()),
            clean=float((self.attack != CLEAN).mean()),
            curve=self.curve(),
            attack=self.attack,
            level=self.level,
            images=self.images,
            distances=np.where(self.attack == SURVIVES, np.nan, self.lengths),
            queries=dict(zip(self.names, self.queries, strict=True)),
            seconds=dict(zip(self.names, self.seconds.tolist(), strict=True)),
            **others,
        )

    def save(self, path: str | Path | None, settings: dict[str, Any]) -> None:
        """Write the record, complete or not at all; nothing for None."""
        if path is None:
            return
        content = io.BytesIO()
        fields: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        fields["settings"] = np.array(json.dumps(settings))
        np.savez(content, allow_pickle=False, **fields)
        files.write(path, content.getvalue())

    def resumed(self, path: str | Path | None, settings: dict[str, Any]) -> "Record":
        """The record in a file, or this one where there is no file.

        Raises:
          ValueError: the file is of another evaluation, or cannot be read.
        """
        if path is None or not Path(path).exists():
            return self
        try:
            with np.load(path, allow_pickle=False) as content:
                arrays = dict(content)
            earlier = json.loads(str(arrays.pop("settings")))
            record = dataclasses.replace(self, **arrays)
        except Exception as error:  # A damaged archive raises errors of many kinds.
            raise ValueError(f"path={str(path)!r} is no record of an evaluation ({error}): remove it") from None
        differing = [name for name in settings if settings[name] != earlier.get(name)]
        if differing:
            listed = ", ".join(f"{name} ({earlier.get(name)!r} there, {settings[name]!r} here)" for name in differing)
            raise ValueError(f"path={str(path)!r} holds another evaluation: {listed}; give another path")
        return record


def settings_of(
    function: Callable,
    images: np.ndarray,
    labels: np.ndarray,
    logits: np.ndarray,
    threats: Sequence[Threat],
    steps: Sequence[Step],
    key: Any,
    **numbers: int,
) -> dict[str, Any]:
    """Settings, versions, and digests of classifier and images, which tell one evaluation from another.

    Args:
      function: of the user; its arrays are its weights.
      images, labels: of the evaluation.
      logits: of the first images, for functions that hold their weights elsewhere.
      threats: the balls.
      steps: the attacks.
      key: of the evaluation.
      **numbers: further settings.
    """
    weights = [np.asarray(leaf) for leaf in jax.tree.leaves(execution.as_argument(function))]
    return {
        "threats": [repr(ball) for ball in threats],
        "attacks": [f"{step.label} {dict(step.settings)}" for step in steps],
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        **numbers,
        "weights": _digest(weights or [logits]),
        "images": _digest([images, labels]),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
        "machine": f"{platform.machine()} {jax.default_backend()}",
    }


def _digest(arrays: Sequence[np.ndarray]) -> str:
    parts = [f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes() for array in arrays]
    return files.sha256(b"".join(parts))[:16]
