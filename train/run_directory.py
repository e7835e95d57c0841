"""Run directories: the configuration, metrics and checkpoints of a run, written by one process at a time.

config.json        the configuration, and the facts about the data, with a SHA-256 of both
metrics.jsonl      one line an epoch with its SHA-256, equal in all runs of this configuration on one machine
timing.jsonl       one line an epoch: seconds, images a second, and share of time spent on waiting for data
checkpoints/STEP/  training states
best/STEP/         that of the lowest validation loss, with early stopping
curves.png         learning curves
predictions.png    predictions for test images, by tasks that have such a picture
.lock              held while training
"""

import contextlib
import dataclasses
import errno
import functools
import itertools
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax

from convzoo import files
from train import checkpoints
from train.config import Config
from train.datasets import Data, Dataset
from train.state import TrainState, initial_state
from train.tasks import TASKS
from zoo import Preprocess

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"
BEST = "best"
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of a disk or folder that may only be read."""


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A trained model with its configuration, normalization, classes and figures.

    Attributes:
      path: the run directory.
      config: of the run.
      model: the module.
      variables: its variables at the last intact checkpoint, or at the best with early stopping; the moving averages
        where the run made some.
      preprocess: normalization of images in [0, 1].
      classes: the name of each class.
      image_shape: (H, W, C) of the images that it was trained on.
      metrics: one dictionary an epoch, as in `metrics.jsonl`, up to the epoch of the variables.
      step: number of updates of the variables.
      fingerprint: SHA-256 of the images and targets that it was trained and tested on; empty: unknown.
    """

    path: Path
    config: Config
    model: nn.Module
    variables: dict[str, Any]
    preprocess: Preprocess
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    metrics: list[dict[str, Any]]
    step: int
    fingerprint: str = ""

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The data set, loaded at the first use; other images or targets than those of the training give a warning.

        Raises:
          ValueError: it cannot be loaded, it was a `Dataset` in memory, or its classes are no longer those of the run.
        """
        dataset, name = self.config.load_dataset(), self.config.dataset_name
        if dataset.classes != self.classes:
            pairs = itertools.zip_longest(dataset.classes, self.classes)
            now, before = next(pair for pair in pairs if pair[0] != pair[1])
            raise ValueError(
                f"the classes of {name} are not those that {self.path} was trained on: {now!r} stands where "
                f"{before!r} was, and labels follow from the order of the names: restore the names of the folders"
            )
        target = TASKS[self.config.task].target
        if self.fingerprint and dataset.fingerprint(target) != self.fingerprint:
            warnings.warn(
                f"the images or targets of {name} are not those that {self.path} was trained on: figures may differ "
                "from those of the run, and images for testing may have been trained on",
                RuntimeWarning,
                stacklevel=3,
            )
        return dataset


def refuse_other_run(out: Path, config: Config) -> None:
    """Refuse a directory that holds another run or other files; no data are read for that.

    Raises:
      ValueError: with every entry of the configuration that differs.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file: give a directory")
    if not (out / "config.json").exists():
        if out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
            raise ValueError(f"--out {out} holds other files: give a new or empty directory")
        return
    earlier = read_config(out)[0].resolve().to_json()
    asked = config.to_json()
    differing = [name for name in asked if _sorted(asked[name]) != _sorted(earlier[name])]
    if not differing:
        return
    if differing == ["epochs"]:
        raise ValueError(
            f"{out} is a run of {earlier['epochs']} epochs, and its learning rates follow from that number: "
            f"to train {config.epochs} or to train on from it, give another --out, and --from {out}"
        )
    listed = ", ".join(f"{name} ({earlier[name]!r} there, {asked[name]!r} here)" for name in differing)
    raise ValueError(f"{out} holds a run with another configuration: {listed}; give another --out")


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """A context that makes a run directory and holds it; the lock dies with the process.

    Raises:
      ValueError: the directory cannot be written, or another process holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(files.locked(out / ".lock", wait=False))
        except BlockingIOError:
            raise ValueError(f"{out} is in use by another process: wait for it, or give another --out") from None
        except OSError as error:
            # Who cannot write cannot disturb: a finished run is only read.
            if error.errno not in READ_ONLY or not (out / "config.json").is_file():
                raise ValueError(f"cannot write to --out {out}: {error.strerror}") from None
        yield


def claim(out: Path, config: Config, data: Data) -> None:
    """Write the configuration, or verify that an earlier one and its data are the same.

    Raises:
      ValueError: another configuration or other data.
    """
    refuse_other_run(out, config)
    file = out / "config.json"
    if not file.exists():
        content = files.sealed({"config": config.to_json(), "data": data.to_json()})
        files.write(file, json.dumps(content, indent=1) + "\n")
    elif read_config(out)[1].fingerprint != data.fingerprint:
        raise ValueError(
            f"the images or targets of {config.dataset_name} are not those {out} was begun with: give another --out"
        )


def write_rows(out: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Replace a file of one line an epoch."""
    files.write(out / name, "".join(map(_line, rows)))


def append_row(out: Path, name: str, row: dict[str, Any]) -> None:
    """Append a line to a file of one line an epoch, and wait until it is on the disk."""
    with (out / name).open("a") as file:
        file.write(_line(row))
        file.flush()
        os.fsync(file.fileno())


def read_rows(out: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a file of one line an epoch, up to the first that is incomplete; [] without such a file.

    A line that is complete and not what was written ends them with a warning: damaged, or moved to another place.
    """
    file = out / name
    lines = file.read_bytes().split(b"\n") if file.exists() else []
    rows: list[dict[str, Any]] = []
    is_sealed = False
    for line in lines[:-1]:
        try:
            content = json.loads(line)
            row, was_sealed = files.unsealed(content), is_sealed
            is_sealed = files.is_sealed(content)
            # The times of a run that an earlier version began start later.
            epoch = rows[-1]["epoch"] + 1 if rows else 1 if name == METRICS else row["epoch"]
            if row["epoch"] != epoch or is_sealed < was_sealed:
                raise ValueError("lines are missing, or in another order")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            warnings.warn(
                f"{file}: line {len(rows) + 1} is damaged; the epochs from there on are left out",
                RuntimeWarning,
                stacklevel=2,
            )
            break
        rows.append(row)
    return rows


def _sorted(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(files.sealed(row), allow_nan=False) + "\n"


def read_config(path: Path) -> tuple[Config, Data]:
    """The configuration and the data's description in a run directory.

    Raises:
      ValueError: there is no run, or its `config.json` cannot be read.
    """
    file = path / "config.json"
    if not file.is_file():
        raise ValueError(f"no run at {path}: expected a folder with a config.json, made by `python -m train`")
    try:
        content = files.unsealed(json.loads(file.read_text(encoding="utf-8")))
        data, config = Data.from_json(content["data"]), dict(content["config"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fault = error if isinstance(error, ValueError | OSError) else repr(error)
        raise ValueError(f"{file} cannot be read: {fault}") from None
    return Config.from_json(config, out=str(path)), data


def template(config: Config, data: Data) -> TrainState:
    """The shapes and types of a run's state, without its numbers."""
    return jax.eval_shape(functools.partial(initial_state, config, data))


def load(path: str | Path) -> Run:
    """Open a run directory.

    Args:
      path: of the run directory; it is only read.

    Returns:
      A `Run`.

    Raises:
      ValueError: there is no run, it has no checkpoint yet, or none is intact.
    """
    path = Path(path)
    config, data = read_config(path)
    folder = path / ("checkpoints" if config.early_stop is None else BEST)
    restored = checkpoints.restore(folder, template(config, data))
    if restored is None:
        raise ValueError(f"{path} has no checkpoint yet: train for an epoch first")
    rows, epochs = read_rows(path, METRICS), int(restored.epoch)
    if len(rows) < epochs:
        warnings.warn(
            f"{path}/{METRICS} lacks epochs: {len(rows)} of {epochs} are intact", RuntimeWarning, stacklevel=2
        )
    return Run(
        path=path,
        config=config,
        model=config.build(config.make_task(data).width),
        variables=restored.evaluated,
        preprocess=data.preprocess,
        classes=data.classes,
        image_shape=data.image_shape,
        metrics=rows[:epochs],
        step=int(restored.step),
        fingerprint=data.fingerprint,
    )
