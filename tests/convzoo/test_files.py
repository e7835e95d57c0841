"""Files and folders that appear whole or not at all, digests, and locks between processes."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convzoo import files

ROOT = Path(__file__).parents[2]


class CrashError(Exception):
    """An interruption in the middle of writing."""


@pytest.mark.parametrize("content", ["dø\n", b"\x00\xff"], ids=["text", "bytes"])
def test_a_file_is_written_as_it_is_and_replaces_the_old_one(tmp_path, content):
    path = tmp_path / "note"
    for old in (None, "a longer text of before"):
        if old:
            path.write_text(old)
        assert files.write(path, content) == path
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
        assert [*tmp_path.iterdir()] == [path]


def test_a_crash_while_writing_leaves_the_old_content(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")

    def write():
        with files.replacing(path) as unfinished:
            unfinished.write_text("ne")
            raise CrashError

    with pytest.raises(CrashError):
        write()
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_crash_while_writing_a_folder_leaves_the_old_one(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "a").write_text("old")

    def write():
        with files.replacing(path) as unfinished:
            unfinished.mkdir()
            (unfinished / "b").write_text("new")
            raise CrashError

    with pytest.raises(CrashError):
        write()
    assert [(file.name, file.read_text()) for file in path.iterdir()] == [("a", "old")]
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_is_replaced_with_all_it_holds(tmp_path):
    path = tmp_path / "run"
    for content in ("first", "second"):
        with files.replacing(path) as unfinished:
            unfinished.mkdir()
            (unfinished / content).write_text(content)
        assert [(file.name, file.read_text()) for file in path.iterdir()] == [(content, content)]
    assert [*tmp_path.iterdir()] == [path]


def test_a_killed_writer_leaves_the_old_content_and_its_rest_can_be_removed(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    code = (
        "import os, signal\nfrom convzoo import files\n"
        f"with files.replacing({str(path)!r}) as unfinished:\n"
        "    unfinished.write_text('ne')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert result.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    [rest] = [file for file in tmp_path.iterdir() if file != path]
    assert rest.name.startswith(".note.txt.")
    files.remove_unfinished(tmp_path)
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_does_not_exist_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="missing"):
        files.write(tmp_path / "missing" / "note.txt", "text")


def test_removing_takes_a_link_and_not_what_it_points_to(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("kept")
    link = tmp_path / "link"
    os.symlink(folder, link)
    files.remove(link)
    assert (folder / "file").read_text() == "kept"
    files.remove(folder)
    files.remove(folder)
    assert not [*tmp_path.iterdir()]


def test_digests_of_a_file_of_bytes_and_of_text_agree(tmp_path):
    (tmp_path / "b").mkdir()
    file = files.write(tmp_path / "b" / "a.txt", "abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert files.sha256(file) == files.sha256(b"abc") == files.sha256("abc") == expected
    assert files.sha256_of_folder(tmp_path) == {"b/a.txt": expected}


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
