import pytest

from train import Config
from train.__main__ import make_parser
from train.commands import configuration
from train.presets import PRESETS


def read(line):
    return configuration.read(vars(make_parser().parse_args(line.split())))


def test_a_preset_sets_what_is_not_typed():
    config = read("alexnet --preset alexnet --momentum 0.8")
    assert config == Config("alexnet", **PRESETS["alexnet"] | {"momentum": 0.8})
    assert (config.schedule, config.learning_rate, config.fields) == ("plateau", 0.01, {"dropout": 0.5})
    # A model without dropout takes the rest of the recipe.
    assert read("mlp --preset alexnet").fields == {}
    assert read("mlp --preset modern").ema == 0.999


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(
        'model = "mlp"\npreset = "modern"\nweight-decay = 1\nepochs = 3\naugment = ["flip"]\nfrom = "earlier"\n'
        "[fields]\nwidths = [8, 16]\n"
    )
    config = read(f"--config {file} --epochs 7 --set act=gelu")
    expected = PRESETS["modern"] | {"weight_decay": 1.0, "epochs": 7, "augment": ("flip",), "from_": "earlier"}
    assert config == Config("mlp", **expected, fields={"widths": [8, 16], "act": "gelu"})
    assert read(f"mlp --config {file} --preset alexnet --set widths=(4,)").schedule == "plateau"
    # A number of TOML is that of the flag: both make the same run.
    assert isinstance(config.weight_decay, float)


def test_every_preset_makes_a_configuration():
    for name in PRESETS:
        assert read(f"alexnet --preset {name}").resolve().learning_rate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "there is no setting 'epoch', did you mean epochs"),
        ("epochs = ", "cannot be read: Invalid value"),
        ("epochs = 2.5", "epochs=2.5: expected a positive integer"),
        ('augment = "shft"', "did you mean shift"),
        ('preset = "moder"', "did you mean modern"),
        ("fields = 3", "fields=3: expected a table"),
        ("nesterov = 1", "nesterov=1: expected True or False"),
    ],
)
def test_a_file_with_an_error_is_refused_by_its_name(text, message, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(f"mlp --config {file}")
