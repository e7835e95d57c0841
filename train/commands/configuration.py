"""The options of a run on a command line: flags, a TOML file and presets become one `train.Config`."""

import argparse
import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from convzoo import checks
from train import model_fields
from train.config import Config
from train.options import OPTIONS, Option, comma_separated
from train.presets import PRESETS


def add(parser: argparse.ArgumentParser) -> None:
    """Add the fields of `train.Config`, `--set`, `--preset` and `--config`; the result holds only what is typed."""
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    absent = argparse.SUPPRESS
    for name, option in OPTIONS.items():
        default = defaults[name]
        if default is dataclasses.MISSING:
            parser.add_argument(name, nargs="?", type=option.parse, default=absent, help=option.help)
            continue
        flag = f"--{name.strip('_').replace('_', '-')}"
        if default is False:
            parser.add_argument(flag, dest=name, action="store_true", default=absent, help=option.help)
            continue
        shown = ",".join(default) if isinstance(default, tuple) else default
        parser.add_argument(
            flag,
            dest=name,
            type=option.parse,
            default=absent,
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
    parser.add_argument("--preset", metavar="NAME", help=f"settings of a recipe: {' or '.join(PRESETS)}")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings in a TOML file; flags win over it")


def read(options: Mapping[str, Any]) -> Config:
    """The configuration of parsed options: flags win over the file, the file over the preset.

    Args:
      options: of a parser that `add` has extended, as `vars` gives them.

    Returns:
      A `Config`.

    Raises:
      ValueError: a value that is not valid, an unknown preset, a file that cannot be read, or no model.
    """
    typed = {name: options[name] for name in OPTIONS if name in options}
    typed["fields"] = dict(model_fields.parse(text) for text in options["set"])
    stored = read_file(options["config"]) if options["config"] else {}
    named = stored.pop("preset", None)
    name = options["preset"] or named
    preset: dict[str, Any] = {}
    if name is not None:
        checks.choice("preset", name, PRESETS)
        preset = PRESETS[name]
    values = preset | stored | typed
    if "model" not in values:
        raise ValueError("model is missing: expected a name from `python -m zoo list` as the first argument")
    values["fields"] = _of_model(values["model"], preset.get("fields", {})) | stored.get("fields", {}) | typed["fields"]
    return Config(**values)


def read_file(path: Path) -> dict[str, Any]:
    """Settings from a TOML file: names of fields with `_` or `-`, and a table `fields` for those of the model.

    Raises:
      ValueError: the file cannot be read, or holds an unknown name.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"--config {path} cannot be read: {error}") from None
    values: dict[str, Any] = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        name = "from_" if name == "from" else name
        if name not in OPTIONS and name not in ("fields", "preset"):
            hint = checks.did_you_mean(name, [*OPTIONS, "fields", "preset"])
            raise ValueError(f"--config {path}: there is no setting {key!r}{hint}")
        values[name] = _as_typed(OPTIONS[name], value) if name in OPTIONS else value
    if not isinstance(values.get("fields", {}), dict):
        raise ValueError(f"--config {path}: fields={values['fields']!r}: expected a table [fields]")
    return values


def _as_typed(option: Option, value: Any) -> Any:
    """A value of TOML as the flag would give it, so that both make the same run."""
    if option.parse is comma_separated:
        return comma_separated(value) if isinstance(value, str) else model_fields.as_tuple(value)
    return float(value) if option.parse is float and checks.is_integer(value) else value


def _of_model(model: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields that a model has."""
    names = {field.name for field in dataclasses.fields(zoo.create(model))} if fields else set()
    return {name: value for name, value in fields.items() if name in names}
