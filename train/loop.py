"""The training loop: epochs of steps, each followed by an evaluation, a row of metrics and a checkpoint."""

import collections
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from convzoo import plots
from train import augment, batches, checkpoints, curves, divergence, initial, run_directory, schedules, steps
from train.accumulation import Windows
from train.config import Config
from train.console import Interrupted, Interrupts, Progress
from train.datasets import Data, Dataset, Split
from train.run_directory import BEST, METRICS, TIMING
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
      train, test: the task's figures of the last epoch; with early stopping those of the best.
      note: a remark of the task on its figures.
      validation: as `train` and `test`; None: without validation.
    """

    out: Path
    epoch: int
    step: int
    train: dict[str, float]
    test: dict[str, float]
    note: str = ""
    validation: dict[str, float] | None = None

    def __str__(self) -> str:
        rows = {"train": self.train, "validation": self.validation, "test": self.test}
        width = 8 if self.validation is None else 12
        lines = [" " * width + "".join(f"{name:>11}" for name in self.train)]
        lines += [
            f"{name:<{width}}" + "".join(f"{value:>11.4f}" for value in values.values())
            for name, values in rows.items()
            if values is not None
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
    def model(self) -> nn.Module:
        """Without variables."""
        return self.config.build(self.task.width)

    @property
    def out(self) -> Path:
        """The run directory."""
        return Path(str(self.config.out))


def run(config: Config, quiet: bool = False, after_step: Callable[[int], None] | None = None) -> Summary:
    """Train a model, or resume where an earlier call with the same configuration stopped.

    Whatever stops the process, the same call resumes, and ends in the same parameters and the same
    `metrics.jsonl` as without the stop. A finished run is left unchanged.

    Args:
      config: of the run.
      quiet: show nothing on stderr.
      after_step: called with the number of batches done, after each; a signal that it raises stops the run.

    Returns:
      The figures of the last epoch.

    Raises:
      ValueError: something in the configuration cannot be done, or the run directory holds another run or is in
        use; raised before anything is compiled or written.
      FloatingPointError: the loss is no longer finite; the last checkpoint before that stays.
      Interrupted: SIGINT or SIGTERM came; the state is saved.
    """
    own_rate, own_validation = config.learning_rate, config.validation
    config = config.resolve()
    out = Path(str(config.out))
    run_directory.refuse_other_run(out, config)
    (_, dataset, data, task), template = prepare(config)
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
        if _is_finished(state, config):
            progress.say(f"{out} is finished: {len(rows)} epochs were trained, nothing is left to do")
            return _summary(out, rows, config, task)
        checkpoints.discard_after(out / "checkpoints", int(state.step))
        timing = [row for row in run_directory.read_rows(out, TIMING) if row["epoch"] <= int(state.epoch)]
        run_directory.write_rows(out, METRICS, rows)
        run_directory.write_rows(out, TIMING, timing)
        progress.describe(dataset)
        if own_validation is None and config.validation:
            progress.say(
                f"{len(dataset.splits['validation']):,} images are for validation; --validation chooses a share"
            )
        if config.from_ and own_rate is None:
            progress.say(
                f"fine-tuning from {config.from_}: learning rate {config.learning_rate:g}, "
                f"a tenth of the default of {config.optimizer}"
            )
        progress.start(int(state.epoch), int(state.step))
        _train(state, Plan(config, dataset, data, task), rows, interrupts.check, progress, after_step)
    return _summary(out, rows, config, task)


def _train(
    state: TrainState,
    plan: Plan,
    rows: list[dict[str, Any]],
    check: Callable[[], None],
    progress: Progress,
    after_step: Callable[[int], None] | None,
) -> None:
    config, dataset, data, task = plan
    out, model = plan.out, plan.model
    # Parameters were drawn from the key itself.
    key = jax.random.fold_in(jax.random.key(config.seed), 1)
    optimizer = make_optimizer(config, data.images)
    augmentation = augment.chain(config.augment, task.geometry, augment.Colours.of(dataset.train.images))
    windows = Windows(data.images, config.batch_size, config.accumulate)
    train_step = steps.make_train_step(
        model, data.preprocess, optimizer, task, augmentation, key,
        windows=windows, decay=config.ema or 0.0, remat=config.remat,
    )  # fmt: skip
    evaluation_step = steps.make_evaluation_step(model, data.preprocess, task)
    drawn = time.monotonic()
    try:
        for epoch in range(int(state.epoch), config.epochs):
            progress.pace.start()
            for moved in _descend(state, train_step, plan, progress):
                state = moved
                if after_step is not None:
                    after_step(int(state.step))
                check()
            evaluated = {
                name: _evaluate(state, evaluation_step, plan, split, check)
                for name, split in dataset.splits.items()
                if name != "train"
            }
            _require_finite(state, plan, sum(figures[task.columns[0].name] for figures in evaluated.values()))
            row = {
                "epoch": epoch + 1,
                "step": int(state.step),
                "train": task.summarize(state.metrics),
                **evaluated,
            }
            run_directory.append_row(out, METRICS, row)
            run_directory.append_row(out, TIMING, {"epoch": epoch + 1} | progress.pace.figures())
            rows.append(row)
            state = next_epoch(_heed(state, row, plan, progress), task)
            finished = _is_finished(state, config)
            if finished or time.monotonic() - drawn > CURVES_EVERY:
                counts = {name: len(split) for name, split in dataset.splits.items()}
                title = plots.title(config.model, config.dataset_name)
                curves.draw(rows, task.columns, title, counts).savefig(out / "curves.png")
                drawn = time.monotonic()
            if state.stopping is not None and not int(state.stopping.bad):
                checkpoints.save(out / BEST, state, keep=1)
            checkpoints.save(out / "checkpoints", state)
            progress.epoch(row)
            if finished:
                break
    except Interrupted as stop:
        _require_finite(state, plan)
        path = checkpoints.save(out / "checkpoints", state)
        raise Interrupted(stop.signal, f"stopped and saved as {path}: the same command goes on from there") from None


def _heed(state: TrainState, row: dict[str, Any], plan: Plan, progress: Progress) -> TrainState:
    """The state in which plateau schedule and early stopping know of an epoch's validation loss."""
    if "validation" not in row:
        return state
    config, loss = plan.config, row["validation"][plan.task.columns[0].name]
    if state.plateau is not None:
        plateau = schedules.after_evaluation(state.plateau, config.patience, loss)
        if float(plateau.scale) < float(state.plateau.scale):
            rate = float(plateau.scale) * float(config.learning_rate or 0)
            progress.say(f"no lower validation loss for {config.patience} epochs: learning rate cut to {rate:g}")
        state = state._replace(plateau=plateau)
    if state.stopping is not None:
        state = state._replace(stopping=state.stopping.after(loss))
        if _is_finished(state, config):
            progress.say(f"no lower validation loss for {config.early_stop} epochs: stopped, the best epoch is kept")
    return state


def _is_finished(state: TrainState, config: Config) -> bool:
    if state.stopping is not None and config.early_stop is not None and int(state.stopping.bad) >= config.early_stop:
        return True
    return int(state.epoch) >= config.epochs


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
            raise _divergence(state, plan, step, objective)
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
    split: Split,
    check: Callable[[], None],
) -> dict[str, float]:
    task = plan.task
    total = task.empty()
    for batch in batches.batches(split, np.arange(len(split)), plan.config.batch_size, target=task.target):
        total = jax.block_until_ready(evaluation_step(state.evaluated, total, batch))
        check()
    return task.summarize(total)


def _divergence(state: TrainState, plan: Plan, step: int, value: float) -> FloatingPointError:
    kept = checkpoints.steps(plan.out / "checkpoints")
    where = f"the checkpoint of step {kept[-1]} is kept" if kept else "there is no checkpoint yet"
    first = divergence.first_bad(plan.model, state.variables, plan.data.image_shape)
    bad = f"the first bad parameter is {first}" if first else "all parameters are finite"
    return FloatingPointError(
        f"the loss is {value} at step {step}; {bad}; {where}: give another --out and a lower --learning-rate or --clip"
    )


def _require_finite(state: TrainState, plan: Plan, loss: float = 0.0) -> None:
    leaves = jax.tree.leaves(state.variables)
    if not math.isfinite(loss) or not all(bool(np.isfinite(leaf.astype(np.float32)).all()) for leaf in leaves):
        raise _divergence(state, plan, int(state.step), math.nan if math.isfinite(loss) else loss)


def prepare(config: Config) -> tuple[Plan, TrainState]:
    """The fixed parts of a run, and the shapes of its state; nothing is compiled or written.

    Args:
      config: resolved.

    Raises:
      ValueError: model, data set, task and options do not fit together.
    """
    dataset = config.load_dataset()
    data = Data.of(dataset, TASKS[config.task].target)
    plan = Plan(config, dataset, data, config.make_task(data))
    return plan, _check_fit(plan)


def _check_fit(plan: Plan) -> TrainState:
    config, dataset, data, task = plan
    if config.batch_size > len(dataset.train):
        raise ValueError(
            f"batch_size={config.batch_size} exceeds the {len(dataset.train)} training images of "
            f"{config.dataset_name}: give at most {len(dataset.train)}"
        )
    windows = Windows(data.images, config.batch_size, config.accumulate)
    if config.accumulate > windows.batches:
        raise ValueError(
            f"accumulate={config.accumulate} exceeds the {windows.batches} batches of an epoch: give at most "
            f"{windows.batches}, or a smaller --batch-size"
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


def _summary(out: Path, rows: list[dict[str, Any]], config: Config, task: Task) -> Summary:
    row = rows[-1]
    if config.early_stop is not None:
        # As precise as the memory of early stopping; of equal losses the first is the best.
        row = min(rows, key=lambda row: np.float32(row["validation"][task.columns[0].name]))
    figures = {name: row[name] for name in ("epoch", "step", "train", "test")}
    return Summary(out, **figures, note=task.note, validation=row.get("validation"))
