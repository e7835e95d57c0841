"""Answers of commands in one line; that they find their packages is in `test_packages`."""

import io
import sys

import pytest

from convzoo import commands
from convzoo.commands import Parser, answer, main
from zoo.__main__ import main as zoo_main


@pytest.mark.parametrize(
    ("arguments", "message"), [(["trian"], "did you mean train?"), (["x"], "there are zoo, train")]
)
def test_an_unknown_command_is_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def refuse(error):
    raise error


ANSWERS = {
    "nothing": (lambda: None, 0, ""),
    "a code": (lambda: 3, 3, ""),
    "a wrong value": (lambda: refuse(ValueError("steps=0: expected …")), 2, "error: steps=0: expected …\n"),
    "a missing file": (lambda: refuse(FileNotFoundError("no file x")), 2, "error: no file x\n"),
    "numbers that diverge": (lambda: refuse(FloatingPointError("the loss is nan")), 2, "error: the loss is nan\n"),
    "a reader that left": (lambda: refuse(BrokenPipeError()), 0, ""),
    "a further refusal": (lambda: refuse(LookupError("no such run")), 2, "error: no such run\n"),
}


@pytest.mark.parametrize(("command", "code", "message"), ANSWERS.values(), ids=ANSWERS)
def test_what_users_can_cause_is_one_line(command, code, message, capsys):
    assert answer(command, refusals=(LookupError,)) == code
    assert capsys.readouterr().err == message


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        answer(lambda: 1 // 0)


@pytest.mark.parametrize("line", [["--step", "1"], ["--steps", "x"], ["--unknown"]])
def test_a_wrong_line_is_one_line_and_nothing_is_abbreviated(line, capsys):
    parser = Parser(prog="python -m train")
    parser.add_argument("--steps", type=int)
    with pytest.raises(SystemExit) as exit_:
        parser.parse_args(line)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert "`python -m train --help` lists all options" in error


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("--step=1", "--steps"),
        ("--method fsgm", "fgsm"),
        ("atack", "attack"),
        ("attack --eqs 1", "--eps"),
    ],
)
def test_the_nearest_option_or_choice_is_named(line, hint, capsys):
    parser = Parser()
    parser.add_argument("--steps", type=int)
    parser.add_argument("--method", choices=("fgsm", "pgd"))
    parser.add_subparsers().add_parser("attack").add_argument("--eps")
    with pytest.raises(SystemExit):
        parser.parse_args(line.split())
    assert f"did you mean {hint}" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["cp437", "ascii", "latin-1", "utf-8"])
def test_output_degrades_where_its_encoding_lacks_a_character(encoding, monkeypatch):
    """A card in a terminal of DOS, and the name of a file whose bytes are no text."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert zoo_main(["card", "lenet5"]) == 0
    commands.say("caf\udce9.png – 3×3")
    card, said = ([stream.flush(), stream.buffer.getvalue().decode(encoding)][1] for stream in streams)
    assert ("32×32×1" if encoding in ("latin-1", "utf-8") else "32x32x1") in card
    assert said.replace("–", "-").replace("×", "x").strip() == "caf?.png - 3x3"
