"""Run the code blocks of a document as a reader would: in an empty folder, in their order, with what they print.

    python tests/support/documents.py README.md            # runs and compares

A `python` block runs in one process with those before it; the `text` block that follows holds what it prints. In a
`console` block each line that starts with `$ ` is a command, and the lines after it are its output. A line `...`
stands for any lines. Numbers may differ by a quarter, or by 0.1, between machines; times are not compared.
"""

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^```(python|console)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
TIME = re.compile(r"\d[\d,.]*\s?(?:s|ms|min|images/s)\b")


class Step(NamedTuple):
    """A piece of code with the output that the document shows; None: the document shows none."""

    language: str
    code: str
    output: str | None


def steps(text: str) -> list[Step]:
    """The blocks of a document as steps: one for each Python block, and one for each command."""
    found = []
    for language, content, output in BLOCK.findall(text):
        if language == "python":
            found.append(Step(language, content, output or None))
            continue
        for command in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
            line, _, printed = command.partition("\n")
            found.append(Step(language, line.partition("  #")[0].strip(), printed or None))
    return found


def run(document: list[Step]) -> list[str]:
    """What each step prints, in the current folder.

    Raises:
      RuntimeError: a command that ends with another code than 0, with what it said.
    """
    scope: dict = {"__name__": "__main__"}
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    outputs = []
    for step in document:
        if step.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(step.code, "<document>", "exec"), scope)
            outputs.append(printed.getvalue())
            continue
        ended = subprocess.run(step.code, shell=True, env=environment, capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"$ {step.code}\n{ended.stdout}{ended.stderr}")
        outputs.append(ended.stdout)  # stderr shows progress
    return outputs


def agrees(shown: str, printed: str) -> bool:
    """Whether printed text is what a document shows.

    Example:
      >>> agrees("accuracy 0.95, 3 s", "accuracy 0.93, 41 s"), agrees("accuracy 0.95", "loss 0.95")
      (True, False)
    """
    texts = [TIME.sub("TIME", text) for text in (shown, printed)]
    numbers = [[float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in texts]
    form, actual = (re.sub(r"\s+", " ", NUMBER.sub("N", text)).strip() for text in texts)
    if "..." in form:
        pattern = ".*".join(map(re.escape, form.split("...")))
        return bool(re.fullmatch(pattern, actual, re.DOTALL))
    close = (abs(a - b) <= max(0.25 * abs(a), 0.1) for a, b in zip(*numbers, strict=False))
    return form == actual and all(close)


def check(path: Path) -> list[str]:
    """Run a document in the current folder; one text for each step that prints something else than it shows."""
    document = steps(path.read_text())
    return [
        f"{step.code.strip()}\nshown:\n{step.output}\nprinted:\n{printed}"
        for step, printed in zip(document, run(document), strict=True)
        if step.output is not None and not agrees(step.output, printed)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    given = parser.parse_args()
    path = given.document.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        differing = check(path)
    print("\n\n".join(differing) or f"{path.name}: {len(steps(path.read_text()))} steps print what it shows")
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
