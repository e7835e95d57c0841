import dataclasses
import math

import numpy as np
import pytest

import analysis
from analysis.diagnosis.findings import Finding, told
from analysis.diagnosis.health import Knowledge, _judge, health
from analysis.diagnosis.kernels import kernel_report


def kinds(found):
    return {(finding.kind, finding.layer, finding.channels) for finding in found.findings}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_a_healthy_network_is_not_accused(digits, digits_net, fitted, seed):
    found = health(digits_net, fitted("train", seed, 600), digits.images, digits.labels, digits.train)
    assert found.healthy, str(found)
    assert found.held_out.accuracy > 0.85
    assert found.memorised < 0.15
    assert found.purity["stage3"] > found.chance + 0.2
    assert found.purity["stage1"] > found.chance
    assert str(found).startswith("healthy: nothing found\naccuracy ")


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_a_memorised_training_set_is_named(digits, digits_net, fitted, seed):
    """The same network, images and optimiser; only the labels are shuffled."""
    found = health(digits_net, fitted("shuffled", seed, 1500), digits.images, digits.labels, digits.shuffled)
    (finding,) = [finding for finding in found.findings if finding.kind == "memorised"]
    assert found.trained_on.accuracy > 0.7
    assert found.memorised > 0.9
    assert finding.number == found.memorised
    assert "guessing" not in {finding.kind for finding in found.findings}, "it does know its training set"
    assert abs(found.trained_purity - found.chance) < 0.15, "what excites a channel has its labels by chance"
    unasked = health(digits_net, fitted("shuffled", seed, 1500), digits.images, digits.labels, layers=["stage3"])
    assert "guessing" in {finding.kind for finding in unasked.findings}
    assert "memorisation not judged" in str(unasked)


@pytest.mark.parametrize("seed", range(3))
def test_an_untrained_network_is_named(digits, digits_net, fitted, seed):
    found = health(digits_net, fitted("train", seed, 0), digits.images, digits.labels, digits.train)
    assert {("random", "stage1/conv", ()), ("guessing", "", ())} <= kinds(found)
    assert math.isnan(found.memorised)
    assert "it knows nothing of the training images" in str(found)


def test_what_surgery_did_is_named_by_filters_and_by_channels(digits, digits_net, healthy):
    conv = healthy["params"]["stage1"]["conv"]
    conv["kernel"][..., 2], conv["bias"][2] = 0, -1
    conv["kernel"][..., 5], conv["bias"][5] = conv["kernel"][..., 1], conv["bias"][1]
    found = health(digits_net, healthy, digits.images, digits.labels, layers=["stage1"])
    assert kinds(found) == {
        ("dead", "stage1/conv", (2,)),
        ("duplicated", "stage1/conv", (5, 1)),
        ("dead", "stage1", (2,)),
        ("duplicated", "stage1", (5, 1)),
    }


def test_random_filters_under_a_network_that_works_are_no_sickness(digits, digits_net, healthy):
    found = health(digits_net, healthy, digits.images[:60], digits.labels[:60], layers=["stage3"], count=3)
    kernel = kernel_report(np.random.default_rng(0).normal(size=(5, 5, 1, 16)), "stage1/conv")
    assert [finding.kind for finding in kernel.findings] == ["random"]
    assert not [*_judge(dataclasses.replace(found, kernel=kernel))]
    guesses = dataclasses.replace(found, kernel=kernel, held_out=Knowledge(60, 0.1, 0.12))
    assert [finding.kind for finding in _judge(guesses)] == ["random", "guessing"]


def test_layers_by_default_are_the_children_but_the_logits(digits, digits_net, healthy):
    found = analysis.health(digits_net, healthy, digits.images[:50], digits.labels[:50], count=3)
    assert [*found.layers] == ["stage1", "stage2", "stage3"]
    assert [*found.purity] == ["stage1", "stage3"]
    assert found.kernel.layer == "stage1/conv"


def test_preprocessing_stands_between(digits, digits_net, healthy):
    conv = healthy["params"]["stage1"]["conv"]
    conv["kernel"] /= 16
    plain = health(digits_net, healthy, digits.images, digits.labels, preprocess=_by_sixteen, layers=["stage3"])
    assert plain.held_out.accuracy > 0.85


def _by_sixteen(images):
    return 16 * images


def test_knowledge():
    sure, lucky = Knowledge(1000, 0.5, 0.1), Knowledge(20, 0.2, 0.1)
    np.testing.assert_allclose(sure.beyond, 0.4)
    np.testing.assert_allclose(sure.error, 0.0158, atol=1e-4)
    assert sure.any
    assert not lucky.any
    assert Knowledge(10, 1.0, 0.5).error > 0


def test_findings_are_told_briefly():
    findings = [Finding("dead", "stem", (index,), 0.0, f"channel {index} is dead") for index in range(6)]
    lines = told([*findings, Finding("guessing", "", (), 0.1, "it guesses")]).splitlines()
    assert lines == [f"stem: channel {index} is dead" for index in range(4)] + [
        "it guesses",
        "stem: and 2 more that are dead",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ["stage9"]}, "did you mean"),
        ({"layers": []}, "give layers="),
        ({"layers": "stage1"}, r"expected several names, such as \['stage1'\]"),
        ({"trained_on": np.ones((4, 8, 8, 1), np.float32)}, r"ndarray: expected a pair \(images, labels\)"),
        ({"count": 21}, "count=21 is more than the 20 images there are"),
        ({"labels": np.full(20, 10)}, r"labels\[0\] is 10, but there are 10 classes"),
        ({"trained_on": (np.ones((2, 8, 8, 1), np.float32), [0, 11])}, r"labels\[1\] is 11"),
        ({"images": np.full((20, 8, 8, 1), np.nan, np.float32)}, "NaN"),
    ],
)
def test_bad_input(digits, digits_net, healthy, settings, message):
    given = {"images": digits.images[:20], "labels": digits.labels[:20]} | settings
    with pytest.raises(ValueError, match=message):
        health(digits_net, healthy, **given)
