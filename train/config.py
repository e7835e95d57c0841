"""The configuration of a run: one frozen, validated value, from Python or from the command line."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

import zoo
from train import datasets, model_fields
from train.datasets import Data, Dataset
from train.optimizers import OPTIMIZERS
from train.options import OPTIONS
from train.tasks import TASKS, Task
from zoo import catalog

FINE_TUNING = 0.1
"""Share of the optimizer's own learning rate for a run that starts from trained variables."""


@dataclasses.dataclass(frozen=True)
class Config:
    """A run. Equal configurations on one machine end in the same parameters, bit by bit.

    Attributes:
      model: a catalogued name.
      dataset: `digits`, `scenes[:WATERMARK]`, `folder:PATH`, `tfds:NAME`, or a `train.datasets.Dataset` of your
        own arrays, which is used as it is.
      epochs: passes over the training images.
      batch_size: images a step.
      learning_rate: its peak; None: the optimizer's own, and a tenth of that with `from_`.
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
      from_: source of the first variables: a run directory, a file of `zoo.save`, or a file or URL of the
        model's PyTorch implementation; None: drawn from the seed.
      fields: of the model, replacing the catalogue's; `num_classes` follows from the task and the data set.
      task: `classification`.
      keep_proportions: bring pictures to their size by resizing and a centre crop, instead of squeezing them.
      data_dir: folder of prepared TensorFlow Datasets; None: their own default.

    Raises:
      ValueError: a value of another type or out of its range, or an unknown name.

    Example:
      >>> Config("lenet5", epochs=5).resolve().size
      32
    """

    model: str
    dataset: str | Dataset = "digits"
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float | None = None
    optimizer: str = "sgd"
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    warmup: float = 0.05
    label_smoothing: float = 0.0
    augment: tuple[str, ...] = ("shift",)
    size: int | None = None
    seed: int = 0
    out: str | None = None
    from_: str | None = None
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    task: str = "classification"
    keep_proportions: bool = False
    data_dir: str | None = None

    def __post_init__(self):
        for name, option in OPTIONS.items():
            option.check(name, getattr(self, name))
        self._check_fields()
        self.build(width=2)
        if isinstance(self.dataset, Dataset):
            self._check_arrays(self.dataset)

    def _check_arrays(self, dataset: Dataset) -> None:
        asked: dict[str, Any] = {"keep_proportions": self.keep_proportions, "data_dir": self.data_dir}
        if self.size != dataset.image_shape[0]:
            asked["size"] = self.size
        for name, value in asked.items():
            if value:
                raise ValueError(f"{name}={value!r}: images of a Dataset are used as they are, {dataset.image_shape}")

    def _check_fields(self) -> None:
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

    def resolve(self) -> "Config":
        """The same run with every None replaced by the value that it stands for."""
        rate = OPTIMIZERS[self.optimizer].learning_rate * (FINE_TUNING if self.from_ else 1)
        return dataclasses.replace(
            self,
            learning_rate=self.learning_rate or float(f"{rate:.6g}"),
            size=self.size or self._default_size(),
            out=self.out or f"runs/{self.model}",
        )

    def _default_size(self) -> int:
        if isinstance(self.dataset, Dataset):
            return self.dataset.image_shape[0]
        height, width, _ = catalog.variant(self.model).input_shape
        limit = datasets.largest_default_size(self.dataset)
        return min(max(height, width), limit or max(height, width))

    @property
    def dataset_name(self) -> str:
        """The data set's name; `memory:NAME` for arrays."""
        return f"memory:{self.dataset.name}" if isinstance(self.dataset, Dataset) else self.dataset

    def load_dataset(self) -> Dataset:
        """The data set of a resolved configuration.

        Raises:
          ValueError: it cannot be loaded; arrays of an earlier run are not stored with it.
        """
        if isinstance(self.dataset, Dataset):
            return self.dataset
        assert self.size is not None
        return datasets.load(self.dataset, self.size, keep_proportions=self.keep_proportions, data_dir=self.data_dir)

    def build(self, width: int) -> nn.Module:
        """The model with its fields and this output width.

        Raises:
          ValueError: an unknown field.
        """
        return zoo.create(self.model, **model_fields.resolve(self.fields), num_classes=width)

    def make_task(self, data: Data) -> Task:
        """The task, for these data.

        Raises:
          ValueError: the data do not suit the task.
        """
        return TASKS[self.task].create(data, self.label_smoothing)

    def to_json(self) -> dict[str, Any]:
        """Plain data of everything but `out`: a run is the same in any place."""
        named = dataclasses.replace(self, dataset=self.dataset_name)
        return {name: value for name, value in dataclasses.asdict(named).items() if name != "out"}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], out: str) -> "Config":
        """The configuration from what `to_json` returns.

        Raises:
          ValueError: an unknown or missing entry, or a value that is not valid.
        """
        try:
            return cls(**{name: model_fields.as_tuple(value) for name, value in data.items()}, out=out)
        except TypeError as error:
            raise ValueError(f"{out} was written by another version: {error}") from None
