import jax.numpy as jnp
import numpy as np

import analysis
from analysis.report.findings import first_of_each_class
from analysis.report.sections.maps import chosen
from tests.analysis.report.brightest import SETTINGS, VARIABLES, Brightest, brightest


def test_confusion_and_probabilities(subject, findings):
    logits = np.asarray(brightest(subject.images), np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(findings.predictions.probabilities, shares, rtol=1e-5)
    expected = np.zeros((4, 4), int)
    for truth, guess in zip(subject.labels, logits.argmax(1), strict=True):
        expected[truth, guess] += 1
    np.testing.assert_array_equal(findings.predictions.confusion, expected)
    assert findings.predictions.accuracy == 23 / 24


def test_hardest_come_first(subject, findings):
    own = findings.predictions.probabilities[np.arange(24), subject.labels]
    assert findings.predictions.hardest[0] == 5
    assert sorted(findings.predictions.hardest) == [*range(24)]
    assert (np.diff(own[findings.predictions.hardest]) >= 0).all()


def test_explained_images_are_of_as_many_classes_as_possible(subject, findings):
    assert set(subject.labels[findings.sections["explorer"].indices[: SETTINGS.explained]]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(
        first_of_each_class(np.array([1, 1, 1, 0, 2]), np.array([0, 1, 3, 4]), 4), [3, 0, 4, 1]
    )


def test_maps_are_those_of_the_predicted_class(subject, findings):
    explorer = findings.sections["explorer"]
    maps = {each.name: each for each in chosen(explorer)}
    assert list(maps) == ["saliency", "Grad-CAM", "occlusion"]
    assert maps["Grad-CAM"].layer == "stage2"
    # The gradient of 20 times a channel's mean over 64 pixels; the first class's logit is constant.
    expected = np.broadcast_to(np.where(explorer.targets > 0, 20 / 64, 0)[:, None, None], (6, 8, 8))
    np.testing.assert_allclose(maps["saliency"].values, expected, rtol=1e-5)
    assert maps["occlusion"].signed
    assert (maps["occlusion"].values[explorer.targets > 0] > 0).all()


def test_progress_is_told(lines, findings):
    assert lines[0] == "classifying 24 test images"
    assert any(line.startswith("DDN-16 on 15 images") for line in lines)


def test_explorer_has_every_method_and_layer_for_the_predicted_class(subject, findings):
    found = findings.sections["explorer"]
    assert found.layers == ("stage1", "stage2")
    assert 5 in found.indices, "the hardest one"
    np.testing.assert_array_equal(found.targets, findings.predictions.classes[found.indices])
    maps = {(each.name, each.layer): each.values for each in found.maps}
    assert {("saliency", ""), ("Grad-CAM", "stage1"), ("Grad-CAM", "stage2"), ("Score-CAM", "stage1")} <= set(maps)
    images = subject.images[found.indices]
    for layer in found.layers:
        expected = analysis.grad_cam(Brightest(), VARIABLES, images, found.targets, layer)
        np.testing.assert_allclose(maps["Grad-CAM", layer], expected, rtol=1e-5)
    assert not found.left_out


def test_depth_shows_channels_images_and_what_is_kept(subject, findings):
    depth = findings.sections["inside"]
    assert [level.layer for level in depth.levels] == ["stage1", "stage2"]
    for level in depth.levels:
        assert level.top.indices.shape == (2, 3)
        assert level.rebuilt.images.shape == (2, 8, 8, 3)
        assert (np.diff(level.information) <= 0).all()
    # Two channels of two layers, and four classes, each raised as far as its own image says.
    assert depth.made.shape == (2 * 2 + 4, 8, 8, 3)
    (_, last), means = depth.levels, depth.made.mean((1, 2))
    np.testing.assert_allclose(
        depth.reached[2:4], [20 * means[at, k] for at, k in zip((2, 3), last.top.channels, strict=True)], rtol=1e-5
    )
    logits = np.asarray(brightest(jnp.asarray(depth.made[4:])))
    np.testing.assert_allclose(depth.reached[4:], np.diag(logits), rtol=1e-5)
