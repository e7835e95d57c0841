"""What the efficient families share: activations that can be replaced, gates that stay, depth that is skipped more."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import zoo
from convzoo.jaxprs import equations
from zoo.architectures import efficientnet, mnasnet, mobilenet_v3
from zoo.architectures.convnext import ConvNeXt
from zoo.architectures.mobilenet_v1 import MobileNetV1
from zoo.architectures.preact_resnet import PreActivationResNet
from zoo.architectures.regnet import RegNet
from zoo.architectures.resnet import ResNet
from zoo.architectures.shufflenet_v1 import ShuffleNetV1
from zoo.architectures.shufflenet_v2 import ShuffleNetV2
from zoo.layers import BatchNorm, NoNorm, SqueezeExcite

IMAGE = jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32)

# A small relative of each family, and the gates in it, which no `act` may touch.
RELATIVES = {
    "mobilenet_v1": (MobileNetV1(((8,), (16,))), []),
    "mnasnet": (mnasnet.MNASNet(mnasnet.STAGES[:2]), []),
    "mobilenet_v3": (mobilenet_v3.MobileNetV3(mobilenet_v3.SMALL[:3]), ["max", "min"] * 6),
    "efficientnet": (efficientnet.EfficientNet(efficientnet.B[:2]), ["logistic"] * 3),
    "efficientnet_v2": (efficientnet.EfficientNet(efficientnet.V2_S[:2]), []),
    "shufflenet_v1": (ShuffleNetV1(2, 32, (2, 1)), []),
    "shufflenet_v2": (ShuffleNetV2((16, 32), 32, (2, 1)), []),
    "regnet": (RegNet(4, 8, 8.0, 2.0, 8, squeeze=0.25), ["logistic"] * 4),
    "convnext": (ConvNeXt(8, (1, 1)), []),
    "seresnet": (ResNet((1, 1), attention=SqueezeExcite), ["logistic"] * 2),
    "preact_resnet": (PreActivationResNet((1, 1)), []),
}
NONLINEAR = ("max", "min", "clamp", "logistic", "erf", "erfc", "tanh", "exp")


def nonlinearities(program):
    """Names of the primitives that bend values, anywhere in a traced program."""
    names = [equation.primitive.name for _, equation in equations(program)]
    return [name for name in names if name in NONLINEAR]


@pytest.mark.parametrize("name", RELATIVES)
def test_act_replaces_everything_but_the_gates(name):
    relative, gates = RELATIVES[name]
    model = relative.clone(act=jnp.sin, norm=NoNorm())
    variables = jax.eval_shape(model.init, jax.random.key(0), IMAGE)
    assert "batch_stats" not in variables
    assert sorted(nonlinearities(jax.make_jaxpr(model.apply)(variables, IMAGE))) == sorted(gates)


@pytest.mark.parametrize("name", RELATIVES)
def test_half_precision_throughout(name):
    model = RELATIVES[name][0].clone(dtype=jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):  # flax normalizes in float32 and converts without saying so
        logits, variables = jax.eval_shape(model.init_with_output, jax.random.key(0), IMAGE)
    assert logits.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_hard_swish_and_relu_are_where_the_paper_has_them(monkeypatch):
    model, counts = zoo.create("mobilenet_v3_large"), {"hard_swish": 0, "relu": 0}
    variables = jax.eval_shape(model.init, jax.random.key(0), IMAGE)

    def count(kind, x):
        counts[kind] += 1
        return x

    for kind in counts:
        monkeypatch.setattr(nn, kind, functools.partial(count, kind))
    jax.eval_shape(model.apply, variables, IMAGE)
    # Nine blocks of two, the stem, the last convolution, the dense layer; six blocks of two, less the
    # expansion that the first lacks, and eight squeeze-excites.
    assert counts == {"hard_swish": 9 * 2 + 3, "relu": 6 * 2 - 1 + 8}


def skipped(model):
    """The rate of every branch that training may skip, in order."""
    rates = []

    def record(function, args, kwargs, context):
        if context.module.name == "drop_path":
            rates.append(context.module.rate)
        return function(*args, **kwargs)

    with nn.intercept_methods(record):
        jax.eval_shape(model.init, jax.random.key(0), IMAGE)
    return rates


def test_later_branches_are_skipped_more_often():
    # Of the sixteen blocks, those that stride or widen have no way around, nor has the first.
    blocks = (2, 4, 6, 7, 9, 10, 12, 13, 14)
    assert skipped(zoo.create("efficientnet_b0")) == pytest.approx([0.2 * block / 16 for block in blocks])
    assert skipped(zoo.create("convnext_tiny")) == pytest.approx([0.1 * block / 17 for block in range(1, 18)])


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("efficientnet_b4", BatchNorm()),
        ("efficientnet_b5", BatchNorm(epsilon=1e-3, momentum=0.99)),
        ("efficientnet_v2_m", BatchNorm(epsilon=1e-3)),
        ("mobilenet_v3_small", BatchNorm(epsilon=1e-3, momentum=0.99)),
        ("mnasnet1_0", BatchNorm(momentum=0.9997)),
    ],
)
def test_constants_of_batch_normalization(name, norm):
    assert zoo.create(name).norm == norm


def test_a_dilated_last_stage_keeps_resolution_and_weights():
    found = {}
    for dilated in (False, True):
        model = zoo.create("mobilenet_v3_small", dilated=dilated)
        stages, variables = jax.eval_shape(
            functools.partial(model.init_with_output, method="features"), jax.random.key(0), IMAGE
        )
        found[dilated] = [stage.shape[1] for stage in stages.values()], jax.tree.map(jnp.shape, variables)
    assert found[False][0] == [16, 8, 4, 2]
    assert found[True][0] == [16, 8, 4, 4]
    assert found[True][1] == found[False][1]


def test_convnext_refuses_what_its_strides_use_up():
    model = zoo.create("convnext_tiny")
    with pytest.raises(ValueError, match="larger input, of 32×32"):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 31, 64, 3)))
