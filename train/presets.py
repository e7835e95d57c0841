"""Settings of a run by the name of a recipe."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "alexnet": {
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "plateau",
        "warmup": 0.0,
        "fields": {"dropout": 0.5},
    },
    "modern": {
        "optimizer": "adamw",
        "weight_decay": 0.05,
        "schedule": "cosine",
        "warmup": 0.1,
        "clip": 1.0,
        "label_smoothing": 0.1,
        "augment": ("shift", "colour", "mixup", "cutmix"),
        "ema": 0.999,
    },
}
"""Values of fields of `train.Config`: `Config("alexnet", **PRESETS["alexnet"])`. Those of `fields` count where the
model has such a field.

`alexnet` is the recipe of Krizhevsky et al., 2012, whose rate was cut by ten whenever the validation loss stood still;
`modern` follows Liu et al., 2022, arXiv:2201.03545, without its stronger augmentations.
"""
