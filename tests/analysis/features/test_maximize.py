import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
from analysis.features import ascent
from analysis.features.caricature import caricature
from analysis.features.maximize import SETTINGS, maximize
from analysis.features.parametrizations import Fourier, Pixels
from analysis.features.regularizers import AlphaNorm
from analysis.features.transforms import Jitter

KEY = jax.random.key(0)
SHAPE = (6, 8, 2)
FEW = {"steps": 3, "key": KEY, "transforms": (Jitter(2),)}


class Linear(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.Dense(3, use_bias=False, name="head")(images.reshape(images.shape[0], -1))


@pytest.fixture(scope="module")
def linear():
    kernel = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32)
    return Linear(), {"params": {"head": {"kernel": jnp.asarray(kernel)}}}, kernel


def test_a_linear_unit_is_maximised_by_the_sign_of_its_weights(linear):
    model, variables, kernel = linear
    plain = SETTINGS["plain"] | {"steps": 150}
    found = maximize(model, variables, SHAPE, "head", [2, 0], **plain, key=KEY)
    np.testing.assert_array_equal(found.images.reshape(2, -1), (kernel[:, [2, 0]] > 0).T)
    np.testing.assert_allclose(found.activation, np.maximum(kernel, 0).sum(0)[[2, 0]], rtol=1e-5)
    assert found.history.shape == (2, 150)
    assert (np.diff(found.history) > -1e-4).all()


def test_with_an_l2_penalty_it_is_the_direction_of_the_weights(linear):
    model, variables, kernel = linear
    found = maximize(
        model, variables, SHAPE, "head", 1, steps=300, learning_rate=0.02, parametrization="pixels", transforms=(),
        regularizers=(AlphaNorm(1000.0, alpha=2.0),), key=KEY,
    )  # fmt: skip
    np.testing.assert_allclose(found.images.ravel() - 0.5, kernel[:, 1] * 96 / 8000, atol=2e-3)


def test_the_fourier_form_climbs_as_well_and_stays_inside(linear):
    model, variables, kernel = linear
    found = maximize(model, variables, SHAPE, None, 0, steps=200, transforms=(), key=KEY)
    best, middle = np.maximum(kernel[:, 0], 0).sum(), 0.5 * kernel[:, 0].sum()
    assert middle + 0.8 * (best - middle) < found.activation[0] < best
    assert 0 <= found.images.min() <= found.images.max() <= 1


class Bright(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.relu(images - 0.7)


def test_clouds_wake_a_unit_that_gray_leaves_silent():
    found = maximize(Bright(), {}, (16, 16, 1), None, 0, steps=20, transforms=(), key=KEY)
    assert found.activation[0] > 0.01
    faint = maximize(
        Bright(), {}, (16, 16, 1), None, 0, steps=20, transforms=(), parametrization=Fourier(noise=0.01), key=KEY
    )
    assert faint.activation[0] == 0


def test_channel_neuron_and_class(small, variables):
    model, images = small(), np.random.default_rng(2).uniform(0, 1, (2, *SHAPE)).astype(np.float32)
    activation = analysis.taps.read(model, variables, images, "stage2")[..., 3]
    logits = np.asarray(jax.jit(model.apply)(variables, images))

    def at_start(layer, channels, position=None):
        found = maximize(
            model, variables, images, layer, channels, position=position, steps=1, transforms=(),
            parametrization="pixels", key=KEY,
        )  # fmt: skip
        return found.history[:, 0]

    np.testing.assert_allclose(at_start("stage2", 3), activation.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(at_start("stage2", 3, (2, 1)), activation[:, 2, 1], rtol=1e-5)
    np.testing.assert_allclose(at_start("stage2", 3, "center"), activation[:, 1, 2], rtol=1e-5)
    np.testing.assert_allclose(at_start(None, [2, 0]), [logits[0, 2], logits[1, 0]], rtol=1e-5)


def test_equal_calls_are_equal_and_others_do_not_matter(small, variables):
    model = small()
    found = maximize(model, variables, SHAPE, "stage2", [1, 2, 3], batch_size=2, **FEW)
    again = maximize(model, variables, SHAPE, "stage2", [1, 4], batch_size=2, **FEW)
    for whole, part in zip(found, again, strict=True):
        np.testing.assert_array_equal(whole[0], part[0])
    together = maximize(model, variables, SHAPE, "stage2", [1, 2, 3], **FEW)
    np.testing.assert_allclose(found.images, together.images, atol=1e-4)
    other = maximize(model, variables, SHAPE, "stage2", [1, 2], batch_size=2, **FEW | {"key": jax.random.key(1)})
    assert not np.array_equal(found.images[0], other.images[0])


def test_new_weights_steps_and_rates_do_not_compile_again(variables):
    traces = []

    class Counted(nn.Module):
        @nn.compact
        def __call__(self, images):
            traces.append(images.shape)
            return nn.Dense(3)(images.mean((1, 2)))

    model = Counted()
    variables = jax.jit(model.init)(KEY, np.ones((1, *SHAPE), np.float32))
    maximize(model, variables, SHAPE, None, 1, **FEW)
    first = len(traces)
    other = jax.tree.map(lambda leaf: 2 * np.asarray(leaf), variables)
    maximize(
        model, other, SHAPE, None, 2, steps=4, learning_rate=0.1, transforms=[Jitter(2)], key=jax.random.key(1)
    )  # fmt: skip
    # What remains is the check of shapes, which runs nothing.
    assert len(traces) - first <= 1


def test_both_drivers_agree(small, variables, monkeypatch):
    looped = maximize(small(), variables, SHAPE, "stage2", [1, 2], **FEW)
    monkeypatch.setattr(analysis.execution, "_platform", lambda tree: "gpu")
    np.testing.assert_allclose(
        maximize(small(), variables, SHAPE, "stage2", [1, 2], **FEW).images, looped.images, atol=1e-5
    )


def test_a_caricature_exaggerates(small, variables):
    images = np.random.default_rng(2).uniform(0, 1, (2, *SHAPE)).astype(np.float32)
    found = caricature(small(), variables, images, "stage2", steps=60, transforms=(), key=KEY)
    assert (found.activation > 1).all()
    itself = maximize(small(), variables, images, "stage2", 1, steps=1, transforms=(), key=KEY)
    assert itself.images.shape == found.images.shape


REFUSED = {
    "channel": ({"channels": 5}, "no channel 5 among 5: expected 0 to 4"),
    "negative": ({"channels": [0, -1]}, "no channel -1"),
    "class": ({"layer": None, "channels": 3}, "no channel 3 among 3"),
    "fraction": ({"channels": 0.5}, "channels=0.5: expected integers"),
    "none": ({"channels": []}, r"channels of shape \(0,\)"),
    "layer": ({"layer": "stage3"}, "no layer 'stage3', did you mean stage"),
    "position": ({"position": (3, 0)}, r"position=\(3, 0\): expected .* 3×4 positions of 'stage2'"),
    "place": ({"position": "left"}, "position='left': expected None, 'center'"),
    "flat": ({"layer": "head", "channels": 0, "position": (1, 0)}, "1×1 positions of 'head'"),
    "parametrization": ({"parametrization": "furier"}, "did you mean fourier"),
    "steps": ({"steps": 0}, "steps=0"),
    "rate": ({"learning_rate": -1.0}, "learning_rate=-1.0"),
    "key": ({"key": None}, "key=None: expected one key"),
    "transforms": ({"transforms": ("jitter",)}, "expected a sequence of functions"),
    "shape": ({"start": (6, 8)}, r"start=\(6, 8\): expected the shape"),
    "nan": ({"start": np.full((1, *SHAPE), np.nan, np.float32)}, "NaN"),
    "range": ({"start": np.full((1, *SHAPE), 2.0, np.float32)}, r"expected \[0, 1\]"),
    "count": ({"start": np.zeros((3, *SHAPE), np.float32), "channels": [1, 2]}, r"shape \(2,\) for 3 images"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(small, variables, case):
    changes, message = REFUSED[case]
    given = {"start": SHAPE, "layer": "stage2", "channels": 1, **FEW} | changes
    with pytest.raises(ValueError, match=message):
        maximize(small(), variables, **given)


def test_settings_are_arguments():
    for setting in SETTINGS.values():
        assert setting.keys() == {"parametrization", "steps", "learning_rate", "transforms"}
    assert SETTINGS["plain"]["parametrization"] == Pixels(0.0, 5.0)
    assert SETTINGS["robust"]["parametrization"] == Fourier() == ascent.PARAMETRIZATIONS["fourier"]
