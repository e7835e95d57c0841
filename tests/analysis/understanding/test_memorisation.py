import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks, metrics, taps
from analysis.attribution.methods import METHODS, explainer
from analysis.network import Network
from analysis.understanding import memorisation

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def evidence(model, readers, scene):
    def of(variables):
        network = Network(model, variables)
        methods = {name: explainer(name, network.logits_fn, network, key=KEY) for name in METHODS}
        return memorisation.examine(network.logits_fn, methods, *scene, steps=4)

    return {name: of(variables) for name, variables in readers.items()}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_tells_what_is_read(evidence, method):
    marked, honest = (evidence[name][method] for name in ("marked", "honest"))
    assert (marked.contrast > 0.7).all()
    assert (honest.contrast < -0.7).all()
    assert memorisation.separation(marked.contrast, honest.contrast) == 1
    assert (marked.mark > 0.5).all()
    assert (honest.object > 0.5).all()
    np.testing.assert_array_equal(marked.points_at_object, np.zeros(3))
    np.testing.assert_array_equal(honest.points_at_object, np.ones(3))


def test_the_verdicts(evidence):
    marked, honest = (memorisation.verdict(evidence[name]) for name in ("marked", "honest"))
    assert (marked.memorised, marked.votes) == (True, (12, 12))
    assert (honest.memorised, honest.votes) == (False, (0, 12))
    assert marked.contrast > 0.9 > -0.9 > honest.contrast


def test_evidence_is_made_of_the_scores(evidence, model, readers, scene):
    images, labels, objects, mark = scene
    one = evidence["marked"]["saliency"]
    np.testing.assert_array_equal(one.contrast, metrics.contrast(one.maps, mark, objects))
    np.testing.assert_array_equal(one.mark, metrics.mass_inside(one.maps, mark))
    logits_fn = taps.logits_fn(model, readers["marked"])
    np.testing.assert_allclose(one.deletion, metrics.deletion(logits_fn, images, labels, one.maps, 4), atol=1e-6)


def test_a_tie_is_no_memory(scene):
    zero = jnp.zeros(3)
    pair = {name: memorisation.Evidence(zero, jnp.full(3, value), *[zero] * 5) for name, value in (("a", 1), ("b", -1))}
    assert memorisation.verdict(pair) == memorisation.Verdict(False, 0.0, (1, 2))


def test_separation_counts_pairs():
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 5, 30), rng.integers(0, 5, 20)
    pairs = [(a > b) + (a == b) / 2 for a in first for b in second]
    assert memorisation.separation(first, second) == pytest.approx(np.mean(pairs))
    assert memorisation.separation(second, first) == pytest.approx(1 - np.mean(pairs))
    assert np.isnan(memorisation.separation([], first))


def test_margin_under_attack_of_a_linear_function():
    weights = np.float32([[1, 0, -1], [-0.5, 2, 0]])
    linear = lambda images: images[:, 0, 0] @ weights  # noqa: E731
    images, labels = np.full((3, 1, 1, 2), 0.5, np.float32), np.array([0, 1, 2])
    margins = memorisation.attacked_margin(linear, images, labels, attacks.Linf(0.125), KEY)
    differences = weights.T[labels][:, None] - weights.T[None]
    reachable = (0.5 * differences).sum(-1) - 0.125 * abs(differences).sum(-1)
    expected = [min(reachable[row, other] for other in range(3) if other != row) for row in range(3)]
    np.testing.assert_allclose(margins, expected, atol=1e-5)


def test_bad_input_is_refused(model, readers, scene):
    images, labels, objects, mark = scene
    logits_fn = taps.logits_fn(model, readers["marked"])
    methods = {"flat": lambda images, labels: jnp.ones(images.shape[:3])}
    examine = functools.partial(memorisation.examine, logits_fn)
    for call, message in (
        (lambda: examine(methods, images, labels, objects, objects[0]), "objects and marks overlap"),
        (lambda: examine(methods, images, labels, objects, mark[:4]), "marks of shape"),
        (lambda: examine(methods, images, labels + 2, objects, mark), "there are 2 classes"),
        (lambda: examine({"odd": lambda x, y: x}, images, labels, objects, mark), "the maps of odd of shape"),
        (lambda: memorisation.verdict({}), "without evidence"),
        (lambda: explainer("salience", logits_fn), "did you mean saliency"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
