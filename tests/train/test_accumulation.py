import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import zoo
from train import state
from train.accumulation import Windows
from train.augment import chain
from train.batches import Batch
from train.steps import make_train_step
from train.tasks import Classification
from zoo import Preprocess
from zoo.layers.normalization import BatchNorm

IMAGES = np.random.default_rng(0).uniform(size=(14, 4, 4, 1)).astype(np.float32)
LABELS = np.arange(14, dtype=np.int32) % 3
TASK = Classification(3)


def epoch(model, batch_size, length, epochs=1, decay=None):
    """States after each step of epochs over 14 images in order."""
    windows = Windows(14, batch_size, length)
    optimizer = windows.accumulate(optax.chain(optax.add_decayed_weights(1e-2), optax.sgd(0.5, momentum=0.9)))
    variables = zoo.init(model, jax.random.key(0), (4, 4, 1))
    step = make_train_step(
        model, Preprocess(), optimizer, TASK, chain([]), jax.random.key(1), windows=windows, decay=decay or 0.0
    )
    current = state.create(variables, optimizer, TASK)
    current = current._replace(ema=jax.tree.map(jnp.copy, current.variables) if decay else None)
    states = []
    for number in range(epochs * windows.batches):
        places = (number % windows.batches) * batch_size + np.arange(batch_size)
        batch = Batch(IMAGES[places % 14], LABELS[places % 14], (places < 14).astype(np.float32))
        current, _ = step(current, batch)
        states.append(jax.tree.map(np.asarray, current))
    return states


def assert_close(left, right, tolerance=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance), left, right)


@pytest.mark.parametrize(("batch_size", "length"), [(4, 2), (2, 7)])
def test_windows_of_batches_equal_big_batches(batch_size, length):
    """Batches of 4 of 14 images: an epoch ends with a window whose last batch is half full."""
    model = zoo.create("mlp", widths=(8,), num_classes=3)
    big = epoch(model, batch_size * length, 1, epochs=2)
    small = epoch(model, batch_size, length, epochs=2)
    ends = [step for step in range(len(small)) if Windows(14, batch_size, length).ends(step)]
    assert len(ends) == len(big)
    for end, expected in zip(ends, big, strict=True):
        assert_close(small[end].variables, expected.variables)
    between = next(step for step in range(len(small)) if step not in ends)
    before = small[between - 1].variables if between else zoo.init(model, jax.random.key(0), (4, 4, 1))
    assert_close(small[between].variables["params"], before["params"], tolerance=0)


def test_a_short_last_window_makes_an_update_of_its_own():
    model = zoo.create("mlp", widths=(8,), num_classes=3)
    windows = Windows(14, 2, 3)  # windows of 3, 3 and 1 batches
    assert [int(windows.size(update)) for update in range(4)] == [3, 3, 1, 3]
    assert [bool(windows.ends(step)) for step in range(8)] == [False, False, True] * 2 + [True, False]
    assert [int(windows.updates_before(step)) for step in range(8)] == [0, 0, 0, 1, 1, 1, 2, 3]
    states = epoch(model, 2, 3, epochs=2)
    counts = [int(one.opt_state.gradient_step) for one in states]
    assert counts == [0, 0, 1, 1, 1, 2, 3, 3, 3, 4, 4, 4, 5, 6]


def test_averages_follow_updates_and_not_batches():
    model = zoo.create("mlp", widths=(8,), num_classes=3)
    windows = Windows(14, 2, 3)
    average, count = zoo.init(model, jax.random.key(0), (4, 4, 1)), 0
    for step, current in enumerate(epoch(model, 2, 3, decay=0.15)):
        if windows.ends(step):
            rate = min(0.15, (1 + count) / (10 + count))
            average = jax.tree.map(
                lambda old, new, rate=rate: rate * old + (1 - rate) * new, average, current.variables
            )
            count += 1
        assert_close(current.ema, average)


def test_batch_normalization_sees_single_batches():
    """Statistics are those of each batch, and move with every one: not those of the big batch."""
    model = zoo.create("mlp", widths=(8,), norm=BatchNorm(), num_classes=3)
    states = epoch(model, 7, 2)
    assert_close(states[0].variables["params"], zoo.init(model, jax.random.key(0), (4, 4, 1))["params"], tolerance=0)
    means = np.stack([one.variables["batch_stats"]["norm1"]["mean"] for one in states])
    # Both batches pass the first parameters: one update of a moving mean of 0.9 each.
    hidden = IMAGES.reshape(14, 16) @ states[0].variables["params"]["dense1"]["kernel"]
    first, second = hidden[:7].mean(0), hidden[7:].mean(0)
    np.testing.assert_allclose(means, [0.1 * first, 0.09 * first + 0.1 * second], atol=1e-6)
