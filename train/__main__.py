"""`python -m train MODEL`: train, or go on where the same command stopped."""

import argparse
import dataclasses
import signal
import sys
from typing import NoReturn

import zoo
from train import Config, Interrupted, fields, run

FAILURE = 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of the whole usage."""
        print(f"error: {message}; `python -m train --help` lists all options", file=sys.stderr)
        raise SystemExit(FAILURE)


def make_parser() -> argparse.ArgumentParser:
    """The command line, made from the fields of `train.Config`."""
    parser = _Parser(
        prog="python -m train",
        description="Train a model of the zoo. The same command goes on where it was stopped.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(Config):
        if not field.metadata:
            continue
        kind, text = field.metadata["kind"], field.metadata["help"]
        if field.default is dataclasses.MISSING:
            parser.add_argument(field.name, type=kind.parse, help=text)
            continue
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        parser.add_argument(
            f"--{field.name.strip('_').replace('_', '-')}",
            dest=field.name,
            type=kind.parse,
            default=field.default,
            help=text if default is None else f"{text} (default: {default})",
            metavar=field.name.strip("_").split("_")[-1].upper(),
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of the model, such as act=gelu; repeatable",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = vars(make_parser().parse_args(arguments))
    try:
        changes = dict(fields.parse(text) for text in given.pop("set"))
        print(run(Config(**given, fields=changes)))
    except (ValueError, FloatingPointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    except KeyboardInterrupt:
        print("stopped before training began: the same command starts again", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    zoo.keep_memory()
    sys.exit(main())
