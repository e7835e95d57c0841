"""The public names of `analysis`, and those of the version before."""

import pytest

import analysis
from analysis import scores

MOVED = [(name, home) for home, names in analysis.MOVED.items() for name in names]


@pytest.mark.parametrize(("name", "home"), MOVED)
def test_a_moved_name_is_reachable_and_says_where_it_is_now(name, home):
    with pytest.warns(DeprecationWarning, match=rf"analysis\.{name} has moved to analysis\.{home}\.{name}"):
        old = getattr(analysis, name)
    assert old is getattr(getattr(analysis, home), name)
    assert name not in analysis.__all__


def test_a_moved_module_is_reachable():
    with pytest.warns(DeprecationWarning, match=r"analysis\.drive has moved to analysis\.execution"):
        assert analysis.drive is analysis.execution


def test_the_top_level_holds_functions_and_sub_packages_that_exist():
    assert sorted(analysis.__all__) == analysis.__all__
    assert all(hasattr(analysis, name) for name in analysis.__all__)


@pytest.mark.parametrize("name", scores.METRICS)
def test_metrics_are_reachable_by_the_name_that_they_had(name):
    with pytest.warns(DeprecationWarning, match=rf"analysis\.scores\.{name} has moved to analysis\.metrics\.{name}"):
        assert getattr(scores, name) is getattr(analysis.metrics, name)
