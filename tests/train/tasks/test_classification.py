import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax as _softmax
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from train.tasks.classification import Classification, cross_entropy, per_class

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(3, 20, 5)).astype(np.float32)
LABELS = RANDOM.integers(0, 4, (3, 20)).astype(np.int32)  # class 4 never appears
TASK = Classification(5, label_smoothing=0.1)
WEIGHTS = np.array([np.ones(20), np.ones(20), np.arange(20) < 7], np.float32)


def softmax(logits):
    return _softmax(logits.astype(np.float64), axis=-1)


@functools.cache
def accumulated():
    total, update = TASK.empty(), jax.jit(TASK.update)
    for batch in zip(LOGITS, LABELS, WEIGHTS, strict=True):
        total = update(total, *map(jnp.asarray, batch))
    return total


def test_batches_add_up_to_what_scikit_learn_says_of_all_images_that_count():
    total, counted = accumulated(), WEIGHTS == 1
    labels, predictions = LABELS[counted], LOGITS.argmax(-1)[counted]
    np.testing.assert_array_equal(total.confusion, confusion_matrix(labels, predictions, labels=range(5)))
    figures = TASK.summarize(total)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predictions, labels=range(5), average="macro", zero_division=0
    )
    assert figures["loss"] == pytest.approx(log_loss(labels, softmax(LOGITS[counted]), labels=range(5)), rel=1e-5)
    assert figures["accuracy"] == pytest.approx((labels == predictions).mean())
    assert (figures["precision"], figures["recall"], figures["f1"]) == pytest.approx((precision, recall, f1))
    assert all(type(value) is float for value in figures.values())


def test_per_class_figures():
    total, counted = accumulated(), WEIGHTS == 1
    expected = precision_recall_fscore_support(
        LABELS[counted], LOGITS.argmax(-1)[counted], labels=range(5), zero_division=0
    )
    figures = per_class(np.asarray(total.confusion))
    for values, name in zip(expected, ("precision", "recall", "f1"), strict=False):
        np.testing.assert_allclose(figures[name], values)
    assert figures["recall"][4] == 0


def test_no_images_have_no_figures():
    with pytest.raises(ValueError, match="no images"):
        TASK.summarize(TASK.empty())


def test_running_figures_are_those_of_the_columns():
    total = accumulated()
    running, figures = TASK.running(total), TASK.summarize(total)
    assert [column.name for column in TASK.columns] == [*running] == ["loss", "accuracy"]
    for name, value in running.items():
        assert float(value) == pytest.approx(figures[name], rel=1e-5)


def test_only_the_loss_is_smoothed():
    logits, labels = jnp.asarray(LOGITS[0]), jnp.asarray(LABELS[0])
    smoothed = -(0.9 * np.eye(5)[LABELS[0]] + 0.02) * np.log(softmax(LOGITS[0]))
    np.testing.assert_allclose(TASK.loss(logits, labels), smoothed.sum(1), rtol=1e-5)


@pytest.mark.parametrize(("logits", "labels"), [((4, 8, 8, 3), (4,)), ((4, 3), (4, 1)), ((4, 3), (3,))])
def test_shapes_that_would_broadcast_are_refused(logits, labels):
    with pytest.raises(ValueError, match=r"expected \(N, K\) and \(N,\)"):
        cross_entropy(jnp.zeros(logits), jnp.zeros(labels, jnp.int32))


def test_one_logit_has_no_cross_entropy():
    """Its softmax is 1 whatever the image: training would end at once at a loss of 0."""
    with pytest.raises(ValueError, match=r"logits of shape \(2, 1\): expected 2 classes or more; .*with_two_classes"):
        cross_entropy(jnp.zeros((2, 1)), jnp.zeros(2, jnp.int32))
