"""The configuration of a run: one frozen, validated value, from Python or from the command line."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

import zoo
from convzoo import checks
from train import augment, datasets, model_fields
from train.datasets import Data, Dataset
from train.optimizers import OPTIMIZERS
from train.options import OPTIONS, read_fold
from train.tasks import TASKS, Classification, Task
from train.transfer import Group, highest, of_model
from zoo import catalog

FINE_TUNING = 0.1
"""Share of the optimizer's own learning rate for a run that starts from trained variables."""

VALIDATION = 0.1
"""Share of the training images to validate on where that is needed and not said."""


@dataclasses.dataclass(frozen=True)
class Config:
    """A run. Equal configurations on one machine end in the same parameters, bit by bit.

    Attributes:
      model: a catalogued name.
      dataset: `digits`, `scenes[:WATERMARK]`, `faces`, `folder:PATH`, `tfds:NAME`, or a `train.datasets.Dataset` of
        your own arrays, which is used as it is.
      epochs: passes over the training images.
      batch_size: images a step.
      learning_rate: its peak; None: the optimizer's own, and a tenth of that with `from_`.
      optimizer: `sgd`, `adam`, `adamw`, `lars`, `lamb` or `muon` (`train.optimizers`).
      weight_decay: on kernels only, for every optimizer.
      schedule: `cosine`, `step` (÷10 after half and three quarters of the updates), `plateau` (÷10 on the validation
        loss) or `constant`, after the warm-up; counted in updates.
      warmup: share of all updates in which the learning rate rises, in [0, 1).
      label_smoothing: share of the label that is spread over all classes, in [0, 1).
      augment: names of random changes to the training images, in their order.
      size: height and width in pixels; None: the model's own on its card, within reason for the data set.
      seed: of the parameters, the order of the images, the augmentation and dropout. Not of the data set,
        which stays the same so that runs can be compared.
      out: the run directory; None: `runs/MODEL`.
      from_: source of the first variables: a run directory, a file of `zoo.save`, or a file or URL of the
        model's PyTorch implementation; None: drawn from the seed.
      transfer: learning rates by depth for a run with `from_`: a strategy of `train.transfer.STRATEGIES`, `cut:LAYER`
        (frozen up to this stage, drawn anew behind it), or rules; None: one rate for all. What has the rate 0 is
        frozen, with the statistics of its normalizations.
      fields: of the model, replacing the catalogue's; `num_classes` follows from the task and the data set.
      task: `classification`, `segmentation`, `position` or `embedding`.
      loss: of a task that has several: `triplet` or `contrastive` for the embedding; None: the first.
      keep_proportions: bring pictures to their size by resizing and a centre crop, instead of squeezing them.
      skip_broken: leave out files of a folder that cannot be read as pictures, instead of refusing the folder.
      stream: decode the pictures of a folder batch by batch instead of all at once. Larger sets than a quarter of the
        machine's memory are streamed anyway; either way a run ends in the same bits.
      fold: `2/5` trains and tests the second of five parts of a cross-validation (`Dataset.fold`); None: the data set's
        own split.
      data_dir: folder of prepared TensorFlow Datasets; None: their own default.
      momentum: of `sgd` and `lars`, in [0, 1).
      nesterov: momentum by Nesterov, for `sgd` and `lars`.
      clip: largest global norm of the gradient of an update, which is scaled down to it; None: no limit.
      accumulate: batches whose mean gradient makes an update (`train.accumulation`).
      patience: evaluations without a lower validation loss after which `plateau` cuts.
      early_stop: evaluations without a lower validation loss after which the run ends; the best epoch's checkpoint
        is kept, and `train.load` opens it. None: all epochs are trained.
      ema: decay of moving averages of the variables, in [0, 1), which are evaluated and loaded; None: no averages.
      validation: share of the training images that is set aside, by the seed and in every class, for `plateau` and
        `early_stop`, which never see the test images; a folder's own `val/` is used instead. None: 0.1 where one of
        them asks for it, else 0.
      class_weights: `none`, or `balanced`: losses weighted by the inverse of their class's frequency.
      mixed_precision: compute in bfloat16; parameters, statistics, losses and sums stay float32.
      remat: compute activations again in the backward pass instead of keeping them: less memory, more time.

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
    transfer: str | None = None
    task: str = "classification"
    loss: str | None = None
    keep_proportions: bool = False
    data_dir: str | None = None
    momentum: float = 0.9
    nesterov: bool = False
    clip: float | None = None
    accumulate: int = 1
    patience: int = 5
    early_stop: int | None = None
    ema: float | None = None
    validation: float | None = None
    class_weights: str = "none"
    mixed_precision: bool = False
    remat: bool = False
    skip_broken: bool = False
    stream: bool = False
    fold: str | None = None

    def __post_init__(self):
        for name, option in OPTIONS.items():
            option.check(name, getattr(self, name))
        self._check_fields()
        self._check_pairs()
        self._check_loss()
        self._check_transfer()
        self.build(width=2)
        if isinstance(self.dataset, Dataset):
            self._check_arrays(self.dataset)

    def _check_arrays(self, dataset: Dataset) -> None:
        options = ("keep_proportions", "data_dir", "skip_broken", "stream")
        asked: dict[str, Any] = {name: getattr(self, name) for name in options}
        if self.size != dataset.image_shape[0]:
            asked["size"] = self.size
        for name, value in asked.items():
            if value:
                raise ValueError(f"{name}={value!r}: images of a Dataset are used as they are, {dataset.image_shape}")

    def _check_pairs(self) -> None:
        """Refuse values that other values make pointless."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        settings = {name for optimizer in OPTIMIZERS.values() for name in optimizer.settings}
        for name in sorted(settings - {*OPTIMIZERS[self.optimizer].settings}):
            if (value := getattr(self, name)) != defaults[name]:
                those = " and ".join(key for key, optimizer in OPTIMIZERS.items() if name in optimizer.settings)
                raise ValueError(f"{name}={value!r}: optimizer={self.optimizer!r} has none, expected {those}")
        if self.schedule != "plateau" and self.patience != defaults["patience"]:
            raise ValueError(
                f"patience={self.patience}: schedule={self.schedule!r} has none, expected 'plateau'; "
                "--early-stop has a patience of its own"
            )
        if self.validation == 0 and self._validates:
            raise ValueError(f"validation={self.validation!r}: expected a share above 0 for {self._validates}")
        if not TASKS[self.task].mixes and (mixed := [name for name in self.augment if name in augment.MIXTURES]):
            raise ValueError(f"augment={mixed[0]!r}: task={self.task!r} has no loss of mixed images")
        if self.class_weights != "none" and self.task != "classification":
            raise ValueError(f"class_weights={self.class_weights!r}: expected task='classification', not {self.task!r}")

    @property
    def _validates(self) -> str:
        """The options that look at a validation loss; empty: none."""
        asking = ["schedule='plateau'"] * (self.schedule == "plateau") + ["early_stop"] * (self.early_stop is not None)
        return " and ".join(asking)

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
        if flax := [name for name in self.fields if name in ("name", "parent")]:
            raise ValueError(
                f"{flax[0]}={self.fields[flax[0]]!r} is Flax's own and no field of {self.model}: leave it out"
            )

    def _check_transfer(self) -> None:
        if self.transfer is None:
            return
        if self.from_ is None:
            raise ValueError(f"transfer={self.transfer!r}: expected trained weights beside it, --from RUN or FILE")
        rate = highest(self.transfer, self.learning_rate or 0.0)
        if self.learning_rate not in (None, rate):
            raise ValueError(
                f"learning_rate={self.learning_rate!r}: the rates come from transfer={self.transfer!r}; leave it out, "
                "or give rules such as 'stem:0,stage.*:1e-5,head:1e-2'"
            )

    def _check_loss(self) -> None:
        losses = TASKS[self.task].losses
        if self.loss is not None and not losses:
            having = ", ".join(f"{name} ({' or '.join(task.losses)})" for name, task in TASKS.items() if task.losses)
            raise ValueError(f"loss={self.loss!r}: task={self.task!r} has one loss; a choice has {having}")
        if self.loss is not None:
            checks.choice("loss", self.loss, losses)

    def resolve(self) -> "Config":
        """The same run with every None replaced by the value that it stands for."""
        rate = OPTIMIZERS[self.optimizer].learning_rate * (FINE_TUNING if self.from_ else 1)
        if self.transfer is not None:
            rate = highest(self.transfer, OPTIMIZERS[self.optimizer].learning_rate)
        return dataclasses.replace(
            self,
            learning_rate=self.learning_rate or float(f"{rate:.6g}"),
            size=self.size or self._default_size(),
            out=self.out or f"runs/{self.model}",
            validation=self.validation if self.validation is not None else VALIDATION if self._validates else 0.0,
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
        dataset = self.dataset
        if not isinstance(dataset, Dataset):
            assert self.size is not None
            names = ("keep_proportions", "data_dir", "skip_broken", "stream")
            options: dict[str, Any] = {name: getattr(self, name) for name in names}
            dataset = datasets.load(dataset, self.size, **options, validation=bool(self.validation))
        if self.fold is not None:
            dataset = dataset.fold(*read_fold("fold", self.fold))
        return dataset.with_validation(self.validation or 0.0, self.seed)

    def build(self, width: int) -> nn.Module:
        """The model with its fields and this output width.

        Raises:
          ValueError: an unknown field.
        """
        fields = model_fields.resolve(self.fields)
        if self.mixed_precision:
            fields = {"dtype": jnp.bfloat16} | fields
        return zoo.create(self.model, **fields, num_classes=width)

    def groups(self, data: Data) -> dict[str, Group] | None:
        """The learning rate of each parameter with `transfer`, by path; None: one for all.

        Raises:
          ValueError: rules that do not fit the model.
        """
        if self.transfer is None:
            return None
        assert self.learning_rate is not None
        model = self.build(self.make_task(data).width)
        return of_model(self.transfer, model, data.image_shape, self.learning_rate)

    def make_task(self, data: Data) -> Task:
        """The task, for these data.

        Raises:
          ValueError: the data do not suit the task.
        """
        if self.class_weights == "none":
            return TASKS[self.task].create(data, self.label_smoothing, self.loss)
        return Classification.create(data, self.label_smoothing, balanced=True)

    def to_json(self) -> dict[str, Any]:
        """Plain data of everything but `out` and `stream`: the same run in any place, from memory or from files."""
        named = dataclasses.replace(self, dataset=self.dataset_name)
        return {name: value for name, value in dataclasses.asdict(named).items() if name not in ("out", "stream")}

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
