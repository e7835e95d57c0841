import json
import types

import jax

import train
from analysis.__main__ import main
from train import datasets


def refusal(capsys, *arguments):
    """What the command says when it refuses: at most five lines, code 2, nothing on stdout."""
    assert main(["report", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) <= 5
    return said.err


def test_missing_run(tmp_path, capsys):
    assert f"no run at {tmp_path / 'none'}" in refusal(capsys, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_folder_that_is_no_run(tmp_path, capsys):
    (tmp_path / "photo.png").touch()
    assert "config.json" in refusal(capsys, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_run_without_a_checkpoint(tmp_path, capsys):
    config = train.Config("mlp", size=8, out=str(tmp_path)).resolve()
    content = {"config": config.to_json(), "data": datasets.Data.of(datasets.load("digits", 8)).to_json()}
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert "no checkpoint" in refusal(capsys, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_run_of_another_task(tmp_path, capsys, monkeypatch):
    run = types.SimpleNamespace(config=train.Config("mlp", task="position"))
    monkeypatch.setattr(train, "load", lambda path: run)
    assert "a run of task='position': expected one of task='classification'" in refusal(capsys, tmp_path)


def test_settings_out_of_range(tmp_path, capsys):
    assert "attacked=0" in refusal(capsys, tmp_path, "--attacked", 0)


def test_report_of_a_run(tmp_path, capsys):
    out = tmp_path / "run"
    # Optax's schedules rely on promotion.
    with jax.numpy_dtype_promotion("standard"):
        summary = train.run(train.Config("mlp", epochs=2, size=8, batch_size=256, out=str(out)), quiet=True)
    assert main(["report", str(out), "--attacked", "4", "--steps", "1"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == str(out / "report" / "index.html")
    page = (out / "report" / "index.html").read_text()
    assert "<h1>mlp on digits</h1>" in page
    assert f"<td>{100 * summary.test['accuracy']:.1f}</td>" in page, "360 images carry one decimal"
    # A fully-connected network has no layer for Grad-CAM, nor channels with places.
    assert ">Grad-CAM<" not in page
    assert "id=inside" not in page
    assert "integrated gradients" in page
    assert "No CAM: " in page
