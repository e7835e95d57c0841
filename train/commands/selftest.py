"""Kill and resume a short run of a configuration, and compare its bits with those of a run without a stop."""

import argparse
import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

from convzoo import commands, programs
from train import batches, checkpoints, loop, plan, run_directory
from train.commands import configuration
from train.config import Config
from train.console import Interrupted
from train.datasets import Dataset
from train.state import TrainState

BATCHES = 5
"""Batches of an epoch at most, the last of them not full."""
EPOCHS = 2


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    configuration.add(parser)


def answer(options: argparse.Namespace) -> str:
    """Run the test and say how it ended.

    Raises:
      FloatingPointError: the resumed run ended in other bits.
    """
    config = short(configuration.read(vars(options)).resolve())
    plan.prepare(config)
    with tempfile.TemporaryDirectory() as folder:
        whole, stopped = (dataclasses.replace(config, out=str(Path(folder) / name)) for name in ("whole", "stopped"))
        commands.say("training without a stop")
        loop.run(whole, quiet=True)
        kills = _interrupt(stopped)
        commands.say("resuming to the end")
        loop.run(stopped, quiet=True)
        compared = differences(Path(str(whole.out)), Path(str(stopped.out)))
    how = f"killed at batch {kills[0]} (SIGKILL) and stopped at batch {kills[1]} (SIGTERM)"
    if compared:
        raise FloatingPointError(f"{how}, the run ended in other bits: {', '.join(compared[:3])} differ")
    return f"{how}, the run ended bit-equal to one without a stop: parameters, state and metrics"


def short(config: Config) -> Config:
    """The configuration with two epochs of a few batches of its own data, drawn by the seed.

    Raises:
      ValueError: the data set cannot be loaded.
    """
    dataset = config.load_dataset()
    # The last window of accumulated gradients is short, too.
    number = max(BATCHES, config.accumulate + 2)
    count = min(number * config.batch_size - config.batch_size // 2, len(dataset.train))
    train = dataset.train.rows(batches.order(len(dataset.train), config.seed, 0)[:count])
    test = dataset.test.rows(np.arange(min(config.batch_size, len(dataset.test))))
    few = Dataset("selftest", train, test, dataset.classes, validation=dataset.validation)
    return dataclasses.replace(
        config,
        dataset=few,
        epochs=EPOCHS,
        batch_size=min(config.batch_size, count),
        size=dataset.image_shape[0],
        keep_proportions=False,
        data_dir=None,
        skip_broken=False,
        stream=False,
        fold=None,
    )


def _interrupt(config: Config) -> tuple[int, int]:
    """Kill a run in its second epoch in a process of its own, stop it there again in this one; the batches of both."""
    dataset = config.dataset
    assert isinstance(dataset, Dataset)
    epoch = batches.number_of_batches(len(dataset.train), config.batch_size)
    first, second = epoch + max(1, epoch // 2), epoch + max(1, epoch - 1)
    commands.say(f"killing a second run at batch {first}")
    file = Path(f"{config.out}.pickle")
    file.write_bytes(pickle.dumps(config))
    code = f"from train.commands import selftest; selftest.run_until_killed({str(file)!r}, {first})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if ended.returncode != -signal.SIGKILL:
        raise ValueError(
            f"the run to be killed ended by itself, with exit code {ended.returncode}: {ended.stderr[-500:]}"
        )
    commands.say(f"resuming, and stopping it at batch {second}")

    def stop(step: int) -> None:
        if step == second:
            signal.raise_signal(signal.SIGTERM)

    try:
        loop.run(config, quiet=True, after_step=stop)
    except Interrupted:
        return first, second
    raise ValueError(f"the run to be stopped at batch {second} ended by itself")


def run_until_killed(file: str, last: int) -> None:
    """Train as a pickled configuration says, and kill this process after a batch, as when the power fails."""
    programs.keep()
    config: Config = pickle.loads(Path(file).read_bytes())

    def kill(step: int) -> None:
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    loop.run(config, quiet=True, after_step=kill)


def differences(one: Path, other: Path) -> list[str]:
    """Names of the arrays of the last checkpoints, and of the files of metrics, that are not equal bit by bit."""
    left, right = (_state(path) for path in (one, other))
    names = [
        jax.tree_util.keystr(path)
        for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(left), jax.tree.leaves(right), strict=True)
        if np.asarray(a).tobytes() != np.asarray(b).tobytes()
    ]
    rows = (one / run_directory.METRICS).read_bytes() == (other / run_directory.METRICS).read_bytes()
    return names + [run_directory.METRICS] * (not rows)


def _state(path: Path) -> TrainState:
    config, data = run_directory.read_config(path)
    restored = checkpoints.restore(path / "checkpoints", run_directory.template(config, data))
    assert restored is not None
    return restored
