"""RegNet's widths against the rule that generates them, written out once more."""

import numpy as np
import pytest

import zoo
from zoo.architectures.regnet import stage_widths
from zoo.catalog import CATALOG


def generated(depth, initial, slope, step, group_width, rounding):
    """Widths of all blocks by equations 2 to 4 of the paper, in multiples of 8 and then of the group width."""
    wanted = initial + slope * np.arange(depth)
    levels = np.round(np.log(wanted / initial) / np.log(step))
    widths = 8 * np.round(initial * step**levels / 8)
    groups = np.minimum(group_width, widths)
    return (groups * rounding(widths / groups)).astype(int).tolist()


def blocks(model):
    stages = stage_widths(model.depth, model.initial, model.slope, model.step, model.group_width)
    return [width for width, count, _ in stages for _ in range(count)]


def half_up(x):
    return np.floor(x + 0.5)


@pytest.mark.parametrize("name", [name for name in CATALOG if name.startswith("regnet")])
def test_widths_of_the_blocks_follow_from_the_rule(name):
    model = zoo.create(name)
    settings = (model.depth, model.initial, model.slope, model.step, model.group_width)
    assert blocks(model) == generated(*settings, rounding=half_up)
    to_even = generated(*settings, rounding=np.round)
    assert (blocks(model) != to_even) == ("halves up" in CATALOG[name].note)


def test_halves_are_rounded_up_where_the_note_says_so():
    # 136 and 776 lie halfway between multiples of 16: rounded to even they are 128 and 768.
    assert stage_widths(14, 56, 38.84, 2.4, 16) == [(64, 1, 16), (144, 3, 16), (320, 8, 16), (784, 2, 16)]
    assert sorted(set(generated(14, 56, 38.84, 2.4, 16, np.round))) == [64, 128, 320, 768]
    assert "144" in CATALOG["regnet_y_800mf"].note
    # 392 lies halfway between 384 and 400.
    assert stage_widths(22, 24, 24.48, 2.54, 16)[-1] == (400, 12, 16)
    assert "400" in CATALOG["regnet_x_400mf"].note


def test_a_stage_narrower_than_a_group_is_one_group():
    assert stage_widths(1, 8, 0.0, 2.0, 64) == [(8, 1, 8)]
