"""`python -m train MODEL`: train, or resume where the same command stopped."""

import argparse
import dataclasses
import signal
import sys

import zoo
from convzoo import commands, programs
from train import Config, Interrupted, model_fields, run
from train.options import OPTIONS


def make_parser() -> argparse.ArgumentParser:
    """The command line, made from the fields of `train.Config`."""
    parser = commands.Parser(
        prog="python -m train",
        description="Train a model of the zoo. The same command resumes where it was stopped.",
    )
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    for name, option in OPTIONS.items():
        default = defaults[name]
        if default is dataclasses.MISSING:
            parser.add_argument(name, type=option.parse, help=option.help)
            continue
        flag = f"--{name.strip('_').replace('_', '-')}"
        if default is False:
            parser.add_argument(flag, dest=name, action="store_true", help=option.help)
            continue
        shown = ",".join(default) if isinstance(default, tuple) else default
        parser.add_argument(
            flag,
            dest=name,
            type=option.parse,
            default=default,
            help=option.help if default is None else f"{option.help} (default: {shown})",
            metavar=name.strip("_").split("_")[-1].upper(),
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of the model, such as act=gelu; repeatable",
    )
    return parser


def train(options: dict) -> None:
    """Train as the parsed command line says, and print the summary."""
    changes = dict(model_fields.parse(text) for text in options.pop("set"))
    print(run(Config(**options, fields=changes)))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = vars(make_parser().parse_args(arguments))
    try:
        return commands.answer(lambda: train(options))
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
