"""The training loop: epochs of steps, each followed by an evaluation, a row of metrics and a checkpoint."""

import collections
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from convzoo import plots
from train import (
    augment,
    batches,
    checkpoints,
    curves,
    divergence,
    fine_tuning,
    initial,
    predictions,
    run_directory,
    schedules,
    steps,
    transfer,
)
from train.config import Config
from train.console import Interrupted, Interrupts, Progress
from train.datasets import Split
from train.plan import Plan, prepare
from train.run_directory import BEST, METRICS, TIMING
from train.state import TrainState, initial_state, make_optimizer, next_epoch
from train.tasks import Task

TrainStep = Callable[[TrainState, batches.Batch], tuple[TrainState, steps.Report]]
EvaluationStep = Callable[[dict[str, Any], Any, batches.Batch], Any]

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
        names = [*self.train, *(name for name in self.test if name not in self.train)]
        lines = [" " * width + "".join(f"{name:>11}" for name in names)]
        lines += [
            f"{split:<{width}}"
            + "".join(f"{values[name]:>11.4f}" if name in values else f"{'–':>11}" for name in names)
            for split, values in rows.items()
            if values is not None
        ]
        return "\n".join(
            [
                *lines,
                "; ".join(filter(None, [f"{self.epoch} epochs, {self.step} steps", self.note])),
                f"run directory: {self.out}",
            ]
        )


def run(
    config: Config,
    quiet: bool = False,
    after_step: Callable[[int], None] | None = None,
    after_epoch: Callable[[Mapping[str, Any]], None] | None = None,
) -> Summary:
    """Train a model, or resume where an earlier call with the same configuration stopped.

    Whatever stops the process, the same call resumes, and ends in the same parameters and the same
    `metrics.jsonl` as without the stop. A finished run is left unchanged.

    Args:
      config: of the run.
      quiet: show nothing on stderr.
      after_step: called with the number of batches done, after each; a signal that it raises stops the run.
      after_epoch: called with each epoch's row of `metrics.jsonl`, after its checkpoint.

    Returns:
      The figures of the last epoch.

    Raises:
      ValueError: something in the configuration cannot be done, or the run directory holds another run or is in
        use; raised before anything is compiled or written.
      FloatingPointError: the loss is no longer finite; the last checkpoint before that stays.
      Interrupted: SIGINT or SIGTERM came; the state is saved.
    """
    own, config = config, config.resolve()
    out = Path(str(config.out))
    run_directory.refuse_other_run(out, config)
    (_, dataset, data, task, _), template = prepare(config)
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
        watch = transfer.Watch(out, progress.say) if config.transfer else None
        plan = Plan(config, dataset, data, task, watch)
        _announce(plan, own, progress)
        progress.start(int(state.epoch), int(state.step))
        _train(state, plan, rows, interrupts.check, progress, after_step, after_epoch)
    return _summary(out, rows, config, task)


def _announce(plan: Plan, own: Config, progress: Progress) -> None:
    """Say what the user's configuration left open."""
    config, dataset, data, _, _ = plan
    if own.validation is None and config.validation:
        count = len(dataset.splits["validation"])
        progress.say(f"{count:,} images are for validation: the data set's own, or a share of those for training")
    if groups := config.groups(data):
        progress.say(f"transfer from {config.from_}: {transfer.describe(groups)}")
    elif config.from_ and own.learning_rate is None:
        progress.say(
            f"fine-tuning from {config.from_}: learning rate {config.learning_rate:g}, "
            f"a tenth of the default of {config.optimizer}"
        )


def _train(
    state: TrainState,
    plan: Plan,
    rows: list[dict[str, Any]],
    check: Callable[[], None],
    progress: Progress,
    after_step: Callable[[int], None] | None,
    after_epoch: Callable[[Mapping[str, Any]], None] | None,
) -> None:
    config, dataset, data, task, _ = plan
    out = plan.out
    train_step = _train_steps(plan)
    evaluation_step = steps.make_evaluation_step(plan.model, data.preprocess, task)
    drawn = time.monotonic()
    try:
        _note_baseline(state, evaluation_step, plan, check)
        for epoch in range(int(state.epoch), config.epochs):
            progress.pace.start()
            for moved in _descend(state, train_step(epoch), plan, progress):
                state = moved
                if after_step is not None:
                    after_step(int(state.step))
                check()
            totals = {
                name: _evaluate(state, evaluation_step, plan, split, check)
                for name, split in dataset.splits.items()
                if name != "train"
            }
            evaluated = {name: task.summarize(total) for name, total in totals.items()}
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
                _draw_curves(plan, rows)
                drawn = time.monotonic()
            if finished:
                _conclude(state, plan, totals["test"])
            if state.stopping is not None and not int(state.stopping.bad):
                checkpoints.save(out / BEST, state, keep=1)
            checkpoints.save(out / "checkpoints", state)
            progress.epoch(row)
            if after_epoch is not None:
                after_epoch(row)
            if finished:
                break
    except Interrupted as stop:
        _require_finite(state, plan)
        path = checkpoints.save(out / "checkpoints", state)
        raise Interrupted(stop.signal, f"stopped and saved as {path}: the same command goes on from there") from None


def _draw_curves(plan: Plan, rows: list[dict[str, Any]]) -> None:
    counts = {name: len(split) for name, split in plan.dataset.splits.items()}
    title = plots.title(plan.config.model, plan.config.dataset_name)
    curves.draw(rows, plan.task.columns, title, counts).savefig(plan.out / "curves.png")


def _conclude(state: TrainState, plan: Plan, total: Any) -> None:
    """Keep what only a finished run has: the memory of a transfer, and pictures of the predictions on the test set."""
    config, dataset, data, task, watch = plan
    if watch:
        fine_tuning.remember(config, state.evaluated, watch)
    predictions.draw(plan.out, plan.model, state.evaluated, data.preprocess, task, dataset.test, total)


def _train_steps(plan: Plan) -> Callable[[int], TrainStep]:
    """The step of each epoch; one program for all epochs in which the same parameters move."""
    config, dataset, data, task, _ = plan
    make_step = functools.partial(
        steps.make_train_step,
        plan.model,
        data.preprocess,
        make_optimizer(config, data),
        task,
        augment.fit(config.augment, task.geometry, dataset.train.images),
        # Parameters were drawn from the key itself.
        jax.random.fold_in(jax.random.key(config.seed), 1),
        windows=plan.windows,
        decay=config.ema or 0.0,
        remat=config.remat,
    )
    program = functools.cache(lambda still: make_step(still=still))
    return lambda epoch: program(plan.still(epoch))


def _note_baseline(state: TrainState, evaluation_step: EvaluationStep, plan: Plan, check: Callable[[], None]) -> None:
    """Tell the watch over a transfer the loss of the network before its first step."""
    if plan.watch and not plan.watch.begun:
        task, dataset = plan.task, plan.dataset
        total = _evaluate(state, evaluation_step, plan, dataset.validation or dataset.test, check)
        rates = transfer.describe(plan.config.groups(plan.data) or {})
        plan.watch.begin(task.summarize(total)[task.columns[0].name], rates)


def _heed(state: TrainState, row: dict[str, Any], plan: Plan, progress: Progress) -> TrainState:
    """The state in which plateau schedule and early stopping know of an epoch's validation loss."""
    if plan.watch:
        plan.watch.epoch(row["epoch"], row.get("validation", row["test"])[plan.task.columns[0].name])
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
    train_step: TrainStep,
    plan: Plan,
    progress: Progress,
) -> Iterator[TrainState]:
    """The states after each remaining step of the epoch."""
    config, split = plan.config, plan.dataset.train
    epoch, step = int(state.epoch), int(state.step)
    done = step - epoch * batches.number_of_batches(len(split), config.batch_size)
    visits = plan.visits(epoch)
    behind: collections.deque[tuple[int, int, steps.Report]] = collections.deque()

    def observe():
        step, images, report = behind.popleft()
        objective = float(report.objective)
        if not math.isfinite(objective):
            raise _divergence(state, plan, step, objective)
        if plan.watch and report.gradient_norm is not None:
            plan.watch.gradient(step, float(report.gradient_norm))
        progress.step(epoch, images, {name: float(value) for name, value in report.figures.items()})

    some = batches.batches(split, visits, config.batch_size, done, plan.task.target)
    for batch in progress.pace.waiting(some):
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
    evaluation_step: EvaluationStep,
    plan: Plan,
    split: Split,
    check: Callable[[], None],
) -> Any:
    """The task's metrics of a split."""
    task = plan.task
    total = task.empty(len(split))
    for batch in batches.batches(split, np.arange(len(split)), plan.config.batch_size, target=task.target):
        total = jax.block_until_ready(evaluation_step(state.evaluated, total, batch))
        check()
    return total


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


def _summary(out: Path, rows: list[dict[str, Any]], config: Config, task: Task) -> Summary:
    row = rows[-1]
    if config.early_stop is not None:
        # As precise as the memory of early stopping; of equal losses the first is the best.
        row = min(rows, key=lambda row: np.float32(row["validation"][task.columns[0].name]))
    figures = {name: row[name] for name in ("epoch", "step", "train", "test")}
    return Summary(out, **figures, note=task.note, validation=row.get("validation"))
