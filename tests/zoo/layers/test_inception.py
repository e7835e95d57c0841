import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers import (
    Conv,
    FactorisedInception,
    Inception,
    NaiveInception,
    NoNorm,
    convolution,
    max_pool,
    receptive_field,
)
from zoo.layers.inception import Branches, Fork, Pool, Step


def shapes(layer, channels=64):
    y, variables = jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 9, 9, channels)))
    return y.shape, variables["params"]


def weights(branch):
    return sum(unit["conv"]["kernel"].size for unit in branch.values())


def test_cost_of_the_naive_and_the_bottleneck_module():
    """Every branch C → C/4: the 5×5 costs 6.25·C² against 1.81·C², 3.45 times less; only one keeps C channels."""
    c = 64
    naive_shape, naive = shapes(NaiveInception(c // 4, c // 4, c // 4), c)
    thin_shape, thin = shapes(Inception(c // 4, (c // 4, c // 4), (c // 4, c // 4), c // 4), c)
    assert (naive_shape[-1], thin_shape[-1]) == (3 * c // 4 + c, c)
    table = {
        name: (weights(naive[name]) / c**2, weights(thin[name]) / c**2) for name in ("branch1", "branch2", "branch3")
    }
    assert table == {"branch1": (0.25, 0.25), "branch2": (2.25, 0.8125), "branch3": (6.25, 1.8125)}
    np.testing.assert_allclose(6.25 / 1.8125, 3.45, atol=0.005)


def test_channels_of_stacked_naive_modules_explode():
    stack = nn.Sequential([NaiveInception(8, 8, 8) for _ in range(4)])
    y, _ = jax.eval_shape(stack.init_with_output, jax.random.key(0), jnp.ones((1, 9, 9, 16)))
    assert y.shape[-1] == 16 + 4 * 24


def test_naive_module_is_its_branches_side_by_side(normal, draw):
    x = jnp.asarray(normal(1, 6, 5, 4))
    layer = NaiveInception(2, 3, 1, norm=NoNorm())
    variables = draw(layer, x)
    kernels = [variables["params"][f"branch{i}"]["conv1"]["conv"]["kernel"] for i in (1, 2, 3)]
    parts = [nn.relu(convolution(x, kernel)) for kernel in kernels] + [max_pool(x, 3, 1, 1)]
    np.testing.assert_allclose(jax.jit(layer.apply)(variables, x), jnp.concatenate(parts, -1), rtol=1e-5, atol=1e-5)


def test_third_branch_of_torchvision_has_a_3x3_kernel():
    _, params = shapes(Inception(64, (96, 128), (16, 32), 32, kernel_size=3))
    assert params["branch3"]["conv2"]["conv"]["kernel"].shape == (3, 3, 16, 32)


@pytest.mark.parametrize(
    ("form", "channels", "kernels"),
    [
        ("stacked", 64, [(1, 1), (3, 3), (3, 3)]),
        ("asymmetric", 64, [(1, 1), (7, 1), (1, 7), (7, 1), (1, 7)]),
        ("expanded", 96, [(1, 1), (3, 3), (1, 3), (3, 1)]),
    ],
)
def test_factorised_forms(form, channels, kernels):
    shape, params = shapes(FactorisedInception(16, (8, 16), (8, 16), 16, form=form))
    assert shape == (1, 9, 9, channels)
    branch = params["branch3"]
    assert [branch[name]["conv"]["kernel"].shape[:2] for name in sorted(branch)] == kernels


def test_two_3x3_see_what_a_5x5_sees_for_28_percent_less():
    assert receptive_field([3, 3]) == receptive_field([5]) == 5
    count = lambda k: 9 if k == 3 else 25  # noqa: E731
    np.testing.assert_allclose(1 - 2 * count(3) / count(5), 0.28)
    _, one = shapes(Conv(64, 5, use_bias=False))
    _, two = shapes(nn.Sequential([Conv(64, 3, use_bias=False), Conv(64, 3, use_bias=False)]))
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(params)) for params in (one, two)]
    np.testing.assert_allclose(1 - sizes[1] / sizes[0], 0.28)


def test_branches_are_data():
    layer = Branches(((Step(8, 3, 2),), (Pool("avg", 3, 2),), (Step(4), Fork((Step(2, (1, 3), 2), Step(3, 3, 2))))))
    shape, params = shapes(layer, 5)
    assert shape == (1, 5, 5, 8 + 5 + 5)
    assert set(params) == {"branch1", "branch3"}
    assert set(params["branch3"]) == {"conv1", "conv2a", "conv2b"}
    assert hash(layer) == hash(layer.clone())


def test_activation_and_normalization_reach_every_convolution(draw):
    layer = Inception(4, (4, 4), (4, 4), 4, act=jnp.zeros_like, norm=NoNorm())
    x = jnp.ones((1, 5, 5, 3))
    variables = draw(layer, x)
    assert not jax.jit(layer.apply)(variables, x).any()
    assert "batch_stats" not in variables


def test_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form='wide' is unknown"):
        shapes(FactorisedInception(4, (4, 4), (4, 4), 4, form="wide"))


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ((), "expected one branch or more"),
        (((Step(2),), (Step(2, 3, 2),)), r"\(1, 5, 5, 2\), \(1, 3, 3, 2\): expected.*of equal sizes"),
        (((Pool("min"),),), "kind='min'"),
    ],
)
def test_branches_that_cannot_be_joined_are_refused(branches, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(Branches(branches).init, jax.random.key(0), jnp.ones((1, 5, 5, 3)))
