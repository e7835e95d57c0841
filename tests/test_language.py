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


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_docstrings_and_messages_hold_no_phrase_of_the_list(path):
    lines = [
        f"{relative(path)}:{line}: {match[0]}"
        for line, text in texts(ast.parse(path.read_text()))
        for match in PHRASES.finditer(" ".join(text.split()))
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_documents_hold_no_phrase_of_the_list(path):
    lines = [f"{relative(path)}: {match[0]}" for match in PHRASES.finditer(" ".join(path.read_text().split()))]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_summary_is_no_question(path):
    lines = [
        f"{relative(path)}:{line} {name}: {summary}"
        for line, name, summary in summaries(ast.parse(path.read_text()))
        if QUESTIONS.match(summary)
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_variable_is_named_by_a_participle(path):
    nodes = [*ast.walk(ast.parse(path.read_text()))]
    stored = {
        (node.lineno, node.id) for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    stored |= {(node.lineno, node.arg) for node in nodes if isinstance(node, ast.arg)}
    lines = [f"{relative(path)}:{line}: {name}" for line, name in sorted(stored) if name in PARTICIPLES]
    assert not lines, "\n".join(lines)
