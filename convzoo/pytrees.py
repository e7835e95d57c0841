"""Dataclasses as pytrees whose class is part of their structure."""

import dataclasses
from typing import Any, TypeVar

import jax

C = TypeVar("C", bound=type)


def register(cls: C) -> C:
    """Make a dataclass a pytree of its fields, as a decorator.

    `jax.tree_util.register_dataclass` of JAX 0.10 leaves the class out when it compares structures: two classes with
    as many fields are equal, and a compiled function now and then runs the program of one on the other. Here they
    differ. Neither `__init__` nor `__post_init__` runs when a tree is rebuilt.

    Args:
      cls: a dataclass, frozen or not; all its fields are children.

    Returns:
      The class.

    Example:
      >>> @register
      ... @dataclasses.dataclass(frozen=True)
      ... class Radius:
      ...     value: float
      >>> jax.tree.map(lambda x: 2 * x, Radius(0.5)).value
      1.0
    """
    names = [field.name for field in dataclasses.fields(cls)]

    def flatten(value: Any) -> tuple[list, None]:
        return [(jax.tree_util.GetAttrKey(name), getattr(value, name)) for name in names], None

    def unflatten(_, children: Any) -> Any:
        value: Any = object.__new__(cls)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(value, name, child)
        return value

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
    return cls
