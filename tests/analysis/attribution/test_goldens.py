"""Maps equal captum's and pytorch-grad-cam's on the same weights (`tests/goldens/attribution.py`)."""

import functools
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import analysis
import zoo

GOLDENS = Path(__file__).parents[2] / "goldens"
specification = importlib.util.spec_from_file_location("recipe", GOLDENS / "recipe.py")
recipe = importlib.util.module_from_spec(specification)
specification.loader.exec_module(recipe)

WHOLE = {"channels": None}
LAYER = {"relu": False, "resize": None}
# What the golden is called, our method, and what it takes to follow the other's convention.
OF_FUNCTION = {
    "saliency": (analysis.saliency, WHOLE),
    "input_times_gradient": (analysis.input_times_gradient, WHOLE),
    "integrated_gradients": (analysis.integrated_gradients, WHOLE),
    "integrated_gradients/baseline": (analysis.integrated_gradients, WHOLE | {"steps": 7, "baseline": 0.25}),
    "smoothgrad/signed": (analysis.smoothgrad, WHOLE),
    "smoothgrad/absolute": (analysis.smoothgrad, WHOLE | {"average": "absolute"}),
    "occlusion": (analysis.occlusion, {"window": (5, 6), "stride": (3, 4), "fill": 0.25, "edge": "cut"}),
}
OF_MODEL = {
    "guided_backprop": (analysis.guided_backprop, WHOLE),
    "deconvnet": (analysis.deconvnet, WHOLE),
    "guided_grad_cam": (analysis.guided_grad_cam, WHOLE | {"layer": "stage2", "resize": "nearest"}),
    "grad_cam/stage1": (analysis.grad_cam, LAYER | {"layer": "stage1"}),
    "grad_cam/stage2": (analysis.grad_cam, LAYER | {"layer": "stage2"}),
    "pytorch-grad-cam/grad_cam/stage1": (analysis.grad_cam, {"layer": "stage1"}),
    "pytorch-grad-cam/grad_cam/stage2": (analysis.grad_cam, {"layer": "stage2"}),
    "pytorch-grad-cam/grad_cam_plus_plus/stage1": (
        analysis.grad_cam_plus_plus,
        {"layer": "stage1", "epsilon": 1e-6},
    ),
    "pytorch-grad-cam/grad_cam_plus_plus/stage2": (
        analysis.grad_cam_plus_plus,
        {"layer": "stage2", "epsilon": 1e-6},
    ),
}


@functools.cache
def golden():
    with np.load(GOLDENS / "attribution" / "resnet.npz") as file:
        arrays = dict(file)
    about = json.loads(arrays.pop("about").tobytes())
    state = {key: recipe.tensor(key, tuple(shape), about["gain"]) for key, shape in about["shapes"].items()}
    fields = about["fields"] | {"blocks": tuple(about["fields"]["blocks"])}
    model = zoo.create("resnet20", **fields)
    variables = zoo.load_torch(model, state, tuple(about["shape"][1:]))
    return model, variables, recipe.unit_images(tuple(about["shape"])), np.array(about["labels"]), arrays


def given(name):
    model, variables, images, labels, arrays = golden()
    if name in OF_MODEL:
        method, settings = OF_MODEL[name]
        maps = method(model, variables, images, labels, **settings)
    else:
        method, settings = OF_FUNCTION[name]
        settings = settings | ({"noise": arrays["noise"]} if name.startswith("smoothgrad") else {})
        maps = method(zoo.logits_fn(model, variables), images, labels, **settings)
    maps = np.asarray(maps)
    if name.startswith("pytorch-grad-cam"):
        maps = maps - maps.min((1, 2), keepdims=True)
        maps = maps / maps.max((1, 2), keepdims=True)
    return maps


@pytest.mark.parametrize("name", [*OF_FUNCTION, *OF_MODEL])
def test_equals(name):
    expected = golden()[-1][name]
    maps = given(name)
    expected = expected.reshape(maps.shape)
    assert np.abs(maps - expected).max() <= 1e-5 * np.abs(expected).max()


def test_all_goldens_are_compared():
    assert {*OF_FUNCTION, *OF_MODEL} == golden()[-1].keys() - {"noise"}


@pytest.mark.parametrize("name", ["saliency", "guided_backprop", "deconvnet", "grad_cam/stage2"])
def test_the_goldens_see_another_method(name):
    """They differ from each other by far more than the tolerance, so that one for another would be seen."""
    arrays = golden()[-1]
    others = [key for key in arrays if key != name and arrays[key].shape == arrays[name].shape]
    scale = np.abs(arrays[name]).max()
    assert all(np.abs(arrays[name] - arrays[other]).max() > 1e-3 * scale for other in others)
