import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
import zoo
from analysis import taps
from analysis.network import Network
from zoo.architectures.resnet import ResNet
from zoo.layers.residual import BasicBlock


class ByHand(nn.Module):
    """A linear stage of two channels and a fully-connected head: every derivative is a weight."""

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(2, (1, 1), use_bias=False, name="stage1")(images)
        return nn.Dense(3, use_bias=False, name="head")(x.reshape(x.shape[0], -1))


RNG = np.random.default_rng(1)
RESNET = zoo.create("resnet20", blocks=(1, 1, 1))
KERNEL, HEAD = RNG.normal(size=(1, 1, 2, 2)), RNG.normal(size=(4 * 6 * 2, 3))
VARIABLES = jax.tree.map(
    lambda leaf: jnp.asarray(leaf, jnp.float32), {"params": {"stage1": {"kernel": KERNEL}, "head": {"kernel": HEAD}}}
)
IMAGES, LABELS = RNG.uniform(size=(2, 4, 6, 2)).astype(np.float32), np.array([2, 0])


def by_hand(images):
    activations = images @ KERNEL[0, 0]
    weights = HEAD.reshape(4, 6, 2, 3).mean((0, 1))[:, LABELS].T
    return np.einsum("nk,nhwk->nhw", weights, activations)


@pytest.mark.parametrize("relu", [True, False])
def test_a_network_computed_by_hand(relu):
    signed = by_hand(IMAGES)
    assert all(one.min() < 0 < one.max() for one in signed)
    given = analysis.grad_cam(ByHand(), VARIABLES, IMAGES, LABELS, relu=relu, resize=None)
    np.testing.assert_allclose(given, np.maximum(signed, 0) if relu else signed, rtol=1e-5, atol=1e-7)


def test_preprocess_stands_before_the_model():
    given = analysis.grad_cam(
        ByHand(), VARIABLES, IMAGES, LABELS, preprocess=zoo.Preprocess((0.5,), (0.25,)), relu=False
    )
    np.testing.assert_allclose(given, by_hand((IMAGES - 0.5) / 0.25), rtol=1e-5, atol=1e-6)


def bilinear(image, size):
    """Half-pixel centres, edges repeated, one axis after the other."""
    for axis in (0, 1):
        scale = image.shape[axis] / size[axis]
        centre = np.clip((np.arange(size[axis]) + 0.5) * scale - 0.5, 0, image.shape[axis] - 1)
        low = np.floor(centre).astype(int)
        high = np.minimum(low + 1, image.shape[axis] - 1)
        share = np.expand_dims(centre - low, 1 - axis)
        image = np.take(image, low, axis) * (1 - share) + np.take(image, high, axis) * share
    return image


@pytest.fixture(scope="module")
def resnet():
    model = zoo.create("resnet20", blocks=(1, 1, 1), width=4, num_classes=3)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    rng = np.random.default_rng(4)
    variables = jax.tree.map(lambda leaf: jnp.asarray(rng.uniform(0.1, 0.5, leaf.shape), leaf.dtype), shapes)
    variables["params"] = jax.tree.map(
        lambda leaf: leaf if leaf.ndim == 1 else jnp.asarray(rng.normal(0, 0.2, leaf.shape), leaf.dtype),
        variables["params"],
    )
    return model, variables, rng.uniform(size=(2, 16, 16, 3)).astype(np.float32)


def test_on_a_network_with_a_mean_over_space_it_is_cam(resnet):
    model, variables, images = resnet
    signed = analysis.grad_cam(model, variables, images, LABELS, relu=False, resize=None)
    activation = np.asarray(taps.read(model, variables, images, "stage3"))
    cam = np.einsum("nhwk,kn->nhw", activation, np.asarray(variables["params"]["head"]["kernel"])[:, LABELS])
    assert cam.shape == (2, 4, 4)
    np.testing.assert_allclose(signed, cam / 16, rtol=1e-4, atol=1e-5 * np.abs(cam).max())
    resized = analysis.grad_cam(model, variables, images, LABELS, relu=False)
    for small, large in zip(np.asarray(signed), np.asarray(resized), strict=True):
        np.testing.assert_allclose(large, bilinear(small, (16, 16)), atol=1e-5 * np.abs(small).max())


def test_any_layer_of_it(resnet):
    model, variables, images = resnet
    heat = analysis.grad_cam(model, variables, images, LABELS, layer="stage1/block1/conv2", resize="nearest")
    assert heat.shape == (2, 16, 16)
    assert heat.max() > heat.min() >= 0


class Nested(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = ResNet((1, 1), BasicBlock, width=4, stem="cifar", num_classes=0, name="backbone")(images)
        return nn.Dense(3, name="head")(x)


def network_of(model, size=16):
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    return Network(model, jax.eval_shape(model.init, jax.random.key(0), image))


class Bare(nn.Module):
    """No stages: two convolutions under the names that Flax gives them."""

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(2, (3, 3), name="b")(images)
        x = nn.Conv(2, (3, 3), name="a")(x)
        return nn.Dense(3)(x.mean((1, 2)))


def test_the_default_layer():
    assert network_of(RESNET).spatial_layer((16, 16, 3)) == "stage3"
    assert network_of(Nested()).spatial_layer((16, 16, 3)) == "backbone/stage2"
    assert network_of(Nested()).spatial_layer((16, 16, 3), "stage1") == "backbone/stage1"
    assert network_of(Bare()).spatial_layer((16, 16, 3)) == "a", "the last in order of computation, not of the alphabet"
    assert network_of(RESNET, 4).spatial_layer((4, 4, 3)) == "stage2", "one pixel is no map"


class Twins(nn.Module):
    @nn.compact
    def __call__(self, images):
        left = nn.Sequential([nn.Conv(2, (3, 3), name="stage1")], name="left")(images)
        right = nn.Sequential([nn.Conv(2, (3, 3), name="stage1")], name="right")(images)
        return (left + right).mean((1, 2))


@pytest.mark.parametrize(
    ("model", "layer", "message"),
    [
        (RESNET, "head", r"'head' gives \(1, 10\), which has no spatial extent: .*'stage3'"),
        (RESNET, "stage4", "ResNet has no layer 'stage4', did you mean stage3 or stage2 or stage1"),
        (RESNET, "conv1", "'conv1' could be stage1/block1/conv1, stage2/block1/conv1, stage3/block1/conv1"),
        (zoo.create("mlp"), None, "no layer of MLP has spatial extent"),
        (zoo.create("mlp"), "dense1", r"'dense1' gives \(1, 300\), which has no spatial extent$"),
    ],
    ids=["flat", "unknown", "ambiguous", "none", "none_named"],
)
def test_layers_that_do_not_serve(model, layer, message):
    with pytest.raises(ValueError, match=message):
        network_of(model).spatial_layer((16, 16, 3), layer)


def test_errors_of_layers_reach_the_caller():
    with pytest.raises(ValueError, match="has no layer 'stage2'"):
        analysis.grad_cam(ByHand(), VARIABLES, IMAGES, LABELS, layer="stage2")
    with pytest.raises(ValueError, match="resize='cubic' is unknown: expected 'bilinear', 'nearest' or None"):
        analysis.grad_cam(ByHand(), VARIABLES, IMAGES, LABELS, resize="cubic")


@pytest.mark.parametrize("epsilon", [0.0, 1e-2])
def test_grad_cam_plus_plus_computed_by_hand(epsilon):
    activations = IMAGES @ KERNEL[0, 0]
    gradient = np.moveaxis(HEAD.reshape(4, 6, 2, 3), -1, 0)[LABELS]
    below = 2 * gradient**2 + gradient**3 * activations.sum((1, 2), keepdims=True) + epsilon
    weights = (gradient**2 / below * np.maximum(gradient, 0)).sum((1, 2))
    expected = np.maximum(np.einsum("nk,nhwk->nhw", weights, activations), 0)
    given = analysis.grad_cam_plus_plus(ByHand(), VARIABLES, IMAGES, LABELS, resize=None, epsilon=epsilon)
    np.testing.assert_allclose(given, expected, rtol=5e-3, atol=1e-6)


def test_grad_cam_plus_plus_of_a_flat_score_is_zero():
    flat = jax.tree.map(jnp.zeros_like, VARIABLES)
    np.testing.assert_array_equal(analysis.grad_cam_plus_plus(ByHand(), flat, IMAGES, LABELS), 0)


def test_a_neuron_as_a_score():
    channel = analysis.neurons(ByHand(), VARIABLES, "stage1", at=(2, -1))
    gradient = np.asarray(analysis.saliency(channel, IMAGES, [1, 0], channels=None))
    expected = np.zeros_like(IMAGES)
    expected[:, 2, 5] = KERNEL[0, 0].T[[1, 0]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
    mean = analysis.saliency(analysis.neurons(ByHand(), VARIABLES, "stage1"), IMAGES, [1, 0], channels=None)
    np.testing.assert_allclose(
        mean, np.broadcast_to(KERNEL[0, 0].T[[1, 0]][:, None, None] / 24, IMAGES.shape), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("layer", "at", "message"),
    [
        ("stage1", (4, 0), r"at=\(4, 0\) is outside of layer 'stage1', \(4, 6\) pixels"),
        ("stage1", 3, "at=3: expected a row and a column"),
        ("stage2", None, "has no layer 'stage2', did you mean stage1"),
        ("head", (0, 0), r"layer 'head' gives float32\(.*, 3\): expected"),
    ],
)
def test_neurons_that_are_not_there(layer, at, message):
    with pytest.raises(ValueError, match=message):
        analysis.saliency(analysis.neurons(ByHand(), VARIABLES, layer, at), IMAGES, LABELS)
