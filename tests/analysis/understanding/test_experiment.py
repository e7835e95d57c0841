import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.draw import png
from analysis.understanding import EXPERIMENTS
from analysis.understanding.experiment import Claim, Experiment, Result, Table, markdown, verdict, write

TABLE = Table(("net", "accuracy"), (("first", "0.9"), ("second", "0.8")), "Shares.")


@pytest.fixture
def result():
    claims = (
        Claim("Nets learn.", "They reach 0.9.", "holds"),
        Claim("Nets sleep.", "They do not.", "does not hold here"),
    )
    return Result((0, 2), claims, TABLE, png(np.zeros((4, 4, 1))), "Black.", (Table(("a",), (("1",),)),))


@pytest.fixture
def experiment(result):
    return Experiment(
        "nets", "Nets and learning", "Nets learn and sleep.", "They are trained.", lambda lab, seeds: result
    )


def test_the_page_has_claims_command_time_table_and_picture_in_this_order(experiment, result):
    text = markdown(experiment, result, "nets.png", "python -m nets", 125.4)
    parts = (
        "# Nets and learning\n",
        "Nets learn and sleep.",
        "Made by `python -m nets`, with seeds 0, 2, in 2 min 5 s.",
        "- **holds**: Nets learn. They reach 0.9.\n- **does not hold here**: Nets sleep. They do not.\n",
        "Shares.\n\n| net | accuracy |\n|---|--:|\n| first | 0.9 |\n| second | 0.8 |\n",
        "![Nets and learning](nets.png)",
        "Black.",
        "They are trained.",
        "| a |\n|---|\n| 1 |\n",
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "with seed 0." in markdown(experiment, dataclasses.replace(result, seeds=(0,)), "nets.png", "nets")


def test_a_saved_result_gives_the_same_page(experiment, result, tmp_path):
    path = write(experiment, result, tmp_path / "new" / "nets.md", "nets", 3)
    assert sorted(file.name for file in path.parent.iterdir()) == ["nets.json", "nets.md", "nets.png"]
    again = Result.load(path.with_suffix(".json"))
    assert markdown(experiment, again, "nets.png", "nets", 3) == path.read_text()
    assert again.picture == result.picture
    path.with_suffix(".json").write_text("[]")
    with pytest.raises(ValueError, match=r"nets\.json is no result of an experiment"):
        Result.load(path.with_suffix(".json"))


def test_verdicts():
    assert verdict([True, False, False]) == "does not hold here"
    assert verdict([True, False]) == "holds partly"
    assert verdict(value > 0 for value in (1, 2)) == "holds"
    with pytest.raises(ValueError, match="without outcomes"):
        verdict([])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_what_it_is(name):
    experiment = EXPERIMENTS[name]
    assert experiment.name == name
    assert all((experiment.title, experiment.claim, experiment.protocol))


def test_the_command_lists_and_refuses(tmp_path, capsys):
    assert main(["experiment", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*EXPERIMENTS]
    assert main(["experiment", "watermrk", "--out", str(tmp_path)]) == 2
    assert "did you mean watermark?" in capsys.readouterr().err
    assert main(["experiment", "watermark"]) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["watermark", "position"])
def test_the_document_is_what_the_writer_writes(name):
    path = Path(__file__).parents[3] / "docs" / f"{name}.md"
    text = path.read_text()
    command, minutes, seconds = re.search(
        r"Made by `(.*)`, with seeds?[ ,\d]+(?: in (\d+) min (\d+) s)?\.", text
    ).groups()
    time = None if minutes is None else 60 * int(minutes) + int(seconds)
    result = Result.load(path.with_suffix(".json"))
    assert markdown(EXPERIMENTS[name], result, f"{name}.png", command, time) == text
