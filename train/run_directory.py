"""A run directory, read: its configuration, its figures and its model with the last intact parameters."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import optax

import zoo
from train import checkpoints, datasets, optimizers, state
from train.batches import number_of_batches
from train.config import Config
from train.datasets import Data, Dataset
from train.tasks import TASKS, Task
from zoo import Preprocess


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A trained model with all that belongs to it.

    Attributes:
      path: the run directory.
      config: what was asked for.
      model: the module.
      variables: its variables at the last intact checkpoint.
      preprocess: normalization of images in [0, 1].
      classes: the name of each class.
      metrics: one dictionary an epoch, as in `metrics.jsonl`.
      step: updates that the variables have seen.
    """

    path: Path
    config: Config
    model: nn.Module
    variables: dict[str, Any]
    preprocess: Preprocess
    classes: tuple[str, ...]
    metrics: list[dict[str, Any]]
    step: int

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The data set, loaded when first asked for."""
        assert self.config.size is not None
        return datasets.load(self.config.dataset, self.config.size)


def make_optimizer(config: Config, images: int) -> optax.GradientTransformation:
    """The optimizer of a resolved configuration, for this many training images."""
    assert config.learning_rate is not None
    steps = config.epochs * number_of_batches(images, config.batch_size)
    rate = optimizers.schedule(config.schedule, config.learning_rate, int(config.warmup * steps), steps)
    return optimizers.OPTIMIZERS[config.optimizer].build(rate, config.weight_decay)


def make_task(config: Config, data: Data) -> Task:
    """The task of a configuration, for these data."""
    return TASKS[config.task].create(data, config.label_smoothing)


def initial_state(config: Config, data: Data, variables: dict[str, Any] | None = None) -> state.TrainState:
    """The state before the first step, by default from the seed; under `jax.eval_shape` only its shapes."""
    task = make_task(config, data)
    if variables is None:
        variables = zoo.init(config.build(task.width), jax.random.key(config.seed), data.image_shape)
    return state.create(variables, make_optimizer(config, data.images), task)


def read_config(path: Path) -> tuple[Config, Data]:
    """The configuration and the data's description in a run directory.

    Raises:
      ValueError: there is no run, or its `config.json` cannot be read.
    """
    file = path / "config.json"
    if not file.is_file():
        raise ValueError(f"no run at {path}: expected a folder with a config.json, made by `python -m train`")
    try:
        content = json.loads(file.read_text())
        data = Data.from_json(content["data"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} cannot be read: {error!r}") from None
    return Config.from_json(content["config"], out=str(path)), data


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl` up to the first that is incomplete; none where there is no such file."""
    file = path / "metrics.jsonl"
    rows: list[dict[str, Any]] = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


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
    restored = checkpoints.restore(path / "checkpoints", jax.eval_shape(functools.partial(initial_state, config, data)))
    if restored is None:
        raise ValueError(f"{path} has no checkpoint yet: train for an epoch first")
    return Run(
        path=path,
        config=config,
        model=config.build(make_task(config, data).width),
        variables=restored.variables,
        preprocess=data.preprocess,
        classes=data.classes,
        metrics=read_metrics(path)[: int(restored.epoch)],
        step=int(restored.step),
    )
