import math

import pytest

from train.stopping import Stopping


@pytest.mark.parametrize(
    ("losses", "best", "bad"),
    [
        ([], math.inf, 0),
        ([2.0, 1.0], 1.0, 0),
        ([1.0, 1.0], 1.0, 1),
        ([1.0, math.nan, 2.0], 1.0, 2),
        ([math.nan], math.inf, 1),
    ],
)
def test_only_a_lower_loss_is_better(losses, best, bad):
    memory = Stopping.start()
    for loss in losses:
        memory = memory.after(loss)
    assert (float(memory.best), int(memory.bad)) == (best, bad)
    assert (memory.best.dtype, memory.bad.dtype) == ("float32", "int32")
