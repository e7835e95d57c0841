from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
import zoo
from analysis import taps
from analysis.attribution.class_activation import averaged_layer
from analysis.network import Network
from tests.support.helpers import random_variables

RNG = np.random.default_rng(6)
RESNET = zoo.create("resnet20", blocks=(1, 1, 1))


class Net(nn.Module):
    """A convolution, something, a mean over space, something, a linear layer."""

    before: Any = None
    after: Any = None

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(4, (3, 3), name="last")(images)
        x = self.before(x) if self.before else x
        x = x.mean((1, 2))
        x = self.after(x) if self.after else x
        return nn.Dense(3, name="head")(x)


IMAGES, LABELS = RNG.uniform(size=(2, 6, 6, 3)).astype(np.float32), np.array([2, 0])
VARIABLES = random_variables(Net(), (6, 6, 3), scale=0.4)


@pytest.mark.parametrize("before", [None, nn.relu])
def test_is_the_weights_times_the_maps_and_its_mean_the_logit(before):
    model = Net(before)
    maps = np.asarray(taps.read(model, VARIABLES, IMAGES, "last"))
    maps = maps if before is None else np.maximum(maps, 0)
    head = VARIABLES["params"]["head"]
    expected = np.einsum("nhwk,kn->nhw", maps, np.asarray(head["kernel"])[:, LABELS])
    given = np.asarray(analysis.cam(model, VARIABLES, IMAGES, LABELS, resize=None))
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-6)
    logits = np.asarray(model.apply(VARIABLES, IMAGES))[np.arange(2), LABELS]
    np.testing.assert_allclose(given.mean((1, 2)) + np.asarray(head["bias"])[LABELS], logits, rtol=1e-4)
    rectified = analysis.cam(model, VARIABLES, IMAGES, LABELS, relu=True, resize=None)
    np.testing.assert_array_equal(rectified, np.maximum(given, 0))


def test_on_a_residual_network_it_is_grad_cam_up_to_a_constant():
    model = zoo.create("resnet20", blocks=(1, 1), width=4, num_classes=3)
    variables = zoo.init(model, jax.random.key(0), (8, 8, 3))
    variables["params"]["head"]["kernel"] = jnp.asarray(RNG.normal(size=(8, 3)), jnp.float32)
    images = RNG.uniform(size=(2, 8, 8, 3)).astype(np.float32)
    cam = np.asarray(analysis.cam(model, variables, images, LABELS))
    grad_cam = analysis.grad_cam(model, variables, images, LABELS, relu=False)
    np.testing.assert_allclose(cam, 16 * grad_cam, rtol=1e-4, atol=1e-5 * np.abs(cam).max())


def network_of(model, size=6):
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    return Network(model, jax.eval_shape(model.init, jax.random.key(0), image))


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        (zoo.create("resnet18", blocks=(1, 1, 1, 1)), "stage4"),
        (zoo.create("densenet121", layers=(1, 1, 1, 1)), "norm"),
        (zoo.create("mobilenet_v2", stages=(((1, 16, 1),),)), "final"),
        (zoo.create("squeezenet1_1"), "head"),
        (zoo.create("network_in_network_cifar10"), "head"),
    ],
    ids=["resnet", "densenet", "mobilenet", "squeezenet", "network_in_network"],
)
def test_networks_of_the_zoo_that_have_one(model, layer):
    assert averaged_layer(network_of(model, 64), (64, 64, 3)) == layer


@pytest.mark.parametrize(
    ("model", "layer", "message"),
    [
        (Net(nn.gelu), None, "Net has no class activation map of layer 'last': .* grad_cam takes any network"),
        (Net(after=nn.relu), None, "stands 'max' in"),
        (Net(before=lambda x: x + 1.0), None, "stands 'add' in"),
        (zoo.create("vgg11"), None, "VGG.* has no class activation map"),
        (RESNET, "stage2", "ResNet has no class activation map of layer 'stage2'.*stands 'slice' in"),
        (RESNET, "head", "which has no spatial extent"),
        (RESNET, "stage4", "ResNet has no layer 'stage4', did you mean"),
    ],
    ids=["gelu", "hidden_layer", "offset", "vgg", "early_layer", "flat", "unknown"],
)
def test_networks_and_layers_that_have_none(model, layer, message):
    with pytest.raises(ValueError, match=message):
        averaged_layer(network_of(model, 32), (32, 32, 3), layer)


def test_refusals_reach_the_caller():
    model = Net(nn.gelu)
    with pytest.raises(ValueError, match="Net has no class activation map"):
        analysis.cam(model, VARIABLES, IMAGES, LABELS)


def test_score_cam_by_loops():
    model = Net(nn.relu)
    preprocess = zoo.Preprocess((0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
    inputs = np.asarray(preprocess(jnp.asarray(IMAGES[:, ::2, ::2])))
    images = IMAGES[:, ::2, ::2]
    maps = np.asarray(taps.read(model, VARIABLES, inputs, "last"))
    expected = []
    for image, activation, label in zip(inputs, maps, LABELS, strict=True):
        scores = []
        for channel in np.moveaxis(activation, -1, 0):
            mask = (channel - channel.min()) / (channel.max() - channel.min())
            scores.append(model.apply(VARIABLES, (image * mask[..., None])[None])[0, label])
        weights = np.asarray(jax.nn.softmax(jnp.stack(scores)))
        expected.append(np.maximum(activation @ weights, 0))
    given = analysis.score_cam(model, VARIABLES, images, LABELS, preprocess=preprocess, batch_size=3)
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-6)
