"""Experiments: claims of the documents, measured on networks that are trained for them, with a table and a picture.

An experiment is data. Commands, documents, notebooks and tests read the same `Result`.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from analysis.network import Network
from convzoo import files
from convzoo.commands import say

Verdict = Literal["holds", "holds partly", "does not hold here"]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim, and what was measured of it.

    Attributes:
      text: the claim, a sentence.
      measured: the measurement with its numbers, a sentence.
      verdict: on these networks, images and seeds.
    """

    text: str
    measured: str
    verdict: Verdict


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
      head: the title of each column.
      rows: the cells.
      caption: Markdown above the table: units, and the direction that is good.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def markdown(self) -> str:
        """The table as Markdown, first column left, the others right.

        Example:
          >>> print(Table(("net", "accuracy"), (("first", "0.9"),)).markdown())
          | net | accuracy |
          |---|--:|
          | first | 0.9 |
        """
        lines = ["| " + " | ".join(line) + " |" for line in (self.head, *self.rows)]
        return "\n".join([lines[0], "|---" + "|--:" * (len(self.head) - 1) + "|", *lines[1:]])


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """The outcome of an experiment.

    Attributes:
      seeds: of the networks.
      claims: each with its verdict.
      table: the main figures.
      picture: PNG, as bytes.
      caption: of the picture, in Markdown.
      details: further tables.
    """

    seeds: tuple[int, ...]
    claims: tuple[Claim, ...]
    table: Table
    picture: bytes
    caption: str
    details: tuple[Table, ...] = ()

    def save(self, path: Path) -> Path:
        """Write the result as JSON, and its picture beside it as PNG, for `load`."""
        fields = {name: value for name, value in dataclasses.asdict(self).items() if name != "picture"}
        files.write(path.with_suffix(".png"), self.picture)
        return files.write(path, json.dumps(fields, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Result":
        """The result that `save` wrote.

        Raises:
          OSError: no such file.
          ValueError: a file of another form.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                seeds=tuple(fields["seeds"]),
                claims=tuple(Claim(**claim) for claim in fields["claims"]),
                table=_table(fields["table"]),
                picture=path.with_suffix(".png").read_bytes(),
                caption=fields["caption"],
                details=tuple(map(_table, fields["details"])),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is no result of an experiment: {error}") from error


def _table(fields: dict[str, Any]) -> Table:
    return Table(tuple(fields["head"]), tuple(map(tuple, fields["rows"])), fields["caption"])


class Split(Protocol):
    """Images in memory."""

    @property
    def images(self) -> np.ndarray:
        """(N, H, W, C) in [0, 1]."""

    @property
    def labels(self) -> np.ndarray:
        """(N,) classes."""

    @property
    def extra(self) -> Mapping[str, np.ndarray]:
        """Other facts of each image, by name."""


class Dataset(Protocol):
    """Two splits of one kind of images."""

    @property
    def train(self) -> Split:
        """For training."""

    @property
    def test(self) -> Split:
        """Held out."""


class Fit(Protocol):
    """Trains a network, or loads it where it was trained already."""

    def __call__(self, name: str, model: str, dataset: str, *, seed: int, **settings: Any) -> Network:
        """The network; `name` tells it from the others of the experiment, `settings` are those of training."""


@dataclasses.dataclass(frozen=True)
class Lab:
    """A laboratory: functions of other packages that an experiment needs.

    Attributes:
      fit: (name, model, dataset, seed=, settings of training) → a trained `Network`.
      load: (dataset, size) → its two splits.
      log: called with a line at each step.
    """

    fit: Fit
    load: Callable[[str, int], Dataset]
    log: Callable[[str], None] = say


@dataclasses.dataclass(frozen=True)
class Experiment:
    """An experiment.

    Attributes:
      name: of the command line.
      title: of its page.
      claim: the claims of the documents, in a sentence.
      protocol: Markdown: networks, images, and the meaning of each measure.
      run: (lab, seeds) → `Result`.
    """

    name: str
    title: str
    claim: str
    protocol: str
    run: Callable[[Lab, Sequence[int]], Result]


def verdict(outcomes: Iterable[bool]) -> Verdict:
    """The verdict on a claim from the outcome of each case: all, at least half, or fewer.

    Raises:
      ValueError: no outcome.

    Example:
      >>> verdict([True, True]), verdict([True, False]), verdict([False])
      ('holds', 'holds partly', 'does not hold here')
    """
    cases = [*outcomes]
    if not cases:
        raise ValueError("a verdict without outcomes: expected at least one")
    share = sum(cases) / len(cases)
    return "holds" if share == 1 else "holds partly" if share >= 0.5 else "does not hold here"


def markdown(experiment: Experiment, result: Result, picture: str, command: str, seconds: float | None = None) -> str:
    """The page of an experiment.

    Args:
      experiment: which.
      result: of its run.
      picture: path of the picture, as seen from the page.
      command: the line that made it.
      seconds: run time; None: not measured.

    Returns:
      Markdown.
    """
    seeds = ", ".join(map(str, result.seeds))
    time = "" if seconds is None else f", in {_duration(seconds)}"
    claims = "\n".join(f"- **{claim.verdict}**: {claim.text} {claim.measured}" for claim in result.claims)
    tables = [f"{table.caption}\n\n{table.markdown()}".strip() for table in (result.table, *result.details)]
    parts = [
        f"# {experiment.title}",
        f"{experiment.claim}",
        f"Made by `{command}`, with seed{'s' if len(result.seeds) > 1 else ''} {seeds}{time}.",
        claims,
        tables[0],
        f"![{experiment.title}]({picture})",
        result.caption,
        experiment.protocol,
        *tables[1:],
    ]
    return "\n\n".join(parts) + "\n"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def write(experiment: Experiment, result: Result, path: Path, command: str, seconds: float | None = None) -> Path:
    """Write the page of an experiment, and beside it its picture and its result as JSON.

    Args:
      experiment: which.
      result: of its run.
      path: of the Markdown file; its folder is made.
      command: the line that made it.
      seconds: run time; None: not measured.

    Returns:
      The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    result.save(path.with_suffix(".json"))
    return files.write(path, markdown(experiment, result, path.with_suffix(".png").name, command, seconds))
