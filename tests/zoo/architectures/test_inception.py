import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo.architectures.inception import InceptionHead
from zoo.layers import NoNorm


@pytest.mark.parametrize("size", [17, 10])
def test_auxiliary_head_is_means_two_convolutions_and_a_dense_layer(size, filled):
    """On 17×17 the means are those of 5×5 windows with stride 3; a smaller map is averaged to 5×5."""
    x = np.random.default_rng(0).standard_normal((2, size, size, 3)).astype(np.float32)
    head = InceptionHead(num_classes=4, norm=NoNorm())
    params = filled(head, x)["params"]
    _, state = jax.jit(lambda params, x: head.apply({"params": params}, x, True, mutable=["aux_logits"]))(params, x)
    step, window = (3, 5) if size == 17 else (2, 2)
    means = np.zeros((2, 5, 5, 3), np.float32)
    for i, j in np.ndindex(5, 5):
        means[:, i, j] = x[:, i * step : i * step + window, j * step : j * step + window].mean((1, 2))
    y = np.maximum(means @ np.asarray(params["conv1"]["conv"]["kernel"])[0, 0], 0)
    y = np.maximum(np.tensordot(y, np.asarray(params["conv2"]["conv"]["kernel"]), 3), 0)
    expected = y @ np.asarray(params["head"]["kernel"]) + np.asarray(params["head"]["bias"])
    np.testing.assert_allclose(jax.tree.leaves(state)[0], expected, rtol=1e-4, atol=1e-4)


def test_stages_of_inception_v4_have_the_sizes_of_the_paper():
    shapes = {stage.name: stage.output_shape for stage in zoo.card("inception_v4").stages}
    assert shapes == {
        "stem": (147, 147, 64),
        "stage1": (71, 71, 192),
        "stage2": (35, 35, 384),
        "stage3": (17, 17, 1024),
        "stage4": (8, 8, 1536),
        "head": (1000,),
    }


def test_names_are_refused_for_stages_of_ones_own():
    model = zoo.create("inception_v3", stages=zoo.create("inception_v3").stages[:3])
    with pytest.raises(ValueError, match="stages of inception_v3 and inception_v4"):
        zoo.load_torch(model, {}, (75, 75, 3))


def test_auxiliary_head_takes_small_images_too():
    model = zoo.create("inception_v3_aux")
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 96, 107, 3)))
    assert variables["params"]["stage3"]["aux"]["conv2"]["conv"]["kernel"].shape == (5, 5, 128, 768)
