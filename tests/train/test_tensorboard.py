import sys
from types import SimpleNamespace

import train
from train import tensorboard
from train.__main__ import main

SMALL = ["mlp", "--size", "8", "--batch-size", "512", "--epochs", "2", "--set", "widths=(16,)", "--tensorboard"]


class Writer:
    """Notes the calls of a `SummaryWriter`."""

    written: list = []  # noqa: RUF012, shared by all

    def __init__(self, folder):
        self.written.append(folder)

    def add_scalar(self, name, value, step):
        self.written.append((name, value, step))

    def flush(self):
        self.written.append("flush")


def test_every_figure_of_every_epoch_is_written_and_flushed(tmp_path, monkeypatch):
    monkeypatch.setattr(Writer, "written", [])
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Writer))
    assert main([*SMALL, "--out", str(tmp_path / "run")]) == 0
    rows = train.load(tmp_path / "run").metrics
    scalars = [
        [(f"{name}/{split}", value, row["epoch"]) for split in ("train", "test") for name, value in row[split].items()]
        for row in rows
    ]
    assert Writer.written == [str(tmp_path / "run" / "tensorboard"), *scalars[0], "flush", *scalars[1], "flush"]


def test_a_missing_writer_is_named_before_training(tmp_path, monkeypatch, capsys):
    for module in tensorboard.WRITERS:
        monkeypatch.setitem(sys.modules, module, None)
    assert main([*SMALL, "--out", str(tmp_path / "run")]) == 2
    assert "`pip install tensorboardX`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
