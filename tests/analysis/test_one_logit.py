"""Binary networks of one logit: refused with the remedy wherever classes are compared, and exact after it."""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
from analysis import attacks, metrics, report
from analysis.commands.source import Source
from analysis.network import Network

WEIGHTS = np.random.default_rng(0).normal(size=(4 * 5, 1)).astype(np.float32)
IMAGES = np.random.default_rng(1).random((3, 4, 5, 1), np.float32)
LABELS, MAPS, KEY = np.zeros(3, int), np.ones((3, 4, 5)), jax.random.key(0)
CLOSE = attacks.Linf(0.1)


def one_logit(images):
    return images.reshape(images.shape[0], -1) @ WEIGHTS


class One(nn.Module):
    @nn.compact
    def __call__(self, images, train=False):
        return nn.Dense(1, name="head")(images.reshape(images.shape[0], -1))


VARIABLES = {"params": {"head": {"kernel": WEIGHTS, "bias": np.zeros(1, np.float32)}}}


def two_classes(images):
    return jnp.pad(one_logit(images), ((0, 0), (1, 0)))


COMPARING = {
    "fgsm": lambda: attacks.fgsm(one_logit, IMAGES, LABELS, CLOSE),
    "pgd": lambda: attacks.pgd(one_logit, IMAGES, LABELS, CLOSE, key=KEY),
    "apgd": lambda: attacks.apgd(one_logit, IMAGES, LABELS, CLOSE, key=KEY),
    "deepfool": lambda: attacks.deepfool(one_logit, IMAGES, LABELS),
    "ddn": lambda: attacks.ddn(one_logit, IMAGES, LABELS),
    "carlini_wagner": lambda: attacks.carlini_wagner(one_logit, IMAGES, LABELS),
    "fab": lambda: attacks.fab(one_logit, IMAGES, LABELS),
    "sticker": lambda: attacks.sticker(one_logit, IMAGES, LABELS, np.ones((4, 5)), key=KEY),
    "adversarial_patch": lambda: attacks.adversarial_patch(one_logit, IMAGES, target=0, size=2, key=KEY),
    "square": lambda: attacks.square(one_logit, IMAGES, LABELS, CLOSE, key=KEY),
    "proxy": lambda: attacks.proxy(one_logit, IMAGES, lambda images, soft: soft),
    "transfer_matrix": lambda: attacks.transfer_matrix({"a": one_logit}, IMAGES, LABELS, lambda f, x, y: x),
    "evaluate": lambda: attacks.evaluate(one_logit, IMAGES, LABELS, CLOSE, key=KEY),
    "label 1": lambda: analysis.saliency(one_logit, IMAGES, LABELS + 1),
    "saliency of a probability": lambda: analysis.saliency(one_logit, IMAGES, LABELS, score="probability"),
    "occlusion of a probability": lambda: analysis.occlusion(one_logit, IMAGES, LABELS, score="probability"),
    "deletion": lambda: metrics.deletion(one_logit, IMAGES, LABELS, MAPS),
    "insertion": lambda: metrics.insertion(one_logit, IMAGES, LABELS, MAPS),
    "report": lambda: report.Subject("", ["no", "yes"], IMAGES, LABELS, one_logit),
    "commands": lambda: Source("", Network(One(), VARIABLES), (4, 5, 1), Path(), IMAGES, "abc").probabilities(),
    "health": lambda: analysis.health(One(), VARIABLES, IMAGES, LABELS),
}


@pytest.mark.parametrize("name", COMPARING)
def test_what_would_silently_be_zero_or_certain_is_refused_with_the_remedy(name):
    with pytest.raises(ValueError, match=r"jnp.pad\(logits, \(\(0, 0\), \(1, 0\)\)\)"):
        COMPARING[name]()


def test_maps_of_the_logit_itself_need_no_second_class():
    maps = analysis.saliency(one_logit, IMAGES, LABELS, channels=None)
    np.testing.assert_allclose(maps, np.broadcast_to(WEIGHTS.reshape(1, 4, 5, 1), IMAGES.shape), rtol=1e-5)


def test_the_remedy_gives_sigmoid_logistic_loss_and_the_attack_that_lowers_the_logit():
    logits = two_classes(IMAGES)
    z = np.asarray(one_logit(IMAGES))[:, 0].astype(np.float64)
    np.testing.assert_allclose(jax.nn.softmax(logits)[:, 1], 1 / (1 + np.exp(-z)), rtol=1e-5)
    for label in (0, 1):
        loss = -jax.nn.log_softmax(logits)[:, label]
        np.testing.assert_allclose(loss, np.log1p(np.exp((1 - 2 * label) * z)), rtol=1e-5)
        step = np.sign(WEIGHTS).reshape(1, 4, 5, 1) * (-1 if label else 1)
        adversarial = attacks.fgsm(two_classes, IMAGES, np.full(3, label), CLOSE)
        np.testing.assert_allclose(adversarial, np.clip(IMAGES + 0.1 * step, 0, 1), atol=1e-6)
