"""Damaged files of a run are noticed; files without a digest, as versions before wrote them, still load."""

import functools
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import train
from convzoo import files
from train import datasets, run_directory
from train.run_directory import METRICS, TIMING

ROWS = [{"epoch": epoch, "step": 3 * epoch, "train": {"loss": 2.5 / epoch}, "test": {"loss": 2.0}} for epoch in (1, 2)]


@pytest.fixture(scope="module")
def configure(small, tmp_path_factory):
    """Makes the configuration of a run on a folder of two classes, dark and light."""
    data = tmp_path_factory.mktemp("classes") / "data"
    for name, level in (("dark", 0), ("light", 200)):
        (data / name).mkdir(parents=True)
        for number in range(10):
            Image.new("L", (8, 8), level + number).save(data / name / f"{number}.png")
    return functools.partial(small, dataset=f"folder:{data}", batch_size=8)


@pytest.fixture(scope="module")
def finished(configure, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    train.run(configure(out), quiet=True)
    return out


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def flips(content, count):
    """Copies of a file's bytes with one bit flipped."""
    random = np.random.default_rng(1)
    for position in random.choice(len(content), count, replace=False):
        flipped = bytearray(content)
        flipped[position] ^= 1 << random.integers(8)
        yield bytes(flipped)


def parsed(content):
    try:
        return json.loads(content)
    except ValueError:
        return None


def test_a_flipped_bit_of_the_configuration_is_refused(copied):
    before = (copied / "config.json").read_bytes()
    content = run_directory.read_config(copied)
    refused = 0
    for flipped in flips(before, 150):
        (copied / "config.json").write_bytes(flipped)
        if parsed(flipped) == parsed(before):
            assert run_directory.read_config(copied) == content
            continue
        with pytest.raises(ValueError, match="config.json cannot be read"):
            run_directory.read_config(copied)
        refused += 1
    assert refused > 100


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_flipped_bit_of_the_metrics_ends_them_with_a_warning(tmp_path, epochs):
    run_directory.write_rows(tmp_path, METRICS, ROWS[:epochs])
    before = (tmp_path / METRICS).read_bytes()
    noticed = 0
    for flipped in flips(before, 100):
        (tmp_path / METRICS).write_bytes(flipped)
        with warnings.catch_warnings(record=True, action="always") as warned:
            rows = run_directory.read_rows(tmp_path, METRICS)
        assert rows == ROWS[: len(rows)]
        # Without its end, the last line counts as unfinished.
        assert len(warned) == (len(rows) < epochs and flipped.endswith(b"\n"))
        noticed += len(rows) < epochs
    assert noticed > 80


def test_lines_in_another_order_or_missing_end_the_metrics(tmp_path):
    run_directory.write_rows(tmp_path, METRICS, ROWS)
    one, two = (tmp_path / METRICS).read_text().splitlines(keepends=True)
    assert run_directory.read_rows(tmp_path, METRICS) == ROWS
    for lines, kept in ((two + one, 0), (two, 0), (one + one, 1), (one + json.dumps(ROWS[1]) + "\n", 1)):
        (tmp_path / METRICS).write_text(lines)
        with pytest.warns(RuntimeWarning, match=f"metrics.jsonl: line {kept + 1} is damaged"):
            assert run_directory.read_rows(tmp_path, METRICS) == ROWS[:kept]
    (tmp_path / METRICS).write_text(one + two[:20])
    assert run_directory.read_rows(tmp_path, METRICS) == ROWS[:1]


@pytest.mark.parametrize("line", ["5", "null", "{}", "[]", '"a"', "\xff", '{"epoch": "1"}'])
def test_a_line_of_another_form_ends_the_metrics(tmp_path, line):
    (tmp_path / METRICS).write_text(line + "\n", encoding="latin-1")
    with pytest.warns(RuntimeWarning, match="line 1 is damaged"):
        assert run_directory.read_rows(tmp_path, METRICS) == []


def test_rows_without_a_digest_are_read(tmp_path):
    for name, rows in ((METRICS, ROWS), (TIMING, ROWS[1:])):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert run_directory.read_rows(tmp_path, name) == rows


def test_a_run_with_damaged_metrics_loads_with_a_warning_and_does_not_go_on(copied, configure, same):
    sound = train.load(copied)
    text = (copied / METRICS).read_text()
    (copied / METRICS).write_text(text.replace('"epoch": 2', '"epoch": 3'))
    with (
        pytest.warns(RuntimeWarning, match="line 2 is damaged"),
        pytest.warns(RuntimeWarning, match="lacks epochs: 1 of 2 are intact"),
    ):
        run = train.load(copied)
    assert run.metrics == sound.metrics[:1]
    assert same(run.variables, sound.variables)
    with pytest.warns(RuntimeWarning, match="line 2"), pytest.raises(ValueError, match="lacks epochs"):
        train.run(configure(copied), quiet=True)


def test_a_run_without_digests_loads(copied, same):
    sound = train.load(copied)
    content = files.unsealed(json.loads((copied / "config.json").read_text()))
    (copied / "config.json").write_text(json.dumps(content))
    (copied / METRICS).write_text("".join(json.dumps(row) + "\n" for row in sound.metrics))
    for manifest in copied.glob("checkpoints/*/manifest.json"):
        sealed = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({name: sealed[name] for name in ("arrays", "files")}))
    run = train.load(copied)
    assert run.config == sound.config
    assert run.metrics == sound.metrics
    assert same(run.variables, sound.variables)


def test_the_data_set_of_a_run_is_that_of_its_training(finished, monkeypatch):
    monkeypatch.setattr(datasets, "load", datasets.load.__wrapped__)
    run = train.load(finished)
    data = Path(run.config.dataset.removeprefix("folder:"))
    assert len(run.dataset.test) > 0
    (data / "dark").rename(data / "zinc")
    with pytest.raises(ValueError, match="'light' stands where 'dark' was.*restore the names"):
        _ = train.load(finished).dataset
    (data / "light").rename(data / "dark")
    (data / "zinc").rename(data / "light")
    with pytest.warns(RuntimeWarning, match="images or targets .* are not those that"):
        assert train.load(finished).dataset.classes == ("dark", "light")
    (data / "dark").rename(data / "zinc")
    (data / "light").rename(data / "dark")
    (data / "zinc").rename(data / "light")
