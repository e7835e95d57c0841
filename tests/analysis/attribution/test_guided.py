from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
import zoo
from analysis.attribution.rectifiers import own_rectifier
from analysis.network import Network
from zoo.layers.normalization import GroupNorm

RNG = np.random.default_rng(2)
FIRST, SECOND = RNG.normal(size=(12, 6)).astype(np.float32), RNG.normal(size=(6, 3)).astype(np.float32)
IMAGES, LABELS = RNG.uniform(size=(2, 2, 3, 2)).astype(np.float32), np.array([2, 0])


class TwoLayers(nn.Module):
    """relu(x A) B, and on request the square of it, negated."""

    act: Any = None
    negated_square: bool = False

    @nn.compact
    def __call__(self, images):
        act = self.act or nn.relu
        x = act(nn.Dense(6, use_bias=False, name="first")(images.reshape(images.shape[0], -1)))
        if self.negated_square:
            return -(x**2)
        return nn.Dense(3, use_bias=False, name="second")(x)


VARIABLES = {"params": {"first": {"kernel": jnp.asarray(FIRST)}, "second": {"kernel": jnp.asarray(SECOND)}}}


@pytest.mark.parametrize(
    ("method", "gate"),
    [
        (analysis.guided_backprop, lambda a, g: np.maximum(g, 0) * (a > 0)),
        (analysis.deconvnet, lambda a, g: np.maximum(g, 0)),
    ],
    ids=["guided", "deconvnet"],
)
def test_a_network_computed_by_hand(method, gate):
    before = IMAGES.reshape(2, -1) @ FIRST
    back = gate(before, SECOND.T[LABELS])
    expected = (back @ FIRST.T).reshape(IMAGES.shape)
    given = method(TwoLayers(), VARIABLES, IMAGES, LABELS, channels=None)
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-6)
    plain = analysis.saliency(zoo.logits_fn(TwoLayers(), VARIABLES), IMAGES, LABELS, channels=None)
    assert np.abs(plain - expected).max() > 0.1


def test_of_a_negated_square_nothing_comes_back():
    """The score −x² only ever falls in x: its gradient is all there is, and all of it is held back."""
    model = TwoLayers(negated_square=True)
    labels = np.argmax(IMAGES.reshape(2, -1) @ FIRST, 1)
    for method in (analysis.guided_backprop, analysis.deconvnet):
        assert np.abs(method(model, VARIABLES, IMAGES, labels)).max() == 0
    assert np.abs(analysis.saliency(zoo.logits_fn(model, VARIABLES), IMAGES, labels)).max() > 0.1


def test_from_a_neuron():
    given = analysis.guided_backprop(TwoLayers(), VARIABLES, IMAGES, [4, 1], layer="first", channels=None)
    expected = FIRST[:, [4, 1]].T.reshape(IMAGES.shape)
    np.testing.assert_allclose(given, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="at=.* give layer="):
        analysis.guided_backprop(TwoLayers(), VARIABLES, IMAGES, LABELS, at=(0, 0))


def shapes_of(model, size, channels=3):
    image = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
    return Network(model, jax.eval_shape(model.init, jax.random.key(0), image)), (size, size, channels)


@pytest.mark.parametrize(
    ("model", "rectifier"),
    [
        (zoo.create("resnet20", blocks=(1, 1)), nn.relu),
        (zoo.create("resnet20", blocks=(1, 1), norm=GroupNorm(4)), nn.relu),
        (zoo.create("mobilenet_v1", stages=((64,), (128,))), nn.relu6),
        (zoo.create("lenet5", act=nn.relu), nn.relu),
    ],
    ids=["resnet20", "group_norm", "relu6", "lenet5"],
)
def test_models_whose_rectifiers_can_all_be_replaced(model, rectifier):
    assert own_rectifier(*shapes_of(model, 32, 1 if type(model).__name__ == "LeNet5" else 3)) is rectifier


class StemAside(nn.Module):
    act: Any = None
    aside: Any = nn.relu

    @nn.compact
    def __call__(self, images):
        x = self.aside(nn.Conv(2, (3, 3), name="stem")(images))
        return (self.act or nn.relu)(nn.Conv(2, (3, 3), name="body")(x)).mean((1, 2))


def cut_and_its_root(x):
    cut = jnp.maximum(x, 0)
    return cut + jnp.sqrt(cut)


def root_of_a_variance(x):
    return x * jax.lax.rsqrt(jnp.maximum(x**2 - x, 0) + 1e-3)


class Deaf(nn.Module):
    act: Any = None

    @nn.compact
    def __call__(self, images):
        return jnp.tanh(nn.Conv(2, (3, 3), name="stem")(images)).mean((1, 2))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential([nn.Conv(2, (3, 3)), nn.relu]), "Sequential has no field `act`.*saliency"),
        (StemAside(), "1 rectifiers of StemAside do not go through its field `act`"),
        (StemAside(aside=lambda x: jnp.maximum(x, jnp.zeros_like(x))), "1 rectifiers of StemAside"),
        (StemAside(aside=nn.leaky_relu), "1 rectifiers of StemAside"),
        (StemAside(aside=lambda x: jnp.where(x > 0, x, 0)), "1 rectifiers of StemAside"),
        (StemAside(aside=lambda x: jax.lax.fori_loop(0, 2, lambda _, x: nn.relu(x), x)), "1 rectifiers of StemAside"),
        (StemAside(aside=cut_and_its_root), "1 rectifiers of StemAside"),
        (Deaf(), "Deaf does not compute with ReLU or ReLU6 alone"),
        (zoo.create("lenet5"), "LeNet.* does not compute with ReLU"),
        (zoo.create("resnet20", blocks=(1, 1), act=nn.gelu), "ResNet does not compute with ReLU"),
        (zoo.create("mobilenet_v3_small"), "rectifiers of MobileNetV3 do not go through"),
    ],
    ids=["no_field", "relu", "maximum", "leaky", "where", "loop", "also_a_root", "deaf", "tanh", "gelu", "mixed"],
)
def test_models_that_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        own_rectifier(*shapes_of(model, 32, 1 if "LeNet" in type(model).__name__ else 3))


def test_a_stem_aside_is_taken_where_it_is_no_rectifier():
    for aside in (jnp.tanh, root_of_a_variance):
        assert own_rectifier(*shapes_of(StemAside(aside=aside), 8)) is nn.relu


def test_guided_grad_cam_is_the_product(small_resnet):
    model, variables, images, labels = small_resnet
    args = (model, variables, images, labels)
    product = analysis.guided_backprop(*args, channels=None) * analysis.grad_cam(*args, layer="stage2")[..., None]
    given = analysis.guided_grad_cam(*args, layer="stage2", channels=None)
    np.testing.assert_allclose(given, product, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(analysis.guided_grad_cam(*args, layer="stage2"), jnp.abs(given).max(-1))


@pytest.fixture(scope="module")
def small_resnet():
    model = zoo.create("resnet20", blocks=(1, 1), width=4, num_classes=3)
    variables = zoo.init(model, jax.random.key(0), (8, 8, 3))
    return model, variables, RNG.uniform(size=(2, 8, 8, 3)).astype(np.float32), LABELS
