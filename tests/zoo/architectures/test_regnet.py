"""RegNet's widths against those that its paper prints."""

import pytest

import zoo
from zoo.architectures.regnet import stage_widths
from zoo.catalog import CATALOG

# (widths, blocks, group width) of tables 6 and 7 of the paper (arXiv:2003.13678).
PRINTED = {
    "regnet_x_400mf": ((32, 64, 160, 400), (1, 2, 7, 12), 16),
    "regnet_x_800mf": ((64, 128, 288, 672), (1, 3, 7, 5), 16),
    "regnet_x_1_6gf": ((72, 168, 408, 912), (2, 4, 10, 2), 24),
    "regnet_x_3_2gf": ((96, 192, 432, 1008), (2, 6, 15, 2), 48),
    "regnet_y_400mf": ((48, 104, 208, 440), (1, 3, 6, 6), 8),
    "regnet_y_1_6gf": ((48, 120, 336, 888), (2, 6, 17, 2), 24),
    "regnet_y_3_2gf": ((72, 216, 576, 1512), (2, 5, 13, 1), 24),
}


@pytest.mark.parametrize("name", PRINTED)
def test_widths_of_the_stages_are_the_printed_ones(name):
    model = zoo.create(name)
    stages = stage_widths(model.depth, model.initial, model.slope, model.step, model.group_width)
    widths, blocks, group_width = PRINTED[name]
    assert stages == [(width, count, group_width) for width, count in zip(widths, blocks, strict=True)]


def test_halves_are_rounded_up_where_the_paper_rounds_them_to_even():
    # 136 and 776 lie halfway between multiples of 16; the paper prints 128 and 768.
    assert stage_widths(14, 56, 38.84, 2.4, 16) == [(64, 1, 16), (144, 3, 16), (320, 8, 16), (784, 2, 16)]
    assert "144" in CATALOG["regnet_y_800mf"].note


def test_a_stage_narrower_than_a_group_is_one_group():
    assert stage_widths(1, 8, 0.0, 2.0, 64) == [(8, 1, 8)]
