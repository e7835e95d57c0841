import flax.linen as nn
import pytest

from train import model_fields
from zoo.layers.normalization import BatchNorm, GroupNorm


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("widths=(8,16)", ("widths", (8, 16))),
        ("dropout=0.5", ("dropout", 0.5)),
        ("act=gelu", ("act", "gelu")),
        ("norm=GroupNorm(8)", ("norm", "GroupNorm(8)")),
        ("name=a=b", ("name", "a=b")),
    ],
)
def test_text_is_a_literal_or_stays_text(text, expected):
    assert model_fields.parse(text) == expected


@pytest.mark.parametrize("text", ["widths", "=3", "two words=3", ""])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(ValueError, match="NAME=VALUE"):
        model_fields.parse(text)


def test_names_become_functions_and_normalizations_and_lists_tuples():
    resolved = model_fields.resolve({"act": "tanh", "norm": "GroupNorm(groups=4, epsilon=1e-3)", "widths": [8, [4, 2]]})
    assert resolved == {"act": nn.tanh, "norm": GroupNorm(4, 1e-3), "widths": (8, (4, 2))}
    assert model_fields.resolve({"norm": "BatchNorm", "act": None}) == {"norm": BatchNorm(), "act": None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"act": "geluu"}, "did you mean gelu"),
        ({"norm": "GroupNrm(8)"}, "did you mean GroupNorm"),
        ({"norm": "GroupNorm(8"}, "literal arguments"),
        ({"norm": "GroupNorm(count=8)"}, "literal arguments"),
        ({"norm": "GroupNorm(print(8))"}, "literal arguments"),
        ({"norm": "GroupNorm(8).groups"}, "literal arguments"),
    ],
)
def test_unknown_names_and_calls_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        model_fields.resolve(options)
