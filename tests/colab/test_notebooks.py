"""Every notebook runs from its first cell to its last, and is the one its script makes."""

import runpy
import warnings
from pathlib import Path

import jupytext
import pytest

COLAB = Path(__file__).parents[2] / "colab"
SCRIPTS = sorted(path for path in COLAB.glob("*.py") if path.name != "build.py")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_notebook_is_made_from_its_script(script):
    notebook, source = jupytext.read(script.with_suffix(".ipynb")), jupytext.read(script)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in source.cells
    ]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_notebook_runs(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*non-interactive.*", category=UserWarning)
        runpy.run_path(str(script), run_name="__main__")
