"""Command lines: one parser style, errors in one line, and the `convzoo` command that dispatches to the packages."""

import argparse
import codecs
import importlib
import io
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from convzoo import PACKAGES, packages
from convzoo.checks import did_you_mean, nearest

FAILURE = 2
"""Exit code of a command that was refused."""


PLAIN = {
    **{"×": "x", "·": "-", "–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "≈": "~"},
    **{
        "±": "+/-",
        "²": "^2",
        "ε": "eps",
        "σ": "sigma",
        "α": "alpha",
        "∞": "inf",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
    },
}
"""Spellings for outputs that lack the character."""
DEGRADED = "convzoo.plain"
"""Name of the error handler below, among those of `codecs`."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error(DEGRADED, _plain)


def degrade() -> None:
    """Let stdout and stderr spell what their encoding lacks, such as `x` for `×`, instead of failing.

    Example:
      >>> "3×3 – ☃".encode("cp437", DEGRADED)
      b'3x3 - ?'
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=DEGRADED)


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a wrong line with one line, and takes no abbreviations.

    Every command makes one before it writes anything, so that from then on no output fails for its encoding.
    """

    def __init__(self, *args, **settings):
        degrade()
        super().__init__(*args, **{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """Print one line instead of the whole usage, with the nearest option or choice, and exit with 2."""
        wrong = re.match(r"unrecognized arguments: (-[^\s=]*)|.*invalid choice: '(.*?)'", message)
        if wrong:
            # Without dashes, which would make all options alike.
            names = {name.lstrip("-"): name for name in self._names()}
            near = nearest((wrong[1] or wrong[2]).lstrip("-"), names)
            message += f", did you mean {' or '.join(names[name] for name in near)}" if near else ""
        print(f"error: {message}; `{self.prog} --help` lists all options", file=sys.stderr)
        raise SystemExit(FAILURE)

    def _names(self) -> set[str]:
        """The options and choices of this parser and of those of its commands."""
        names = set(self._option_string_actions)
        for action in self._actions:
            names |= {str(choice) for choice in action.choices or ()}
            for parser in action.choices.values() if isinstance(action.choices, dict) else ():
                names |= parser._names() if isinstance(parser, Parser) else set()
        return names


def answer(command: Callable[[], int | None], refusals: tuple[type[BaseException], ...] = ()) -> int:
    """Run a command and turn what users can cause into one line on stderr.

    Args:
      command: does the work; None counts as exit code 0.
      refusals: exceptions beside ValueError, FloatingPointError and OSError that become one line.

    Returns:
      The exit code: 0, the command's own, or 2 for a refusal.
    """
    refused: tuple[type[BaseException], ...] = (ValueError, FloatingPointError, OSError, *refusals)
    try:
        return command() or 0
    except BrokenPipeError:
        return 0  # `| head` has seen enough
    except refused as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE


def say(line: str) -> None:
    """Write a line of progress to stderr: stdout is for the results of a command."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """`convzoo zoo|train|analysis ...` is `python -m zoo|train|analysis ...`."""
    degrade()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    usage = f"usage: convzoo {'|'.join(PACKAGES)} ...\n\n" + "\n".join(
        f"  convzoo {package:<9} the same as `python -m {package}`" for package in PACKAGES
    )
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage)
        return 0 if arguments else FAILURE
    package, *rest = arguments
    if package not in PACKAGES:
        hint = did_you_mean(package, PACKAGES)
        print(f"error: unknown command {package!r}{hint}; there are {', '.join(PACKAGES)}", file=sys.stderr)
        return FAILURE
    packages.prefer(PACKAGES)
    module = importlib.import_module(f"{package}.__main__")
    return getattr(module, "start", module.main)(rest)
