import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from zoo.architectures.resnet import ResNet
from zoo.layers import BottleneckBlock

SMALL = ResNet((1, 2, 2, 2), BottleneckBlock, width=8, num_classes=3)
TINY = ResNet((1, 1, 1), width=2, stem="cifar", num_classes=3)


@pytest.mark.parametrize(
    ("output_stride", "sizes"), [(32, (24, 12, 6, 3)), (16, (24, 12, 6, 6)), (8, (24, 12, 12, 12))]
)
def test_dilation_keeps_resolution_and_parameters(output_stride, sizes):
    model, image = SMALL.clone(output_stride=output_stride), jax.ShapeDtypeStruct((1, 96, 96, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    assert variables == jax.eval_shape(SMALL.init, jax.random.key(0), image)
    stages = jax.eval_shape(lambda v, x: model.apply(v, x, method="features"), variables, image)
    assert tuple(stage.shape[1] for stage in stages.values()) == sizes


def test_a_dilated_network_answers_between_the_pixels_of_the_strided_one(draw, apply, normal):
    """Away from the border, every fourth output at stride 1 is the output at stride 4."""
    images = jnp.asarray(normal(1, 48, 48, 1))
    variables = draw(TINY, 48, 48, 1)
    coarse, fine = (
        np.asarray(apply(TINY.clone(output_stride=stride), variables, images, method="features")["stage3"])
        for stride in (4, 1)
    )
    np.testing.assert_allclose(coarse[:, 4:8, 4:8], fine[:, 16:32:4, 16:32:4], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("output_stride", [2, 12])
def test_an_output_stride_that_cannot_be_is_refused(output_stride):
    with pytest.raises(ValueError, match=f"output_stride={output_stride}"):
        jax.eval_shape(SMALL.clone(output_stride=output_stride).init, jax.random.key(0), jnp.ones((1, 64, 64, 3)))


def test_deformable_with_offsets_of_zero_is_the_plain_network_with_its_weights(draw, apply, normal):
    model, images = TINY.clone(deformable=2), jnp.asarray(normal(2, 12, 16, 3))
    drawn = draw(model, 12, 16, 3)
    params = flatten_dict(drawn["params"])
    assert sum("offset" in path for path in params) == 2 * 2

    def logits(model, params):
        return apply(model, {**drawn, "params": unflatten_dict(params)}, images)

    still = {path: leaf * 0 if "offset" in path else leaf for path, leaf in params.items()}
    expected = logits(TINY, {path: leaf for path, leaf in params.items() if "offset" not in path})
    np.testing.assert_allclose(logits(model, still), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(logits(model, params) - expected).max() > 1e-3


def test_the_catalogue_s_deformable_network_adds_offsets_to_thirteen_convolutions(count_parameters):
    # Eighteen offsets from a 3×3 convolution: 4 of width 128, 6 of 256, 3 of 512.
    extra = sum(count * (9 * width * 18 + 18) for count, width in ((4, 128), (6, 256), (3, 512)))
    assert count_parameters("deformable_resnet50") == count_parameters("resnet50") + extra
