import flax.linen as nn
import numpy as np
import pytest

from zoo.layers import Conv, output_size, parameter_count, receptive_field
from zoo.layers.arithmetic import extent, padding_pairs, per_axis


@pytest.mark.parametrize(
    ("size", "settings", "outputs"),
    [
        (227, {"kernel_size": 11, "strides": 4}, 55),
        (128, {"kernel_size": 3}, 126),
        (128, {"kernel_size": 3, "strides": 2}, 63),
        (225, {"kernel_size": 11, "strides": 4}, 54),
        (224, {"kernel_size": 3, "padding": 1}, 224),
        (7, {"kernel_size": 3, "dilation": 3}, 1),
    ],
)
def test_output_sizes(size, settings, outputs):
    assert output_size(size, **settings) == outputs


def test_strict_output_size_names_the_nearest_sizes_that_fit():
    with pytest.raises(ValueError, match=r"54\.5 outputs.*223 and 227"):
        output_size(225, 11, 4, strict=True)
    assert output_size(227, 11, 4, strict=True) == 55


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3), "size=0"),
        ((8, 0), "kernel_size=0"),
        ((8, 3, 0), "strides=0"),
        ((8, 3, 1, -1), "padding=-1"),
        ((8, 3, 1, 0, 0), "dilation=0"),
        ((4, 3, 1, 0, 2), "spans 5 pixels.*padding of at least 1, or a size of at least 5"),
    ],
)
def test_impossible_geometries_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        output_size(*arguments)


def test_extent_of_dilated_kernels():
    assert [extent(3, d) for d in (1, 2, 4)] == [3, 5, 9]


def test_receptive_fields():
    assert receptive_field([3] * 5) == 11
    assert receptive_field([3] * 7) == 15
    assert receptive_field([7] * 3) == 19
    assert receptive_field([(3, 1, 2), (3, 1, 4)]) == 13
    assert receptive_field([(7, 2), (3, 2), 3]) == 19
    assert receptive_field([]) == 1
    with pytest.raises(ValueError, match="at least 1"):
        receptive_field([(3, 0)])


def test_parameter_counts():
    assert parameter_count(Conv(96, 11, 4), (227, 227, 3)) == 34_944
    assert parameter_count(nn.Dense(10_000, use_bias=False), (1000 * 1000,)) == 10**10
    assert parameter_count(nn.Dense(4096, use_bias=False), (6 * 6 * 256,)) == 37_748_736
    assert parameter_count(nn.Dense(1000, use_bias=False), (256,)) == 256_000
    dense = [(7 * 7 * 512, 4096), (4096, 4096), (4096, 1000)]
    counts = [parameter_count(nn.Dense(width), (inputs,)) for inputs, width in dense]
    assert counts[0] == 102_764_544
    assert sum(counts) == 123_642_856


def test_parameter_count_does_not_depend_on_dilation():
    assert len({parameter_count(Conv(8, 3, dilation=d), (16, 16, 4)) for d in (1, 2, 4)}) == 1


def test_padding_by_name_number_and_pairs():
    assert padding_pairs("same", (5, 6), (3, 3), (2, 2), (1, 1)) == ((1, 1), (0, 1))
    assert padding_pairs("VALID", (5,), (3,), (1,), (1,)) == ((0, 0),)
    assert padding_pairs((1, (0, 2)), (5, 5), (3, 3), (1, 1), (1, 1)) == ((1, 1), (0, 2))
    assert padding_pairs(np.int64(1), (5, 5), (3, 3), (1, 1), (1, 1)) == ((1, 1), (1, 1))
    for wrong in ("FULL", -1, (1, 2, 3), ((1, -1), 0), None, 1.5, ((1.5, 1), 0), ("a", "b")):
        with pytest.raises(ValueError, match="padding="):
            padding_pairs(wrong, (5, 5), (3, 3), (1, 1), (1, 1))


def test_one_entry_an_axis():
    with pytest.raises(ValueError, match="3 entries for 2 spatial axes"):
        per_axis((1, 2, 3), 2, "strides")
    assert per_axis(np.int64(3), None, "window") == (3, 3)
    assert per_axis([2], None, "window") == (2,)
    for wrong in (True, None, 2.5, 3.0, "3", (), (3, 2.0)):
        with pytest.raises(ValueError, match="strides=.*integer"):
            per_axis(wrong, None, "strides")


def test_a_layer_of_more_than_three_numbers_has_no_receptive_field():
    with pytest.raises(ValueError, match=r"layer \(3, 1, 1, 1\): expected"):
        receptive_field([(3, 1, 1, 1)])
