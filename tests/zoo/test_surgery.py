"""Every change to a model against what the model did before, or against a dense oracle."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import zoo
from tests.support.helpers import random_variables
from zoo import surgery
from zoo.architectures.alexnet import AlexNet
from zoo.architectures.densenet import DenseNet
from zoo.architectures.mlp import MLP
from zoo.architectures.mobilenet_v2 import MobileNetV2
from zoo.architectures.resnet import ResNet
from zoo.architectures.vgg import VGG
from zoo.layers.folded import FoldedNorm
from zoo.layers.normalization import BatchNorm, GroupNorm
from zoo.layers.residual import BasicBlock, BottleneckBlock

CIFAR = ResNet((1, 1), BasicBlock, width=8, stem="cifar", num_classes=5)


@functools.cache
def numbers(model: nn.Module, shape: tuple[int, int, int]) -> dict:
    """Variables that are nowhere 0 or 1, of the size that keeps signals alive."""
    generator = np.random.default_rng(0)

    def draw(path, leaf):
        normal = generator.standard_normal(leaf.shape).astype(np.float32)
        name = path[-1].key
        if name in ("var", "scale"):
            return jnp.asarray(1 + np.float32(0.4) * np.tanh(normal))
        if name in ("mean", "bias"):
            return jnp.asarray(np.float32(0.2) * normal)
        return jnp.asarray(normal * np.float32(np.sqrt(2 / np.prod(leaf.shape[:-1]))))

    shapes = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    return jax.tree_util.tree_map_with_path(draw, {k: shapes[k] for k in ("params", "batch_stats") if k in shapes})


def images(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal((2, *shape)), jnp.float32)


@functools.partial(jax.jit, static_argnames=("model",))
def run(model, variables, images):
    return model.apply(variables, images)


def close(a, b, tolerance=2e-5):
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()
    assert np.ptp(b) > 0.01 * np.abs(b).max(), "a constant would pass"


class TestWithHead:
    def test_only_the_head_is_new(self):
        variables = numbers(CIFAR, (16, 16, 3))
        model, changed = surgery.with_head(CIFAR, variables, 7, jax.random.key(1))
        assert model == CIFAR.clone(num_classes=7)
        before, after = flatten_dict(variables), flatten_dict(changed)
        assert after.keys() == before.keys()
        different = {path[1:] for path in before if before[path] is not after[path]}
        assert different == {("head", "kernel"), ("head", "bias")}
        assert after["params", "head", "kernel"].shape == (16, 7)

    def test_the_new_head_is_drawn_from_the_key(self):
        heads = [
            surgery.with_head(CIFAR, numbers(CIFAR, (16, 16, 3)), 500, jax.random.key(seed))[1]["params"]["head"]
            for seed in (1, 1, 2)
        ]
        np.testing.assert_array_equal(heads[0]["kernel"], heads[1]["kernel"])
        assert (heads[0]["kernel"] != heads[2]["kernel"]).all()
        assert abs(np.std(heads[0]["kernel"]) * 4 - 1) < 0.05  # variance 1 / 16 inputs
        assert not heads[0]["bias"].any()

    def test_no_classes_are_features_and_back(self):
        variables, x = numbers(CIFAR, (16, 16, 3)), images((16, 16, 3))
        model, changed = surgery.with_head(CIFAR, variables, 0, jax.random.key(1), (16, 16, 3))
        head = variables["params"]["head"]
        close(run(model, changed, x) @ head["kernel"] + head["bias"][None], run(CIFAR, variables, x))
        model, again = surgery.with_head(model, changed, 5, jax.random.key(1), (16, 16, 3))
        assert model == CIFAR
        assert again["params"]["head"]["kernel"].shape == (16, 5)

    @pytest.mark.slow
    def test_auxiliary_heads_follow(self):
        model = zoo.create("googlenet_aux")
        shapes = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), (224, 224, 3)))
        _, changed = jax.eval_shape(lambda v: (0, surgery.with_head(model, v, 7, jax.random.key(1))[1]), shapes)
        before, after = flatten_dict(shapes), flatten_dict(changed)
        different = {path[:-1] for path in before if before[path].shape != after[path].shape}
        assert len(different) == 3
        assert {after[*path, "bias"].shape for path in different} == {(7,)}

    def test_refuses_the_variables_of_another_model(self):
        with pytest.raises(ValueError, match="not the variables of ResNet: batch_stats/stage2"):
            surgery.with_head(CIFAR, numbers(CIFAR.clone(blocks=(1,)), (16, 16, 3)), 7, jax.random.key(1))


class TestWithInputChannels:
    @pytest.mark.parametrize(("old", "new"), [(3, 1), (3, 2), (3, 4), (3, 6), (1, 3), (4, 3)])
    def test_equals_the_old_model_on_dealt_channels(self, old, new):
        variables, x = numbers(CIFAR, (16, 16, old)), images((16, 16, min(old, new)))
        model, changed = surgery.with_input_channels(CIFAR, variables, new)
        dealt = lambda channels: x[..., np.arange(channels) % x.shape[-1]]  # noqa: E731
        close(run(model, changed, dealt(new)), run(CIFAR, variables, dealt(old)))

    def test_flattened_images_too(self):
        model = MLP((8,), num_classes=4)
        variables, x = numbers(model, (6, 5, 3)), images((6, 5, 1))
        _, changed = surgery.with_input_channels(model, variables, 1, (6, 5, 3))
        close(run(model, changed, x), run(model, variables, jnp.repeat(x, 3, axis=-1)))

    def test_refuses_inputs_that_are_not_channels(self):
        model = zoo.create("coordinate_regressor")
        shapes = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), (32, 32, 3)))
        with pytest.raises(ValueError, match="not the channels of 1 pixel"):
            surgery.with_input_channels(model, shapes, 1)


class TestDenseToConv:
    def test_one_answer_at_the_size_it_was_made_for_and_a_map_beyond(self):
        model = VGG((1, 1), (4, 6), dense=(16,), num_classes=3)
        variables = numbers(model, (28, 28, 3))
        converted, changed = surgery.dense_to_conv(model, variables)
        x = images((28, 28, 3))
        close(run(converted, changed, x)[:, 0, 0], run(model, variables, x))
        large = images((36, 44, 3))
        features = jax.jit(lambda v, x: nn.max_pool(model.apply(v, x, method="features")["stage2"], (2, 2), (2, 2)))(
            variables, large
        )
        assert features.shape == (2, 9, 11, 6)
        logits = run(converted, changed, large)
        assert logits.shape == (2, 3, 5, 3)
        for row in range(3):
            for column in range(5):
                x = np.asarray(features[:, row : row + 7, column : column + 7]).reshape(2, -1)
                dense, head = variables["params"]["dense1"], variables["params"]["head"]
                hidden = np.maximum(x @ dense["kernel"] + dense["bias"][None], 0)
                close(logits[:, row, column], hidden @ head["kernel"] + head["bias"][None])

    @pytest.mark.parametrize(
        ("model", "size"),
        [(AlexNet(), (8, 8)), (VGG((1, 1, 2, 2, 2)), (8, 8)), (zoo.create("alexnet_two_tower"), (7, 7))],
    )
    def test_448_pixels_give_a_map_of_predictions(self, model, size):
        shape = zoo.catalog.input_shape(model)
        variables = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), shape))
        changed = jax.eval_shape(lambda v: surgery.dense_to_conv(model, v)[1], variables)
        converted = model.clone(convolutional=True)
        answer = functools.partial(jax.eval_shape, converted.apply, changed)
        assert answer(jax.ShapeDtypeStruct((1, *shape), jnp.float32)).shape == (1, 1, 1, 1000)
        assert answer(jax.ShapeDtypeStruct((1, 448, 448, 3), jnp.float32)).shape == (1, *size, 1000)

    def test_names_the_families_that_can(self):
        with pytest.raises(ValueError, match=r"ResNet has no field 'convolutional': AlexNet, VGG have"):
            surgery.dense_to_conv(CIFAR, {})


class TestFoldBatchNorm:
    @pytest.mark.parametrize(
        ("model", "kept"),
        [
            (CIFAR, 0),
            (VGG((1, 1), (4, 6), dense=(8,), num_classes=5, norm=BatchNorm(epsilon=0.1)), 0),
            (MobileNetV2((((1, 4, 1),), ((6, 8, 2),)), width=0.25, num_classes=5), 0),
            (DenseNet((2, 2), growth=4, width=8, stem="cifar", num_classes=5), 6),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_nothing_changes_but_the_work(self, model, kept):
        variables, x = numbers(model, (16, 16, 3)), images((16, 16, 3))
        folded, changed = surgery.fold_batch_norm(model, variables)
        close(run(folded, changed, x), run(model, variables, x))
        assert changed.keys() == {"params"}
        assert len(folded.norm.scaled) == kept
        scales = {path[1:-1] for path in flatten_dict(changed) if path[-1] == "scale"}
        assert {"/".join(path) for path in scales} == set(folded.norm.scaled)

    def test_every_layer_that_follows_a_convolution_is_found(self):
        for name, total, kept in (("resnet50", 53, 0), ("preact_resnet50", 49, 17)):
            found = surgery._batch_norms(zoo.create(name), (224, 224, 3))
            assert (len(found), sum(layer is None for _, layer in found.values())) == (total, kept)

    def test_a_convolution_that_others_read_too_is_left_alone(self):
        class Fork(nn.Module):
            norm: BatchNorm | FoldedNorm = BatchNorm()

            @nn.compact
            def __call__(self, images, train=False):
                x = nn.Conv(4, (3, 3), name="conv")(images)
                return x + nn.relu(self.norm(x, train=train, name="norm"))

        model, shape = Fork(), (8, 8, 3)
        variables, x = numbers(model, shape), images(shape)
        folded, changed = surgery.fold_batch_norm(model, variables)
        assert folded.norm.scaled == ("norm",)
        close(run(folded, changed, x), run(model, variables, x))

    def test_other_normalizations_stay(self):
        model = CIFAR.clone(norm=GroupNorm(4))
        variables = numbers(model, (16, 16, 3))
        assert surgery.fold_batch_norm(model, variables) == (model, variables)
        folded, changed = surgery.fold_batch_norm(CIFAR, numbers(CIFAR, (16, 16, 3)))
        assert surgery.fold_batch_norm(folded, changed)[0] == folded

    def test_training_leaves_the_statistics_where_they_are(self):
        folded, changed = surgery.fold_batch_norm(CIFAR, numbers(CIFAR, (16, 16, 3)))
        x = images((16, 16, 3))
        close(folded.apply(changed, x, train=True), run(folded, changed, x))


class TestWithOutputStride:
    @pytest.mark.parametrize("block", [BasicBlock, BottleneckBlock])
    @pytest.mark.parametrize("output_stride", [8, 16])
    def test_every_kth_position_equals_the_map_before(self, block, output_stride):
        model = ResNet((1, 1, 2, 2), block, width=8, num_classes=0)
        variables, x = numbers(model, (64, 64, 3)), images((66, 97, 3))
        changed, same = surgery.with_output_stride(model, variables, output_stride)
        assert same is variables
        features = jax.jit(lambda model, v, x: model.apply(v, x, method="features")["stage4"], static_argnums=0)
        step = 32 // output_stride
        dilated, before = features(changed, variables, x), features(model, variables, x)
        assert dilated.shape[1:3] == (-(-66 // output_stride), -(-97 // output_stride))
        close(dilated[:, ::step, ::step], before)

    def test_refuses_what_cannot_be(self):
        with pytest.raises(ValueError, match="output_stride=12"):
            surgery.with_output_stride(zoo.create("resnet18"), {}, 12)
        with pytest.raises(ValueError, match=r"VGG has no field 'output_stride': .*ResNet"):
            surgery.with_output_stride(zoo.create("vgg11"), {}, 8)


def test_one_logit_becomes_two_classes():
    model = zoo.create("lenet5", num_classes=1)
    variables = random_variables(model, (32, 32, 1))
    changed, padded = surgery.with_two_classes(model, variables)
    images = np.random.default_rng(0).random((2, 32, 32, 1), np.float32)
    z = model.apply(variables, images)
    assert np.ptp(z) > 0
    np.testing.assert_allclose(changed.apply(padded, images), np.pad(z, ((0, 0), (1, 0))), rtol=1e-5)


def test_only_one_logit_becomes_two_classes():
    with pytest.raises(ValueError, match="num_classes=10: expected a model of one logit"):
        surgery.with_two_classes(zoo.create("lenet5"), {})
