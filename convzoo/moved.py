"""Names that have moved: a module's `__getattr__`, made from a table, that warns and names the new place."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def moved(module: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` that keeps old names of a module reachable, with a `DeprecationWarning`.

    Args:
      module: the module's name, `__name__`.
      places: new place of each old name, as a dotted path: of what a module holds, or of a module.

    Returns:
      The function, to be assigned to `__getattr__` in the module.

    Example:
      >>> with warnings.catch_warnings(record=True, action="always") as caught:
      ...     round(moved("geometry", {"circle": "math.tau"})("circle"), 2), str(caught[0].message)
      (6.28, 'geometry.circle has moved to math.tau, and its old name will go in the next version')
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place = places[name]
        text = f"{module}.{name} has moved to {place}, and its old name will go in the next version"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        home, _, attribute = place.rpartition(".")
        return getattr(importlib.import_module(home), attribute)

    return get
