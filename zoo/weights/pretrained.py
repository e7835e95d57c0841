"""A model with weights from a published file."""

import dataclasses
import functools
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from convzoo.checks import choice
from zoo import catalog, surgery
from zoo.preprocess import Preprocess
from zoo.weights.download import download, is_url
from zoo.weights.files import read_arrays
from zoo.weights.official import Official, by_checksum, official
from zoo.weights.packages import is_package, locate
from zoo.weights.torch import Place, load_torch, match, places
from zoo.weights.torch_names.table import Dialect


class Pretrained(NamedTuple):
    """A model that is ready to use: `zoo.logits_fn(*pretrained)` takes images in [0, 1]."""

    model: nn.Module
    variables: dict[str, Any]
    preprocess: Preprocess


def load_pretrained(
    name: str,
    path_or_url: str | Path | None = None,
    *,
    num_classes: int | Literal["file"] | None = None,
    channels: int | None = None,
    key: jax.Array | None = None,
    sha256: str | None = None,
    cache: str | Path | None = None,
    which: Literal["raw", "ema"] | None = None,
) -> Pretrained:
    """Load a catalogued model with weights from a PyTorch checkpoint, and the preprocessing that they expect.

    Without `num_classes` and `channels` the file must fit the catalogued model exactly. Auxiliary heads
    that the model does not have are left out, with a warning. Where other implementations of the model are
    known, their names tell them apart, and the model takes the padding and normalization that they use.

    Args:
      name: of the model.
      path_or_url: a `.safetensors`, `.pth` or `.pt` file; by default the published one, downloaded once or
        part of an installed package.
      num_classes: number of classes; 0: features. If the file's head has another number or is missing, a new
        head is made. `"file"`: the number of the file's head.
      channels: number of image channels. If the file's weights take another number, they are repeated or
        summed for the new channels (`zoo.surgery.with_input_channels`), as are the preprocessing's mean and std.
      key: for the weights of a new head; by default `jax.random.key(0)`.
      sha256: expected checksum of a downloaded file, or its first digits; by default the published one.
      cache: directory for downloads; by default `$CONVZOO_CACHE` or the user's cache directory.
      which: `"raw"` weights or their moving average, `"ema"`, of a file that has both.

    Returns:
      The model, its variables and its preprocessing: that of the published file of the same name, or of the
      model's first one; where none is published, the catalogued size alone.

    Raises:
      ValueError: an unknown model, a file that cannot be read or does not fit (all of its missing, unexpected
        and mis-shaped keys are named), a failed download.
      ConnectionError: a server that cannot be reached.

    Example:
      >>> load_pretrained("resnet50", "resnet50.safetensors")
      Traceback (most recent call last):
      ...
      ValueError: no file resnet50.safetensors...
    """
    height, width, _ = shape = catalog.variant(name).input_shape
    model = catalog.create(name)
    if isinstance(num_classes, str):
        choice("num_classes", num_classes, ("file",))
    arrays, source, published = _read(name, path_or_url, sha256, cache, which)
    arrays = _without_auxiliary(arrays, source, model, shape, published)
    dialect = match(model, arrays, shape)
    create = functools.partial(catalog.create, name, **dialect.fields)
    model = create()
    if channels is not None:
        deeper = (height, width, shape[2] + 1)
        surplus = _surplus(arrays, places(model, shape, dialect), places(model, deeper, dialect))
        shape = (height, width, shape[2] + surplus)
    if _is_headless(arrays, model, shape, dialect):
        if num_classes in (None, "file"):
            raise ValueError(f"{source} has no head: num_classes=0 gives features, another number a new head")
        model = create(num_classes=0)
    elif num_classes is not None:
        wider = create(num_classes=model.num_classes + 1)
        surplus = _surplus(arrays, places(model, shape, dialect), places(wider, shape, dialect))
        model = create(num_classes=model.num_classes + surplus)
    try:
        variables = load_torch(model, arrays, shape)
    except ValueError as error:
        hint = "\n  num_classes= and channels= adapt other classes and channels" if "wrong shape" in str(error) else ""
        raise ValueError(f"{source}: {error}{hint}") from None
    preprocess = published.preprocess if published else Preprocess(size=height if height == width else None)
    if channels not in (None, shape[2]):
        _, variables = surgery.with_input_channels(model, variables, channels, shape)
    if channels is not None:
        mean, std = (_spread(values, channels) for values in (preprocess.mean, preprocess.std))
        preprocess = dataclasses.replace(preprocess, mean=mean, std=std)
    if not isinstance(num_classes, str) and num_classes not in (None, model.num_classes):
        key = jax.random.key(0) if key is None else key
        model, variables = surgery.with_head(model, variables, num_classes, key, shape)
    return Pretrained(model, variables, preprocess)


def _is_headless(arrays: Mapping[str, np.ndarray], model: nn.Module, shape: tuple, dialect: Dialect) -> bool:
    """Whether a file fits the model but for all of its head."""
    if not getattr(model, "num_classes", 0):
        return False
    whole, trunk = (
        {place.key for place in places(each, shape, dialect)} for each in (model, model.clone(num_classes=0))
    )
    return bool(whole - trunk) and trunk <= arrays.keys() and not (whole - trunk) & arrays.keys()


def _read(
    name: str, path_or_url: str | Path | None, sha256: str | None, cache: str | Path | None, which: str | None
) -> tuple[dict[str, np.ndarray], str | Path, Official | None]:
    """Arrays, where they come from, and the published file they are believed to be."""
    file = None if path_or_url is None else str(path_or_url).rpartition("/")[2]
    published = official(name, file)
    if path_or_url is None:
        if published is None:
            raise ValueError(f"no published weights of {name} are known: give a path or a URL")
        path_or_url = published.url
    if is_package(str(path_or_url)):
        expected = published.sha256 if published and published.url == path_or_url else None
        path_or_url = locate(str(path_or_url), sha256 or expected)
        arrays = read_arrays(path_or_url, which)
    elif is_url(str(path_or_url)):
        if published and published.url == path_or_url:
            sha256 = sha256 or published.sha256
        url, path_or_url = path_or_url, download(str(path_or_url), sha256, cache)
        try:
            arrays = read_arrays(path_or_url, which)
        except ValueError as error:
            path_or_url.unlink()  # or the next call would find the same again
            raise ValueError(f"what {url} answered is no file of weights, and was removed: {error}") from error
    else:
        arrays = read_arrays(path_or_url, which)
        published = by_checksum(name, path_or_url) or published
    if any(key.startswith("params/") for key in arrays):
        raise ValueError(f"{path_or_url} is a file of zoo.save: zoo.load reads it, and knows its model")
    return arrays, path_or_url, published


def _without_auxiliary(arrays, source, model, shape, published: Official | None) -> dict[str, np.ndarray]:
    extra = {key for key in arrays if published and key.startswith(published.auxiliary)}
    if extra:
        extra -= {place.key for place in places(model, shape)}
        extra = {key for key in extra if not key.endswith("num_batches_tracked")}
    if extra:
        heads = ", ".join(sorted({key.partition(".")[0] for key in extra}))
        warnings.warn(f"{source}: left out the auxiliary heads {heads} ({len(extra)} arrays)", stacklevel=3)
    return {key: value for key, value in arrays.items() if key not in extra}


def _surplus(arrays: Mapping[str, np.ndarray], narrow: Iterable[Place], wide: Iterable[Place]) -> int:
    """How many more classes or channels the file has than the narrow model, the wide model having one more."""
    for one, other in zip(narrow, wide, strict=True):
        small, large, shape = one.torch_shape, other.torch_shape, np.shape(arrays.get(one.key, 0))
        for axis, (here, there) in enumerate(zip(small, large, strict=True)):
            if here != there and len(shape) == len(small):
                return (shape[axis] - here) // (there - here)
    return 0


def _spread(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """One number for each new channel, repeated or averaged as by `with_input_channels`."""
    if len(values) == 1:
        return values
    if channels < len(values):
        return tuple(float(np.mean(values[channel::channels])) for channel in range(channels))
    return tuple(values[channel % len(values)] for channel in range(channels))
