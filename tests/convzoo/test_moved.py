import pytest

from convzoo.moved import moved


def test_an_old_name_gives_the_new_object_and_a_warning_that_names_it():
    get = moved("shapes", {"folder": "pathlib.Path", "text": "json.decoder"})
    with pytest.warns(DeprecationWarning, match=r"shapes\.folder has moved to pathlib\.Path"):
        path = get("folder")
    assert path.__name__ == "Path"
    with pytest.warns(DeprecationWarning, match=r"json\.decoder"):
        assert get("text").JSONDecoder


def test_other_names_are_missing_as_ever():
    with pytest.raises(AttributeError, match="module 'shapes' has no attribute 'circle'"):
        moved("shapes", {})("circle")
