import platform
import subprocess
import sys

import pytest

from zoo import memory

# Takes and frees a large piece of memory, in a thread as XLA does, and prints for how many pages the system was asked.
SCRIPT = """
import resource, threading, zoo
asked = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    bytearray(64 << 20)
    before = asked()
    for _ in range(4):
        bytearray(64 << 20)
    print(asked() - before)
{before}
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
HUGE_PAGES = 4 * (64 << 20) // (2 << 20)


def asked(before):
    script = SCRIPT.format(before=before)
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is kept with the C library of GNU")
def test_the_system_is_asked_for_memory_once():
    assert asked("assert zoo.keep_memory() and zoo.keep_memory()") < HUGE_PAGES / 4
    assert asked("") > HUGE_PAGES / 2, "else there is nothing to keep"


def test_with_another_c_library_nothing_changes(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_memory() is False


def test_without_a_c_library_nothing_changes(monkeypatch):
    def refuse(name):
        raise OSError("no library")

    monkeypatch.setattr(memory.ctypes, "CDLL", refuse)
    assert memory.keep_memory() is False
