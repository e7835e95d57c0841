import numpy as np
import pytest

from train.__main__ import main
from train.commands.rate_range import Range, measure

SMALL = ["mlp", "--size", "8", "--batch-size", "128", "--set", "widths=(16,)"]


def test_the_picture_is_written_and_the_rate_is_a_good_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["range", *SMALL, "--steps", "40"]) == 0
    line, path = capsys.readouterr().out.splitlines()
    assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")
    assert path == "runs/mlp-range/range.png"
    steepest = float(line.split()[3].rstrip(","))
    assert 0.01 < steepest < 1  # plain gradient descent on digits
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["range.png"]


def test_the_steepest_descent_is_in_the_middle_of_the_fall():
    rates = np.geomspace(1e-4, 1, 101)
    losses = 1 / (1 + np.exp(4 * np.log(rates / 1e-2))) + np.where(rates > 0.3, 1e3 * (rates - 0.3) ** 2, 0)
    result = Range(rates, losses)
    assert 1e-2 < result.steepest < 4e-2  # the average lags behind
    assert 0.1 < result.lowest < 0.4
    assert result.smoothed[0] == losses[0]


def test_a_rate_that_diverges_at_once_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match=r"low=1e\+30: the loss diverges from the start"):
        measure(small(tmp_path / "run"), 1e30, 1e38, 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--low", "0"], "low=0.0: expected a number above 0"),
        (["--high", "1e-6"], "high=1e-06: expected a number above 1e-05"),
        (["--steps", "3"], "steps=3: expected an integer of at least 10"),
        (["--optimizer", "sdg"], "did you mean sgd"),
    ],
)
def test_bad_input_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["range", *SMALL, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
