"""`python -m train MODEL`: train, or resume where the same command stopped; or another command.

MODEL            train a model of the zoo
show DATASET     a contact sheet of augmented images
range MODEL      a learning-rate range test, with its picture
list [FOLDER]    a table of all runs below a folder
compare RUN RUN  a plot and tables of several runs
predict RUN FOLDER  the classes of a folder's pictures, as a CSV file; or --model NAME FOLDER
unpack DATASET FOLDER  class folders of PNG files
selftest MODEL   kill and resume a short run, and compare its bits with those of a run without a stop
"""

import signal
import sys

import zoo
from convzoo import commands, programs
from convzoo.checks import did_you_mean
from train import Interrupted
from train.commands import COMMANDS, DEFAULT


def make_parser(name: str = "") -> commands.Parser:
    """The command line of a command; without a name, that of training."""
    command = COMMANDS.get(name, DEFAULT)
    others = "" if name else f" Other commands: {', '.join(COMMANDS)}; each has a --help."
    parser = commands.Parser(
        prog=f"python -m train {name}".rstrip(), description=f"{(command.__doc__ or '').splitlines()[0]}{others}"
    )
    command.add(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    first = arguments[0] if arguments else ""
    if first not in {*COMMANDS, *zoo.list_models()} and (hint := did_you_mean(first, COMMANDS)):
        make_parser().error(f"{first!r} is neither a model nor a command{hint}")
    name = first if first in COMMANDS else ""
    options = make_parser(name).parse_args(arguments[1:] if name else arguments)
    try:
        return commands.answer(lambda: print(COMMANDS.get(name, DEFAULT).answer(options)))
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    except KeyboardInterrupt:
        print("stopped before training began: the same command starts again", file=sys.stderr)
        return 128 + signal.SIGINT


def start(arguments: list[str] | None = None) -> int:
    """Run the command line in a process of its own, which keeps its memory and its compiled programs."""
    zoo.keep_memory()
    programs.keep()
    return main(arguments)


if __name__ == "__main__":
    sys.exit(start())
