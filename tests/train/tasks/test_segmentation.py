import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from train.datasets import Data, Dataset, Split
from train.datasets.description import VOID
from train.tasks.classification import cross_entropy
from train.tasks.counts import Counts
from train.tasks.segmentation import Segmentation
from zoo.layers.resize import resize

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(2, 5, 3, 3, 4)).astype(np.float32)
MASKS = RANDOM.integers(0, 3, (2, 5, 6, 6)).astype(np.uint8)  # class 3 never appears in a mask
MASKS[:, :, 0] = VOID
WEIGHTS = np.array([np.ones(5), np.arange(5) < 2], np.float32)
TASK = Segmentation(4, (6, 6), label_smoothing=0.1)


@functools.cache
def accumulated():
    total, update = TASK.empty(), jax.jit(TASK.update)
    for batch in zip(LOGITS, MASKS, WEIGHTS, strict=True):
        total = update(total, *map(jnp.asarray, batch))
    return total


def predictions():
    logits = np.stack([np.asarray(resize(jnp.asarray(part), (6, 6))) for part in LOGITS])
    return logits, logits.argmax(-1)


def test_figures_are_those_of_scikit_learn_over_all_pixels_that_count():
    counted = (MASKS != VOID) & (WEIGHTS == 1)[:, :, None, None]
    logits, guesses = predictions()
    truth, guess = MASKS[counted], guesses[counted]
    ious = jaccard_score(truth, guess, labels=range(4), average=None, zero_division=0)
    figures = TASK.summarize(accumulated())
    assert [figures[f"iou_{index}"] for index in range(4)] == pytest.approx(ious)
    present = np.isin(range(4), np.union1d(truth, guess))
    assert figures["mean_iou"] == pytest.approx(ious[present].mean())
    assert figures["accuracy"] == pytest.approx((truth == guess).mean())
    losses = [
        np.mean(cross_entropy(jnp.asarray(image[mask != VOID]), jnp.asarray(mask[mask != VOID], jnp.int32)))
        for part, masks, weights in zip(logits, MASKS, WEIGHTS, strict=True)
        for image, mask in zip(part[weights == 1], masks[weights == 1], strict=True)
    ]
    assert figures["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    running = TASK.running(accumulated())
    assert {name: float(value) for name, value in running.items()} == pytest.approx(
        {column.name: figures[column.name] for column in TASK.columns}, rel=1e-5
    )


def test_an_images_loss_does_not_depend_on_void_pixels_or_other_images():
    logits, masks = jnp.asarray(LOGITS[0]), jnp.asarray(MASKS[0])
    losses = TASK.loss(logits, masks)
    changed = logits.at[1:].add(3.0)
    assert float(TASK.loss(changed, masks)[0]) == pytest.approx(float(losses[0]), rel=1e-6)
    none = TASK.loss(logits, jnp.full_like(masks, VOID))
    assert np.asarray(none).tolist() == [0.0] * 5


def test_a_mask_of_booleans_has_two_classes_and_void_is_no_class():
    images = np.zeros((4, 4, 4, 1), np.float32)

    def data(mask):
        split = Split(images, extra={"mask": mask})
        return Data.of(Dataset("squares", split, split), "mask")

    assert Segmentation.create(data(np.zeros((4, 4, 4), bool))) == Segmentation(2, (4, 4))
    values = np.zeros((4, 2, 2), np.uint8)
    values[0, 0] = [3, VOID]
    assert Segmentation.create(data(values)) == Segmentation(4, (2, 2))
    assert Data.from_json(data(values).to_json()) == data(values)
    for mask in (np.zeros((4, 4, 4), np.float32), np.zeros((4, 4), int), np.zeros((4, 4, 4), int)):
        with pytest.raises(ValueError, match="expected masks of"):
            Segmentation.create(data(mask))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected \\(N, H, W, K\\)"):
        TASK.loss(jnp.zeros((2, 6, 6, 4)), jnp.zeros((2, 5, 6), jnp.int32))


def test_counts_go_beyond_32_bits():
    counts, most = Counts.zeros(1), jnp.array([2**31 - 1])
    for _ in range(5):
        counts = counts.add(most)
    assert counts.exact().tolist() == [5 * (2**31 - 1)]
    assert float(counts.rounded()[0]) == pytest.approx(5 * (2**31 - 1))
