import dataclasses
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import train
from train import checkpoints, run_directory
from train.__main__ import main
from train.commands import selftest

SMALL = ["mlp", "--size", "8", "--batch-size", "64", "--set", "widths=(16,)"]


@pytest.mark.optimized
@pytest.mark.slow
def test_a_killed_run_of_the_users_configuration_ends_bit_equal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    strategies = "--accumulate 2 --ema 0.9 --early-stop 2 --schedule plateau --augment shift,mixup"
    assert main(["selftest", *SMALL, *strategies.split()]) == 0
    said = capsys.readouterr()
    assert "killed at batch 7 (SIGKILL) and stopped at batch 9 (SIGTERM), the run ended bit-equal" in said.out
    assert "killing a second run at batch 7" in said.err
    assert not list(tmp_path.iterdir())


def test_one_bit_is_a_difference(small, tmp_path):
    one = Path(train.run(small(tmp_path / "one", epochs=1), quiet=True).out)
    other = Path(shutil.copytree(one, tmp_path / "other"))
    assert selftest.differences(one, other) == []
    config, data = run_directory.read_config(other)
    state = checkpoints.restore(other / "checkpoints", run_directory.template(config, data))
    kernel = np.array(state.variables["params"]["head"]["kernel"])
    kernel.view(np.uint32)[0, 0] ^= 1
    state.variables["params"]["head"]["kernel"] = jnp.asarray(kernel)
    checkpoints.save(other / "checkpoints", state)
    (other / "metrics.jsonl").write_text("{}\n")
    assert selftest.differences(one, other) == [".variables['params']['head']['kernel']", "metrics.jsonl"]


def test_the_short_run_has_the_users_settings_and_few_images(small):
    config = small("run", accumulate=8, batch_size=32, early_stop=3).resolve()
    few = selftest.short(config)
    assert len(few.load_dataset().train) == 10 * 32 - 16
    assert len(few.load_dataset().validation) == 142
    assert dataclasses.replace(few, dataset="digits") == config


def test_a_short_run_is_of_the_same_fold(small, tmp_path):
    config = small(tmp_path / "run", fold="2/5").resolve()
    short = selftest.short(config)
    assert short.fold is None
    tested = config.load_dataset().test
    assert (short.load_dataset().test.images == tested.images[: len(short.load_dataset().test)]).all()
