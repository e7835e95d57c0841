"""Names of several implementations of one model: those of the originals, told apart, and back."""

import hashlib

import jax
import numpy as np
import pytest
import safetensors.numpy

import zoo
from zoo.architectures.densenet import DenseNet
from zoo.architectures.efficientnet import V2_S, B, EfficientNet
from zoo.architectures.mobilenet_v2 import STAGES, MobileNetV2
from zoo.weights.torch import places
from zoo.weights.torch_names import dialects
from zoo.weights.torch_names.efficientnet import TENSORFLOW

SHAPE = (32, 32, 3)
# Two stages of each family, so that tracing is cheap: with and without expansion, gates, fused blocks.
SMALL = {
    "efficientnet": EfficientNet(B[:2], num_classes=3),
    "efficientnet_lite": EfficientNet(B[:2], num_classes=3, squeeze=0.0, **TENSORFLOW),
    "efficientnet_v2": EfficientNet((V2_S[0], V2_S[1], V2_S[3]), depth=0.3, num_classes=3),
    "mobilenet_v2": MobileNetV2(STAGES[:2], num_classes=3),
    "densenet": DenseNet((2, 2), growth=4, width=8, num_classes=3),
}
# Of the sorted lines `key shape` of `module.state_dict()`, from timm 1.0.31 and efficientnet_pytorch 0.7.1.
ORIGINALS = {
    ("efficientnet_b0", "timm"): "f62a5c98a74c6670",
    ("efficientnet_b0", "efficientnet_pytorch"): "5e5ff9da6a1946fc",
    ("efficientnet_b2", "efficientnet_pytorch"): "8e79181962c94af7",
    ("efficientnet_v2_s", "timm"): "69333b70a7c28d9d",
    ("efficientnet_lite1", "timm"): "85f30215ecea7367",
}


def state_dict(model, implementation: str) -> dict[str, np.ndarray]:
    """Random arrays under the names of an implementation."""
    dialect = next(dialect for dialect in dialects(model) if dialect.source == implementation)
    generator = np.random.default_rng(0)
    return {
        place.key: generator.standard_normal(place.torch_shape, np.float32) for place in places(model, SHAPE, dialect)
    }


@pytest.mark.parametrize(
    ("name", "implementation"),
    [case if case[0] == "efficientnet_b0" else pytest.param(*case, marks=pytest.mark.slow) for case in ORIGINALS],
)
def test_names_and_shapes_are_those_of_the_original(name, implementation):
    model = zoo.create(name)
    dialect = next(dialect for dialect in dialects(model) if dialect.source == implementation)
    lines = sorted(f"{place.key} {place.torch_shape}" for place in places(model, (224, 224, 3), dialect))
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == ORIGINALS[name, implementation]


def test_layers_of_tonylins_are_counted_with_their_activations():
    keys = {key.rpartition(".")[0] for key in state_dict(SMALL["mobilenet_v2"], "tonylins")}
    blocks = {f"features.1.conv.{n}" for n in (0, 1, 3, 4)}
    blocks |= {f"features.{block}.conv.{n}" for block in (2, 3) for n in (0, 1, 3, 4, 6, 7)}
    assert keys == blocks | {"features.0.0", "features.0.1", "features.4.0", "features.4.1", "classifier"}


def test_files_of_densenet_are_older_than_its_code():
    keys = state_dict(SMALL["densenet"], "torchvision's files")
    assert "features.denseblock1.denselayer2.norm.1.running_mean" in keys
    assert "features.denseblock2.denselayer1.conv.2.weight" in keys
    assert "features.transition1.norm.weight" in keys


@pytest.mark.parametrize(
    ("name", "implementation"),
    [(name, dialect.source) for name, model in SMALL.items() for dialect in dialects(model)],
)
@pytest.mark.filterwarnings("ignore:weights of efficientnet_pytorch expect")
def test_names_tell_implementations_apart_and_go_back(name, implementation):
    model = SMALL[name]
    state = state_dict(model, implementation)
    back = zoo.to_torch(model, zoo.load_torch(model, state, SHAPE), SHAPE, implementation=implementation)
    assert back.keys() == state.keys()
    assert all(back[key].tobytes() == state[key].tobytes() for key in state)


def test_an_implementation_that_does_not_fit_is_refused_by_its_own_names():
    state = state_dict(SMALL["efficientnet"], "timm")
    state["blocks.0.0.conv_pw.weights"] = state.pop("blocks.0.0.conv_pw.weight")
    with pytest.raises(ValueError, match=r"missing: blocks\.0\.0\.conv_pw\.weight \(16, 32, 1, 1\)") as error:
        zoo.load_torch(SMALL["efficientnet"], state, SHAPE)
    assert "unexpected: blocks.0.0.conv_pw.weights" in str(error.value)
    assert len(str(error.value).splitlines()) == 3


def test_an_unknown_implementation_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="implementation='tim' is unknown, did you mean timm"):
        zoo.to_torch(SMALL["efficientnet"], {}, implementation="tim")


def test_weights_that_expect_another_padding_say_so():
    with pytest.warns(UserWarning, match=r"efficientnet_pytorch expect .* with padding='SAME', norm=BatchNorm\(eps"):
        zoo.load_torch(SMALL["efficientnet"], state_dict(SMALL["efficientnet"], "efficientnet_pytorch"), SHAPE)


@pytest.fixture
def small(monkeypatch):
    """Catalogued names of the small networks."""
    for name, model in SMALL.items():
        fields = {field: getattr(model, field) for field in ("stages", "num_classes") if hasattr(model, field)}
        monkeypatch.setitem(
            zoo.catalog.CATALOG, name, zoo.catalog.variant("efficientnet_b0")._replace(build=type(model), fields=fields)
        )


def test_load_pretrained_takes_padding_and_normalization_of_the_implementation(small, tmp_path):
    path = tmp_path / "weights.safetensors"
    safetensors.numpy.save_file(state_dict(SMALL["efficientnet"], "efficientnet_pytorch"), path)
    model = zoo.load_pretrained("efficientnet", path).model
    assert (model.padding, model.norm) == (TENSORFLOW["padding"], TENSORFLOW["norm"])
    safetensors.numpy.save_file(state_dict(SMALL["efficientnet"], "timm"), path)
    assert zoo.load_pretrained("efficientnet", path).model == zoo.create("efficientnet")


def test_a_file_without_a_head_gives_features_or_gets_a_new_one(small, tmp_path):
    path = tmp_path / "headless.safetensors"
    whole = state_dict(SMALL["mobilenet_v2"], "tonylins")
    safetensors.numpy.save_file({key: value for key, value in whole.items() if "classifier" not in key}, path)
    with pytest.raises(ValueError, match=r"headless\.safetensors has no head: num_classes=0 gives features, another"):
        zoo.load_pretrained("mobilenet_v2", path)
    features = zoo.load_pretrained("mobilenet_v2", path, num_classes=0)
    assert features.model.num_classes == 0
    assert "head" not in features.variables["params"]
    seven = zoo.load_pretrained("mobilenet_v2", path, num_classes=7)
    assert seven.variables["params"]["head"]["kernel"].shape == (1280, 7)
    stem = [each.variables["params"]["stem"]["conv"]["kernel"] for each in (features, seven)]
    np.testing.assert_array_equal(*stem)
    safetensors.numpy.save_file(whole, path)
    bare = zoo.load_pretrained("mobilenet_v2", path, num_classes=0)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), bare.variables, features.variables))
