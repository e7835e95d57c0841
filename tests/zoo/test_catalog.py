"""Every catalogued model, from shapes alone: counts, costs, names, errors."""

import csv
import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo import cards, catalog, stored_cards
from zoo.catalog import CATALOG
from zoo.layers import GroupNorm

with (Path(__file__).parent / "reference_counts.csv").open() as file:
    REFERENCE = {row["name"]: row for row in csv.DictReader(file)}


# Tracing is what costs time, and it grows with depth: of each family the network with the fewest convolutions is
# traced always, the others by `make test-all`. What a stored card says holds as long as the family's code computes
# the same for the first, and the fields of the others are those that the digest beside the card was made of.
TRACED = {
    min((name for name, entry in CATALOG.items() if entry.build is build), key=lambda name: len(zoo.card(name).layers))
    for build in {entry.build for entry in CATALOG.values()}
} | {"vgg11_bn", "resnet18", "resnext50_32x4d", "seresnet50", "regnet_x_400mf", "regnet_y_400mf"}
TRACED = {name for name in TRACED if len(zoo.card(name).layers) <= 40}  # the deeper ones take most of the time
# The published costs of these two count an auxiliary head that only training runs: a 3×3 convolution from 1,024 to
# 256 channels and a 1×1 one to 21 classes, on maps of 65×65.
AUXILIARY_MACS = dict.fromkeys(("fcn_resnet50", "deeplabv3_resnet50"), 65 * 65 * 256 * (9 * 1024 + 21))


def test_every_published_name_is_catalogued():
    assert not REFERENCE.keys() - CATALOG.keys()


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_parameters_are_the_published_ones(name):
    row, entry = REFERENCE[name], CATALOG[name]
    assert zoo.card(name).parameters == int(row["parameters"])
    if row["top1"]:
        assert entry.top1 == pytest.approx(float(row["top1"]))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in TRACED else pytest.mark.slow) for name in sorted(CATALOG)]
)
def test_stored_cards_are_those_of_the_models(name):
    """After a change of an architecture, `python -m zoo cards --write` renews them."""
    measured = cards.measure(zoo.create(name), CATALOG[name].input_shape)
    published = {field: getattr(measured, field) for field in ("name", "paper", "year", "top1", "note")}
    assert dataclasses.replace(zoo.card(name), **published) == measured


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_stored_cards_are_of_the_fields_that_the_catalogue_has(name):
    assert stored_cards.read()[name]["model"] == stored_cards.digest(zoo.create(name))


def test_every_model_has_a_stored_card_which_the_file_carries_as_it_is(tmp_path, monkeypatch):
    assert stored_cards.read().keys() == CATALOG.keys()
    monkeypatch.setattr(catalog, "CATALOG", {"lenet5": CATALOG["lenet5"]})
    monkeypatch.setattr(stored_cards, "FILE", tmp_path / "cards.jsonl")
    line = f'["lenet5",{json.dumps(stored_cards.read()["lenet5"], separators=(",", ":"))}]\n'
    assert cards.store().read_text() == line


@pytest.mark.parametrize("name", [name for name, row in sorted(REFERENCE.items()) if row["gmacs"]])
def test_costs_are_the_published_ones(name):
    card, row = zoo.card(name), REFERENCE[name]
    macs = card.macs + AUXILIARY_MACS.get(name, 0)
    assert macs / 1e9 == pytest.approx(float(row["gmacs"]), rel=0.01, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("heritage_cnn", 4_198_666), ("plain20", 269_722), ("plain56", 853_018), ("mlp", 338_610)],
)
def test_parameters_where_no_implementation_publishes_them(name, parameters):
    assert zoo.card(name).parameters == parameters


@pytest.mark.parametrize(
    ("name", "field"),
    [
        *[("resnet20", 81), ("resnet50", 427), ("seresnet50", 427), ("mobilenet_v2", 491), ("lenet5", 14)],
        *[("shufflenet_v2_x1_0", 527), ("convnext_tiny", 1688), ("neocognitron", None)],
    ],
)
def test_receptive_field_of_the_last_stage(name, field):
    # ResNet-50: 7, +4 pool, 3 blocks × 8, then 16+…: the sums of (k − 1) · jump over the layers, by hand.
    assert zoo.card(name).receptive_field == field


@pytest.mark.parametrize(("name", "depth"), [("resnet20", 20), ("seresnet50", 50), ("googlenet", 22), ("vgg11", 11)])
def test_depth_as_the_papers_count_it(name, depth):
    assert zoo.card(name).depth == depth


def test_layers_account_for_all_multiplications():
    card = zoo.card("resnet20")
    assert [layer.name for layer in card.layers[:2]] == ["stem/conv", "stage1/block1/conv1/conv"]
    assert sum(layer.macs for layer in card.layers) == card.macs
    assert sum(layer.activation_bytes for layer in card.layers) == card.activation_bytes
    assert card.layers[0].parameters == 3 * 3 * 3 * 16
    assert card.layers[-2].receptive_field == card.receptive_field


def test_stages_account_for_the_whole_model():
    card = zoo.card("resnet20")
    assert [stage.name for stage in card.stages] == ["stem", "stage1", "stage2", "stage3", "head"]
    assert sum(stage.parameters for stage in card.stages) == card.parameters
    assert sum(stage.macs for stage in card.stages) == card.macs
    assert [stage.output_shape for stage in card.stages] == [
        (32, 32, 16),
        (32, 32, 16),
        (16, 16, 32),
        (8, 8, 64),
        (10,),
    ]
    # Nineteen convolutions: seven at 32²·16, six at 16²·32, six at 8²·64; then ten logits.
    assert card.activation_bytes == 4 * (7 * 32 * 32 * 16 + 6 * 16 * 16 * 32 + 6 * 8 * 8 * 64 + 10)


def test_a_card_of_a_module_takes_its_fields_into_account():
    card = zoo.card(zoo.create("resnet20", num_classes=100), (64, 64, 1))
    assert card.parameters == 269_722 + 90 * 65 - 2 * 9 * 16
    assert card.input_shape == (64, 64, 1)
    assert card.name == "ResNet"


def test_names_are_matched_and_sorted_by_their_numbers():
    assert zoo.list_models("resnet[0-9]*")[:3] == ["resnet18", "resnet20", "resnet32"]
    assert zoo.list_models("no such thing") == []


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("resnet51", {}, "did you mean resnet5"),
        ("resnet20", {"num_clases": 3}, "did you mean num_classes"),
        ("resnet20", {"num_classes": -1}, "num_classes=-1"),
        ("resnet20", {"blocks": [1, 1, 1]}, "use a tuple"),
        ("resnet20", {"act": "relu"}, "act='relu': expected a function"),
        ("resnet20", {"act": dict}, "act=<class 'dict'>: expected a function"),
        ("resnet20", {"norm": GroupNorm}, "norm=.*GroupNorm.*: expected an instance such as"),
        ("mobilenet_v2", {"dropout": 1.0}, r"dropout=1.0: expected a rate in \[0, 1\)"),
        (3, {}, "unknown model 3"),
    ],
)
def test_wrong_requests_say_what_was_meant(name, fields, message):
    with pytest.raises(ValueError, match=message):
        zoo.create(name, **fields)


def test_numbers_of_numpy_are_numbers():
    assert zoo.create("mobilenet_v2", num_classes=np.int64(7), dropout=np.float32(0.5)).num_classes == 7


def test_equal_models_are_equal_and_hash_alike():
    one, two = (zoo.create("resnet20", norm=GroupNorm(8)) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in TRACED else pytest.mark.slow)
        for name in sorted(TRACED | {*{entry.build: name for name, entry in reversed(CATALOG.items())}.values()})
    ],
)
def test_zero_classes_give_features(name):
    entry = CATALOG[name]
    model = zoo.create(name, num_classes=0)
    image = jax.ShapeDtypeStruct((2, *entry.input_shape), jnp.float32)
    output = jax.eval_shape(model.init_with_output, jax.random.key(0), image)[0]
    assert output.shape[0] == 2
    assert output.ndim in (2, 4)


def test_variables_are_plain_dicts_of_float32():
    variables = zoo.init(zoo.create("lenet5"), jax.random.key(0), (32, 32, 1))
    assert list(variables) == ["params"]
    assert type(variables["params"]["stage1"]["conv"]) is dict
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("shape", [(32, 32), (0, 32, 3), (32, 32, 1.5), 32])
def test_init_refuses_what_is_not_an_image_shape(shape):
    with pytest.raises(ValueError, match="height, width, channels"):
        zoo.init(zoo.create("lenet5"), jax.random.key(0), shape)


def test_init_and_card_refuse_channels_that_come_first():
    for refuse in (
        lambda shape: zoo.init(zoo.create("lenet5"), jax.random.key(0), shape),
        lambda s: zoo.card("lenet5", s),
    ):
        with pytest.raises(ValueError, match=r"\(3, 48, 32\): channels come last, did you mean \(48, 32, 3\)"):
            refuse((3, 48, 32))


def test_init_refuses_what_is_not_a_key():
    with pytest.raises(ValueError, match=r"key=0: expected one key, such as jax.random.key\(0\)"):
        zoo.init(zoo.create("lenet5"), 0, (32, 32, 1))


def test_a_second_logits_function_of_an_equal_model_does_not_recompile():
    traces = []

    @jax.jit
    def run(function, images):
        traces.append(1)
        return function(images)

    for seed in range(2):
        model = zoo.create("lenet5")
        variables = zoo.init(model, jax.random.key(seed), (32, 32, 1))
        preprocess = zoo.Preprocess((0.5,), (0.25,))
        run(zoo.logits_fn(model, variables, preprocess), jnp.zeros((1, 32, 32, 1)))
    assert len(traces) == 1


def test_a_name_of_two_families_is_refused():
    variants = {"lenet5": CATALOG["lenet5"]}
    with pytest.raises(ValueError, match="second: lenet5 is the name of a model of another family"):
        catalog._collect({"first": variants, "second": variants})
