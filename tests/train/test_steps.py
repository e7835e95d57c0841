import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import zoo
from train import state
from train.augment import chain
from train.batches import Batch
from train.steps import AUX_WEIGHT, make_evaluation_step, make_train_step
from train.tasks.classification import Classification, cross_entropy
from zoo import Preprocess
from zoo.layers.normalization import BatchNorm

RANDOM = np.random.default_rng(0)
BATCH = Batch(
    RANDOM.uniform(size=(6, 4, 4, 1)).astype(np.float32),
    np.array([0, 1, 2, 0, 1, 2], np.int32),
    np.ones(6, np.float32),
)
PREPROCESS = Preprocess((0.5,), (0.25,))
KEY = jax.random.key(7)
TASK = Classification(3)


class Linear(nn.Module):
    """Logits that are linear in the pixels, with a head beside it that only training sees, and dropout."""

    auxiliary: bool = False
    dropout: float = 0.0

    @nn.compact
    def __call__(self, images, train=False):
        x = images.reshape(len(images), -1)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        if self.auxiliary and (train or self.is_initializing()):
            logits = nn.Dense(3, name="auxiliary")(x)
            if not self.is_initializing():
                self.sow("aux_logits", "logits", logits, reduce_fn=lambda _, new: new, init_fn=lambda: None)
        return nn.Dense(3, name="head")(x)


@functools.cache
def initialized(model):
    return zoo.init(model, jax.random.key(0), (4, 4, 1))


def begin(model, rate=0.1, label_smoothing=0.0, augment=()):
    variables = initialized(model)
    optimizer = optax.sgd(rate)
    step = make_train_step(model, PREPROCESS, optimizer, Classification(3, label_smoothing), chain(augment), KEY)
    return variables, state.create(variables, optimizer, TASK), step


def by_hand(weights, images, labels, smoothing, rate=0.1, classes=3):
    """One step of softmax regression in float64: the mean objective, and the new kernel and bias."""
    kernel, bias = (np.asarray(weights[name], np.float64) for name in ("kernel", "bias"))
    x = (images.reshape(len(images), -1).astype(np.float64) - 0.5) / 0.25
    logits = x @ kernel + bias
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    q = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    delta = (p - q) / len(labels)
    objective = -(q * np.log(p)).sum(1).mean()
    return objective, {"kernel": kernel - rate * x.T @ delta, "bias": bias - rate * delta.sum(0)}


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_step_is_that_of_softmax_regression(smoothing):
    variables, start, step = begin(Linear(), label_smoothing=smoothing)
    objective, expected = by_hand(variables["params"]["head"], BATCH.images, BATCH.targets, smoothing)
    after, report = step(start, BATCH)
    assert float(report.objective) == pytest.approx(objective, rel=1e-5)
    for name, value in expected.items():
        np.testing.assert_allclose(after.variables["params"]["head"][name], value, atol=1e-6)
    assert (int(after.step), int(after.epoch)) == (1, 0)
    # What is reported is the cross-entropy without smoothing.
    plain, _ = by_hand(variables["params"]["head"], BATCH.images, BATCH.targets, 0.0)
    assert float(report.figures["loss"]) == pytest.approx(plain, rel=1e-5)
    assert float(after.metrics.loss) == pytest.approx(6 * plain, rel=1e-5)


def test_what_fills_a_batch_does_not_count():
    variables, start, step = begin(Linear())
    after, report = step(start, BATCH._replace(weights=np.array([1, 1, 1, 1, 0, 0], np.float32)))
    objective, expected = by_hand(variables["params"]["head"], BATCH.images[:4], BATCH.targets[:4], 0.0)
    assert float(report.objective) == pytest.approx(objective, rel=1e-5)
    np.testing.assert_allclose(after.variables["params"]["head"]["kernel"], expected["kernel"], atol=1e-6)
    assert int(after.metrics.confusion.sum()) == 4


def test_auxiliary_heads_weigh_in_and_vanish_in_evaluation():
    variables, start, step = begin(Linear(auxiliary=True))
    after, report = step(start, BATCH)
    main, expected = by_hand(variables["params"]["head"], BATCH.images, BATCH.targets, 0.0)
    side, moved = by_hand(variables["params"]["auxiliary"], BATCH.images, BATCH.targets, 0.0, rate=0.1 * AUX_WEIGHT)
    assert float(report.objective) == pytest.approx(main + AUX_WEIGHT * side, rel=1e-5)
    np.testing.assert_allclose(after.variables["params"]["head"]["kernel"], expected["kernel"], atol=1e-6)
    np.testing.assert_allclose(after.variables["params"]["auxiliary"]["kernel"], moved["kernel"], atol=1e-6)
    assert set(after.variables) == {"params"}


def test_the_callers_arrays_survive_the_donation(same):
    variables, start, step = begin(Linear())
    copies = jax.tree.map(np.array, variables)
    after, _ = step(start, BATCH)
    assert same(variables, copies)
    assert not same(after.variables, copies)


def test_randomness_follows_from_the_step(same):
    variables, _, step = begin(Linear(dropout=0.5), augment=["shift"])
    results = []
    for number in (0, 0, 1):
        start = state.create(variables, optax.sgd(0.1), TASK)
        after, _ = step(start._replace(step=jnp.int32(number)), BATCH)
        results.append(after.variables)
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_batch_statistics_move_in_training_alone(same):
    model = zoo.create("mlp", widths=(8,), norm=BatchNorm(), num_classes=3)
    variables, start, step = begin(model)
    before = jax.tree.map(np.array, variables)
    after, _ = step(start, BATCH)
    assert set(after.variables) == {"params", "batch_stats"}
    assert not same(after.variables["batch_stats"], before["batch_stats"])
    evaluate = make_evaluation_step(model, PREPROCESS, TASK)
    total = evaluate(after.variables, TASK.empty(), BATCH)
    logits = model.apply(after.variables, PREPROCESS(jnp.asarray(BATCH.images)))
    losses = cross_entropy(logits, jnp.asarray(BATCH.targets))
    assert float(total.loss) == pytest.approx(float(losses.sum()), rel=1e-5)
    hits = (np.argmax(logits, -1) == BATCH.targets).sum()
    assert int(jnp.trace(total.confusion)) == hits


def test_evaluation_masks_what_fills_a_batch():
    variables, _, _ = begin(Linear())
    evaluate = make_evaluation_step(Linear(), PREPROCESS, TASK)
    masked = BATCH._replace(weights=np.array([1, 1, 1, 0, 0, 0], np.float32))
    total = evaluate(variables, TASK.empty(), masked)
    objective, _ = by_hand(variables["params"]["head"], BATCH.images[:3], BATCH.targets[:3], 0.0)
    assert float(total.loss) == pytest.approx(3 * objective, rel=1e-5)
    assert np.asarray(total.confusion).sum(1).tolist() == [1, 1, 1]


def test_the_next_epoch_starts_with_empty_metrics():
    _, start, step = begin(Linear())
    after = state.next_epoch(step(start, BATCH)[0], TASK)
    assert (int(after.step), int(after.epoch)) == (1, 1)
    assert not np.asarray(after.metrics.confusion).any()
    assert float(after.metrics.loss) == 0
