"""Public names that have moved: reachable at their old place for one version, with a warning that names the new one."""

import pkgutil
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from convzoo.checks import did_you_mean


def moved(module: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a module that some names have left.

    Args:
      module: name of the module.
      places: {old name: full name of the new place}; the place may be a module.

    Returns:
      A function to be assigned to `__getattr__` in the module. For an old name it gives a
      `DeprecationWarning` and the thing itself, for any other an `AttributeError`.

    Example:
      >>> old = moved("zoo", {"max_pool": "zoo.layers.max_pool"})
      >>> with warnings.catch_warnings(action="ignore"):  # 'zoo.max_pool has moved to zoo.layers.max_pool: …'
      ...     old("max_pool").__name__
      'max_pool'
    """

    def __getattr__(name: str) -> Any:  # noqa: N807, the name by which Python asks for it
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}{did_you_mean(name, places)}")
        warnings.warn(
            f"{module}.{name} has moved to {places[name]}: the old name goes in the next version",
            DeprecationWarning,
            stacklevel=2,
        )
        return pkgutil.resolve_name(places[name])

    return __getattr__
