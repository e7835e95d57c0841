"""All tasks, and one that is defined here: the loop, checkpoints and resume know tasks, not classes."""

import dataclasses
import functools
import json
import signal
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import train
from train import console, tasks
from train.datasets import Dataset, Split, faces, scenes
from train.tasks import Column, Defaults

SMALL = {
    "classification": {"model": "mlp", "fields": {"widths": (8,)}},
    "segmentation": {"model": "unet", "fields": {"widths": (4,)}, "dataset": "scenes", "augment": ("shift",)},
    "position": {"model": "coordinate_regressor", "fields": {"widths": (4, 4)}, "dataset": "scenes"},
    "embedding": {"model": "mlp", "fields": {"widths": (8,)}, "dataset": "faces"},
    "place": {"model": "mlp", "fields": {"widths": (8,)}, "dataset": "scenes"},
}
"""A small run of each task."""


@dataclasses.dataclass(frozen=True)
class Place(Defaults):
    """Row and column of the object's centre, by squared errors."""

    width: int = 2
    target: ClassVar[str] = "centre"
    columns: ClassVar[tuple[Column, ...]] = (Column("error", "mean squared error", scale="log"),)
    note: ClassVar[str] = "in fractions of the side"
    geometry: ClassVar[str] = "position"
    mixes: ClassVar[bool] = True

    @classmethod
    def create(cls, data, label_smoothing=0.0, loss=None):
        return cls(*data.target_shape)

    @property
    def output_shape(self):
        return (self.width,)

    def loss(self, outputs, targets):
        return jnp.sum((outputs - targets) ** 2, axis=-1)

    def empty(self, examples=0):
        return {"sum": jnp.zeros(()), "count": jnp.zeros(())}

    def update(self, metrics, outputs, targets, weights):
        total = metrics["sum"] + jnp.sum(self.loss(outputs, targets) * weights)
        return {"sum": total, "count": metrics["count"] + jnp.sum(weights)}

    def running(self, metrics):
        return {"error": metrics["sum"] / metrics["count"]}

    def summarize(self, metrics):
        return {name: float(value) for name, value in self.running(metrics).items()}


@pytest.fixture
def small_task(monkeypatch, small):
    """Makes a configuration of a short run of a task, on few images of 16×16 pixels."""
    monkeypatch.setitem(tasks.TASKS, "place", Place)
    monkeypatch.setattr(scenes, "load", functools.partial(scenes.load, count=40, test_count=10))
    sizes = {"identities": 6, "images": 6, "test_identities": 5}
    monkeypatch.setattr(faces, "load", functools.partial(faces.load, **sizes))
    shared = {"size": 16, "batch_size": 16, "augment": (), "optimizer": "adamw"}

    def make(task, out, **more):
        batch = {"batch_size": 512} if task == "classification" else {}
        return small(out, **shared | batch | SMALL[task] | {"task": task} | more)

    return make


def test_every_task_has_a_small_run():
    assert {*tasks.TASKS, "place"} == {*SMALL}


@pytest.mark.parametrize("task", [name for name in SMALL if name != "classification"])
def test_a_run_writes_figures_curves_and_predictions(task, small_task, tmp_path, capsys):
    """Classification does in tests/train/test_loop.py."""
    summary = train.run(small_task(task, tmp_path / "run", epochs=1))
    kind = tasks.TASKS[task]
    column, *_ = kind.columns
    assert f"test {column.name} {summary.test[column.name]:{column.format}}" in capsys.readouterr().err
    assert str(summary).splitlines()[-2] == f"1 epochs, {summary.step} steps; {kind.note}"
    run = train.load(tmp_path / "run")
    content = json.loads((tmp_path / "run" / "config.json").read_text())
    assert content["config"]["task"] == run.config.task == task
    assert (tmp_path / "run" / "curves.png").is_file()
    assert (tmp_path / "run" / "predictions.png").is_file() == (task != "place")
    _check_figures(run, kind, summary.test)


@pytest.mark.parametrize("task", [pytest.param("place", marks=pytest.mark.slow), "embedding"])
def test_a_run_stops_and_resumes_bit_by_bit(task, small_task, same, tmp_path, monkeypatch):
    """A task without a place in the package, and the one whose batches hold groups."""
    summary = train.run(small_task(task, tmp_path / "whole"), quiet=True)
    moments = iter(range(4))

    def check(self):
        if next(moments, None) is None:
            raise console.Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(console.Interrupts, "check", check)
        with pytest.raises(train.Interrupted):
            train.run(small_task(task, tmp_path / "stopped"), quiet=True)
    assert train.run(small_task(task, tmp_path / "stopped"), quiet=True).test == summary.test
    whole, stopped = train.load(tmp_path / "whole"), train.load(tmp_path / "stopped")
    assert same(whole.variables, stopped.variables)
    assert whole.metrics == stopped.metrics


def _check_figures(run, kind, figures):
    """The figures of the last epoch are those of all test images at once."""
    split, data = run.dataset.test, train.datasets.Data.of(run.dataset, kind.target)
    task = kind.create(data)
    assert run.model.num_classes == task.width

    @jax.jit
    def measure(images, targets):
        outputs = run.model.apply(run.variables, run.preprocess(images))
        return task.update(task.empty(len(images)), outputs, targets, jnp.ones(len(images)))

    total = measure(*map(jnp.asarray, (split.images, split.target(kind.target))))
    again = task.summarize(total)
    assert [*again] == [*figures]
    # The embedding's loss is one of batches.
    names = [name for name in again if not (name == "loss" and kind.images_per_label)]
    assert {name: again[name] for name in names} == pytest.approx({name: figures[name] for name in names}, abs=1e-3)


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("position", {"dataset": "digits"}, "no 'centre': they come with labels"),
        ("segmentation", {"dataset": "digits"}, "no 'mask': they come with labels"),
        ("segmentation", SMALL["place"], "gives one answer an image, not one a pixel"),
        ("position", SMALL["segmentation"], "gives a class for each pixel, expected task='segmentation'"),
        ("position", {"label_smoothing": 0.1}, "label_smoothing=0.1: task='position' has no labels"),
        ("embedding", {"label_smoothing": 0.1}, "label_smoothing=0.1: task='embedding' compares labels"),
    ],
)
def test_what_a_task_cannot_learn_is_refused_before_anything_is_written(task, changes, message, small_task, tmp_path):
    with pytest.raises(ValueError, match=message):
        train.run(small_task(task, tmp_path / "run", **changes), quiet=True)
    assert not (tmp_path / "run").exists()


def test_losses_are_chosen_where_a_task_has_several():
    assert train.Config("mlp", task="embedding", loss="contrastive").loss == "contrastive"
    with pytest.raises(ValueError, match="loss='tripled' is unknown, did you mean triplet"):
        train.Config("mlp", task="embedding", loss="tripled")
    with pytest.raises(ValueError, match="task='classification' has one loss; a choice has embedding .triplet or"):
        train.Config("mlp", loss="triplet")


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
    with pytest.raises(ValueError, match="task='detection' is unknown"):
        train.Config("mlp", task="detection")
