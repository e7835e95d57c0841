"""Tasks by name: what a model learns from a data set, between the data and the step."""

from train.tasks.classification import Classification
from train.tasks.task import Column, Task

__all__ = ["TASKS", "Classification", "Column", "Task"]

TASKS: dict[str, type[Task]] = {"classification": Classification}
"""The loop, checkpoints and run directories know these only as `Task`."""
