"""The study of transfer, in small."""

import numpy as np
import pytest

from tests.studies import transfer as study


@pytest.mark.slow
def test_the_study_compares_all_strategies_on_the_same_images(tmp_path):
    size = study.Size(side=16, pretraining=2, updates=4, images=(4,))
    trial = study.study(tmp_path, 0, size)
    assert len(trial) == 1 + len(study.STRATEGIES) + len(study.LINEAR)
    assert all(0 <= accuracy <= 1 for accuracy in trial.values())
    assert study.study(tmp_path, 0, size) == trial, "runs that are there are not trained again"
    lines = study.markdown([trial, trial], size.images).splitlines()
    assert len(lines) == 2 + len(trial)


def test_parts_of_the_digits_have_few_images_of_each_class():
    few = study.part(study.NEW, 8, images=3, seed=1)
    assert np.bincount(few.train.labels).tolist() == [3] * 5
    assert few.classes == ("5", "6", "7", "8", "9")
    other = study.part(study.NEW, 8, images=3, seed=2)
    assert (few.train.images != other.train.images).any()
    np.testing.assert_array_equal(few.test.images, other.test.images)
