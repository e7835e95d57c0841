"""The options of a run: for each field of `train.Config` its help, the check of its value, and its reader from text."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np

from convzoo import checks
from train import datasets
from train.augment import AUGMENTATIONS
from train.optimizers import OPTIMIZERS
from train.schedules import SCHEDULES
from train.tasks import TASKS
from train.transfer import STRATEGIES, rules
from zoo import catalog

Check = Callable[[str, Any], Any]
"""`(name, value)`: raises ValueError for a value that is not valid."""


class Option(NamedTuple):
    """One option.

    Attributes:
      help: one line for `--help`.
      check: of a value from Python or from text.
      parse: reads the value from text; ValueError for text of another form.
    """

    help: str
    check: Check
    parse: Callable[[str], Any] = str


LARGEST_INTEGER = 2**31 - 1
"""Steps are counted in 32 bits."""
LARGEST_SEED = 2**32 - 1
"""JAX takes only the last 32 bits of a seed."""
LARGEST_NUMBER = float(np.finfo(np.float32).max)


def integer(low: int, high: int = LARGEST_INTEGER) -> Check:
    """An integer of at least `low` that the device can hold."""
    return lambda name, value: checks.integer(name, checks.integer(name, value, low), low, high)


def number(above: bool) -> Check:
    """A number above 0, or of at least 0, that the device can hold."""

    def check(name: str, value: Any) -> None:
        checks.number(name, checks.number(name, value, 0, above=above), high=LARGEST_NUMBER)

    return check


def share(name: str, value: Any) -> None:
    """A number in [0, 1)."""
    checks.number(name, value, 0, 1, below=True)


def optional(check: Check) -> Check:
    """The same check, which None passes: a value that follows from the other options."""
    return lambda name, value: None if value is None else check(name, value)


def text(name: str, value: Any) -> None:
    """Text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}={value!r}: expected text")


def name_in(find: Callable[[str], Any]) -> Check:
    """Text that `find` finds; it raises ValueError for an unknown name."""

    def check(name: str, value: Any) -> None:
        text(name, value)
        find(value)

    return check


def dataset(name: str, value: Any) -> None:
    """A `Dataset`, or the name of one."""
    if not isinstance(value, datasets.Dataset):
        name_in(datasets.find)(name, value)


def switch(name: str, value: Any) -> None:
    """True or False; on the command line, the option's name alone means True."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value!r}: expected True or False")


def choice(names: Collection[str]) -> Check:
    """One of some names."""
    return lambda name, value: checks.choice(name, value, names)


def several(names: Collection[str]) -> Check:
    """A tuple of any of some names, in an order."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, tuple):
            raise ValueError(f"{name}={value!r}: expected a tuple of names from {', '.join(names)}")
        for entry in value:
            checks.choice(name, entry, names)

    return check


def comma_separated(text: str) -> tuple[str, ...]:
    """Read names that are joined by commas; `none` is the empty tuple.

    Example:
      >>> comma_separated("shift,flip"), comma_separated("none")
      (('shift', 'flip'), ())
    """
    return () if text == "none" else tuple(text.split(","))


def read_fold(name: str, value: Any) -> tuple[int, int]:
    """The number of a fold and of all folds, of text such as `2/5`.

    Raises:
      ValueError: other text, or fewer than two folds.

    Example:
      >>> read_fold("fold", "2/5")
      (2, 5)
    """
    numbers = [int(part) for part in str(value).split("/") if part.isdecimal()]
    if len(numbers) != 2 or str(value).count("/") != 1 or not 1 <= numbers[0] <= numbers[1] or numbers[1] < 2:
        raise ValueError(f"{name}={value!r}: expected NUMBER/FOLDS, such as 2/5")
    return numbers[0], numbers[1]


OPTIONS = {
    "model": Option("a name from `python -m zoo list`", name_in(catalog.variant)),
    "dataset": Option("digits, scenes, faces, folder:PATH or tfds:NAME", dataset),
    "epochs": Option("passes over the training images", integer(1), int),
    "batch_size": Option("images a step", integer(1), int),
    "learning_rate": Option(
        "peak; default: the optimizer's own, a tenth of it with --from",
        optional(number(above=True)),
        float,
    ),
    "optimizer": Option(" or ".join(OPTIMIZERS), choice(OPTIMIZERS)),
    "weight_decay": Option("on kernels only", number(above=False), float),
    "schedule": Option(" or ".join(SCHEDULES) + ", after the warm-up", choice(SCHEDULES)),
    "warmup": Option("share of all updates in which the rate rises", share, float),
    "label_smoothing": Option("share of the label spread over all classes", share, float),
    "augment": Option(
        f"any of {','.join(AUGMENTATIONS)} joined by commas, or none", several(AUGMENTATIONS), comma_separated
    ),
    "size": Option("height and width in pixels; default: the model's own", optional(integer(1)), int),
    "seed": Option("of parameters, order, augmentation and dropout", integer(0, LARGEST_SEED), int),
    "out": Option("the run directory; default: runs/MODEL", optional(text)),
    "from_": Option("a run or a file of weights to start from; default: random weights", optional(text)),
    "transfer": Option(
        f"{', '.join(STRATEGIES)}, cut:LAYER, or rates as 'stem:0,stage.*:1e-5,head:1e-2'; with --from",
        optional(rules.check),
    ),
    "task": Option(f"targets, loss and metrics: {' or '.join(TASKS)}", choice(TASKS)),
    "loss": Option("of the embedding: triplet or contrastive; default: triplet", optional(text)),
    "keep_proportions": Option("resize pictures and crop their centre, instead of squeezing them", switch, bool),
    "data_dir": Option("folder of prepared TensorFlow Datasets; default: TFDS_DATA_DIR, or theirs", optional(text)),
    "momentum": Option("of sgd and lars", share, float),
    "nesterov": Option("Nesterov's momentum, for sgd and lars", switch, bool),
    "clip": Option(
        "largest global norm of a gradient; default: no limit",
        optional(number(above=True)),
        float,
    ),
    "accumulate": Option("batches whose mean gradient makes an update", integer(1), int),
    "patience": Option("evaluations without a lower validation loss until --schedule plateau cuts", integer(1), int),
    "early_stop": Option(
        "stop after so many evaluations without a lower validation loss, and keep the best; default: never",
        optional(integer(1)),
        int,
    ),
    "ema": Option("decay of averaged variables, which are evaluated; default: no averages", optional(share), float),
    "validation": Option(
        "share of the training images set aside; default: 0.1 for plateau and --early-stop", optional(share), float
    ),
    "class_weights": Option("none or balanced: weight losses against rare classes", choice(("none", "balanced"))),
    "mixed_precision": Option("compute in bfloat16, with float32 parameters and sums", switch, bool),
    "skip_broken": Option("leave out files of a folder that are no readable pictures", switch, bool),
    "stream": Option("decode a folder batch by batch; default: where it exceeds a quarter of the memory", switch, bool),
    "fold": Option("part of a cross-validation, as 2/5; --folds 5 trains all", optional(read_fold)),
    "remat": Option("keep fewer activations and compute them twice: less memory, more time", switch, bool),
}
"""By field of `train.Config`, all but `fields`."""
