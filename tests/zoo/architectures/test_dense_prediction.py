import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo.architectures.fcn import FCN, SkipFCN, bilinear_init
from zoo.architectures.fpn import FPN
from zoo.architectures.resnet import ResNet
from zoo.architectures.unet import UNet
from zoo.architectures.vgg import VGG
from zoo.layers import BasicBlock, GroupNorm
from zoo.layers.resize import resize
from zoo.layers.transposed import transposed_convolution

RESNET = ResNet((1, 1, 1, 1), BasicBlock, width=8)
NAMES = ("fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large", "fcn8s_vgg16", "fpn_resnet50", "unet")


def shape(model, *sizes, **settings):
    image = jax.ShapeDtypeStruct((1, *sizes), jnp.float32)
    return jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x, **settings)[0], image)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if "resnet50" in name else ()) for name in NAMES]
)
def test_logits_have_the_image_s_size(name):
    assert shape(zoo.create(name, num_classes=5), 50, 70, 4).shape == (1, 50, 70, 5)
    with jax.numpy_dtype_promotion("standard"):  # flax normalizes in float32 and converts without saying so
        assert shape(zoo.create(name, num_classes=5, dtype=jnp.bfloat16), 64, 32, 3).dtype == jnp.bfloat16


@pytest.mark.parametrize("name", NAMES[:-1])
def test_activation_normalization_and_type_reach_the_backbone(name):
    norm = GroupNorm(2)
    model = zoo.create(name, act=nn.gelu, norm=norm, dtype=jnp.bfloat16)
    assert (model.backbone.act, model.backbone.norm, model.backbone.dtype) == (nn.gelu, norm, jnp.bfloat16)
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    assert "batch_stats" not in jax.eval_shape(zoo.create(name, norm=norm).init, jax.random.key(0), image)
    own = zoo.create(name)
    assert (own.act, own.norm) == (own.backbone.act, own.backbone.norm)
    assert own == zoo.create(name)
    assert hash(own) == hash(zoo.create(name))


def test_a_backbone_is_a_name_or_a_module_that_can_do_what_is_asked_of_it():
    assert (
        zoo.create("fcn_resnet50", backbone="resnet18").backbone
        == zoo.create("fcn_resnet50", backbone=zoo.create("resnet18", num_classes=0)).backbone
    )
    with pytest.raises(ValueError, match="VGG has no field 'output_stride'"):
        zoo.create("fcn_resnet50", backbone="vgg11")
    with pytest.raises(ValueError, match="expected a module with `features`"):
        FCN(nn.Dense(3))
    with pytest.raises(ValueError, match="low='stage9'"):
        shape(zoo.create("lraspp_mobilenet_v3_large", low="stage9"), 64, 64, 3)


def test_the_auxiliary_head_is_there_in_training_only():
    model = FCN(RESNET, num_classes=3, auxiliary=True)
    images = jnp.ones((2, 40, 48, 3))
    variables = jax.eval_shape(model.init, jax.random.key(0), images)
    assert variables["params"]["aux"]["head"]["kernel"].shape == (1, 1, 8, 3)
    assert "aux_logits" not in variables

    def run(variables, train):
        keys = {"dropout": jax.random.key(0)}
        return model.apply(variables, images, train, rngs=keys, mutable=["batch_stats", "aux_logits"])[1]

    sown = jax.eval_shape(lambda v: run(v, True), variables)["aux_logits"]
    assert [leaf.shape for leaf in jax.tree.leaves(sown)] == [(2, 40, 48, 3)]
    assert "aux_logits" not in jax.eval_shape(lambda v: run(v, False), variables)
    assert "aux" not in jax.eval_shape(model.clone(auxiliary=False).init, jax.random.key(0), images)["params"]


def test_published_counts_with_auxiliary_heads(count_parameters):
    assert count_parameters(zoo.create("fcn_resnet50", auxiliary=True), (64, 64, 3)) == 35_322_218
    assert count_parameters(zoo.create("deeplabv3_resnet50", auxiliary=True), (64, 64, 3)) == 42_004_074


def test_bilinear_transposed_convolution_is_bilinear_interpolation(normal):
    x, kernel = jnp.asarray(normal(1, 6, 6, 2)), bilinear_init(jax.random.key(0), (8, 8, 2, 2))
    found, expected = transposed_convolution(x, kernel, 4), resize(x, 24)
    np.testing.assert_allclose(found[:, 2:-2, 2:-2], expected[:, 2:-2, 2:-2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("skips", [0, 1, 2])
def test_skips_add_scores_of_finer_stages(skips):
    model = SkipFCN(VGG((1,) * 5, (2, 3, 4, 5, 6)), num_classes=3, skips=skips, width=7)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 64, 64, 3)))["params"]
    assert [params[f"skip{i}"]["kernel"].shape[2] for i in range(1, skips + 1)] == [5, 4][:skips]
    assert params["up"]["kernel"].shape[0] == 64 // 2**skips
    assert params["dense1"]["kernel"].shape == (7, 7, 6, 7)
    assert "skip3" not in params
    with pytest.raises(ValueError, match="skips=3"):
        shape(model.clone(skips=3), 64, 64, 3)


def test_an_untrained_fcn32s_draws_the_coarse_scores_bilinearly(draw, apply, normal):
    model = SkipFCN(VGG((1,) * 5, (2, 3, 4, 5, 6)), num_classes=2, skips=0, width=8)
    images, variables = jnp.asarray(normal(1, 96, 96, 1)), draw(model, 96, 96, 1)
    params = variables["params"] | {"up": {"kernel": bilinear_init(jax.random.key(0), (64, 64, 2, 2))}}
    logits = apply(model, {"params": params}, images)
    features = apply(model.clone(num_classes=0), {"params": params}, images)
    expected = resize(features @ params["head"]["kernel"][0, 0] + params["head"]["bias"].reshape(1, 1, 1, 2), 96)
    np.testing.assert_allclose(logits[:, 16:-16, 16:-16], expected[:, 16:-16, 16:-16], rtol=1e-4, atol=1e-6)


def test_unet_has_the_paper_s_weights_and_joins_equals(count_parameters):
    down = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    count = sum(9 * a * b + b + 9 * b * b + b for a, b in down)
    count += sum(4 * b * a + a + 9 * b * a + a + 9 * a * a + a for a, b in down[1:])
    assert count_parameters("unet") == count + 64 * 2 + 2 == 31_030_658
    model = UNet(widths=(2, 3, 4), num_classes=0)
    image = jnp.ones((1, 21, 30, 1))
    stages = jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x, method="features")[0], image)
    assert [stages[f"stage{i}"].shape[1:] for i in range(1, 6)] == [
        (24, 32, 2),
        (12, 16, 3),
        (6, 8, 4),
        (12, 16, 3),
        (24, 32, 2),
    ]


def test_the_pyramid_is_lateral_plus_what_is_above(draw, apply, normal):
    """Levels by hand: each 1×1 image of a stage plus every pixel of the level above four times, then a 3×3."""
    model = FPN(RESNET, num_classes=2, width=4, head_width=4)
    images, variables = jnp.asarray(normal(1, 64, 96, 3)), draw(model, 64, 96, 3)
    inner = {kind: variables[kind]["backbone"] for kind in variables if "backbone" in variables[kind]}
    stages = apply(RESNET, inner, images, method="features")
    levels = apply(model, variables, images, method="features")
    assert list(levels) == ["level1", "level2", "level3", "level4"]
    params, above = variables["params"], None
    for index in (4, 3, 2, 1):
        kernel, bias = (np.asarray(params[f"lateral{index}"][name]) for name in ("kernel", "bias"))
        x = np.asarray(stages[f"stage{index}"]) @ kernel[0, 0] + bias
        above = x if above is None else x + above.repeat(2, axis=1).repeat(2, axis=2)
        smooth = nn.Conv(4, (3, 3)).apply({"params": params[f"level{index}"]}, jnp.asarray(above))
        np.testing.assert_allclose(levels[f"level{index}"], smooth, rtol=1e-3, atol=1e-4)


def test_embeddings_lie_on_the_unit_sphere(draw, apply, normal, count_parameters):
    model = zoo.create("embedding_resnet18", backbone=RESNET, num_classes=5)
    images, variables = jnp.asarray(normal(3, 40, 40, 3)), draw(model, 40, 40, 3)
    points = apply(model, variables, images)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 1, rtol=1e-5)
    flat = jax.tree.map(jnp.zeros_like, variables)
    assert not np.asarray(apply(model, flat, images)).any()
    assert count_parameters("embedding_resnet18") == count_parameters("resnet18") - 513_000 + 512 * 128 + 128
