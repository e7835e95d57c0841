"""Runs on a disk that may only be read."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import jax
import pytest

import train

NOBODY = 65534


@contextlib.contextmanager
def read_only(folder):
    """A context in which nothing below a folder can be written, not even by root, who turns into nobody for a while."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    user = os.geteuid()
    caching = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)  # in a folder that nobody may not write either
    try:
        if user == 0:
            os.seteuid(NOBODY)
        with pytest.raises(PermissionError):
            (folder / "x").touch()
        yield
    finally:
        if user == 0:
            os.seteuid(user)
        jax.config.update("jax_enable_compilation_cache", caching)
        for path in folders:
            path.chmod(0o755)


@pytest.fixture
def folder():
    """A folder that anybody may look into, which those of pytest are not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_finished_run_is_read_and_another_is_not_begun(folder, small, same):
    config = small(folder / "run", epochs=1)
    summary = train.run(config, quiet=True)
    variables = train.load(folder / "run").variables
    with read_only(folder):
        assert same(train.load(folder / "run").variables, variables)
        again = train.run(config, quiet=True)
        with pytest.raises(ValueError, match="cannot write to --out .*: Permission denied"):
            train.run(small(folder / "new", epochs=1), quiet=True)
    assert again == summary
    (folder / "run" / "metrics.jsonl").write_text("3\n")
    with (
        pytest.warns(RuntimeWarning, match="line 1"),
        pytest.raises(ValueError, match="lacks epochs that are finished"),
    ):
        train.run(config, quiet=True)


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"config": 3, "data": {}}', "[" * 100_000])
def test_a_configuration_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="config.json cannot be read"):
        train.load(tmp_path)
