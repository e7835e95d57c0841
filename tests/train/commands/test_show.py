import matplotlib.image
import numpy as np
import pytest

from train import datasets
from train.__main__ import main
from train.commands import show


def test_the_picture_is_written_where_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "digits", "--size", "8", "--augment", "mixup,cutmix,cutout"]) == 0
    path = tmp_path / capsys.readouterr().out.strip()
    assert path == tmp_path / "runs/show/digits.png"
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 600
    assert picture.shape[1] > 600


def test_a_sheet_shows_originals_and_changes_with_their_shares():
    dataset = datasets.load("digits", 8)
    figure = show.sheet(dataset, ["mixup"])
    axes = np.array(figure.axes).reshape(show.ROWS, show.COLUMNS + 1)
    originals = [axes[row, 0].images[0].get_array() for row in range(show.ROWS)]
    captions = [axes[row, 0].get_xlabel() for row in range(show.ROWS)]
    for image, caption in zip(originals, captions, strict=True):
        matches = (dataset.train.images[..., 0] == np.asarray(image)).all((1, 2))
        assert caption in {str(label) for label in dataset.train.labels[matches]}
    mixed = [axes[row, column] for row in range(show.ROWS) for column in range(1, show.COLUMNS + 1)]
    for one in mixed:
        shares = [int(line.split()[1]) for line in one.get_xlabel().splitlines()]
        assert sum(shares) == 100
        assert shares[0] >= 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digit"], "did you mean digits"),
        (["digits", "--augment", "crp"], "did you mean crop"),
        (["digits", "--size", "0"], "size=0"),
        (["digits", "--seed", "-1"], "seed=-1"),
    ],
)
def test_bad_input_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
