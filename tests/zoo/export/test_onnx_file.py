"""ONNX files: the logits of onnxruntime are ours, for one network a family, or the model is refused by name."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from tests.support.families import FAMILIES, smallest
from tests.support.helpers import random_variables

onnxruntime = pytest.importorskip("onnxruntime")

FAST = {"lenet5"}
REFUSED = {"deformable_resnet50": "gather: indexing by computed places"}


def run(path, images) -> np.ndarray:
    """The logits that another runtime computes."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": np.asarray(images)})[0]


def agree(model, variables, images, path, preprocess=None, tolerance=1e-4) -> None:
    zoo.to_onnx(path, model, variables, preprocess, images.shape[1:], len(images))
    expected = np.asarray(jax.jit(zoo.logits_fn(model, variables, preprocess))(images))
    logits = run(path, images)
    assert logits.shape == expected.shape
    assert np.isfinite(expected).all()
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(logits, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES.values()]
)
def test_another_runtime_gives_the_same_logits(name, tmp_path):
    model, variables, images = smallest(name)
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            zoo.to_onnx(tmp_path / "net.onnx", model, variables, None, images.shape[1:])
        assert not list(tmp_path.iterdir())
    else:
        agree(model, variables, images, tmp_path / "net.onnx")


class Shapes(nn.Module):
    """What few networks compute: negative padding, dilated input, a window of channels, slices, reversal, choice."""

    @nn.compact
    def __call__(self, x):
        y = jax.lax.conv_general_dilated(
            x,
            self.param("kernel", nn.initializers.normal(1.0), (3, 3, 3, 4)),
            (1, 2),
            ((-1, 2), (1, 0)),
            lhs_dilation=(2, 3),
            rhs_dilation=(1, 2),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        y = jax.lax.reduce_window(y, np.float32(0), jax.lax.add, (1, 1, 1, 3), (1, 1, 1, 1), ((0, 0),) * 3 + ((1, 1),))
        y = jax.lax.reduce_window(y, np.float32(-np.inf), jax.lax.max, (1, 2, 2, 1), (1, 2, 1, 1), "VALID")
        y = jnp.flip(y, 1)[:, ::2, 1:]
        left, right = jnp.split(y, (1,), axis=3)
        y = jnp.where(right > 0, right**3, left + jnp.take(right, np.array([2, 0]), axis=3).sum(3, keepdims=True))
        y = jnp.einsum("nhwc,nhvc->nwv", y, jax.lax.rsqrt(1 + jnp.square(y)))
        return jnp.clip(y, -0.5, 50.0).reshape(len(x), -1)


def test_rules_that_few_networks_need(tmp_path):
    model, images = Shapes(), jnp.asarray(np.random.default_rng(0).uniform(size=(2, 5, 6, 3)), jnp.float32)
    agree(model, random_variables(model, (5, 6, 3)), images, tmp_path / "shapes.onnx")


def test_preprocessing_is_part_of_the_file(tmp_path):
    model, variables, images = smallest("lenet5")
    agree(model, variables, images, tmp_path / "net.onnx", zoo.Preprocess((0.5,), (0.25,)))


def test_what_has_no_rule_is_refused_by_name(tmp_path):
    class Sorting(nn.Module):
        @nn.compact
        def __call__(self, x):
            return jnp.sort(x.reshape(len(x), -1))

    with pytest.raises(ValueError, match="sort: expected a primitive that has a rule for ONNX, such as conv_general"):
        zoo.to_onnx(tmp_path / "net.onnx", Sorting(), {}, input_shape=(4, 4, 1))
    assert not list(tmp_path.iterdir())
