import dataclasses
import json

import pytest

from train import Config
from train.__main__ import make_parser
from train.commands import configuration
from train.options import OPTIONS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "lenet"}, "did you mean lenet5"),
        ({"model": ""}, "expected text"),
        ({"dataset": "digit"}, "did you mean digits"),
        ({"epochs": 10**23}, "epochs=10{23}: expected an integer from 1 to 2147483647"),
        ({"seed": 10**23}, "seed=10{23}: expected an integer from 0 to 4294967295"),
        ({"seed": 2**32}, "seed=4294967296: expected an integer from 0 to 4294967295"),
        ({"learning_rate": 1e300}, r"learning_rate=1e\+300: expected a number at most 3.40282e\+38"),
        ({"weight_decay": 1e39}, "weight_decay=1e.39: expected a number at most"),
        ({"fields": {"name": "x"}}, "name='x' is Flax's own and no field of"),
        ({"fields": {"parent": None}}, "parent=None is Flax's own"),
        ({"epochs": 0}, "epochs=0: expected a positive integer"),
        ({"epochs": 2.0}, "epochs=2.0: expected a positive integer"),
        ({"epochs": True}, "epochs=True"),
        ({"batch_size": -3}, "batch_size=-3"),
        ({"learning_rate": 0.0}, r"learning_rate=0.0: expected a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"learning_rate": float("inf")}, "learning_rate=inf"),
        ({"learning_rate": "0.1"}, "learning_rate='0.1'"),
        ({"optimizer": "sdg"}, "did you mean sgd"),
        ({"schedule": "cosin"}, "did you mean cosine"),
        ({"weight_decay": -1e-4}, "weight_decay=-0.0001"),
        ({"warmup": 1.0}, r"warmup=1.0: expected a number of at least 0 and below 1"),
        ({"label_smoothing": 1}, "label_smoothing=1"),
        ({"augment": ("shft",)}, "did you mean shift"),
        ({"augment": "shift"}, "expected a tuple"),
        ({"size": 0}, "size=0"),
        ({"keep_proportions": 1}, "keep_proportions=1: expected True or False"),
        ({"seed": -1}, "seed=-1"),
        ({"out": ""}, "out=''"),
        ({"momentum": 1.0}, "momentum=1.0: expected a number of at least 0 and below 1"),
        ({"momentum": 0.5, "optimizer": "adamw"}, "momentum=0.5: optimizer='adamw' has none, expected sgd and lars"),
        ({"nesterov": True, "optimizer": "lamb"}, "nesterov=True: optimizer='lamb' has none"),
        ({"nesterov": "yes"}, "nesterov='yes': expected True or False"),
        ({"clip": 0.0}, "clip=0.0: expected a number above 0"),
        ({"clip": -1}, "clip=-1"),
        ({"accumulate": 0}, "accumulate=0: expected a positive integer"),
        ({"accumulate": 1.5}, "accumulate=1.5"),
        ({"patience": 0, "schedule": "plateau"}, "patience=0"),
        ({"patience": 3}, "patience=3: schedule='cosine' has none, expected 'plateau'"),
        ({"early_stop": 0}, "early_stop=0: expected a positive integer"),
        ({"ema": 1.0}, "ema=1.0: expected a number of at least 0 and below 1"),
        ({"ema": -0.1}, "ema=-0.1"),
        ({"validation": 1.0}, "validation=1.0"),
        ({"validation": 0.0, "early_stop": 3}, "validation=0.0: expected a share above 0 for early_stop"),
        ({"validation": 0.0, "schedule": "plateau"}, "expected a share above 0 for schedule='plateau'"),
        ({"class_weights": "balance"}, "did you mean balanced"),
        ({"mixed_precision": 1}, "mixed_precision=1: expected True or False"),
        ({"remat": None}, "remat=None: expected True or False"),
        ({"schedule": "plato"}, "did you mean plateau"),
        ({"optimizer": "lars2"}, "did you mean lars"),
        ({"augment": ("mixup", "cutmx")}, "did you mean cutmix"),
        ({"fields": {"width": (8,)}}, "no field 'width', did you mean widths"),
        ({"fields": {"num_classes": 3}}, "follows from the data set"),
        ({"fields": {"act": lambda x: x}}, "act='gelu'"),
        ({"fields": [("act", "gelu")]}, "expected a dictionary"),
    ],
)
def test_bad_values_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        Config(**{"model": "mlp"} | change)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("model", "dataset", "size"),
    [
        ("lenet5", "digits", 32),
        ("heritage_cnn", "digits", 64),
        ("resnet18", "digits", 64),
        ("resnet18", "folder:pictures", 224),
    ],
)
def test_the_default_size_is_the_models_own_within_reason_for_the_data(model, dataset, size):
    assert Config(model, dataset).resolve().size == size
    assert Config(model, dataset, size=17).resolve().size == 17


def test_resolving_leaves_nothing_open_and_is_done_once():
    config = Config("mlp", optimizer="adamw").resolve()
    assert config.learning_rate == pytest.approx(3e-3)
    assert config.out == "runs/mlp"
    assert config.resolve() == config
    assert Config("mlp", optimizer="adamw", from_="earlier").resolve().learning_rate == 3e-4
    assert Config("mlp", learning_rate=0.1, from_="earlier").resolve().learning_rate == 0.1


def test_json_brings_back_an_equal_configuration():
    config = Config("mlp", augment=("shift", "flip"), fields={"widths": (8, 16), "act": "gelu"}, out="here")
    again = Config.from_json(json.loads(json.dumps(config.to_json())), out="here")
    assert again == config
    assert again.build(3) == config.build(3)
    with pytest.raises(ValueError, match="another version"):
        Config.from_json(config.to_json() | {"temperature": 0.9}, out="here")


def test_the_command_line_has_every_field_with_its_default():
    assert set(OPTIONS) == {field.name for field in dataclasses.fields(Config)} - {"fields"}
    assert read("mlp") == Config("mlp")
    help = make_parser().format_help()
    for name in set(OPTIONS) - {"model"}:
        assert f"--{name.strip('_').replace('_', '-')}" in help


def read(line):
    return configuration.read(vars(make_parser().parse_args(line.split())))


def test_the_command_line_reads_every_kind_of_field():
    arguments = (
        "mlp --epochs 3 --learning-rate 1e-2 --augment shift,flip --size 8 --seed 4 --out x --label-smoothing 0.1 "
        "--keep-proportions --data-dir sets --nesterov --clip 2 --ema 0.5 --early-stop 4 --validation 0.2"
    )
    expected = Config(
        "mlp",
        epochs=3,
        learning_rate=0.01,
        augment=("shift", "flip"),
        size=8,
        seed=4,
        out="x",
        label_smoothing=0.1,
        keep_proportions=True,
        data_dir="sets",
        nesterov=True,
        clip=2.0,
        ema=0.5,
        early_stop=4,
        validation=0.2,
    )
    assert read(arguments) == expected
    assert read("mlp --augment none").augment == ()
