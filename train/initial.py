"""First variables of a run from a file of weights or from another run."""

from pathlib import Path

import jax
from flax.traverse_util import flatten_dict

import zoo
from train import run_directory, transfer
from train.config import Config
from train.datasets import Data
from zoo import Preprocess, Pretrained, surgery
from zoo.variables import variable_shapes
from zoo.weights.saved import is_native


def read(config: Config, data: Data) -> Pretrained:
    """The model of a configuration with the variables that its `from_` names, and the normalization they expect.

    Another number of classes gets a new head from the run's seed; other input channels share
    the trained weights (`zoo.surgery.with_input_channels`). What a cut of `transfer` leaves off is drawn from the seed.

    Args:
      config: with `from_`: a run directory, a file of `zoo.save`, or a file or URL of the PyTorch implementation.
      data: facts about the training data.

    Returns:
      Model, variables and preprocessing; that of the data where the source has none.

    Raises:
      ValueError: the source is missing, cannot be read, or is of another model.
    """
    assert config.from_ is not None
    width, channels, key = config.make_task(data).width, data.image_shape[2], jax.random.key(config.seed)
    target, path = config.build(width), Path(config.from_)
    if path.is_dir():
        earlier = run_directory.load(path)
        source = Pretrained(earlier.model, earlier.variables, earlier.preprocess)
    elif is_native(path):
        source = zoo.load(path)
    else:
        source = zoo.load_pretrained(config.model, config.from_, num_classes=width, channels=channels, key=key)
    model, variables, preprocess = source
    if type(model) is not type(target):
        raise ValueError(f"--from {config.from_} is a {type(model).__name__}, not a {type(target).__name__}")
    if getattr(model, "num_classes", width) != width:
        model, variables = surgery.with_head(model, variables, width, key, data.image_shape)
    expected = variable_shapes(target, data.image_shape)
    if _shapes(variables) != expected:
        _, variables = surgery.with_input_channels(model, variables, channels, data.image_shape)
    if differing := sorted("/".join(path) for path, _ in _shapes(variables).items() ^ expected.items()):
        raise ValueError(
            f"--from {config.from_} does not fit {config.model}: {len(set(differing))} array(s) differ, "
            f"such as {differing[0]}"
        )
    normalized = preprocess.mean != (0.0,) and len(preprocess.mean) in (1, channels)
    groups = config.groups(data)
    if groups and any(group.anew for group in groups.values()):
        variables = transfer.redrawn(variables, zoo.init(target, key, data.image_shape), groups)
    return Pretrained(target, variables, Preprocess(preprocess.mean, preprocess.std) if normalized else data.preprocess)


def _shapes(variables):
    return {path: leaf.shape for path, leaf in flatten_dict(variables).items()}
