"""Names that have moved stay reachable, with a warning at the user's line."""

import sys
import types
import warnings

import pytest

import zoo
from convzoo.moved import moved

PLACES = {"max_pool": "zoo.layers.max_pool", "pools": "zoo.layers.pooling"}


@pytest.fixture
def old(monkeypatch):
    """A package that two names have left."""
    package = types.ModuleType("old_package")
    package.__path__ = []
    package.__getattr__ = moved("old_package", PLACES)
    monkeypatch.setitem(sys.modules, "old_package", package)
    return package


def test_an_attribute_is_the_thing_itself_and_warns_at_the_line_of_its_user(old):
    with pytest.warns(
        DeprecationWarning, match=r"^old_package\.max_pool has moved to zoo\.layers\.max_pool: "
    ) as notes:
        assert old.max_pool is zoo.layers.max_pool
    assert [note.filename for note in notes] == [__file__]


def test_an_import_works_in_the_same_way(old):
    with pytest.warns(DeprecationWarning, match=r"moved to zoo\.layers\.pooling") as notes:
        from old_package import pools
    assert pools.max_pool is zoo.layers.max_pool
    assert {note.filename for note in notes} == {__file__}


def test_other_names_are_missing_and_do_not_warn(old):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AttributeError, match="'old_package' has no attribute 'maxpool', did you mean max_pool"):
            old.maxpool  # noqa: B018
        assert not hasattr(old, "__wrapped__")


def test_a_place_that_does_not_exist_is_an_error():
    with pytest.warns(DeprecationWarning, match="has moved"), pytest.raises(AttributeError, match="no_pool"):
        moved("old_package", {"pool": "zoo.layers.no_pool"})("pool")
