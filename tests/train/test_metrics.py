import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from train import metrics

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(3, 20, 5)).astype(np.float32)
LABELS = RANDOM.integers(0, 4, (3, 20)).astype(np.int32)  # class 4 never appears
LOSSES = RANDOM.uniform(size=(3, 20)).astype(np.float32)
WEIGHTS = np.array([np.ones(20), np.ones(20), np.arange(20) < 7], np.float32)


def accumulated():
    total = metrics.empty(5)
    for batch in zip(LOGITS, LABELS, LOSSES, WEIGHTS, strict=True):
        total = metrics.update(total, *map(jnp.asarray, batch))
    return total


def test_batches_add_up_to_what_scikit_learn_says_of_all_images_that_count():
    total, counted = accumulated(), WEIGHTS == 1
    labels, predictions = LABELS[counted], LOGITS.argmax(-1)[counted]
    np.testing.assert_array_equal(total.confusion, confusion_matrix(labels, predictions, labels=range(5)))
    found = metrics.summarize(total)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predictions, labels=range(5), average="macro", zero_division=0
    )
    assert found["loss"] == pytest.approx(LOSSES[counted].mean(), rel=1e-6)
    assert found["accuracy"] == pytest.approx((labels == predictions).mean())
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx((precision, recall, f1))
    assert all(type(value) is float for value in found.values())


def test_per_class_figures():
    total, counted = accumulated(), WEIGHTS == 1
    expected = precision_recall_fscore_support(
        LABELS[counted], LOGITS.argmax(-1)[counted], labels=range(5), zero_division=0
    )
    found = metrics.per_class(np.asarray(total.confusion))
    for values, name in zip(expected, ("precision", "recall", "f1"), strict=False):
        np.testing.assert_allclose(found[name], values)
    assert found["recall"][4] == 0


def test_no_images_have_no_figures():
    with pytest.raises(ValueError, match="no images"):
        metrics.summarize(metrics.empty(3))
