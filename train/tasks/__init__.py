"""Tasks by name: what a model learns from a data set, between the data and the step."""

from train.tasks.classification import Classification
from train.tasks.embedding import Embedding
from train.tasks.position import Position
from train.tasks.segmentation import Segmentation
from train.tasks.task import Column, Defaults, Task

__all__ = ["TASKS", "Classification", "Column", "Defaults", "Embedding", "Position", "Segmentation", "Task"]

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "segmentation": Segmentation,
    "position": Position,
    "embedding": Embedding,
}
"""The loop, checkpoints and run directories know these only as `Task`."""
