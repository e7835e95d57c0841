import numpy as np
import pytest

from analysis.diagnosis.classes import class_information, class_selectivity, specialization

LABELS = np.repeat(np.arange(5), 20)


def answering(*classes, strength=3.0):
    """A channel that answers some of five classes."""
    return np.where(np.isin(LABELS, classes), strength, 0.0)


def test_selectivity_closed_forms():
    channels = np.stack([answering(2), answering(0, 4), 7 + 0 * answering(0), 0 * answering(0), 1 + answering(1)], -1)
    others = 3 / 4  # one of the four classes that are not preferred answers as strongly
    expected = [1, (3 - others) / (3 + others), 0, np.nan, (4 - 1) / (4 + 1)]
    np.testing.assert_allclose(class_selectivity(channels, LABELS), expected)
    answers = 1 + np.arange(5)
    for count in answers[:-1]:
        m, rest = count - 1, 4
        found = class_selectivity(answering(*range(count))[:, None], LABELS)
        np.testing.assert_allclose(found, [(rest - m) / (rest + m)])


def test_selectivity_of_scaled_channels_is_the_same():
    values = np.random.default_rng(0).uniform(0, 1, (100, 6))
    np.testing.assert_allclose(class_selectivity(9 * values, LABELS), class_selectivity(values, LABELS))


def test_information_closed_forms():
    labels = np.repeat(np.arange(4), 5000)
    told = np.stack([labels, labels // 2, 0 * labels, labels == 0], -1).astype(float)
    quarter = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    np.testing.assert_allclose(class_information(told, labels), [2, 1, 0, quarter], atol=1e-3)
    np.testing.assert_allclose(class_information(np.exp(told), labels), class_information(told, labels))


def test_information_of_noise_is_zero_without_its_bias():
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(2000, 40)), rng.integers(0, 10, 2000)
    found = class_information(noise, labels)
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(40)
    bias = 9 * 9 / (2 * 2000 * np.log(2))
    assert bias > 10 * abs(found.mean())


def test_channels_of_a_network(digits, digits_net, healthy):
    found = specialization(digits_net, healthy, digits.images, digits.labels, "stage3", batch_size=100)
    _, state = digits_net.apply(healthy, digits.images, capture_intermediates=True)
    pooled = np.asarray(state["intermediates"]["stage3"]["__call__"][0]).mean((1, 2))
    means = np.stack([pooled[digits.labels == label].mean(0) for label in range(10)], -1)
    np.testing.assert_allclose(found.class_means, means, rtol=1e-4)
    np.testing.assert_allclose(found.selectivity, class_selectivity(pooled, digits.labels), rtol=1e-3)
    np.testing.assert_array_equal(found.preferred, means.argmax(1))
    assert found.owned.sum() == (found.selectivity >= 1 / 3).sum()
    assert "stage3: 24 channels, more than the 10 classes" in str(found)
    fewer = specialization(digits_net, healthy, digits.images, digits.labels, "stage1")
    assert "stage1: 8 channels, fewer than the 10 classes" in str(fewer)
    assert found.information.mean() > fewer.information.mean()


def test_a_dead_channel_prefers_nothing(digits, digits_net, healthy):
    conv = healthy["params"]["stage3"]["conv"]
    conv["kernel"][..., 4], conv["bias"][4] = 0, -1
    found = specialization(digits_net, healthy, digits.images[:100], digits.labels[:100], "stage3")
    assert found.preferred[4] == -1
    assert np.isnan(found.selectivity[4])
    np.testing.assert_allclose(found.information[4], 0, atol=1e-12)


def test_bad_input(digits, digits_net, healthy):
    images, labels = digits.images[:20], digits.labels[:20]
    with pytest.raises(ValueError, match=r"smallest activation is -.*behind its ReLU"):
        specialization(digits_net, healthy, images, labels, "head")
    with pytest.raises(ValueError, match="did you mean stage3"):
        specialization(digits_net, healthy, images, labels, "stage33")
    with pytest.raises(ValueError, match="all 20 labels are 1: expected at least two classes"):
        specialization(digits_net, healthy, images, 0 * labels + 1, "stage3")
    with pytest.raises(ValueError, match=r"labels of shape \(19,\)"):
        specialization(digits_net, healthy, images, labels[:-1], "stage3")
    with pytest.raises(ValueError, match=r"values of shape \(4,\)"):
        class_selectivity(np.ones(4), np.arange(4))
    with pytest.raises(ValueError, match="finite numbers"):
        class_information(np.full((4, 1), np.nan), np.arange(4))
