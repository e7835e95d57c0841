"""Arguments of another kind: every public function with images refuses them before it compiles anything."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
from analysis import attacks, attribution, diagnosis, draw, features, metrics, taps
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


SOUND = np.full((2, 6, 8, 3), 0.5, np.float32)
NO_IMAGES = {
    "bytes": (np.full((2, 6, 8, 3), 200, np.uint8), "uint8.*divide bytes by 255"),
    "integers": (np.ones((2, 6, 8, 3), np.int32), "int32.*divide bytes by 255"),
    "complex": (SOUND.astype(np.complex64), "complex64: expected floats"),
    "no batch axis": (SOUND[0], r"\(6, 8, 3\): expected \(N, H, W, C\)|expected an image|expected \(1, H, W, C\)"),
    "no image": (SOUND[:0], r"\(0, 6, 8, 3\)"),
    "NaN": (np.full_like(SOUND, np.nan), "NaN"),
    "outside": (SOUND * 3, r"span \[1.5, 1.5\]: expected \[0, 1\]"),
}


def call(function, arguments, **changes):
    """Call with the required arguments, and a key."""
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.default is p.empty or p.name == "key"]
    return function(**{name: (arguments | changes)[name] for name in names})


@pytest.mark.parametrize("kind", NO_IMAGES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_images_of_another_kind_are_refused(name, kind, arguments):
    images, message = NO_IMAGES[kind]
    with pytest.raises(ValueError, match=message):
        call(FUNCTIONS[name], arguments, images=images, image=images[:1] if kind != "no batch axis" else images)


TAKING = {name: {*inspect.signature(function).parameters} for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", [name for name, parameters in TAKING.items() if "key" in parameters])
def test_a_key_that_is_none_is_refused(name, arguments):
    with pytest.raises(ValueError, match="key="):
        call(FUNCTIONS[name], arguments, images=SOUND, image=SOUND[:1], key=0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "name", [name for name, parameters in TAKING.items() if {"variables", "logits_fn"} & parameters] + ["maximize"]
)
def test_parameters_that_are_not_finite_are_refused_by_name(name, value, arguments):
    variables = jax.tree.map(lambda leaf: leaf, arguments["variables"])
    variables["params"]["head"]["kernel"] = variables["params"]["head"]["kernel"].at[0, 0].set(value)
    logits_fn = taps.logits_fn(Pooled(), variables)
    function = FUNCTIONS.get(name, analysis.maximize)
    expected = "params/head/kernel holds " + ("NaN" if np.isnan(value) else "infinity")
    with pytest.raises(ValueError, match=expected):
        call(
            function,
            arguments | {"start": (6, 8, 3)},
            **{"images": SOUND, "image": SOUND[:1], "variables": variables, "logits_fn": logits_fn},
        )


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
