"""The training loop: epochs of steps, each followed by an evaluation, a row of metrics and a checkpoint."""

import collections
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from convzoo import plots
from train import augment, batches, checkpoints, curves, initial, run_directory, steps
from train.config import Config
from train.console import Interrupted, Interrupts, Progress
from train.datasets import Data, Dataset
from train.run_directory import METRICS, TIMING
from train.state import TrainState, initial_state, make_optimizer, next_epoch
from train.tasks import TASKS, Task

LAG = 2
"""Steps by which the host reads behind the device, so that neither waits for the other."""

CURVES_EVERY = 10.0
"""Seconds between two drawings of the curves while training."""


class Summary(NamedTuple):
    """The result of a run; printed, it is a table.

    Attributes:
      out: the run directory.
      epoch: number of finished epochs.
      step: number of updates.
      train, test: the task's figures of the last epoch.
      note: a remark of the task on its figures.
    """

    out: Path
    epoch: int
    step: int
    train: dict[str, float]
    test: dict[str, float]
    note: str = ""

    def __str__(self) -> str:
        lines = [f"{'':<8}" + "".join(f"{name:>11}" for name in self.train)]
        lines += [
            f"{name:<8}" + "".join(f"{value:>11.4f}" for value in values.values())
            for name, values in (("train", self.train), ("test", self.test))
        ]
        return "\n".join(
            [
                *lines,
                "; ".join(filter(None, [f"{self.epoch} epochs, {self.step} steps", self.note])),
                f"run directory: {self.out}",
            ]
        )


class Plan(NamedTuple):
    """The fixed parts of a run.

    Attributes:
      config: resolved.
      dataset: images and targets.
      data: the facts about them, with the normalization of this run.
      task: for these data.
    """

    config: Config
    dataset: Dataset
    data: Data
    task: Task

    @property
    def out(self) -> Path:
        """The run directory."""
        return Path(str(self.config.out))


def run(config: Config, quiet: bool = False) -> Summary:
    """Train a model, or resume where an earlier call with the same configuration stopped.

    Whatever stops the process, the same call resumes, and ends in the same parameters and the same
    `metrics.jsonl` as without the stop. A finished run is left unchanged.

    Args:
      config: of the run.
      quiet: show nothing on stderr.

    Returns:
      The figures of the last epoch.

    Raises:
      ValueError: something in the configuration cannot be done, or the run directory holds another run or is in
        use; raised before anything is compiled or written.
      FloatingPointError: the loss is no longer finite; the last checkpoint before that stays.
      Interrupted: SIGINT or SIGTERM came; the state is saved.
    """
    own_rate = config.learning_rate
    config = config.resolve()
    out = Path(str(config.out))
    run_directory.refuse_other_run(out, config)
    dataset = config.load_dataset()
    data = Data.of(dataset, TASKS[config.task].target)
    task = config.make_task(data)
    template = _check_fit(config, dataset, data, task)
    variables = None
    if checkpoints.steps(out / "checkpoints"):
        data = data._replace(preprocess=run_directory.read_config(out)[1].preprocess)
    elif config.from_:
        _, variables, preprocess = initial.read(config, data)
        data = data._replace(preprocess=preprocess)
    with (
        run_directory.locked(out),
        Interrupts() as interrupts,
        Progress(config, data.images, task.columns, quiet) as progress,
    ):
        run_directory.claim(out, config, data)
        state = checkpoints.restore(out / "checkpoints", template) or initial_state(config, data, variables)
        rows = run_directory.read_rows(out, METRICS)[: int(state.epoch)]
        if len(rows) < int(state.epoch):
            raise ValueError(f"{out}/metrics.jsonl lacks epochs that are finished: remove {out} to start anew")
        if int(state.epoch) == config.epochs:
            progress.say(f"{out} is finished: {config.epochs} epochs were trained, nothing is left to do")
            return _summary(out, rows, task)
        checkpoints.discard_after(out / "checkpoints", int(state.step))
        timing = [row for row in run_directory.read_rows(out, TIMING) if row["epoch"] <= int(state.epoch)]
        run_directory.write_rows(out, METRICS, rows)
        run_directory.write_rows(out, TIMING, timing)
        progress.describe(dataset)
        if config.from_ and own_rate is None:
            progress.say(
                f"fine-tuning from {config.from_}: learning rate {config.learning_rate:g}, "
                f"a tenth of the default of {config.optimizer}"
            )
        progress.start(int(state.epoch), int(state.step))
        _train(state, Plan(config, dataset, data, task), rows, interrupts.check, progress)
    return _summary(out, rows, task)


def _train(
    state: TrainState, plan: Plan, rows: list[dict[str, Any]], check: Callable[[], None], progress: Progress
) -> None:
    config, _, data, task = plan
    out, model = plan.out, config.build(task.width)
    # Parameters were drawn from the key itself.
    key = jax.random.fold_in(jax.random.key(config.seed), 1)
    optimizer, augmentation = make_optimizer(config, data.images), augment.chain(config.augment)
    train_step = steps.make_train_step(model, data.preprocess, optimizer, task, augmentation, key)
    evaluation_step = steps.make_evaluation_step(model, data.preprocess, task)
    drawn = time.monotonic()
    try:
        for epoch in range(int(state.epoch), config.epochs):
            progress.pace.start()
            for moved in _descend(state, train_step, plan, progress):
                state = moved
                check()
            test = _evaluate(state, evaluation_step, plan, check)
            _require_finite(state, out, test[task.columns[0].name])
            row = {
                "epoch": epoch + 1,
                "step": int(state.step),
                "train": task.summarize(state.metrics),
                "test": test,
            }
            run_directory.append_row(out, METRICS, row)
            run_directory.append_row(out, TIMING, {"epoch": epoch + 1} | progress.pace.figures())
            rows.append(row)
            if epoch + 1 == config.epochs or time.monotonic() - drawn > CURVES_EVERY:
                counts = {"train": len(plan.dataset.train), "test": len(plan.dataset.test)}
                title = plots.title(config.model, config.dataset_name)
                curves.draw(rows, task.columns, title, counts).savefig(out / "curves.png")
                drawn = time.monotonic()
            state = next_epoch(state, task)
            checkpoints.save(out / "checkpoints", state)
            progress.epoch(row)
    except Interrupted as stop:
        _require_finite(state, out)
        path = checkpoints.save(out / "checkpoints", state)
        raise Interrupted(stop.signal, f"stopped and saved as {path}: the same command goes on from there") from None


def _descend(
    state: TrainState,
    train_step: Callable[[TrainState, batches.Batch], tuple[TrainState, steps.Report]],
    plan: Plan,
    progress: Progress,
) -> Iterator[TrainState]:
    """The states after each remaining step of the epoch."""
    config, split = plan.config, plan.dataset.train
    epoch, step = int(state.epoch), int(state.step)
    done = step - epoch * batches.number_of_batches(len(split), config.batch_size)
    visits = batches.order(len(split), config.seed, epoch)
    behind: collections.deque[tuple[int, int, steps.Report]] = collections.deque()

    def observe():
        step, images, report = behind.popleft()
        objective = float(report.objective)
        if not math.isfinite(objective):
            raise _divergence(plan.out, step, objective)
        progress.step(epoch, images, {name: float(value) for name, value in report.figures.items()})

    for batch in batches.batches(split, visits, config.batch_size, done, plan.task.target):
        state, report = train_step(state, batch)
        step += 1
        behind.append((step, int(batch.weights.sum()), report))
        if len(behind) > LAG:
            observe()
        yield state
    while behind:
        observe()


def _evaluate(
    state: TrainState,
    evaluation_step: Callable[[dict[str, Any], Any, batches.Batch], Any],
    plan: Plan,
    check: Callable[[], None],
) -> dict[str, float]:
    task, split = plan.task, plan.dataset.test
    total = task.empty()
    for batch in batches.batches(split, np.arange(len(split)), plan.config.batch_size, target=task.target):
        total = jax.block_until_ready(evaluation_step(state.variables, total, batch))
        check()
    return task.summarize(total)


def _divergence(out: Path, step: int, value: float) -> FloatingPointError:
    kept = checkpoints.steps(out / "checkpoints")
    where = f"the checkpoint of step {kept[-1]} is kept" if kept else "there is no checkpoint yet"
    return FloatingPointError(
        f"the loss is {value} at step {step}; {where}: give another --out and a lower --learning-rate"
    )


def _require_finite(state: TrainState, out: Path, loss: float = 0.0) -> None:
    leaves = jax.tree.leaves(state.variables)
    if not math.isfinite(loss) or not all(bool(np.isfinite(leaf.astype(np.float32)).all()) for leaf in leaves):
        raise _divergence(out, int(state.step), math.nan if math.isfinite(loss) else loss)


def _check_fit(config: Config, dataset: Dataset, data: Data, task: Task) -> TrainState:
    """The state's shapes, or a refusal of a model, a data set and a task that do not fit together."""
    if config.batch_size > len(dataset.train):
        raise ValueError(
            f"batch_size={config.batch_size} exceeds the {len(dataset.train)} training images of "
            f"{config.dataset_name}: give at most {len(dataset.train)}"
        )
    height, width, _ = data.image_shape

    def begin():
        state = initial_state(config, data)
        return state, config.build(task.width).apply(state.variables, jnp.zeros((1, *data.image_shape)))

    try:
        state, outputs = jax.eval_shape(begin)
    except Exception as error:  # The image's shape or a field is the cause of any error while a model is traced.
        reason = str(error).strip().split("\n")[0]
        fields = f" with {dict(config.fields)}" if config.fields else ""
        raise ValueError(
            f"{config.model}{fields} cannot take images of {height}×{width} pixels: {reason}; "
            f"`python -m zoo card {config.model}` says what it was designed for, --size changes the images"
        ) from error
    shapes = [tuple(leaf.shape[1:]) for leaf in jax.tree.leaves(outputs)]
    if shapes != [task.output_shape]:
        raise ValueError(
            f"{config.model} gives outputs of shape {', '.join(map(str, shapes))} for an image of {height}×{width} "
            f"pixels: task={config.task!r} on {config.dataset_name} expects {task.output_shape}"
        )
    return state


def _summary(out: Path, rows: list[dict[str, Any]], task: Task) -> Summary:
    return Summary(out, **{name: rows[-1][name] for name in ("epoch", "step", "train", "test")}, note=task.note)
