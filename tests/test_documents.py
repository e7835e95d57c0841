"""README and documents do what they say: their blocks are run in an empty folder, and print what is shown."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support import documents
from tests.support.photographs import photograph
from train.datasets import scenes
from zoo import surgery

ROOT = Path(__file__).parents[1]
INSTALLATION = re.compile(r"make \w+|pip install|%pip install")


def flowers(folder: Path) -> None:
    """The folder of pictures that the README draws: two classes, two splits, several sizes."""
    data = scenes.load(size=40, count=2000, test_count=500)
    for split in ("train", "test"):
        part = getattr(data, split)
        for name, label in {"daisy": 5, "rose": 7}.items():
            place = folder / "flowers" / split / name
            place.mkdir(parents=True)
            for number, image in enumerate(part.images[part.labels == label]):
                Image.fromarray((255 * image).astype("uint8")).resize((40 + number % 3, 40)).save(
                    place / f"{number}.png"
                )


def readme(folder: Path) -> None:
    """The pictures of the README: flowers, and a cup of coffee."""
    flowers(folder)
    shutil.copy(photograph("coffee.png"), folder)


def checkpoint(folder: Path) -> None:
    """A PyTorch checkpoint of a ResNet-20, and a photograph."""
    shutil.copy(photograph("coffee.png"), folder)
    shutil.copy(ROOT / "tests" / "goldens" / "torch_files" / "resnet20.pth", folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "prepare"), [("README.md", readme), ("docs/weights.md", checkpoint)], ids=["README", "weights"]
)
def test_every_block_runs_and_prints_what_is_shown(name, prepare, tmp_path):
    prepare(tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JAX_DISABLE")}
    environment["PYTHONPATH"] = str(ROOT)
    script = (
        "import pathlib, sys; from tests.support import documents; print(*documents.check(pathlib.Path(sys.argv[1])))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, ROOT / name], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert not ended.returncode, ended.stderr
    assert not ended.stdout.strip(), ended.stdout


@pytest.mark.parametrize("path", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], ids=lambda path: path.name)
def test_blocks_are_run_or_are_not_code(path):
    """Python and console blocks are run; `sh` blocks install; all others show a layout or an output."""
    for language, content in re.findall(r"^```(\w*)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
        assert language in ("python", "console", "sh", "text", ""), language
        if language == "sh":
            assert all(INSTALLATION.match(line) for line in content.splitlines()), content


def test_output_is_compared():
    assert documents.agrees("accuracy 0.95, 3 s", "accuracy 0.93, 41 s")
    assert not documents.agrees("accuracy 0.95", "accuracy 0.55")
    assert not documents.agrees("accuracy 0.95", "loss 0.95")
    assert documents.agrees("first\n...\n", "first\n12 lines\nmore\n")
    assert not documents.agrees("first\n...\nlast", "first\n12 lines\n")
    assert documents.steps("```console\n$ a b  # why\nout\n$ c\n```\n") == [
        ("console", "a b", "out\n"),
        ("console", "c", None),
    ]


def test_every_function_of_surgery_is_described():
    public = {name for name, value in vars(surgery).items() if getattr(value, "__module__", "") == surgery.__name__}
    text = (ROOT / "docs" / "weights.md").read_text()
    assert {name for name in public if not name.startswith("_")} == set(re.findall(r"^\| `(\w+)\(", text, re.MULTILINE))
