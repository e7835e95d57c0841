import numpy as np
import pytest

from train.plan import prepare


@pytest.mark.parametrize("task", ["classification", "embedding"])
def test_shares_of_an_epochs_batches_count_every_image_alike(task, small):
    """1,437 digits in batches of 200: the eighth is short in classification, and full in a task on pairs."""
    config = small("run", task=task, batch_size=200, accumulate=3).resolve()
    plan, _ = prepare(config)
    windows = plan.windows
    visits = plan.visits(0)
    assert -(-len(visits) // 200) == windows.batches == 8
    weights = (np.arange(1600) < len(visits)).astype(np.float32).reshape(8, 200)
    for window in range(windows.updates):
        steps = [step for step in range(8) if step // 3 == window]
        counted = weights[steps].sum()
        # The mean over a window of means over batches, each with its share, is the mean over the window's images.
        parts = [float(windows.share(step, weights[step])) / weights[step].sum() / len(steps) for step in steps]
        assert parts == pytest.approx([1 / counted] * len(steps))
