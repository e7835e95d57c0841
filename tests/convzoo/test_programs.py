"""Compiled programs are kept for the next process, where the user wants it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
import jax
from convzoo import programs
print(programs.keep())
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
print(hits.count("/jax/compilation_cache/cache_hits"))
"""


def run(**settings):
    """The folder of the programs, and how many of them a process found there."""
    ours = ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT", "CONVZOO")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"PYTHONPATH": str(ROOT), **settings}
    line = [sys.executable, "-c", CODE]
    result = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    return result.stdout.split()


def test_a_second_process_takes_what_the_first_has_compiled(tmp_path):
    cache = {"CONVZOO_CACHE": str(tmp_path)}
    folder = str(tmp_path / "programs")
    first, second = run(**cache), run(**cache)
    assert (first, second[0]) == ([folder, "0"], folder)
    assert int(second[1]) > 0


def test_a_variable_switches_it_off(tmp_path):
    assert run(CONVZOO_CACHE=str(tmp_path), CONVZOO_KEEP_PROGRAMS="0") == ["None", "0"]
    assert not any(tmp_path.iterdir())


def test_a_folder_of_the_users_own_stays(tmp_path):
    own = str(tmp_path / "own")
    assert run(CONVZOO_CACHE=str(tmp_path), JAX_COMPILATION_CACHE_DIR=own)[0] == own
    assert not (tmp_path / "programs").exists()
