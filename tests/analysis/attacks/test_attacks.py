"""What holds for all bounded attacks with gradients, and what tells FGSM and PGD apart."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks, execution
from analysis.attacks.methods import METHODS

KEY = jax.random.key(0)
ORDERS = {attacks.Linf: np.inf, attacks.L2: 2, attacks.L1: 1}
ROUNDING = {attacks.Linf: 2e-7, attacks.L2: 2e-7, attacks.L1: 1e-5}
BALLS = pytest.mark.parametrize("ball", ORDERS)
# Each ball once, and both goals; the other pairs are left to `make test-all`.
GOALS = pytest.mark.parametrize(
    ("ball", "targeted"),
    [
        *((attacks.Linf, False), (attacks.L2, True), (attacks.L1, False)),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in ((attacks.Linf, True), (attacks.L2, False))),
        pytest.param(attacks.L1, True, marks=pytest.mark.slow),
    ],
)
ATTACKS = {
    "apgd": functools.partial(attacks.apgd, steps=5, key=KEY),
    "fgsm": attacks.fgsm,
    "pgd": functools.partial(attacks.pgd, steps=5, key=KEY),
    "pgd_from_the_image": functools.partial(attacks.pgd, steps=5, random_start=False, momentum=0.5),
}
# Enough to reach the optimum of a linear model: a step of the radius halves the angle to the steepest direction.
EXACT = {"pgd": {"steps": 10, "step_size": 0.1}, "fgsm": {}}
WEIGHTS = np.random.default_rng(0).normal(size=(3, 4, 2, 3)).astype(np.float32)
GREY = np.full((3, 3, 4, 2), 0.5, np.float32)
LABELS, TARGETS = np.array([0, 1, 2]), np.array([1, 2, 0])


def scores(weights, images):
    return jnp.tensordot(images, weights, 3)


linear, flat = (jax.tree_util.Partial(scores, factor * WEIGHTS) for factor in (1, 0))


@jax.tree_util.Partial
def two_classes(images):
    return linear(images)[:, :2]


@pytest.fixture(params=ATTACKS)
def attack(request):
    return ATTACKS[request.param]


def test_every_bounded_attack_with_gradients_is_here():
    assert ATTACKS.keys() >= {
        name for name, row in METHODS.items() if (row.kind, row.needs) == ("bounded", "gradients")
    }


def lengths(ball, delta):
    return np.linalg.norm(np.asarray(delta, np.float64).reshape(len(delta), -1), ORDERS[ball], axis=1)


def cross_entropy(logits_fn, images, labels):
    logits = np.asarray(logits_fn(images), np.float64)
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]


@GOALS
def test_stays_in_the_ball_and_among_images(attack, ball, targeted, logits_fn, images, labels):
    extreme = np.round(images)  # every pixel at a bound
    targets = (labels + 1) % 3 if targeted else None
    for given in (images, extreme):
        result = np.asarray(attack(logits_fn, given, labels, ball(0.3), targets=targets))
        assert result.dtype == np.float32
        assert result.min() >= 0
        assert result.max() <= 1
        assert (lengths(ball, result - given) <= 0.3 + ROUNDING[ball]).all()
        assert (lengths(ball, result - given) > 0.02).all()
        classes, sign = (targets, -1) if targeted else (labels, 1)
        gained = cross_entropy(logits_fn, result, classes) - cross_entropy(logits_fn, given, classes)
        assert (sign * gained).mean() > 0


@pytest.mark.optimized
@GOALS
def test_no_radius_is_the_identity(attack, ball, targeted):
    images = np.clip(np.random.default_rng(0).normal(0.5, 0.5, GREY.shape), 0, 1).astype(np.float32)
    result = attack(linear, images, LABELS, ball(0.0), targets=TARGETS if targeted else None)
    np.testing.assert_array_equal(np.asarray(result).view(np.uint32), images.view(np.uint32))


@pytest.mark.optimized
@BALLS
def test_a_flat_function_gives_no_nan(attack, ball):
    result = np.asarray(attack(flat, GREY, LABELS, ball(0.1)))
    assert np.isfinite(result).all()
    assert (lengths(ball, result - GREY) <= 0.1 + ROUNDING[ball]).all()


@pytest.mark.parametrize(("ball", "dual"), [(attacks.Linf, 1), (attacks.L2, 2), (attacks.L1, np.inf)])
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("name", EXACT)
def test_on_two_linear_classes_the_margin_falls_by_the_dual_norm(name, ball, dual, targeted):
    labels = np.array([0, 1, 0])
    targets = 1 - labels if targeted else None
    result = ATTACKS[name](two_classes, GREY, labels, ball(0.1), targets=targets, **EXACT[name])
    margins = [np.diff(np.asarray(two_classes(images)))[:, 0] * (1 - 2 * labels) for images in (GREY, result)]
    expected = 0.1 * np.linalg.norm((WEIGHTS[..., 0] - WEIGHTS[..., 1]).ravel(), dual)
    np.testing.assert_allclose(margins[1] - margins[0], expected, rtol=1e-4)


@BALLS
def test_a_step_of_pgd_is_two_and_a_half_radii_over_their_number(ball):
    default, explicit = (ATTACKS["pgd"](two_classes, GREY, [0, 1, 0], ball(0.1), step_size=a) for a in (None, 0.05))
    np.testing.assert_array_equal(default, explicit)


@pytest.mark.parametrize("attack", [attacks.fgsm, ATTACKS["pgd"], ATTACKS["apgd"]], ids=["fgsm", "pgd", "apgd"])
def test_a_sweep_over_the_radius_compiles_once(attack):
    traces = []

    def function(images):
        traces.append(None)
        return linear(images)

    attack(function, GREY, LABELS, attacks.Linf(0.1))
    first = len(traces)
    attack(function, GREY, LABELS, attacks.Linf(0.2))
    attack(function, GREY, LABELS, attacks.Linf(0.3), targets=TARGETS)
    assert len(traces) == first


@BALLS
def test_pgd_is_not_weaker_than_fgsm(ball, logits_fn, images, labels):
    threat = ball(0.2)
    strong = attacks.pgd(logits_fn, images, labels, threat, key=KEY)
    weak = attacks.fgsm(logits_fn, images, labels, threat)
    clean = cross_entropy(logits_fn, images, labels).mean()
    assert cross_entropy(logits_fn, strong, labels).mean() >= cross_entropy(logits_fn, weak, labels).mean() > clean


@pytest.mark.parametrize("name", ["apgd", "pgd"])
def test_one_loop_on_accelerators(name, monkeypatch):
    """The state keeps its shapes and types from step to step, as `fori_loop` demands."""
    args = linear, GREY, LABELS, attacks.L2(0.1)
    expected = ATTACKS[name](*args)
    monkeypatch.setattr(execution, "_platform", lambda tree: "gpu")
    np.testing.assert_allclose(ATTACKS[name](*args), expected, atol=1e-6)


def bowl(images):
    """The label's logit is least at 0.6, which a step of 0.15 from 0.5 jumps over and back."""
    return jnp.stack([10 * (images[:, 0, 0, 0] - 0.6) ** 2, jnp.full(images.shape[0], -1.0)], 1)


@pytest.mark.parametrize(("steps", "expected"), [(1, 0.65), (2, 0.65), (3, 0.65)])
def test_pgd_keeps_the_best_iterate(steps, expected):
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    result = attacks.pgd(bowl, image, [0], attacks.Linf(0.3), steps, step_size=0.15, random_start=False)
    np.testing.assert_allclose(result, [[[[expected]]]], rtol=1e-6)


@jax.jit
def switch(images):
    """Three classes: class 1 beats the label just below 0.2; the loss is larger at 0.8, where the label wins."""
    x = images[:, 0, 0, 0]
    below = jax.nn.sigmoid(200 * (0.2 - x))
    return jnp.stack([jnp.zeros_like(x), -9 + 9.1 * below, -0.1 - 5 * below, 0.01 * (x - 0.5) - 0.1 - 5 * below], 1)


def test_pgd_puts_success_before_loss():
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    label_wins, fooled = np.concatenate([image + np.float32(0.3), image - np.float32(0.35)])[:, None]
    assert np.argmax(switch(label_wins[None])) == 0
    assert np.argmax(switch(fooled[None])) == 1
    assert cross_entropy(switch, label_wins[None], [0]) > cross_entropy(switch, fooled[None], [0])
    images = np.repeat(image, 40, 0)
    run = functools.partial(attacks.pgd, switch, images, [0] * 40, attacks.Linf(0.35), 5, 0.001, key=KEY)
    once, often = ((np.argmax(switch(run(restarts=count)), 1) != 0).sum() for count in (1, 4))
    assert often > once > 0, "more restarts find more, and lose none"


def two_moods(images, key):
    """Logit 1 rises with the first pixel three times in four, and else falls half as fast as it does then."""
    slope = jnp.where(jax.random.uniform(key) < 0.75, 2.0, -1.0)
    return jnp.stack([jnp.full(images.shape[0], 0.0), slope * (images[:, 0, 0, 0] - 0.6)], 1)


def test_samples_of_a_random_model_are_averaged():
    images = np.full((4, 1, 1, 1), 0.5, np.float32)
    run = functools.partial(attacks.pgd, two_moods, threat=attacks.Linf(0.3), key=KEY, steps=3, samples=16)
    run = functools.partial(run, random_start=False, batch_size=2)
    np.testing.assert_allclose(run(images, [0] * 4, step_size=0.1), 0.8, rtol=1e-6)
    run = functools.partial(run, loss="margin", momentum=0.5)
    np.testing.assert_array_equal(run(images[:1], [0], step_size=0.01), run(images, [0] * 4, step_size=0.01)[:1])


def valley(images):
    """Logit 1 falls from 0.5 to 0.55 only: a step that forgets those before turns back there."""
    x = images[:, 0, 0, 0]
    return jnp.stack([jnp.zeros_like(x), jnp.where(x < 0.5, x, jnp.where(x < 0.55, 1 - x, 5 * x - 2.3))], 1)


def test_momentum_crosses_a_valley():
    image = np.full((1, 1, 1, 1), 0.4, np.float32)
    run = functools.partial(attacks.pgd, valley, image, [0], attacks.Linf(0.4), 20, 0.03, random_start=False)
    assert run().item() < 0.55 < 0.75 < run(momentum=0.9).item()


def test_restarts_never_lose(logits_fn, images, labels):
    run = functools.partial(attacks.pgd, logits_fn, images, labels, attacks.Linf(0.1), 2, key=KEY)
    once, thrice = np.asarray(run()), np.asarray(run(restarts=3))
    fooled = [np.argmax(np.asarray(logits_fn(result)), 1) != labels for result in (once, thrice)]
    assert (fooled[1] >= fooled[0]).all()
    same = fooled[0] == fooled[1]
    gained = cross_entropy(logits_fn, thrice, labels) - cross_entropy(logits_fn, once, labels)
    assert (gained[same] >= -1e-6).all()
    assert (thrice != once).any()


def test_the_key_and_the_place_in_the_call_decide_the_start(images, labels, logits_fn):
    same = np.repeat(images[:1], 3, 0)
    run = functools.partial(attacks.pgd, logits_fn, same, [0, 0, 0], attacks.Linf(0.2), 1, 0.0)
    first, again, other = (np.asarray(run(key=jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[0] != first[1]).any()
    delta = np.asarray(attacks.Linf(0.2).random_start(expected_key(jax.random.key(1), 2), same.shape[1:]))
    np.testing.assert_allclose(first[2], np.clip(same[2] + delta, 0, 1), atol=1e-7)


def test_keys_of_the_images_themselves_go_with_them(images, labels, logits_fn):
    run = functools.partial(attacks.pgd, logits_fn, threat=attacks.Linf(0.1), steps=2, batch_size=2)
    keys = jax.random.split(KEY, len(images))
    whole, part = run(images, labels, key=keys), run(images[1:], labels[1:], key=keys[1:])
    np.testing.assert_array_equal(whole[1:], part)


def expected_key(key, index):
    return jax.random.fold_in(jax.random.fold_in(key, index), 0)


def test_attacks_inside_a_training_step(logits_fn, images, labels):
    """Adversarial training: the attack is unrolled in an outer jit and differentiated past."""

    @jax.jit
    def gradient(images):
        adversarial = attacks.pgd(logits_fn, images, labels, attacks.Linf(0.1), 2, key=KEY)
        return jax.grad(lambda x: logits_fn(x).sum())(adversarial)

    assert np.isfinite(gradient(jnp.asarray(images))).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "a random start needs a key: give key=jax.random.key"),
        ({"key": 0}, "key=0: expected one key"),
        ({"random_start": False, "restarts": 2}, "restarts=2 without a random start are all the same"),
        ({"key": KEY, "steps": 0}, "steps=0: expected a positive integer"),
        ({"key": KEY, "restarts": 0}, "restarts=0: expected a positive integer"),
        ({"key": KEY, "momentum": 1.0}, "momentum=1.0: expected a number of at least 0 and below 1"),
        ({"key": KEY, "samples": 0}, "samples=0: expected a positive integer"),
        ({"random_start": False, "samples": 2}, "samples=2 need a key: give key=jax.random.key"),
        ({"key": KEY, "samples": 2}, r"the logits function does not take images of shape \(1, 3, 4, 2\)"),
        ({"key": KEY, "loss": "dlr-targeted", "targets": TARGETS}, "with 3 classes: expected at least 4 classes"),
        ({"key": KEY, "loss": "mse"}, "loss='mse' is unknown"),
        ({"key": KEY, "step_size": -0.1}, "step_size=-0.1: expected a length"),
        ({"key": KEY, "targets": [0, 1, 3]}, r"targets\[2\] is 3, but there are 3 classes"),
        ({"key": KEY, "targets": [0]}, r"targets of shape \(1,\): expected \(3,\)"),
        ({"key": KEY, "threat": 0.1}, r"threat=0.1: expected a threat model, such as attacks.Linf\(8 / 255\)"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        attacks.pgd(linear, GREY, LABELS, **({"threat": attacks.Linf(0.1)} | settings))
