"""An evaluation of classifiers whose robust accuracy is known in closed form."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks
from analysis.attacks.evaluation import procedure

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(3, 3, 1, 4)).astype(np.float32)
IMAGES = RANDOM.uniform(0.3, 0.7, size=(24, 3, 3, 1)).astype(np.float32)
RADII = (0.02, 0.05, 0.1)
SUITE = {"FGSM": attacks.fgsm, "PGD": attacks.pgd}


@jax.tree_util.Partial
def linear(images):
    return jnp.tensordot(images, WEIGHTS, 3)


LABELS = np.asarray(linear(IMAGES)).argmax(1)
LABELS[:3] = (LABELS[:3] + 1) % 4  # misclassified


def nearest(images, labels, order):
    """(N,) the distance to the nearest boundary, which lies inside [0, 1] for small distances."""
    logits = np.tensordot(np.asarray(images, np.float64), WEIGHTS, 3)
    slopes = WEIGHTS.reshape(-1, 4).astype(np.float64)
    rows = np.arange(len(labels))
    gaps = logits[rows, labels][:, None] - logits
    lengths = np.linalg.norm(slopes[:, labels].T[:, :, None] - slopes[None], order, axis=1)
    return np.where(lengths > 0, gaps / np.maximum(lengths, 1e-9), np.inf).min(1)


def evaluated(suite=SUITE, threat=None, **settings):
    threat = threat or [attacks.Linf(eps) for eps in RADII]
    return attacks.evaluate(linear, IMAGES, LABELS, threat, suite, key=KEY, **settings)


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(procedure, "LONGER", 40)
        yield


@pytest.fixture(scope="module")
def report(few_steps):
    return evaluated()


def test_robust_accuracy_of_a_linear_classifier_is_that_of_its_margins(report):
    distances = nearest(IMAGES, LABELS, 1)
    expected = [float((distances > eps).mean()) for eps in RADII]
    assert report.clean == pytest.approx(21 / 24)
    np.testing.assert_allclose(report.curve["PGD"], expected, atol=1e-9)
    assert report.worst == pytest.approx(expected[-1])
    assert report.accuracy["PGD"] == pytest.approx(report.worst)
    assert 0 < report.worst < report.clean
    assert (report.survivors == (distances > RADII[-1])).all()


def test_each_image_says_what_broke_it_and_how_far_away(report):
    for index, name in enumerate(report.broken_by):
        if name is None:
            assert np.isnan(report.distances[index])
            np.testing.assert_array_equal(report.images[index], IMAGES[index])
        elif name == "clean":
            assert report.distances[index] == 0
        else:
            assert name in SUITE
            assert report.distances[index] == pytest.approx(np.abs(report.images[index] - IMAGES[index]).max())
            assert report.distances[index] <= RADII[report.level[index]] * (1 + 1e-4)
    assert report.broken_by[:3] == ["clean"] * 3


def test_a_healthy_classifier_raises_no_warning(report):
    assert report.warnings == ()
    assert report.shortfalls["PGD"] < 0.05


def test_the_table_and_the_json_carry_the_figures(report):
    text = str(report)
    assert "robust accuracy" in text
    assert "95 % interval" in text
    assert text.startswith("after ")
    assert all(f"ε = {radius}/255" in text.splitlines()[0] for radius in ("5.1", "12.8", "25.5"))
    fields = json.loads(report.to_json())
    assert fields["worst"] == report.worst
    assert fields["accuracy"]["PGD"] == report.curve["PGD"].tolist()
    assert fields["settings"]["images"] != fields["settings"]["weights"]
    assert report.markdown().splitlines()[1].startswith("| --- | --: |")
    assert len(report.figure().axes[0].lines) == 2


def test_an_attack_for_the_nearest_image_runs_once_for_all_radii(report):
    lines = []
    other = evaluated({"DeepFool": attacks.deepfool}, log=lines.append)
    assert [line.split()[2] for line in lines] == ["21"]
    broken = other.attack >= 0
    np.testing.assert_allclose(other.distances[broken], nearest(IMAGES, LABELS, 1)[broken], rtol=0.05)
    np.testing.assert_array_equal(other.survivors, report.survivors)


def test_the_batch_size_changes_nothing(report):
    other = evaluated(batch_size=7)
    np.testing.assert_array_equal(other.level, report.level)


class StopError(Exception):
    pass


def test_a_stopped_evaluation_goes_on_and_ends_the_same(tmp_path, report):
    path, lines = tmp_path / "record.npz", []

    def stop(line):
        lines.append(line)
        if len(lines) == 4:
            raise StopError

    with pytest.raises(StopError):
        evaluated(path=path, log=stop)
    more = []
    resumed = evaluated(path=path, log=more.append)
    assert len(lines) - 1 + len(more) == len(SUITE) * len(RADII)
    for name in ("level", "attack", "images", "distances"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(report, name))
    with pytest.raises(ValueError, match="holds another evaluation: batch_size"):
        evaluated(path=path, batch_size=5)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="is no record of an evaluation"):
        evaluated(path=path)


def test_a_success_that_the_classifier_does_not_confirm_does_not_count():
    def cheat(logits_fn, images, labels, threat):
        return jnp.clip(images + 10 * threat.eps, 0, 1)

    assert evaluated({"cheat": cheat}).worst == pytest.approx(21 / 24)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threat": 0.1}, "threat=0.1: expected a threat model"),
        ({"threat": [attacks.Linf(0.1), attacks.L2(0.1)]}, "expected one norm"),
        ({"suite": "standrad"}, "did you mean standard"),
        ({"suite": {}}, "expected a name, {label: attack}, or a tuple of Step"),
        ({"key": None}, "expected one key"),
        ({"batch_size": 0}, "batch_size=0: expected a positive integer"),
        ({"samples": 0}, "samples=0: expected a positive integer"),
        ({"labels": np.full(24, 4)}, "there are 4 classes"),
        ({"images": IMAGES * 255}, "expected \\[0, 1\\]"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"images": IMAGES, "labels": LABELS, "threat": attacks.Linf(0.1), "suite": SUITE, "key": KEY} | change
    with pytest.raises(ValueError, match=message):
        attacks.evaluate(linear, **arguments)


def test_survivors_are_attacked_in_one_of_two_sizes():
    victim = procedure.Victim.of(linear, IMAGES, 1, 16, KEY)
    assert [victim.size(count) for count in (1, 4, 5, 16, 24)] == [4, 4, 16, 16, 16]
