"""The `convzoo` command finds its packages beside itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convzoo.commands import main

ROOT = Path(__file__).parents[2]


def test_a_file_named_like_a_package_does_not_win(tmp_path):
    (tmp_path / "zoo.py").write_text("raise SystemExit('the wrong zoo')")
    command = [sys.executable, "-m", "convzoo", "zoo", "list", "lenet*"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "lenet5" in result.stdout.split()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["trian"], "did you mean train?"), (["x"], "there are zoo, train")]
)
def test_an_unknown_command_is_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
