"""`import convzoo` and the `convzoo` command find the packages beside them, and old Pythons are refused."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import convzoo
from convzoo.packages import IMPORTS

ROOT = Path(__file__).parents[2]


def run(code, folder, *command):
    """The process of a script, or of a command, in a folder."""
    line = [sys.executable, *(command or ("-c", code))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path):
    """A folder whose user has modules of the packages' names."""
    for name in convzoo.PACKAGES:
        (tmp_path / f"{name}.py").write_text("FOREIGN = True\n")
    return tmp_path


def test_packages_are_offered_at_their_first_use_from_beside_this_one(folder):
    code = (
        "import sys, convzoo\n"
        "assert not {'jax', 'zoo', 'train', 'analysis'} & {*sys.modules}\n"
        "assert {'zoo', 'train', 'analysis'} <= {*dir(convzoo)}\n"
        "for _ in range(3):\n"
        "    convzoo.zoo.create, convzoo.train.Config, convzoo.analysis.saliency\n"
        "from convzoo import zoo\n"
        "assert zoo is convzoo.zoo is sys.modules['zoo']\n"
        "assert [type(finder).__name__ for finder in sys.meta_path].count('_Beside') == 1, sys.meta_path\n"
        "print(zoo.__file__)"
    )
    result = run(code, folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == str(ROOT / "zoo" / "__init__.py")


def test_a_package_takes_no_names_that_it_does_not_import(folder):
    result = run("import convzoo; convzoo.zoo.create; import train, analysis; print(train.FOREIGN)", folder)
    assert (result.stdout.strip(), result.stderr) == ("True", "")


@pytest.mark.parametrize(("name", "first"), [("train", "train"), ("train", "zoo"), ("analysis", "analysis")])
def test_a_foreign_module_that_is_already_imported_is_named(name, first, folder):
    result = run(f"import {first}, convzoo; convzoo.{name}", folder)
    [message] = [line for line in result.stderr.splitlines() if line.startswith("ImportError")]
    assert f"{first!r} is already imported from {folder / first}.py" in message
    assert f"use convzoo.{first} before importing it" in message


def test_our_own_package_may_be_imported_already(tmp_path):
    result = run("import zoo, convzoo; assert convzoo.zoo is zoo", tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_other_attributes_are_missing():
    with pytest.raises(AttributeError, match="no attribute 'zooo': it has zoo, train, analysis"):
        convzoo.zooo  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "output"),
    [(("zoo", "list", "lenet*"), "lenet5"), (("train", "--help"), "Train a model of the zoo")],
    ids=["zoo", "train"],
)
def test_commands_run_where_the_folder_holds_modules_of_their_names(arguments, output, folder):
    result = run("", folder, "-m", "convzoo", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert output in result.stdout


def test_analysis_by_its_own_name_finds_train_beside_it(folder):
    (folder / "analysis.py").unlink()
    result = run("", folder, "-m", "analysis", "experiment", "list")
    assert (result.returncode, result.stderr) == (0, "")
    assert "watermark" in result.stdout


def test_the_table_of_imports_is_what_the_packages_may_import():
    """`tests/test_structure.py` holds the packages to these arrows."""
    from tests.test_structure import ALLOWED

    for name, imports in IMPORTS.items():
        assert {*imports} == {allowed.split(".")[0] for allowed in ALLOWED[name]} - {"convzoo"}


@pytest.mark.parametrize("package", ["convzoo", "zoo", "train", "analysis"])
def test_an_old_python_is_refused_by_a_sentence(package, tmp_path):
    code = f"import sys; sys.version_info = (3, 10, 4, 'final', 0); import {package}"
    result = run(code, tmp_path)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ImportError: convzoo needs Python 3.11 or later, and this is Python 3.10.4 at ")


@pytest.mark.parametrize("package", ["convzoo", "zoo", "train", "analysis"])
def test_old_pythons_can_read_what_refuses_them(package):
    source = (ROOT / package / "__init__.py").read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert isinstance(imports[0], ast.Import)
    assert imports[0].names[0].name == ("sys" if package == "convzoo" else "convzoo")
