import types

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.__main__ import lab
from analysis.network import Network
from analysis.understanding import position
from analysis.understanding.experiment import Lab

CENTRES = np.random.default_rng(0).uniform(0.3, 0.7, (20, 2)).astype(np.float32)


class Reader(nn.Module):
    """The centre that is written in the first two pixels, or the middle of the image."""

    reads: bool

    @nn.compact
    def __call__(self, images, train=False):
        centres = images[:, 0, :2, 0]
        return centres if self.reads else jnp.full_like(centres, 0.5)


def test_verdicts_follow_from_the_errors_of_the_networks():
    images = np.zeros((20, 4, 4, 1), np.float32)
    images[:, 0, :2, 0] = CENTRES
    split = types.SimpleNamespace(images=images, labels=np.zeros(20), extra={"centre": CENTRES})
    asked = []

    def fit(name, model, dataset, *, seed, **settings):
        asked.append((name, model, dataset, seed, settings["task"]))
        return Network(Reader("mean" not in name), {})

    laboratory = Lab(fit, lambda name, size: types.SimpleNamespace(train=split, test=split), log=lambda line: None)
    result = position.EXPERIMENT.run(laboratory, (3, 4))
    assert len(asked) == 6
    assert {(dataset, task) for _, _, dataset, _, task in asked} == {("scenes", "position")}
    assert [claim.verdict for claim in result.claims] == ["holds"] * 3
    rows = {row[0]: row[1:] for row in result.table.rows}
    assert rows["coordinates"] == rows["flattened"] == ("0.00", "0.00", "0.00, 0.00")
    expected = np.hypot(*(32 * (CENTRES - 0.5)).T).mean()
    assert float(rows["mean over space"][0]) == pytest.approx(expected, abs=0.01)
    assert result.picture.startswith(b"\x89PNG")


@pytest.mark.slow
def test_coordinates_locate_better_than_a_mean_over_space(tmp_path):
    result = position.experiment(epochs=2).run(lab(tmp_path), (0,))
    errors = {row[0]: float(row[1]) for row in result.table.rows}
    assert errors["coordinates"] < errors["mean over space"] < errors[position.CENTRE]
