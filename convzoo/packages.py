"""The packages `zoo`, `train` and `analysis` that lie beside this one, imported from there and nowhere else."""

import importlib
import sys
from collections.abc import Collection
from importlib.abc import MetaPathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]

IMPORTS = {"zoo": ("zoo",), "train": ("zoo", "train", "analysis"), "analysis": ("analysis",)}
"""What each package imports of the three, itself included."""


class _Beside(MetaPathFinder):
    """Finds packages beside this one, so that a file of the same name in the current folder does not win."""

    def __init__(self):
        self.names: set[str] = set()

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in self.names:
            return None
        folder = ROOT / fullname
        return spec_from_file_location(fullname, folder / "__init__.py", submodule_search_locations=[str(folder)])


_FINDER = _Beside()


def prefer(names: Collection[str]) -> None:
    """Let `import` take these packages from beside this one, for the rest of the process.

    Args:
      names: of `zoo`, `train` and `analysis`.

    Raises:
      ImportError: another module of such a name is imported already.
    """
    for name in names:
        if name in sys.modules and (place := _place(sys.modules[name])) != ROOT / name:
            raise ImportError(
                f"the module {name!r} is already imported from {place}: rename that file, "
                f"or use convzoo.{name} before importing it"
            )
    _FINDER.names.update(names)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def load(name: str) -> ModuleType:
    """Import a package from beside this one.

    Args:
      name: `zoo`, `train` or `analysis`.

    Returns:
      The module.

    Raises:
      ImportError: another module of its name, or of a package that it imports, is imported already.

    Example:
      >>> load("zoo").create("lenet5").num_classes
      10
    """
    prefer(IMPORTS[name])
    return importlib.import_module(name)


def _place(module: ModuleType) -> Path | str:
    """The file of a module, or the folder of a package."""
    if folders := [*getattr(module, "__path__", ())]:
        return Path(folders[0]).resolve()
    return Path(module.__file__) if module.__file__ else repr(module)
