import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import train
from train.datasets import Dataset, Split
from train.tasks import similarity, verification
from train.tasks.embedding import Embedding

RANDOM = np.random.default_rng(0)
LABELS = np.arange(40, dtype=np.int32) % 8
OUTPUTS = (np.eye(8)[LABELS] + RANDOM.normal(scale=0.5, size=(40, 8))).astype(np.float32)
POINTS = OUTPUTS / np.linalg.norm(OUTPUTS, axis=1, keepdims=True)


def triplet_by_hand(points, labels, margin=0.2):
    """Mean over all pairs of an anchor and a positive, each with its semi-hard negative, written as in the paper."""
    distances = ((points[:, None] - points[None]) ** 2).sum(-1)
    losses = []
    for anchor in range(len(points)):
        negatives = distances[anchor][labels != labels[anchor]]
        for positive in np.flatnonzero(labels == labels[anchor]):
            if positive != anchor:
                near = distances[anchor, positive]
                beyond = negatives[negatives > near]
                far = beyond.min() if len(beyond) else negatives.max()
                losses.append(max(0, near - far + margin))
    return np.mean(losses)


def contrastive_by_hand(points, labels, margin=1.0):
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    same = (labels[:, None] == labels[None]) & ~np.eye(len(labels), dtype=bool)
    different = labels[:, None] != labels[None]
    return (distances[same] ** 2).mean() / 2 + (np.maximum(0, margin - distances[different]) ** 2).mean() / 2


BY_HAND = {"triplet": triplet_by_hand, "contrastive": contrastive_by_hand}


@pytest.mark.parametrize("kind", similarity.LOSSES)
@pytest.mark.parametrize("images", [40, 13])
def test_losses_are_means_over_the_pairs_of_images_that_count(kind, images):
    counted = jnp.arange(40) < images
    losses = similarity.LOSSES[kind](jnp.asarray(POINTS), jnp.asarray(LABELS), counted)
    expected = BY_HAND[kind](POINTS[:images].astype(np.float64), LABELS[:images])
    assert float(losses[:images].mean()) == pytest.approx(expected, rel=1e-4)
    if images == 40:
        task = Embedding(8, kind)
        assert float(task.loss(jnp.asarray(3 * OUTPUTS), jnp.asarray(LABELS)).mean()) == pytest.approx(
            expected, rel=1e-4
        )


@pytest.mark.parametrize("kind", similarity.LOSSES)
def test_gradients_are_finite_for_equal_images_and_for_batches_without_pairs(kind):
    task = Embedding(8, kind)
    gradients = jax.jit(jax.grad(lambda outputs, labels: task.loss(outputs, labels).mean()))
    for outputs, labels in (
        (jnp.ones((4, 8)), [0, 0, 1, 1]),
        (jnp.asarray(OUTPUTS[:3]), [0, 1, 2]),
        (OUTPUTS[:2], [0, 0]),
    ):
        assert np.isfinite(gradients(jnp.asarray(outputs), jnp.array(labels))).all()


def cosines(labels=LABELS):
    rows, columns = np.triu_indices(len(POINTS), 1)
    return (POINTS @ POINTS.T)[rows, columns], labels[rows] == labels[columns], rows, columns


def evaluated(batch_size):
    """Metrics of all images in batches; the last is filled with images that do not count."""
    task = Embedding(8)
    total, update = task.empty(len(LABELS)), jax.jit(task.update)
    for start in range(0, len(LABELS), batch_size):
        rows = np.arange(start, start + batch_size)
        weights = (rows < len(LABELS)).astype(np.float32)
        rows = rows % len(LABELS)
        total = update(total, *map(jnp.asarray, (OUTPUTS[rows], LABELS[rows], weights)))
    return task, total


@pytest.mark.parametrize("batch_size", [16, 40])
def test_all_pairs_count_once_whatever_the_batches(batch_size):
    task, total = evaluated(batch_size)
    values, same, rows, columns = cosines()
    counts = total.pairs.exact()
    assert counts.sum((0, 2)).tolist() == [(~same).sum(), same.sum()]
    assert counts[2].sum() == ((LABELS[rows] % 2) != (LABELS[columns] % 2)).sum()
    curve = verification.curve(counts.sum(0))
    assert curve.area == pytest.approx(roc_auc_score(same, values), abs=2e-3)
    figures = task.summarize(total)
    thresholds = np.sort(values)
    false, true = (np.array([(values[kind] >= t).mean() for t in thresholds]) for kind in (~same, same))
    nearest = np.argmin(abs(false - (1 - true)))
    assert figures["eer"] == pytest.approx((false[nearest] + 1 - true[nearest]) / 2, abs=0.01)
    first = {label: np.flatnonzero(label == LABELS)[0] for label in range(8)}
    asked = np.setdiff1d(np.arange(40), [*first.values()])
    nearest = np.argmax(POINTS[asked] @ POINTS[[*first.values()]].T, axis=1)
    assert figures["top_1"] == pytest.approx((nearest == LABELS[asked]).mean())


def test_a_threshold_is_applied_to_identities_that_it_was_not_chosen_on():
    task, total = evaluated(40)
    values, same, rows, columns = cosines()
    even, odd = (((LABELS[rows] % 2 == half) & (LABELS[columns] % 2 == half)) for half in (0, 1))
    edges = np.linspace(-1, 1, verification.BINS + 1)[:-1]

    def rate(part):
        return np.array([((values[part & same] >= t).mean() + (values[part & ~same] < t).mean()) / 2 for t in edges])

    expected = (rate(odd)[rate(even).argmax()] + rate(even)[rate(odd).argmax()]) / 2
    assert task.summarize(total)["accuracy"] == pytest.approx(expected, abs=0.01)


def test_perfect_and_useless_embeddings():
    labels = jnp.asarray(LABELS)
    task = Embedding(8)
    perfect = task.update(task.empty(40), jax.nn.one_hot(labels, 8), labels, jnp.ones(40))
    figures = task.summarize(perfect)
    assert (figures["accuracy"], figures["eer"], figures["top_1"]) == (1.0, 0.0, 1.0)
    useless = task.summarize(task.update(task.empty(40), jnp.ones((40, 8)), labels, jnp.ones(40)))
    assert (useless["accuracy"], useless["eer"]) == pytest.approx((0.5, 0.5))


def people(counts):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    split = Split(RANDOM.uniform(size=(len(labels), 8, 8, 1)).astype(np.float32), labels)
    return Dataset("people", split, split, tuple(f"person {index}" for index in range(len(counts))))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1] * 12, "each of the 12 identities has one image: no pair of one identity can be made, .*verification"),
        ([4, 1, 4, 4, 4], "3 identities of even and 1 of odd labels have 2 images or more: expected 2 of each"),
    ],
)
def test_images_without_pairs_are_refused_with_the_reason(counts, message, tmp_path, small):
    config = small(tmp_path / "run", dataset=people(counts), size=None, batch_size=8, task="embedding", augment=())
    with pytest.raises(ValueError, match=message):
        train.run(config, quiet=True)
    assert not (tmp_path / "run").exists()
