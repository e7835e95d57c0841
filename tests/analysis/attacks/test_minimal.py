"""What holds for all attacks that look for the nearest image of another class, and what tells them apart."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks, execution
from analysis.attacks.goal import Goal
from analysis.attacks.methods import METHODS
from analysis.attacks.minimal import Nearest, cut
from analysis.attacks.threat import L2, NORMS
from tests.analysis.attacks import oracles

KEY = jax.random.key(0)
ATTACKS = {
    "carlini_wagner": functools.partial(attacks.carlini_wagner, steps=150, searches=6, constant=0.01),
    "ddn": attacks.ddn,
    "deepfool": functools.partial(attacks.deepfool, steps=5),
    "fab": functools.partial(attacks.fab, steps=10),
    "fmn": attacks.fmn,
}
CASES = [
    *(("carlini_wagner", "l2"), ("ddn", "l2"), ("deepfool", "l2"), ("deepfool", "linf")),
    *((name, norm) for name in ("fab", "fmn") for norm in NORMS),
]
# DDN climbs a mixture of all other classes, and sparse steps towards one class may miss that another is nearer.
FACTORS = {("ddn", "l2"): 1.15, ("fmn", "l1"): 1.05}
EACH = pytest.mark.parametrize("name", ATTACKS)
EVERY = pytest.mark.parametrize(("name", "norm"), CASES)
ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}

SHAPE, CLASSES = (4, 5, 2), 4
WEIGHTS = np.random.default_rng(1).normal(size=(*SHAPE, CLASSES)).astype(np.float32)
IMAGES = np.clip(np.random.default_rng(0).normal(0.5, 0.5, (6, *SHAPE)), 0, 1).astype(np.float32)
"""A third of the pixels at 0 or 1."""


def scores(weights, images):
    return jnp.tensordot(images - 0.5, weights, 3)


def classes_of(images):
    return np.asarray(linear(images)).argmax(1)


linear = jax.tree_util.Partial(scores, WEIGHTS)
LABELS = classes_of(IMAGES)
OTHERS = (LABELS + 1) % CLASSES


@functools.cache
def run(name, norm, aim="labels"):
    """The result of an attack for all images, three at a time; the last image is of another class than its label."""
    labels = np.append(LABELS[:-1], OTHERS[-1])
    settings = {} if name in ("carlini_wagner", "ddn") else {"norm": norm}
    settings |= {"targets": np.append(OTHERS[:-1], LABELS[-1])} if aim == "targets" else {}
    return np.asarray(ATTACKS[name](linear, IMAGES, labels, batch_size=3, **settings))


def lengths(norm, delta):
    return np.linalg.norm(np.asarray(delta, np.float64).reshape(len(delta), -1), ORDERS[norm], axis=1)


def least(norm, image, label, targets):
    """The least distance in [0, 1] to where a target is level with the label, and so with all."""
    logits = np.tensordot(image.astype(np.float64) - 0.5, WEIGHTS.astype(np.float64), 3)
    return min(
        oracles.least_distance(norm, (WEIGHTS[..., k] - WEIGHTS[..., label]), image, logits[label] - logits[k])
        for k in targets
    )


def test_every_minimal_attack_with_gradients_is_here():
    assert ATTACKS.keys() == {
        name for name, row in METHODS.items() if (row.kind, row.needs) == ("minimal", "gradients")
    }


@EVERY
def test_the_nearest_image_of_a_linear_model_within_the_box(name, norm):
    result = run(name, norm)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1
    assert (classes_of(result) != LABELS)[:-1].all()
    ratios = [
        lengths(norm, result - IMAGES)[row] / least(norm, IMAGES[row], LABELS[row], {*range(CLASSES)} - {LABELS[row]})
        for row in range(len(IMAGES) - 1)
    ]
    assert (np.array(ratios) > 1 - 1e-5).all(), ratios
    assert (np.array(ratios) < FACTORS.get((name, norm), 1.02)).all(), ratios


@pytest.mark.parametrize(("name", "norm"), FACTORS)
def test_of_two_classes_they_all_come_to_the_nearest_image(name, norm):
    weights = WEIGHTS[..., :2]
    two = jax.tree_util.Partial(scores, weights)
    labels = np.asarray(two(IMAGES)).argmax(1)
    settings = {"norm": norm} if name == "fmn" else {}
    result = ATTACKS[name](two, IMAGES, labels, **settings)
    logits = np.asarray(two(IMAGES), np.float64)
    least = [
        oracles.least_distance(norm, weights[..., 1 - label] - weights[..., label], image, row[label] - row[1 - label])
        for image, label, row in zip(IMAGES, labels, logits, strict=True)
    ]
    assert (np.asarray(two(result)).argmax(1) != labels).all()
    assert (lengths(norm, result - IMAGES) < 1.02 * np.array(least)).all()


@EVERY
def test_a_misclassified_image_is_left_as_it_is(name, norm):
    np.testing.assert_array_equal(run(name, norm)[-1].view(np.uint32), IMAGES[-1].view(np.uint32))


@EACH
def test_pixels_at_the_limits_move(name):
    moved = run(name, "l2") != IMAGES
    assert moved[IMAGES == 0].any()
    assert moved[IMAGES == 1].any()


@EACH
def test_others_in_the_call_do_not_matter(name):
    order = np.array([4, 0])
    few = ATTACKS[name](linear, IMAGES[order], LABELS[order], batch_size=3, **norm_of(name))
    np.testing.assert_array_equal(few, run(name, "l2")[order])


def norm_of(name):
    return {} if name in ("carlini_wagner", "ddn") else {"norm": "l2"}


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "deepfool"])
def test_targets(name):
    result = run(name, "l2", "targets")
    aims = np.append(OTHERS[:-1], LABELS[-1])
    assert (classes_of(result) == aims).all()
    np.testing.assert_array_equal(result[-1], IMAGES[-1])
    assert (lengths("l2", result - IMAGES) >= lengths("l2", run(name, "l2") - IMAGES) / 1.15).all()


def few_steps(name):
    """Enough to succeed on a linear model."""
    settings = {"carlini_wagner": {"steps": 8, "searches": 1, "constant": 10.0}, "fab": {"steps": 1}}
    return functools.partial(ATTACKS[name], **settings.get(name, {"steps": 2}), **norm_of(name))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("ddn", "deepfool") else pytest.mark.slow) for name in ATTACKS]
)
def test_inside_jit(name):
    args = linear, IMAGES[:2], LABELS[:2]
    inside, outside = (
        lengths("l2", attack(*args) - IMAGES[:2]) for attack in (jax.jit(few_steps(name)), few_steps(name))
    )
    np.testing.assert_allclose(inside, outside, rtol=0.01)
    assert outside.any()


@EACH
def test_one_loop_on_accelerators(name, monkeypatch):
    """The state keeps its shapes and types from step to step, as `fori_loop` demands."""
    args = linear, IMAGES[:2], LABELS[:2]
    expected = few_steps(name)(*args)
    monkeypatch.setattr(execution, "_platform", lambda tree: "gpu")
    np.testing.assert_allclose(few_steps(name)(*args), expected, atol=1e-6)


@pytest.mark.parametrize(("name", "dtype"), [*zip(ATTACKS, itertools.cycle(["bfloat16", "float16"]), strict=False)])
def test_models_of_half_precision(name, dtype):
    narrow = jax.tree_util.Partial(lambda weights, images: scores(weights, images).astype(dtype), WEIGHTS)
    result = few_steps(name)(narrow, IMAGES[:2], LABELS[:2])
    assert (np.asarray(narrow(result), np.float32).argmax(1) != LABELS[:2]).any()
    assert np.isfinite(result).all()


@EACH
def test_where_none_is_found_the_image_itself(name):
    flat = jax.tree_util.Partial(scores, 0 * WEIGHTS)
    result = ATTACKS[name](flat, IMAGES[:3], np.zeros(3, int), batch_size=3, **norm_of(name))
    np.testing.assert_array_equal(np.asarray(result).view(np.uint32), IMAGES[:3].view(np.uint32))


def hidden(images):
    """Class 1 lies 0.4 up the slope from 0.5, and 0.16 away behind a crest."""
    x = images[:, 0, 0, 0]
    return jnp.stack([jnp.zeros_like(x), jnp.where(x > 0.45, x - 0.9, 1.35 - 4 * x)], 1)


def test_restarts_of_fab_find_what_a_slope_hides():
    images = np.full((8, 1, 1, 1), 0.5, np.float32)
    fab = functools.partial(attacks.fab, hidden, images, [0] * 8, "linf", steps=5)
    once, often, again = (lengths("linf", fab(**more) - images) for more in ({}, *[{"restarts": 3, "key": KEY}] * 2))
    np.testing.assert_allclose(once, 0.4, rtol=2e-3)
    np.testing.assert_array_equal(often, again)
    np.testing.assert_allclose(often.min(), 0.1625, rtol=2e-3)
    assert (often <= once).all()


def test_confidence_is_a_margin():
    result = attacks.carlini_wagner(linear, IMAGES[:3], LABELS[:3], steps=100, searches=3, constant=1.0, confidence=2.0)
    logits = np.asarray(linear(result))
    assert (logits.max(1) - logits[np.arange(3), LABELS[:3]] >= 2).all()


def test_a_cut_goes_back_to_the_boundary():
    images, goal = IMAGES[:2], Goal(jnp.asarray(LABELS[:2], jnp.int32), jnp.ones(2))
    assert (classes_of(1 - images) != LABELS[:2]).all()
    nearest = Nearest.at(images).update(1 - images, jnp.full(2, 9.0), jnp.array([True, False]))
    shorter = cut(nearest, linear, images, goal, L2(0.0))
    np.testing.assert_allclose(shorter.distance, [lengths("l2", shorter.images - images)[0], np.inf], rtol=1e-5)
    assert classes_of(shorter.images)[0] != LABELS[0] == classes_of(images + 0.99 * (shorter.images - images))[0]
    np.testing.assert_array_equal(shorter.images[1], images[1])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("carlini_wagner", {"searches": 0}, "searches=0: expected a positive integer"),
        ("carlini_wagner", {"constant": 0}, "constant=0: expected a number above 0"),
        ("carlini_wagner", {"confidence": -1.0}, "confidence=-1.0: expected a number of at least 0"),
        ("carlini_wagner", {"learning_rate": 0.0}, r"learning_rate=0.0: expected a number above 0"),
        ("ddn", {"targets": [0, 1, 4]}, r"targets\[2\] is 4, but there are 4 classes"),
        ("deepfool", {"norm": "l1"}, "norm='l1' is unknown: expected 'l2' or 'linf'"),
        ("deepfool", {"candidates": 0}, "candidates=0: expected a positive integer"),
        ("deepfool", {"overshoot": -0.1}, "overshoot=-0.1: expected a number of at least 0"),
        ("fab", {"restarts": 2}, r"restarts=2 need a key: give key=jax.random.key\(0\)"),
        ("fab", {"norm": "linff"}, "norm='linff' is unknown, did you mean linf"),
        ("fmn", {"norm": 2}, "norm=2 is unknown.*: expected 'linf', 'l2' or 'l1'"),
        *((name, {"steps": 0}, "steps=0: expected a positive integer") for name in ATTACKS),
        *((name, {"batch_size": 0}, "batch_size=0: expected a positive integer") for name in ATTACKS),
    ],
)
def test_bad_settings(name, settings, message):
    with pytest.raises(ValueError, match=message):
        METHODS[name].function(linear, IMAGES[:3], LABELS[:3], **settings)
