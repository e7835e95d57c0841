"""Runs that transfer the weights of another run."""

import functools
import json
import shutil
import signal

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import train
import zoo
from train import console, initial
from train.datasets import Data, Dataset, digits

DATA = digits.load(8)
RULES = "stem:0,stage1:0,stage2:1e-2@0.5,dense:1e-2@0.5,head:1e-1"


def half(classes, name):
    """The digits of some classes."""
    splits = []
    for split in (DATA.train, DATA.test):
        rows = np.isin(split.labels, classes)
        labels = np.searchsorted(classes, split.labels[rows]).astype(np.int32)
        splits.append(train.datasets.Split(split.images[rows], labels))
    return Dataset(name, *splits, tuple(map(str, classes)))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory, small):
    out = tmp_path_factory.mktemp("earlier") / "run"
    train.run(config_of(small, out, epochs=1), quiet=True)
    return out


def config_of(small, out, **more):
    shared = {"model": "coordinate_regressor", "fields": {"widths": (4, 4), "coordinates": False}, "batch_size": 512}
    return small(out, **shared | more)


@pytest.fixture
def tuned(small, earlier):
    """Makes a configuration of a fine-tuning on the digits 5 to 9."""
    data = half([5, 6, 7, 8, 9], "late digits")
    return lambda out, **more: config_of(
        small, out, **{"dataset": data, "size": None, "batch_size": 256, "from_": str(earlier)} | more
    )


def arrays(variables):
    return {path: np.asarray(leaf).tobytes() for path, leaf in flatten_dict(variables, sep="/").items()}


def moved(run, earlier):
    """Parts of the network that are not those of the earlier run."""
    before = arrays(train.load(earlier).variables)
    return {path.split("/")[1] for path, leaf in arrays(run.variables).items() if before[path] != leaf}


def test_a_frozen_network_forgets_nothing_and_learns_by_its_head(tuned, earlier, tmp_path, capsys):
    train.run(tuned(tmp_path / "run", epochs=1, transfer="different-small"))
    shown = capsys.readouterr().err
    assert f"transfer from {earlier}: " in shown
    assert "stem, stage1, stage2, dense: frozen · head: 0.01" in shown.replace("dense, stage", "stage")
    assert moved(train.load(tmp_path / "run"), earlier) == {"head"}
    content = json.loads((tmp_path / "run" / "transfer.json").read_text())
    old = content["old problem"]
    recorded = train.load(earlier).metrics[-1]["test"]["accuracy"]
    assert old["before"] == old["after"] == pytest.approx(recorded)
    assert content["baseline"] > 0


def test_two_phases_resume_bit_by_bit(tuned, earlier, same, tmp_path, monkeypatch):
    make = functools.partial(tuned, transfer=RULES)
    whole = train.run(make(tmp_path / "whole"), quiet=True)
    moments = iter(range(4))

    def check(self):
        if next(moments, None) is None:
            raise console.Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(console.Interrupts, "check", check)
        with pytest.raises(train.Interrupted):
            train.run(make(tmp_path / "stopped"), quiet=True)
    assert train.run(make(tmp_path / "stopped"), quiet=True).test == whole.test
    runs = [train.load(tmp_path / name) for name in ("whole", "stopped")]
    assert same(*(run.variables for run in runs))
    assert moved(runs[0], earlier) == {"stage2", "dense", "head"}
    # The checkpoint of the first phase: nothing but the head has moved.
    shutil.rmtree(tmp_path / "whole" / "checkpoints" / str(whole.step))
    assert moved(train.load(tmp_path / "whole"), earlier) == {"head"}


def test_a_cut_keeps_what_comes_before_and_draws_the_rest_anew(tuned, earlier):
    config = tuned("unused", transfer="cut:stage1").resolve()
    data = Data.of(config.load_dataset())
    pretrained = initial.read(config, data)
    fresh = arrays(zoo.init(pretrained.model, jax.random.key(config.seed), data.image_shape))
    before = arrays(train.load(earlier).variables)
    for path, leaf in arrays(pretrained.variables).items():
        kept = path.split("/")[1] in ("stem", "stage1")
        assert leaf == (before if kept else fresh)[path], path


def test_rules_that_do_not_fit_are_refused_before_anything_is_written(tuned, tmp_path):
    with pytest.raises(ValueError, match="^transfer='stem:0,head:1': .* match no rule"):
        train.run(tuned(tmp_path / "run", transfer="stem:0,head:1"), quiet=True)
    assert not (tmp_path / "run").exists()
