import fcntl
import json
import logging
import os
import shutil
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

import train
import zoo
from train import batches, checkpoints, console, datasets, loop, run_directory
from train.tasks.classification import Classification, cross_entropy

FIGURES = {"loss", "accuracy", "precision", "recall", "f1"}


def files(path):
    """Every file below a folder with its content."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.fixture(scope="session")
def whole(tmp_path_factory, small):
    """A finished run of two epochs that nothing interrupted, its summary, and what was compiled for it."""
    out = tmp_path_factory.mktemp("whole") / "run"
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logging.getLogger("jax").addHandler(handler)
    with jax.log_compiles(True):
        summary = train.run(small(out), quiet=True)
    logging.getLogger("jax").removeHandler(handler)
    return out, summary, messages


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the finished run that a test may spoil."""
    return Path(shutil.copytree(whole[0], tmp_path / "run"))


@pytest.fixture
def ends_as(whole, same):
    """Asserts that a run directory ended as the uninterrupted one did."""

    def check(out):
        for name in ("config.json", "metrics.jsonl"):
            assert (out / name).read_bytes() == (whole[0] / name).read_bytes()
        assert same(train.load(out).variables, train.load(whole[0]).variables)

    return check


@pytest.fixture
def never_trained(monkeypatch):
    def fail(*_):
        raise AssertionError("training began")

    monkeypatch.setattr(loop, "_train", fail)


@pytest.mark.optimized
def test_each_step_is_compiled_once(whole):
    compiled = [message for message in whole[2] if message.startswith("Compiling")]
    for step in ("train_step", "evaluation_step"):
        assert sum(f"jit({step})" in message for message in compiled) == 1, compiled


def test_metrics_are_one_line_an_epoch(whole):
    out, summary, _ = whole
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 6)]
    for row in rows:
        assert set(row) == {"epoch", "step", "train", "test", "sha256"}
        assert set(row["train"]) == set(row["test"]) == FIGURES
    assert summary == loop.Summary(out, 2, 6, rows[1]["train"], rows[1]["test"], Classification.note)
    assert rows[1]["train"]["loss"] < rows[0]["train"]["loss"]
    table = str(summary)
    assert all(name in table for name in FIGURES)
    assert f"{rows[1]['test']['f1']:.4f}" in table
    assert table.endswith(str(out))


def test_the_run_directory_holds_what_is_promised(whole):
    out = whole[0]
    assert {path.name for path in out.iterdir()} == {
        ".lock", "config.json", "metrics.jsonl", "timing.jsonl", "checkpoints", "curves.png",
    }  # fmt: skip
    assert checkpoints.steps(out / "checkpoints") == [3, 6]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_loaded_is_what_was_evaluated(whole, small):
    out, summary, _ = whole
    run = train.load(out)
    assert run.config == small(out).resolve()
    assert (run.step, run.classes, len(run.metrics)) == (6, tuple("0123456789"), 2)
    np.testing.assert_allclose(run.preprocess.mean, run.dataset.train.images.mean(), rtol=1e-5)
    np.testing.assert_allclose(run.preprocess.std, run.dataset.train.images.std(), rtol=1e-4)
    test = run.dataset.test
    logits = zoo.logits_fn(run.model, run.variables, run.preprocess)(test.images)
    assert (np.argmax(logits, -1) == test.labels).mean() == pytest.approx(summary.test["accuracy"])
    losses = cross_entropy(logits, test.labels)
    assert float(losses.mean()) == pytest.approx(summary.test["loss"], rel=1e-5)


def test_a_finished_run_is_left_as_it_is(whole, small, never_trained, capsys):
    out, summary, _ = whole
    before = files(out)
    assert train.run(small(out)) == summary
    assert "is finished" in capsys.readouterr().err
    assert files(out) == before


@pytest.mark.optimized
def test_another_seed_ends_elsewhere(whole, small, same, tmp_path):
    train.run(small(tmp_path / "run", seed=1), quiet=True)
    assert not same(train.load(tmp_path / "run").variables, train.load(whole[0]).variables)


@pytest.mark.optimized
# Every epoch asks thrice after a training step and once in the evaluation.
@pytest.mark.parametrize(("moment", "step"), [(2, 2), (4, 3), (8, 6)])
def test_whenever_it_is_stopped_it_ends_the_same(moment, step, small, ends_as, tmp_path, monkeypatch):
    asked = iter(range(1, moment))

    def check(self):
        if next(asked, None) is None:
            raise console.Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(console.Interrupts, "check", check)
        with pytest.raises(train.Interrupted, match="the same command goes on") as stop:
            train.run(small(tmp_path / "run"), quiet=True)
    assert stop.value.signal == signal.SIGTERM
    assert checkpoints.steps(tmp_path / "run" / "checkpoints")[-1] == step
    train.run(small(tmp_path / "run"), quiet=True)
    ends_as(tmp_path / "run")


def test_a_signal_is_kept_until_the_step_is_done(small, tmp_path, monkeypatch):
    handler = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(console.Progress, "step", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(train.Interrupted) as stop:
            train.run(small(tmp_path / "run"), quiet=True)
    assert stop.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.optimized
def test_a_damaged_checkpoint_costs_an_epoch_and_nothing_else(copied, small, ends_as):
    file = max((copied / "checkpoints" / "6" / "state" / "d").iterdir(), key=lambda file: file.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 16
    file.write_bytes(content)
    with pytest.warns(RuntimeWarning, match="falling back"):
        train.run(small(copied), quiet=True)
    ends_as(copied)


@pytest.mark.optimized
def test_lines_after_the_checkpoint_are_cut_and_missing_ones_refused(copied, small, ends_as):
    shutil.rmtree(copied / "checkpoints" / "6")
    with (copied / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "st')
    train.run(small(copied), quiet=True)
    ends_as(copied)
    (copied / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match="lacks epochs"):
        train.run(small(copied), quiet=True)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(small, tmp_path, monkeypatch):
    honest = batches.batches
    count = iter(range(100))

    def spoiled(*arguments, **options):
        for batch in honest(*arguments, **options):
            # Three steps and an evaluation make the first epoch.
            yield batch._replace(images=batch.images * np.float32(np.nan if next(count) == 5 else 1))

    monkeypatch.setattr(batches, "batches", spoiled)
    with pytest.raises(FloatingPointError, match="the loss is nan at step 5; .*; the checkpoint of step 3 is kept"):
        train.run(small(tmp_path / "run"), quiet=True)
    assert checkpoints.steps(tmp_path / "run" / "checkpoints") == [3]
    assert len(run_directory.read_rows(tmp_path / "run", "metrics.jsonl")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, r"another configuration: seed \(0 there, 1 here\)"),
        ({"seed": 1, "optimizer": "adamw"}, r"learning_rate \(0.1 there, 0.003 here\), optimizer .*, seed"),
        ({"fields": {"widths": (8,)}}, "another configuration: fields"),
        (
            {"epochs": 3},
            "a run of 2 epochs, .* to train 3 or to train on from it, give another --out, and --from .*run",
        ),
        ({"batch_size": 1438}, "batch_size"),
    ],
)
def test_a_directory_with_another_run_is_refused(changes, message, whole, small, never_trained):
    before = files(whole[0])
    with pytest.raises(ValueError, match=message):
        train.run(small(whole[0], **changes), quiet=True)
    assert files(whole[0]) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 1438}, "exceeds the 1437 training images of digits: give at most 1437"),
        ({"model": "lenet5", "fields": {}}, "lenet5 cannot take images of 8×8 pixels: .*--size"),
        ({"fields": {"widths": (8, "wide")}}, "mlp with .* cannot"),
        (
            {"model": "unet", "fields": {}, "size": 16},
            "unet gives a class for each pixel, expected task='segmentation'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(changes, message, small, never_trained, tmp_path):
    with pytest.raises(ValueError, match=message):
        train.run(small(tmp_path / "run", **changes), quiet=True)
    assert not (tmp_path / "run").exists()


def test_changed_data_are_refused(copied, small, never_trained):
    content = json.loads((copied / "config.json").read_text())
    content["data"]["fingerprint"] = "0" * 64
    del content["sha256"]
    (copied / "config.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="not those .* was begun with"):
        train.run(small(copied), quiet=True)


def test_a_directory_in_use_is_refused(copied, small, never_trained):
    with (copied / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="in use by another process"):
            train.run(small(copied), quiet=True)
    assert train.run(small(copied), quiet=True).epoch == 2


def test_what_cannot_be_a_run_directory_is_refused(small, never_trained, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out, message in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "run", "cannot write"),
        (tmp_path, "holds other files"),
    ):
        with pytest.raises(ValueError, match=message):
            train.run(small(out), quiet=True)
    assert files(tmp_path) == {"file": b"mine"}


def test_loading_what_is_no_run_is_refused(copied, tmp_path):
    with pytest.raises(ValueError, match="no run at"):
        train.load(tmp_path / "nowhere")
    shutil.rmtree(copied / "checkpoints")
    with pytest.raises(ValueError, match="no checkpoint yet"):
        train.load(copied)
    (copied / "config.json").write_text('{"config": {}}')
    with pytest.raises(ValueError, match=r"config.json cannot be read"):
        train.load(copied)


def test_a_channel_that_never_changes_is_not_scaled():
    images = np.zeros((4, 2, 2, 2), np.float32)
    images[:2, ..., 0] = 1
    images[..., 1] = 0.25
    split = train.datasets.Split(images, np.array([0, 1, 0, 1], np.int32))
    data = datasets.Data.of(train.datasets.Dataset("toy", split, split, ("a", "b")))
    assert data.preprocess == zoo.Preprocess((0.5, 0.25), (0.5, 1.0))
    assert datasets.Data.from_json(json.loads(json.dumps(data.to_json()))) == data
