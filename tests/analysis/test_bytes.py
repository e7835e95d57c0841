"""Bytes where fractions are expected: every public function with images refuses them before it compiles anything."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks, attribution, diagnosis, draw, features, metrics
from analysis.features.top_images import TopImages
from tests.support.helpers import Pooled, random_variables

PACKAGES = (attacks, attribution, diagnosis, features, metrics)
FUNCTIONS = {
    f"{package.__name__}.{name}": function
    for package in PACKAGES
    for name, function in vars(package).items()
    if inspect.isfunction(function) and {"images", "image"} & {*inspect.signature(function).parameters}
}


@pytest.fixture(scope="module")
def arguments():
    """A value for every parameter that has no default."""
    one = np.zeros((1, 1), int)
    top = TopImages("stage1", np.zeros(1, int), one, np.ones((1, 1)), np.zeros((1, 1, 2), int), np.ones(1, int), None)
    images, model = np.full((2, 6, 8, 3), 200, np.uint8), Pooled()
    labels, key = np.zeros(2, int), jax.random.key(0)

    def function(images):
        return images.astype(jnp.float32).mean((1, 2)) @ jnp.ones((3, 3))

    return {
        **{"images": images, "image": images[:1], "labels": labels, "target": 0, "size": 2, "key": key},
        **{"logits_fn": function, "predict": function, "predict_labels": lambda images: labels[: len(images)]},
        **{"model": model, "variables": random_variables(model, (6, 8, 3)), "layer": "stage1", "channels": (0,)},
        **{
            "maps": np.ones((2, 6, 8)),
            "mask": np.ones((6, 8)),
            "threat": attacks.Linf(0.1),
            "threats": attacks.Linf(0.1),
        },
        **{"method": lambda *arguments: np.ones((2, 6, 8)), "fit": lambda images, labels: function},
        **{"top": top, "models": {"a": function}, "attack": lambda f, images, labels: images},
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bytes_are_refused(name, arguments):
    function = FUNCTIONS[name]
    required = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty or parameter.name == "key"
    ]
    with pytest.raises(ValueError, match="uint8.*divide bytes by 255"):
        function(**{parameter: arguments[parameter] for parameter in required})


@pytest.mark.parametrize(
    "figure",
    [
        draw.grid,
        draw.mosaic,
        lambda images: draw.sheet(images[None], ["a"], ["b", "c"]),
        lambda images: draw.overlay(images, np.ones((2, 6, 8))),
    ],
)
def test_figures_refuse_bytes_that_would_all_be_white(figure, arguments):
    with pytest.raises(ValueError, match="uint8.*divide bytes by 255"):
        figure(arguments["images"])
