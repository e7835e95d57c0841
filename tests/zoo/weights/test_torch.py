"""PyTorch's names and layouts, there and back, and a report of both sides where they do not match."""

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import zoo
from zoo.weights.torch import places


def state_dict(name: str, seed: int = 0, **fields) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    shape = zoo.catalog.variant(name).input_shape
    return {
        place.key: generator.standard_normal(place.torch_shape, np.float32)
        for place in places(zoo.create(name, **fields), shape)
    }


@pytest.mark.parametrize("name", ["resnet20", "squeezenet1_1"])
def test_a_round_trip_changes_no_bit(name):
    state = state_dict(name)
    back = zoo.to_torch(name, zoo.load_torch(name, state))
    assert back.keys() == state.keys()
    assert all(back[key].tobytes() == state[key].tobytes() and back[key].shape == state[key].shape for key in state)


def test_a_dense_layer_after_flattened_features_is_reordered_and_back():
    """AlexNet's: PyTorch flattens (256, 6, 6), we (6, 6, 256)."""
    model = zoo.create("alexnet", widths=(4, 4, 4, 4, 8), num_classes=2)
    generator = np.random.default_rng(0)
    state = {
        place.key: generator.standard_normal(place.torch_shape, np.float32) for place in places(model, (224, 224, 3))
    }
    variables = zoo.load_torch(model, state)
    features = generator.standard_normal((6, 6, 8), np.float32)
    np.testing.assert_allclose(
        features.reshape(-1) @ variables["params"]["dense1"]["kernel"],
        state["classifier.1.weight"] @ features.transpose(2, 0, 1).reshape(-1),
        rtol=1e-3,
        atol=1e-3,
    )
    assert zoo.to_torch(model, variables)["classifier.1.weight"].tobytes() == state["classifier.1.weight"].tobytes()


def test_other_classes_and_channels_go_back_too():
    model = zoo.create("resnet20", num_classes=3)
    shapes = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), (32, 32, 1)))
    state = zoo.to_torch("resnet20", jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes))
    assert state["fc.weight"].shape == (3, 64)
    assert state["conv1.weight"].shape == (16, 1, 3, 3)


def test_the_report_has_both_sides():
    state = state_dict("resnet20")
    state["fc.weights"] = state.pop("fc.weight")
    state["conv1.weight"] = state["conv1.weight"][:, :1]
    with pytest.raises(ValueError, match="does not fit resnet20") as error:
        zoo.load_torch("resnet20", state)
    assert str(error.value).splitlines()[1:] == [
        "  missing: fc.weight (10, 64)",
        "  unexpected: fc.weights (10, 64)",
        "  wrong shape: conv1.weight is (16, 1, 3, 3), expected (16, 3, 3, 3)",
    ]


def test_another_architecture_does_not_drown_one_side_in_the_other():
    with pytest.raises(ValueError, match="does not fit resnet20") as error:
        zoo.load_torch("resnet20", state_dict("squeezenet1_1"))
    report = str(error.value)
    assert report.count("missing") == report.count("unexpected") == 9
    assert len(report.splitlines()) < 25


def test_variables_of_another_model_do_not_go_back():
    variables = zoo.load_torch("resnet20", state_dict("resnet20"))
    with pytest.raises(ValueError, match=r"do not fit resnet32:\n  missing: batch_stats/stage1/block4/conv1/norm/mean"):
        zoo.to_torch("resnet32", variables)


def test_counters_of_batches_are_passed_over():
    state = state_dict("resnet20")
    variables = zoo.load_torch("resnet20", state | {"bn1.num_batches_tracked": np.int64(3)})
    assert len(flatten_dict(variables)) == len(state)


def test_a_prefix_of_all_keys_is_named():
    state = {f"module.{key}": array for key, array in state_dict("resnet20").items()}
    with pytest.raises(ValueError, match=r"does not fit resnet20 \(all keys begin with 'module': strip that"):
        zoo.load_torch("resnet20", state)
