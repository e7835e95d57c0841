"""What a run is: one frozen, validated value, from Python or from the command line."""

import dataclasses
import json
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import flax.linen as nn

import zoo
from train import datasets, fields
from train.augment import AUGMENTATIONS
from train.optimizers import OPTIMIZERS, SCHEDULES
from train.tasks import TASKS
from zoo import catalog


@dataclasses.dataclass(frozen=True)
class Number:
    """A field that holds one number.

    Attributes:
      parse: `int` or `float`: its type, and what reads it from text.
      low, high: the range; `high` itself is outside.
      open_low: whether `low` is outside too.
      optional: whether None stands for a value that follows from the other fields.
    """

    parse: Callable[[str], Any]
    low: float = 0
    high: float = math.inf
    open_low: bool = False
    optional: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless the value is of the type and in the range."""
        if value is None and self.optional:
            return
        types = int if self.parse is int else (int, float)
        inside = isinstance(value, types) and not isinstance(value, bool) and self.low <= value < self.high
        if not inside or (self.open_low and value == self.low):
            kind = "an integer" if self.parse is int else "a number"
            least = f"above {self.low:g}" if self.open_low else f"of at least {self.low:g}"
            most = "" if self.high == math.inf else f" and below {self.high:g}"
            raise ValueError(f"{name}={value!r}: expected {kind} {least}{most}")


@dataclasses.dataclass(frozen=True)
class Choice:
    """A field that holds one of some names, or any number of them in an order.

    Attributes:
      names: those there are.
      many: whether it is a tuple of them; as text they are joined by commas.
    """

    names: Collection[str]
    many: bool = False

    def parse(self, text: str) -> Any:
        """Read it from text; `none` is the empty tuple."""
        if not self.many:
            return text
        return () if text == "none" else tuple(text.split(","))

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError for a name that is not there."""
        given = value if self.many else (value,)
        if not isinstance(given, tuple):
            raise ValueError(f"{name}={value!r}: expected a tuple of names from {', '.join(self.names)}")
        for one in given:
            if one not in self.names:
                hint = catalog.did_you_mean(str(one), self.names)
                raise ValueError(f"{name}={one!r} is unknown{hint}; there are {', '.join(self.names)}")


@dataclasses.dataclass(frozen=True)
class Text:
    """A field that holds text, which `find` refuses where it names nothing."""

    find: Callable[[str], Any] = str
    optional: bool = False
    parse: Callable[[str], Any] = str

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError for anything but text that can be found."""
        if value is None and self.optional:
            return
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name}={value!r}: expected text")
        self.find(value)


def _option(kind: Number | Choice | Text, help: str, **default) -> Any:
    return dataclasses.field(**default, metadata={"kind": kind, "help": help})


@dataclasses.dataclass(frozen=True)
class Config:
    """One run. Equal configurations on one machine end in the same parameters, bit by bit.

    Attributes:
      model: a catalogued name.
      dataset: `digits`, `scenes[:WATERMARK]`, `folder:PATH` or `tfds:NAME`.
      epochs: passes over the training images.
      batch_size: images a step.
      learning_rate: its peak; None: the optimizer's own.
      optimizer: `sgd` (momentum 0.9) or `adamw`.
      weight_decay: on kernels only.
      schedule: `cosine` or `constant`, after the warm-up.
      warmup: share of all steps in which the learning rate rises, in [0, 1).
      label_smoothing: share of the label that is spread over all classes, in [0, 1).
      augment: names of random changes to the training images, in their order.
      size: height and width in pixels; None: the model's own on its card, within reason for the data set.
      seed: of the parameters, the order of the images, the augmentation and dropout. Not of the data set,
        which stays the same so that runs can be compared.
      out: the run directory; None: `runs/MODEL`.
      from_: where the first variables come from: a run directory, a file of `zoo.save`, or a file or URL of the
        model's PyTorch implementation; None: drawn from the seed.
      task: `classification`.
      fields: of the model, replacing the catalogue's; `num_classes` follows from the task and the data set.

    Raises:
      ValueError: a value of another type or out of its range, or an unknown name.

    Example:
      >>> Config("lenet5", epochs=5).resolve().size
      32
    """

    model: str = _option(Text(catalog.variant), "a name from `python -m zoo list`")
    dataset: str = _option(Text(datasets.find), "digits, scenes, folder:PATH or tfds:NAME", default="digits")
    epochs: int = _option(Number(int, 1), "passes over the training images", default=20)
    batch_size: int = _option(Number(int, 1), "images a step", default=64)
    learning_rate: float | None = _option(
        Number(float, 0, open_low=True, optional=True), "peak; default: the optimizer's own", default=None
    )
    optimizer: str = _option(Choice(OPTIMIZERS), " or ".join(OPTIMIZERS), default="sgd")
    weight_decay: float = _option(Number(float, 0), "on kernels only", default=5e-4)
    schedule: str = _option(Choice(SCHEDULES), " or ".join(SCHEDULES) + ", after the warm-up", default="cosine")
    warmup: float = _option(Number(float, 0, 1), "share of all steps in which the rate rises", default=0.05)
    label_smoothing: float = _option(Number(float, 0, 1), "share of the label spread over all classes", default=0.0)
    augment: tuple[str, ...] = _option(
        Choice(AUGMENTATIONS, many=True),
        f"any of {','.join(AUGMENTATIONS)} joined by commas, or none",
        default=("shift",),
    )
    size: int | None = _option(
        Number(int, 1, optional=True), "height and width in pixels; default: the model's own", default=None
    )
    seed: int = _option(Number(int, 0), "of parameters, order, augmentation and dropout", default=0)
    out: str | None = _option(Text(optional=True), "the run directory; default: runs/MODEL", default=None)
    from_: str | None = _option(
        Text(optional=True), "a run or a file of weights to start from; default: random weights", default=None
    )
    task: str = _option(Choice(TASKS), " or ".join(TASKS), default="classification")
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.metadata:
                field.metadata["kind"].check(field.name, getattr(self, field.name))
        if not isinstance(self.fields, Mapping):
            raise ValueError(f"fields={self.fields!r}: expected a dictionary from a model's field to its value")
        try:
            json.dumps(dict(self.fields))
        except TypeError as error:
            raise ValueError(
                f"fields={dict(self.fields)}: {error}; expected names and numbers, as act='gelu'"
            ) from None
        if "num_classes" in self.fields:
            raise ValueError("num_classes follows from the data set: leave it out")
        self.build(width=2)

    def resolve(self) -> "Config":
        """The same run with nothing left open: every None has become the value it stands for."""
        height, width, _ = catalog.variant(self.model).input_shape
        limit = datasets.largest_default_size(self.dataset)
        return dataclasses.replace(
            self,
            learning_rate=self.learning_rate or OPTIMIZERS[self.optimizer].learning_rate,
            size=self.size or min(max(height, width), limit or max(height, width)),
            out=self.out or f"runs/{self.model}",
        )

    def build(self, width: int) -> nn.Module:
        """The model with its fields and this output width.

        Raises:
          ValueError: an unknown field.
        """
        return zoo.create(self.model, **fields.resolve(self.fields), num_classes=width)

    def to_json(self) -> dict[str, Any]:
        """Plain data of everything but `out`: a run is the same wherever it lies."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "out"}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], out: str) -> "Config":
        """The configuration that `to_json` wrote.

        Raises:
          ValueError: an unknown or missing entry, or a value that is not valid.
        """
        try:
            return cls(**{name: fields.as_tuple(value) for name, value in data.items()}, out=out)
        except TypeError as error:
            raise ValueError(f"{out} was written by another version: {error}") from None
