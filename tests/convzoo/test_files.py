import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convzoo import files

ROOT = Path(__file__).parents[2]


def test_a_lock_excludes_other_processes_and_dies_with_its_own(tmp_path):
    lock = tmp_path / ".lock"
    code = f"from convzoo import files\nwith files.locked({str(lock)!r}):\n    print('held', flush=True)\n    input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match="locked by another process"), files.locked(lock, wait=False):
            pass
        holder.kill()
    assert holder.returncode == -signal.SIGKILL
    with files.locked(lock, wait=False):
        pass
    assert lock.exists()
