import re

import jax
import numpy as np
import pytest

from analysis.__main__ import main
from analysis.attribution.methods import METHODS
from analysis.understanding import watermark, watermark_page

FEW = ("saliency", "occlusion")


@pytest.fixture(scope="module")
def found(model, readers, scene):
    subjects = {
        name: watermark.Subject(model, variables, None, {"mark class": 1.0}) for name, variables in readers.items()
    }
    images, *rest = scene
    lines = []
    found = watermark.study(
        subjects, images, *rest, jax.random.key(0), {"turned": 1 - images}, FEW, epsilon=0.3, log=lines.append
    )
    assert lines == ["examining the marked net", "examining the honest net"]
    return found


def test_the_study_tells_the_pair_apart(found):
    marked, honest = found["marked"], found["honest"]
    assert marked.verdict.memorised
    assert not honest.verdict.memorised
    assert marked.elsewhere["turned"] > 0.7
    assert honest.elsewhere["turned"] < -0.7
    assert marked.margin.shape == (3,)
    assert set(marked.randomised) == set(marked.sensitivity) == set(FEW)
    # The net is linear where all its inputs are positive, and these images are bright enough.
    assert marked.unforetold["saliency"] < 0.1


def test_the_page_says_what_was_found(found, scene, tmp_path):
    path = watermark_page.write(found, scene[0], tmp_path / "new" / "page.md", "python -m analysis watermark")
    text = path.read_text()
    assert "Made by `python -m analysis watermark`" in text
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert "memorised |" in rows["marked"]
    assert "honest |" in rows["honest"]
    assert "2 of 2 methods tell marked from honest" in text
    contrasts = [found[name].evidence["occlusion"].contrast.mean() for name in ("marked", "honest")]
    assert f"| occlusion | +{contrasts[0]:.3f} | −{-contrasts[1]:.3f} |" in text
    assert "| occlusion | 1.000 |" in text
    assert "![Maps of the first test images by method and net](page.png)" in text
    assert (tmp_path / "new" / "page.png").read_bytes()[1:4] == b"PNG"
    for table in text.split("\n\n"):
        lines = table.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") for line in lines}) == 1, "all rows have the same cells"


def test_foretelling():
    contrast = np.array([0.5, 0.1, -0.4, -0.9])
    assert watermark.foretell(contrast, np.array([-2, -1, 1, 2])) == (1.0, -1.0)
    assert watermark.foretell(contrast, np.array([3, 1, -1, -2])) == (0.0, 1.0)
    assert np.isnan(watermark.foretell(contrast, np.array([3, 1, 2, 4]))[0])


def test_all_methods_have_a_short_name():
    names = [watermark_page.SHORT.get(name, name) for name in METHODS]
    assert max(map(len, names)) <= 14


def test_a_request_that_cannot_be_answered(tmp_path, capsys):
    assert main(["watermark", "--out", str(tmp_path / "a"), "--images", "0"]) == 2
    assert "images=0: expected a positive integer" in capsys.readouterr().err
    assert main(["watermark", "--out", str(tmp_path / "b"), "--model", "gapnet"]) == 2
    assert "did you mean gap_net" in capsys.readouterr().err


@pytest.mark.slow
def test_the_experiment_from_end_to_end(tmp_path, capsys):
    # Optax's schedules rely on promotion.
    with jax.numpy_dtype_promotion("standard"):
        arguments = ["watermark", "--out", str(tmp_path), "--epochs", "2", "--images", "10"]
        assert main(arguments) == 0
    text = (tmp_path / "watermark.md").read_text()
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "watermark.md")
    rows = {line.split(" | ")[0].strip("| "): line for line in text.split("\n\n*Contrast* is")[0].splitlines()}
    assert "| memorised |" in rows["watermarked"]
    assert "| honest |" in rows["honest"]
    assert "| honest |" in rows["remedied"]
    told, methods = map(int, re.search(r"(\d+) of (\d+) methods tell watermarked from honest", text).groups())
    assert told == methods == 12
