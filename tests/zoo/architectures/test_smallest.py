"""The smallest image that the strides of each network without a limit of its own allow."""

import jax
import jax.numpy as jnp
import pytest

import zoo

SMALLEST = {
    "alexnet": 63,
    "alexnet_two_tower": 67,
    "densenet_bc_100_12": 4,
    "gap_net": 4,
    "googlenet": 15,
    "highway19": 4,
    "network_in_network_cifar10": 4,
    "squeezenet1_0": 21,
    "squeezenet1_1": 17,
    "vgg11": 32,
    "xception": 7,
}


DEEP = {"densenet_bc_100_12", "googlenet", "highway19", "xception"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in DEEP else ()) for name in SMALLEST]
)
def test_smallest_image_and_a_clear_error_below_it(name):
    model, size = zoo.create(name, num_classes=3), SMALLEST[name]
    shape = lambda size: jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.zeros((1, size, size, 1)))  # noqa: E731
    assert shape(size)[0].shape == (1, 3)
    with pytest.raises(ValueError, match="larger input"):
        shape(size - 1)
