"""Peak memory of one row of a suite, in a process of its own."""

import importlib
import pathlib
import resource
import subprocess
import sys

import zoo


def peak(suite: str, row: str) -> float:
    """GiB that a new process holds at most while it runs `once(row)` of a suite's module."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", suite, row]
    root = pathlib.Path(__file__).resolve().parents[2]
    return float(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()[-1])


def main() -> None:
    """Run a row once, and print this process's peak in GiB."""
    suite, row = sys.argv[1:]
    zoo.keep_memory()
    importlib.import_module(f"tests.benchmarks.{suite}").once(row)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.3f}")


if __name__ == "__main__":
    main()
