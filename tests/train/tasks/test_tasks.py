"""Another task than classification, defined here: the loop, checkpoints and resume know tasks, not classes."""

import dataclasses
import functools
import json
import signal
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import train
from train import console, tasks
from train.datasets import Dataset, Split, scenes
from train.tasks import Column


@dataclasses.dataclass(frozen=True)
class Position:
    """Row and column of the object's centre, by squared errors."""

    width: int = 2
    target: ClassVar[str] = "centre"
    columns: ClassVar[tuple[Column, ...]] = (Column("error", "mean squared error", scale="log"),)
    note: ClassVar[str] = "in fractions of the side"
    geometry: ClassVar[str] = "position"
    mixes: ClassVar[bool] = True

    @classmethod
    def create(cls, data, label_smoothing=0.0):
        return cls(*data.target_shape)

    @property
    def output_shape(self):
        return (self.width,)

    def loss(self, outputs, targets):
        return jnp.sum((outputs - targets) ** 2, axis=-1)

    def empty(self):
        return {"sum": jnp.zeros(()), "count": jnp.zeros(())}

    def update(self, metrics, outputs, targets, weights):
        total = metrics["sum"] + jnp.sum(self.loss(outputs, targets) * weights)
        return {"sum": total, "count": metrics["count"] + jnp.sum(weights)}

    def running(self, metrics):
        return {"error": metrics["sum"] / metrics["count"]}

    def summarize(self, metrics):
        return {name: float(value) for name, value in self.running(metrics).items()}


@pytest.fixture
def position(monkeypatch, small):
    """Makes a configuration of a run that learns positions on forty scenes."""
    monkeypatch.setitem(tasks.TASKS, "position", Position)
    monkeypatch.setattr(scenes, "load", functools.partial(scenes.load, count=40, test_count=10))
    changes = {"dataset": "scenes", "size": 18, "batch_size": 16, "task": "position"}
    changes |= {"augment": (), "learning_rate": 1e-3}
    return lambda out, **more: small(out, **changes | more)


@pytest.mark.optimized
def test_a_task_of_another_kind_trains_stops_and_resumes_bit_by_bit(position, same, tmp_path, monkeypatch, capsys):
    summary = train.run(position(tmp_path / "whole"))
    shown = capsys.readouterr().err
    assert f"test error {summary.test['error']:.4f}" in shown
    assert str(summary).splitlines()[-2] == "2 epochs, 6 steps; in fractions of the side"
    moments = iter(range(4))

    def check(self):
        if next(moments, None) is None:
            raise console.Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(console.Interrupts, "check", check)
        with pytest.raises(train.Interrupted):
            train.run(position(tmp_path / "stopped"), quiet=True)
    assert train.run(position(tmp_path / "stopped"), quiet=True).test == summary.test
    whole, stopped = train.load(tmp_path / "whole"), train.load(tmp_path / "stopped")
    assert same(whole.variables, stopped.variables)
    assert whole.metrics == stopped.metrics
    assert whole.model.num_classes == 2
    split = whole.dataset.test
    outputs = whole.model.apply(whole.variables, whole.preprocess(jnp.asarray(split.images)))
    errors = ((np.asarray(outputs) - split.extra["centre"]) ** 2).sum(1)
    assert float(errors.mean()) == pytest.approx(summary.test["error"], rel=1e-5)
    content = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert content["config"]["task"] == "position"
    assert content["data"]["target_shape"] == [2]


def test_targets_that_the_data_lack_are_refused_before_anything_is_written(position, tmp_path):
    with pytest.raises(ValueError, match="no 'centre': they come with labels"):
        train.run(position(tmp_path / "run", dataset="digits"), quiet=True)
    assert not (tmp_path / "run").exists()


def test_images_without_classes_are_data_too():
    images = np.zeros((4, 2, 2, 1), np.float32)
    centres = np.zeros((4, 2), np.float32)
    split = Split(images, extra={"centre": centres})
    data = train.datasets.Data.of(Dataset("places", split, split), "centre")
    assert (data.classes, data.target_shape) == ((), (2,))
    moved = Split(images, extra={"centre": centres + 1})
    assert data.fingerprint != Dataset("places", split, moved).fingerprint("centre")
    with pytest.raises(ValueError, match="no 'labels': they come with centre"):
        split.target("labels")
    with pytest.raises(ValueError, match="no labels for 2 classes"):
        Dataset("places", split, split, ("a", "b"))
    with pytest.raises(ValueError, match="expected a data set with classes"):
        tasks.Classification.create(data)


def test_tasks_that_do_not_exist_are_refused_by_name():
    with pytest.raises(ValueError, match="task='clasification'.*did you mean classification"):
        train.Config("mlp", task="clasification")
    with pytest.raises(ValueError, match="task='segmentation' is unknown"):
        train.Config("mlp", task="segmentation")
