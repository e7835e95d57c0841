import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from train.optimizers import OPTIMIZERS

PARAMS = {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([3.0])}
GRADIENTS = [
    {"kernel": jnp.array([[0.5, 0.25]]), "bias": jnp.array([-1.0])},
    {"kernel": jnp.array([[-0.5, 1.0]]), "bias": jnp.array([2.0])},
]


def descend(name, rate, decay, **settings):
    optimizer = OPTIMIZERS[name].build(optax.constant_schedule(rate), decay, **settings)
    params, state = PARAMS, optimizer.init(PARAMS)
    update = jax.jit(optimizer.update)
    for gradients in GRADIENTS:
        moves, state = update(gradients, state, params)
        params = optax.apply_updates(params, moves)
    return jax.tree.map(np.asarray, params)


def test_sgd_is_heavy_ball_with_decayed_kernels():
    params = descend("sgd", rate=0.1, decay=0.01)
    for name, decay in (("kernel", 0.01), ("bias", 0.0)):
        w, m = np.asarray(PARAMS[name], np.float64), 0.0
        for gradients in GRADIENTS:
            m = 0.9 * m + np.asarray(gradients[name]) + decay * w
            w = w - 0.1 * m
        np.testing.assert_allclose(params[name], w, rtol=1e-6)


def test_adamw_decays_kernels_apart_from_the_gradient():
    with jax.numpy_dtype_promotion("standard"):  # optax itself promotes here
        params = descend("adamw", rate=0.1, decay=0.01)
    for name, decay in (("kernel", 0.01), ("bias", 0.0)):
        w, m, v = np.asarray(PARAMS[name], np.float64), 0.0, 0.0
        for step, gradients in enumerate(GRADIENTS, start=1):
            g = np.asarray(gradients[name], np.float64)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - 0.1 * (m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8) + decay * w)
        np.testing.assert_allclose(params[name], w, rtol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_spares_biases_and_scales(name):
    optimizer = OPTIMIZERS[name].build(optax.constant_schedule(0.1), 0.1)
    gradients = jax.tree.map(jnp.zeros_like, PARAMS)
    with jax.numpy_dtype_promotion("standard"):
        moves, _ = optimizer.update(gradients, optimizer.init(PARAMS), PARAMS)
    np.testing.assert_array_equal(moves["bias"], np.zeros(1))
    assert (np.sign(moves["kernel"]) == -np.sign(PARAMS["kernel"])).all()


def numpy_nesterov(w, gradients, decay, kernel):
    m = 0.0
    for g in gradients:
        g = g + decay * w
        m = 0.9 * m + g
        w = w - 0.1 * (0.9 * m + g)
    return w


def numpy_adam(w, gradients, decay, kernel):
    m = v = 0.0
    for step, g in enumerate(gradients, start=1):
        g = g + decay * w
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.1 * m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return w


def numpy_lars(w, gradients, decay, kernel):
    m = 0.0
    for g in gradients:
        g = g + decay * w
        ratio = 0.001 * np.linalg.norm(w) / np.linalg.norm(g) if kernel else 1.0
        m = 0.9 * m + 0.1 * ratio * g
        w = w - m
    return w


def numpy_lamb(w, gradients, decay, kernel):
    m = v = 0.0
    for step, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        u = m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-6) + decay * w
        w = w - 0.1 * np.linalg.norm(w) / np.linalg.norm(u) * u
    return w


@pytest.mark.parametrize(
    ("name", "oracle", "settings"),
    [
        ("sgd", numpy_nesterov, {"nesterov": True}),
        ("adam", numpy_adam, {}),
        ("lars", numpy_lars, {}),
        ("lamb", numpy_lamb, {}),
    ],
)
def test_steps_are_those_of_the_paper(name, oracle, settings):
    with jax.numpy_dtype_promotion("standard"):
        params = descend(name, rate=0.1, decay=0.01, **settings)
    for kind, decay in (("kernel", 0.01), ("bias", 0.0)):
        gradients = [np.asarray(one[kind], np.float64) for one in GRADIENTS]
        expected = oracle(np.asarray(PARAMS[kind], np.float64), gradients, decay, kind == "kernel")
        np.testing.assert_allclose(params[kind], expected, rtol=1e-5)


def test_muon_makes_kernels_orthogonal_and_leaves_the_rest_to_adam():
    params = {"kernel": jnp.zeros((3, 3, 2, 6)), "bias": jnp.zeros(6)}
    gradients = {"kernel": jax.random.normal(jax.random.key(0), (3, 3, 2, 6)), "bias": jnp.arange(6.0) - 2.5}
    optimizer = OPTIMIZERS["muon"].build(optax.constant_schedule(0.1), 0.0)
    with jax.numpy_dtype_promotion("standard"):
        moves, _ = jax.jit(optimizer.update)(gradients, optimizer.init(params), params)
    values = np.linalg.svd(np.asarray(moves["kernel"]).reshape(18, 6), compute_uv=False)
    # Newton-Schulz brings singular values near 1; AdamW's step size is 0.2 times the root of the larger side.
    assert ((values > 0.6 * 0.1 * 0.2 * 18**0.5) & (values < 1.3 * 0.1 * 0.2 * 18**0.5)).all()
    np.testing.assert_array_equal(np.sign(moves["bias"]), -np.sign(gradients["bias"]))
    assert np.ptp(np.abs(moves["bias"])) < 1e-6  # as Adam's first step, whatever the gradient's size
