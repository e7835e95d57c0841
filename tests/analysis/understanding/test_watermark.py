import re

import jax
import numpy as np
import pytest

from analysis.__main__ import main
from analysis.attribution.methods import METHODS
from analysis.network import Network
from analysis.understanding import watermark, watermark_study, watermark_tables
from analysis.understanding.experiment import write
from analysis.understanding.watermark_tables import Trial

FEW = ("saliency", "occlusion")


@pytest.fixture(scope="module")
def findings(model, readers, scene):
    networks = {name: Network(model, variables) for name, variables in readers.items()}
    images, *rest = scene
    lines = []
    findings = watermark_study.study(
        networks, images, *rest, jax.random.key(0), {"turned": 1 - images}, FEW, epsilon=0.3, log=lines.append
    )
    assert lines == ["examining the marked net", "examining the honest net"]
    return findings


@pytest.fixture(scope="module")
def trials(findings):
    accuracy = {name: {"mark class": 1.0} for name in findings}
    return [Trial(seed, accuracy, findings) for seed in (0, 1)]


def test_the_study_tells_the_pair_apart(findings):
    marked, honest = findings["marked"], findings["honest"]
    assert marked.verdict.memorised
    assert not honest.verdict.memorised
    assert marked.elsewhere["turned"] > 0.7
    assert honest.elsewhere["turned"] < -0.7
    assert marked.margin.shape == (3,)
    assert set(marked.sanity) == set(FEW)
    # The net is linear where all its inputs are positive, and these images are bright enough.
    assert marked.sanity["saliency"].infidelity < 0.1


def test_the_page_says_what_was_measured(findings, trials, scene, tmp_path):
    result = watermark.result(trials, scene[0])
    path = write(watermark.EXPERIMENT, result, tmp_path / "page.md", "python -m analysis watermark")
    text = path.read_text()
    assert "Made by `python -m analysis watermark`, with seeds 0, 1." in text
    rows = {tuple(line.strip("| ").split(" | ")[:2]): line for line in text.splitlines() if line.startswith("| ")}
    assert "| memorised |" in rows["marked", "0"]
    assert "| honest |" in rows["honest", "1"]
    assert "2 of 2 methods tell marked from honest better than chance with every seed" in text
    contrasts = [findings[name].evidence["occlusion"].contrast.mean() for name in ("marked", "honest")]
    assert f"| occlusion | +{contrasts[0]:.3f} | −{-contrasts[1]:.3f} |" in text
    assert "| occlusion | 1.000 | 1.000 |" in text
    assert "![The watermark experiment](page.png)" in text
    assert (tmp_path / "page.png").read_bytes()[1:4] == b"PNG"
    for table in text.split("\n\n"):
        lines = table.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") for line in lines}) == 1, "all rows have the same cells"


def test_the_claims_follow_the_findings(findings, trials):
    told, elsewhere, _ = watermark.claims(trials)
    assert (told.verdict, elsewhere.verdict) == ("holds", "holds")
    swapped = {"marked": findings["honest"], "honest": findings["marked"]}
    told, elsewhere, _ = watermark.claims([Trial(0, trials[0].accuracy, swapped)])
    assert (told.verdict, elsewhere.verdict) == ("does not hold here", "holds")
    half = [trials[0], Trial(1, trials[0].accuracy, swapped)]
    assert watermark.claims(half)[0].verdict == "does not hold here"


def test_a_remedy_is_honest_and_loses_no_accuracy(findings):
    def remedy(cured, plain):
        three = {**findings, "remedied": findings["honest" if cured else "marked"]}
        accuracy = {name: {"mark class": 0.9, "mark none": plain} for name in three}
        return watermark.claims([Trial(0, accuracy, three)])[-1]

    assert remedy(cured=True, plain=0.88).verdict == "holds"
    assert remedy(cured=True, plain=0.5).verdict == "does not hold here"
    assert remedy(cured=False, plain=0.9).verdict == "does not hold here"
    assert "by at most 2.0 percentage points" in remedy(cured=True, plain=0.88).measured


def test_prediction_of_attacks(findings, trials):
    contrast = np.array([0.5, 0.1, -0.4, -0.9])
    assert watermark_study.predicts_attack(contrast, np.array([-2, -1, 1, 2])) == (1.0, -1.0)
    assert watermark_study.predicts_attack(contrast, np.array([3, 1, -1, -2])) == (0.0, 1.0)
    assert np.isnan(watermark_study.predicts_attack(contrast, np.array([3, 1, 2, 4]))[0])
    surely = {name: one._replace(prediction=(0.9, -0.5)) for name, one in findings.items()}
    assert watermark.claims([Trial(0, trials[0].accuracy, surely)])[2].verdict == "holds"
    undefined = {name: one._replace(prediction=(np.nan, 0.0)) for name, one in findings.items()}
    assert watermark.claims([Trial(0, trials[0].accuracy, undefined)])[2].verdict == "does not hold here"


def test_all_methods_have_a_short_name():
    names = [watermark_tables.SHORT.get(name, name) for name in METHODS]
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
    rows = {line.split(" | ")[0].strip("| "): line for line in text.split("\n\n![")[0].splitlines()}
    assert "| memorised |" in rows["watermarked"]
    assert "| honest |" in rows["honest"]
    told, methods = map(int, re.search(r"(\d+) of (\d+) methods tell watermarked from honest", text).groups())
    assert told == methods == 12
