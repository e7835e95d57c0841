"""Logits and stages equal PyTorch's, from golden files that hold no weights (`tests/goldens/make.py`)."""

import dataclasses
import functools
import importlib.util
import json
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import zoo
from zoo.layers import convolutions

GOLDENS = Path(__file__).parents[1] / "goldens"
NAMES = sorted(path.stem for path in GOLDENS.glob("*.npz"))
# The smallest variant of each family; the others run in `make test-all`.
FAST = {"resnet18", "mobilenet_v2", "squeezenet1_1", "network_in_network_cifar10"}

specification = importlib.util.spec_from_file_location("recipe", GOLDENS / "recipe.py")
recipe = importlib.util.module_from_spec(specification)
specification.loader.exec_module(recipe)


def golden(name: str) -> tuple[dict, dict[str, dict[str, np.ndarray]]]:
    """PyTorch's state dictionary, and {size: {"logits" or stage: array}}."""
    with np.load(GOLDENS / f"{name}.npz") as file:
        arrays = dict(file)
    keys = json.loads(arrays.pop("keys").tobytes())
    state = {key: recipe.tensor(key, tuple(shape), keys["gain"]) for key, shape in keys["shapes"].items()}
    sizes: dict[str, dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        size, what = path.split("/", 1)
        sizes.setdefault(size, {})[what] = array
    return state, sizes


@functools.cache
def ours(name: str, size: str, **fields) -> dict[str, np.ndarray]:
    """The same outputs from our model with the same weights."""
    state, sizes = golden(name)
    height, width = map(int, size.split("x"))
    model = zoo.create(name, **fields)
    channels = zoo.card(name).input_shape[2]
    variables = zoo.load_torch(name, state, (height, width, channels))
    images = recipe.images((2, height, width, channels))

    # Optimizing the program would take longer than running it once.
    @functools.partial(
        jax.jit, compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    )
    def run(variables, images):
        wanted = lambda module, method: method == "__call__" and "/".join(module.path) in sizes[size]  # noqa: E731
        return model.apply(variables, images, capture_intermediates=wanted, mutable=["intermediates"])

    logits, captured = run(variables, images)
    taps = {
        path.removesuffix("/__call__"): values[-1]
        for path, values in flatten_dict(captured.get("intermediates", {}), sep="/").items()
    }
    flat = np.asarray(logits).reshape(2, -1)
    return {name: recipe.sample(value) for name, value in taps.items()} | {
        "logits": flat[:, :: max(1, flat.shape[1] // 2000)]
    }


def divergence(name: str, size: str, **fields) -> dict[str, float]:
    """{stage: largest difference relative to the largest magnitude}, in forward order."""
    expected, found = golden(name)[1][size], ours(name, size, **fields)
    assert expected.keys() == found.keys()
    order = sorted(expected, key=lambda what: (what == "logits", what != "stem", what))
    return {what: np.abs(found[what] - expected[what]).max() / np.abs(expected[what]).max() for what in order}


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_logits_and_stages_equal_pytorch(name):
    for size in golden(name)[1]:
        differences = divergence(name, size)
        wrong = {stage: f"{value:.1e}" for stage, value in differences.items() if value > 1e-4}
        assert not wrong, f"{name} at {size} first differs at {next(iter(wrong))}: {wrong}"


def mutations():
    for name in NAMES:
        slow = () if name == "resnet18" else pytest.mark.slow
        for mutation in ("epsilon", "activation", "padding"):
            if mutation != "epsilon" or hasattr(zoo.create(name).norm, "epsilon"):
                yield pytest.param(name, mutation, marks=slow)


@pytest.mark.parametrize(("name", "mutation"), list(mutations()))
def test_a_golden_fails_when_the_model_is_wrong(name, mutation, monkeypatch):
    fields = {}
    if mutation == "epsilon":
        norm = zoo.create(name).norm
        fields = {"norm": dataclasses.replace(norm, epsilon=norm.epsilon * 10)}
    elif mutation == "activation":
        fields = {"act": lambda x: nn.leaky_relu(x, 0.05)}
    else:
        pairs = convolutions.padding_pairs
        shift = lambda *args: tuple((max(a - 1, 0), b + min(a, 1)) for a, b in pairs(*args))  # noqa: E731
        monkeypatch.setattr(convolutions, "padding_pairs", shift)
    ours.cache_clear()
    size = next(iter(golden(name)[1]))
    assert divergence(name, size, **fields)["logits"] > 1e-4
    ours.cache_clear()
