import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks, report
from analysis.report.findings import Predictions
from analysis.report.sections.robustness import accuracy, nearest, patch
from tests.analysis.report.brightest import CLASSES, SETTINGS, brightest, scenes


@pytest.fixture(scope="module")
def measured(findings):
    return findings.sections["robustness"]


def guesses(images):
    return np.asarray(brightest(jnp.asarray(images))).argmax(1)


def test_accuracy_falls_with_the_bound(measured):
    shares = measured.accuracy
    assert shares.attacked == 16
    for values in (*shares.curves.values(), shares.fgsm):
        assert values.shape == (3,)
        assert values[0] == 15 / 16
        assert values[-1] < 0.2
    np.testing.assert_array_equal(shares.robust, [*shares.curves.values()][-1])
    assert (shares.robust <= shares.fgsm).all()
    assert shares.halving == SETTINGS.epsilons[-1]


def test_accuracy_is_that_of_the_images_of_the_evaluation(subject, measured):
    evaluation = measured.accuracy.evaluation
    survive = (guesses(evaluation.images) == subject.labels[:16]).mean()
    assert evaluation.worst == survive


def test_what_clipping_takes_is_counted():
    images = np.array([0.0, 1.0, 0.5, 0.1, 0.5]).reshape(1, 1, 5, 1)
    # One leaves, one comes in, one moves freely, one is cut short, one has no gradient.
    changed = np.array([0.0, 0.8, 0.7, 0.0, 0.5]).reshape(1, 1, 5, 1)
    assert accuracy.clipped(images, changed, 0.2) == pytest.approx(1 - (0 + 1 + 1 + 0.5) / 4)
    assert accuracy.clipped(images[:, :, 2:3], images[:, :, 2:3], 0.2) == 0


def test_what_clipping_takes_grows_with_the_bound(measured):
    lost = measured.accuracy.lost
    assert lost.shape == (2,)
    assert lost[0] < 0.01
    assert 0.05 < lost[1] < 0.6


def test_warnings_are_listed_plainly(subject, findings, measured):
    warning = attacks.evaluation.Pitfall("batch", "logits depend on <others>")
    evaluation = dataclasses.replace(measured.accuracy.evaluation, warnings=(warning,))
    shown = accuracy.draw(subject, findings, dataclasses.replace(measured.accuracy, evaluation=evaluation))
    assert "<li>Warning: logits depend on &lt;others&gt;.</li>" in shown
    quiet = dataclasses.replace(evaluation, warnings=())
    shown = accuracy.draw(subject, findings, dataclasses.replace(measured.accuracy, evaluation=quiet))
    assert "Warning" not in shown
    assert "None of the checks" in shown


def test_adversarial_examples_are_within_their_bounds(subject, measured):
    examples = measured.examples
    assert examples.epsilon == 0.4
    assert len(examples.indices) == 3
    assert [one.name for one in examples.attacked] == ["PGD", "DDN"]
    for one in examples.attacked:
        change = abs(one.images - subject.images[examples.indices])
        assert 0.01 < change.max() <= one.span + 1e-6
        expected = jax.nn.softmax(brightest(jnp.asarray(one.images)))
        np.testing.assert_allclose(one.probabilities, expected, rtol=1e-5, atol=1e-7)


def test_distances_are_those_of_images_of_another_class(subject, measured):
    near = measured.nearest
    np.testing.assert_array_equal(near.indices, [row for row in range(16) if row != 5])
    assert np.isfinite(near.distances).all()
    assert (guesses(near.images) != subject.labels[near.indices]).all()
    change = near.images.astype(np.float64) - subject.images[near.indices]
    np.testing.assert_allclose(near.distances, np.linalg.norm(change.reshape(15, -1), axis=1))
    # The classifier is linear but for the rectifier: two means trade places along the shortest way.
    logits = np.sort(brightest(subject.images[near.indices]), axis=1)
    bright = subject.labels[near.indices] > 0
    least = (logits[:, -1] - logits[:, -2])[bright] / (20 / 64 * 8 * np.sqrt(2))
    assert (near.distances[bright] > least - 1e-4).all()
    assert (near.distances[bright] < 1.2 * np.sqrt(2) * least).all()


def test_images_without_an_adversarial_neighbour_are_told_apart(subject, findings, measured):
    distances = measured.nearest.distances.copy()
    distances[subject.labels[measured.nearest.indices] == 2] = np.nan
    shown = nearest.draw(subject, findings, dataclasses.replace(measured.nearest, distances=distances))
    assert re.search(r"green</th><td>4</td><td>0</td><td>–</td><td>–</td>", shown)
    assert "From 4 more images no other class was reached." in shown
    none = dataclasses.replace(measured.nearest, distances=np.full(15, np.nan))
    assert "no other class from any of 15 images" in nearest.draw(subject, findings, none)


def test_maps_explain_the_same_image_before_and_after(subject, measured):
    shown = measured.attribution
    truth = subject.labels[shown.index]
    guess = guesses(shown.images[1:2])[0]
    assert guess != truth
    np.testing.assert_array_equal(shown.targets, [truth, truth, guess])
    np.testing.assert_array_equal(shown.images[0], subject.images[shown.index])
    np.testing.assert_array_equal(shown.images[1], shown.images[2])
    assert [maps.name for maps in shown.maps] == ["saliency", "Grad-CAM", "occlusion"]
    assert all(maps.values.shape == (3, 8, 8) for maps in shown.maps)
    # The gradient of 20 times a channel's mean over 64 pixels, if the rectifier passes it; the first logit is constant.
    saliency = np.where(shown.targets > 0, 20 / 64, 0)
    lit = (shown.images > 0).all(-1)
    assert lit.any()
    expected = np.broadcast_to(saliency[:, None, None], lit.shape)
    np.testing.assert_allclose(shown.maps[0].values[lit], expected[lit], rtol=1e-5)


def test_the_patch_is_measured_on_other_images_of_other_classes(subject, findings, measured):
    patched = measured.patch
    assert patched.patch.shape == (3, 3, 3)
    assert patched.trained == 8
    assert patched.indices.min() >= 8
    assert patched.indices.max() < 16
    assert patched.target not in subject.labels[patched.indices]
    assert patched.success == (guesses(patched.images) == patched.target).mean()
    before = guesses(subject.images[patched.indices])
    assert patched.before == (before == patched.target).mean()
    changed = (patched.images != subject.images[patched.indices]).any(-1).sum((1, 2))
    assert (changed < 40).all(), "only where the patch lies"
    assert f"for the class {subject.classes[patched.target]}".replace("the ", "") in patch.draw(
        subject, findings, patched
    ).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")


def test_a_class_of_its_own_images_is_no_target():
    """The second class gets most probability from its own images, the third from those of others."""
    logits = np.array([[5, 0, 2], [0, 9, 0], [0, 0, 9]], np.float32)
    assert patch.likeliest_target(Predictions(np.arange(3), logits)) == 2
    assert patch.likeliest_target(Predictions(np.zeros(1, int), logits[:1])) == 2


def test_a_classifier_that_is_always_wrong_has_no_adversarial_examples():
    images, labels = scenes(8)
    wrong = report.Subject("wrong", CLASSES, images, (labels + 1) % 4, jax.tree_util.Partial(brightest))
    findings = report.examine(wrong, SETTINGS, lambda line: None)
    robustness = findings.sections["robustness"]
    assert robustness.nearest is robustness.examples is robustness.attribution is None
    assert "Adversarial examples" not in report.page(wrong, findings)
