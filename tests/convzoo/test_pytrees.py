import dataclasses

import jax

from convzoo.pytrees import register


def make(name):
    return register(dataclasses.make_dataclass(name, ["x", "y"], frozen=True))


def test_leaves_paths_and_copies():
    one = make("One")
    value = one(1.0, {"a": 2.0})
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(value)]
    assert paths == [".x", ".y['a']"]
    assert jax.tree.map(lambda x: x + 1, value) == one(2.0, {"a": 3.0})


def test_classes_with_the_same_fields_are_different_structures():
    one, other = make("One"), make("Other")
    assert jax.tree.structure(one(1, 2)) == jax.tree.structure(one(3, 4)) != jax.tree.structure(other(1, 2))
