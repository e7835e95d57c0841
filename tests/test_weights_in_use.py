"""The README's walk from a `.pth` file and `docs/weights.md` do what they say: their blocks are run, in their order."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TEXT = (ROOT / "docs" / "weights.md").read_text()


def blocks(text: str) -> list[tuple[str, str]]:
    """The language and the content of each block of code."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_documents_run(tmp_path, monkeypatch):
    shutil.copy(ROOT / "tests" / "goldens" / "torch_files" / "resnet20.pth", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    scope: dict = {}
    walk = README.partition("<!-- These blocks are run")[2].partition("\n## ")[0]
    told = walk + TEXT.partition("## In NNX")[2]
    assert len(blocks(told)) == 5
    for language, content in blocks(told):
        if language == "python":
            exec(compile(content, "a document", "exec"), scope)
            continue
        for line in content.splitlines():
            command = shlex.split(line.removeprefix("$ python"))
            finished = subprocess.run([sys.executable, *command], capture_output=True, text=True)
            assert finished.returncode == 0, finished.stderr
    before, after = scope["run"].variables["batch_stats"]["stem"]["norm"]["mean"], scope["module"].stem["norm"]["mean"]
    assert (before != after[...]).any()


def test_every_function_of_surgery_is_told_of():
    from zoo import surgery

    public = {name for name, value in vars(surgery).items() if getattr(value, "__module__", "") == surgery.__name__}
    assert {name for name in public if not name.startswith("_")} == set(re.findall(r"^\| `(\w+)\(", TEXT, re.MULTILINE))
