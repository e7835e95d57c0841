"""Plain English in what users read: documents, error messages, and the summaries of modules, classes and functions."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("convzoo", "zoo", "train", "analysis")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "colab").glob("*.py")])

PHRASES = re.compile(
    r"behind one's back|\bone's own\b|of PyTorch's\b|(?:that|which) (?:are|is) none\b(?! of)|\ba way around\b|"
    r"\bdeal(?:t|ing) out\b|\b[Ll]ikewise\b|\b[Ff]oretell|\bbegged\b"
)
"""Phrases that a technical writer would replace; `convzoo` says what a thing is in the field's own words."""

QUESTIONS = re.compile(r"(?:What|How|Where|Who|Why|Which)\b")
"""A summary is an imperative or a noun phrase, not a question."""

PARTICIPLES = {"found", "given", "known", "seen", "wanted"}
"""A name says what a thing is: `layer`, `options`, `dtype`."""


def texts(tree: ast.AST):
    """(line, text) of each string of a module: docstrings, error messages, help texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def summaries(tree: ast.AST):
    """(line, name, first line of the docstring) of a module and its public classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            name = getattr(node, "name", "module")
            text = ast.get_docstring(node)
            if text and not name.startswith("_"):
                yield getattr(node, "lineno", 1), name, text.splitlines()[0]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def phrases(path: Path, tree: ast.AST | None) -> list[str]:
    """Phrases of the list in a document, or in the strings of a module."""
    strings = texts(tree) if tree else [(1, path.read_text())]
    return [f"{line}: {match[0]}" for line, text in strings for match in PHRASES.finditer(" ".join(text.split()))]


def questions(tree: ast.AST) -> list[str]:
    """Summaries that are questions."""
    return [f"{line} {name}: {summary}" for line, name, summary in summaries(tree) if QUESTIONS.match(summary)]


def participles(tree: ast.AST) -> list[str]:
    """Variables and arguments named by a participle."""
    nodes = [*ast.walk(tree)]
    stored = [
        (node.lineno, node.id) for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    stored += [(node.lineno, node.arg) for node in nodes if isinstance(node, ast.arg)]
    return [f"{line}: {name}" for line, name in stored if name in PARTICIPLES]


def faults(path: Path) -> list[str]:
    """All that the list has against a file."""
    if path.suffix != ".py" or path in DOCUMENTS:
        return phrases(path, None)
    tree = ast.parse(path.read_text())
    return [*phrases(path, tree), *questions(tree), *participles(tree)]


@pytest.mark.parametrize("path", [*SOURCES, *DOCUMENTS], ids=relative)
def test_plain_english(path):
    assert not faults(path), "\n".join(f"{relative(path)}:{fault}" for fault in faults(path))
