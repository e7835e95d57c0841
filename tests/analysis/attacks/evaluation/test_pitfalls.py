"""Planted defences that only look robust, each of which must raise its warning."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks
from analysis.attacks.evaluation import Step, pitfalls, suites
from analysis.attacks.evaluation.victim import Victim

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(1)
WEIGHTS = RANDOM.normal(size=(4, 4, 1, 5)).astype(np.float32)
IMAGES = RANDOM.uniform(0.2, 0.8, size=(40, 4, 4, 1)).astype(np.float32)


def linear(images):
    return 3 * jnp.tensordot(images, WEIGHTS, 3)


LABELS = np.asarray(linear(IMAGES)).argmax(1)


def steep_softmax(images):
    return jax.nn.softmax(1e6 * linear(images))


def quantized(images):
    return linear(jnp.round(images * 8) / 8)


def noisy_while_traced(images):
    return linear(images) + jnp.asarray(np.random.default_rng().normal(size=(1, 5)), jnp.float32)


def noisy_at_each_call(images):
    shape = jax.ShapeDtypeStruct(images.shape, images.dtype)
    noise = jax.pure_callback(
        lambda x: np.random.default_rng().normal(size=x.shape).astype(x.dtype), shape, jax.lax.stop_gradient(images)
    )
    return linear(images + 0.05 * noise)


def noisy_by_key(images, key):
    return linear(images + 0.05 * jax.random.normal(key, images.shape))


def batch_normalized(images):
    return linear((images - images.mean(0, keepdims=True)) / (images.std(0, keepdims=True) + 1e-3))


def filtered(images):
    shape = jax.ShapeDtypeStruct(images.shape, images.dtype)
    return linear(jax.pure_callback(lambda x: np.round(8 * np.asarray(x)) / np.asarray(8, x.dtype), shape, images))


def probabilities(images):
    return jax.nn.softmax(linear(images))


def few_classes(images):
    return linear(images)[:, :2]


DEFENCES = {
    steep_softmax: {"probabilities", "zero gradients"},
    quantized: {"zero gradients"},
    noisy_while_traced: {"random"},
    noisy_at_each_call: {"random"},
    noisy_by_key: {"random"},
    batch_normalized: {"batch"},
    filtered: {"not differentiable"},
    probabilities: {"probabilities"},
}
SUITE = {"PGD": attacks.pgd}


def names_of(defence):
    victim = Victim.of(defence, IMAGES, 3, len(IMAGES), KEY)
    probe = pitfalls.probe(victim, IMAGES, LABELS, attacks.Linf(0.1), jax.random.split(KEY, len(IMAGES)))
    return {pitfall.name for pitfall in pitfalls.pitfalls(probe, pitfalls.Outcome(len(IMAGES)))}


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda function: function.__name__)
def test_a_defence_that_only_looks_robust_is_warned_of(defence):
    assert names_of(defence) >= DEFENCES[defence]


def test_a_healthy_classifier_raises_none():
    assert names_of(linear) == set()


def test_only_attacks_that_ask_are_run_where_there_is_no_gradient():
    suite = (Step("PGD", attacks.pgd), Step("Square", attacks.square, {"queries": 100}))
    report = attacks.evaluate(filtered, IMAGES, LABELS, attacks.Linf(0.3), suite, key=KEY)
    assert report.accuracy["PGD"] == report.clean > report.worst
    assert "only attacks without gradients were run" in str(report)


def test_an_attack_that_leaves_what_a_longer_one_breaks_is_a_warning():
    def useless(logits_fn, images, labels, threat):
        return images

    suite = {"useless": useless}
    report = attacks.evaluate(linear, IMAGES, LABELS, attacks.Linf(0.1), suite, key=KEY)
    assert "not converged" in {warning.name for warning in report.warnings}


def test_too_few_classes_are_named():
    victim = Victim.of(few_classes, IMAGES, 1, len(IMAGES), KEY)
    names = suites.left_out("standard", victim, attacks.Linf(0.1))
    assert names == "APGD-DLR targeted (4)"
    probe = pitfalls.Probe("none", 1, False, False)
    (only,) = pitfalls.pitfalls(probe, pitfalls.Outcome(40, left_out=names))
    assert only.message == "left out, because they need more classes: APGD-DLR targeted (4)"


def test_attacks_without_gradients_that_win_are_a_warning():
    """A gradient that points the wrong way misleads all attacks that follow it."""

    @jax.custom_jvp
    def misled(images):
        return images

    misled.defjvp(lambda primals, tangents: (primals[0], -tangents[0]))
    suite = (Step("PGD", attacks.pgd), Step("Square", attacks.square, {"queries": 200}))
    report = attacks.evaluate(lambda x: linear(misled(x)), IMAGES, LABELS, attacks.Linf(0.03), suite, key=KEY)
    names = {warning.name for warning in report.warnings}
    assert {"black box beats white box", "a larger radius does not help", "an unbounded attack fails"} <= names
