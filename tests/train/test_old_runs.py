"""A run directory of the first version: no task and no timing in it, and Orbax files as they were written then."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

import train
import zoo

OLD = Path(__file__).parent / "old_run"


@pytest.fixture
def old(tmp_path):
    return Path(shutil.copytree(OLD, tmp_path / "run"))


def test_an_old_run_loads_with_its_numbers(old):
    run = train.load(old)
    assert (run.step, run.config.task, run.config.epochs, run.classes) == (3, "classification", 1, tuple("0123456789"))
    test = run.dataset.test
    logits = zoo.logits_fn(run.model, run.variables, run.preprocess)(test.images)
    recorded = json.loads((OLD / "metrics.jsonl").read_text())["test"]
    assert (np.argmax(logits, -1) == test.labels).mean() == pytest.approx(recorded["accuracy"])


@pytest.mark.optimized
def test_an_old_run_is_finished_and_resumes(old, small):
    config = small(old, epochs=1, fields={"widths": (4,)})
    before = (old / "metrics.jsonl").read_bytes()
    assert train.run(config, quiet=True).step == 3
    assert (old / "metrics.jsonl").read_bytes() == before
    recorded = train.load(old).variables
    shutil.rmtree(old / "checkpoints" / "3")
    assert train.run(config, quiet=True).step == 3
    # Bit-equal where the old run was made; another machine adds in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), train.load(old).variables, recorded)
