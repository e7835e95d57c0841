"""The shape of the house: who imports whom, and what an import costs."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("convzoo", "zoo", "train", "analysis")
ALLOWED = {
    "convzoo": {"convzoo"},
    "zoo": {"convzoo", "zoo"},
    "train": {"convzoo", "train", "zoo", "analysis.attacks", "analysis.defences"},
    "analysis": {"convzoo", "analysis"},
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imports(path: Path) -> set[str]:
    """Full names of all that a file imports from our packages, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in PACKAGES}


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith("__main__")])
def test_imports_follow_the_arrows(module):
    package = module.split(".")[0]
    for name in imports(MODULES[module]):
        assert any(within(name, allowed) for allowed in ALLOWED[package]), f"{module} imports {name}"


def test_layers_know_no_architecture_and_architectures_not_each_other():
    for module, path in MODULES.items():
        used = [name for name in imports(path) if within(name, "zoo.architectures")]
        if within(module, "zoo.layers"):
            assert not used, f"{module} imports {used}"
        if within(module, "zoo.architectures"):
            assert not [name for name in used if not within(name, module)], f"{module} imports {used}"


FOUNDATIONS = {
    f"analysis.{name}" for name in ("checks", "execution", "layers", "network", "numerics", "scores", "taps")
}
METHODS = {f"analysis.{name}" for name in ("attacks", "attribution", "diagnosis", "features", "metrics")}
JOINING = {f"analysis.{name}" for name in ("commands", "report", "understanding")}


def test_methods_of_analysis_import_its_foundations_and_not_each_other():
    """A metric takes a method as an argument, and an attack does not ask where a map came from."""
    for module, path in MODULES.items():
        for package in METHODS | FOUNDATIONS:
            if within(module, package):
                allowed = FOUNDATIONS | ({package, "analysis.draw"} if package in METHODS else set()) | {"convzoo"}
                used = {name if name in MODULES else name.rpartition(".")[0] for name in imports(path)} - {"analysis"}
                forbidden = {name for name in used if not any(within(name, one) for one in allowed)}
                assert not forbidden, f"{module} imports {forbidden}"


def test_draw_knows_arrays_only():
    for module, path in MODULES.items():
        if within(module, "analysis.draw"):
            other = {name for name in imports(path) if not within(name, "analysis.draw") and name != "analysis.draw"}
            assert not {name for name in other if not within(name, "convzoo")}, f"{module} imports {other}"


def test_nothing_imports_what_joins_analysis_but_its_main():
    """Experiments, report and commands use all of `analysis`; only commands use experiments and report."""
    for module, path in MODULES.items():
        if within(module, "analysis") and not module.endswith("__main__"):
            # A command asks for a report or an experiment.
            above = JOINING if within(module, "analysis.commands") else {one for one in JOINING if within(module, one)}
            forbidden = {name for name in imports(path) if any(within(name, one) for one in JOINING - above)}
            assert not forbidden, f"{module} imports {forbidden}"


@pytest.mark.parametrize("package", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_no_module_is_hidden_by_a_name_of_its_package(package):
    attributes = vars(importlib.import_module(package))
    modules = {module for module in MODULES if module.rpartition(".")[0] == package}
    hidden = {name for name in modules if not inspect.ismodule(attributes.get(name.rpartition(".")[2], ast))}
    assert not hidden, f"modules and other names of {package} are the same: {hidden}"


def test_there_are_no_circles():
    edges = {}
    for module, path in MODULES.items():
        edges[module] = {name if name in MODULES else name.rpartition(".")[0] for name in imports(path)} - {module}
    finished: set[str] = set()

    def visit(module: str, above: tuple[str, ...]):
        assert module not in above, " -> ".join((*above, module))
        if module not in finished:
            for name in edges.get(module, ()):
                visit(name, (*above, module))
            finished.add(module)

    for module in edges:
        visit(module, ())


@pytest.mark.parametrize("package", PACKAGES)
def test_an_import_stays_light(package):
    heavy = ("tensorflow", "torch", "matplotlib", "tensorflow_datasets", "sklearn", "pandas")
    code = f"import sys, {package}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_tests_mirror_the_source():
    for path in (ROOT / "tests").rglob("test_*.py"):
        parts = path.relative_to(ROOT / "tests").parts
        if len(parts) > 1 and parts[0] in PACKAGES:
            assert (ROOT.joinpath(*parts[:-1])).is_dir(), f"{path} mirrors no folder of the source"
