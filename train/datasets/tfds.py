"""Any labelled set of images from TensorFlow Datasets, read without TensorFlow."""

import sys
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from convzoo.pictures import scaled
from train.datasets.dataset import Dataset, Split
from train.datasets.decoding import pixels, resize
from train.datasets.prepare import stratified

TEST_SPLITS = ("test", "validation")
TEST_SHARE = 0.2
TIMEOUT = 5.0
"""Seconds in which the host of a set must answer."""


def load(
    name: str,
    size: int,
    seed: int = 0,
    data_dir: str | None = None,
    keep_proportions: bool = False,
    validation: bool = False,
) -> Dataset:
    """Read a set that has features `image` and `label`; it is downloaded and prepared if it is not yet.

    The test split is `test`, else `validation`, else a fifth of each class of `train`.

    Args:
      name: in TensorFlow Datasets.
      size: height and width in pixels of the result.
      seed: draws the test split if the set has none.
      data_dir: folder of prepared sets; None: the default of TensorFlow Datasets (`TFDS_DATA_DIR`).
      keep_proportions: resize and crop the centre, instead of squeezing.
      validation: read the split `validation`, where there is one beside `test`.

    Returns:
      A `Dataset`.

    Raises:
      ValueError: an unknown name, a set that was prepared in a format that needs TensorFlow, or one without
        images and class labels.
      ConnectionError: the set must be downloaded, and its host does not answer.
    """
    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
        features = builder.info.features
        if not {"image", "label"} <= set(features or ()) or not isinstance(features["label"], tfds.features.ClassLabel):
            raise ValueError(f"it has no features 'image' and 'label', but {', '.join(features or ())}")
        if not builder.is_prepared():
            _announce_download(name, builder)
        builder.download_and_prepare()
        sources = builder.as_data_source()
    except (ValueError, NotImplementedError) as error:
        missing = isinstance(error, tfds.core.DatasetNotFoundError)
        hint = " --data-dir or TFDS_DATA_DIR names a folder of sets prepared elsewhere" if missing else ""
        raise ValueError(f"tfds:{name} cannot be used: {str(error).splitlines()[0]}{hint}") from None
    classes = tuple(features["label"].names)
    train = _split(sources["train"], size, keep_proportions)
    tests = [split for split in TEST_SPLITS if split in sources]
    if not tests:
        return stratified(f"tfds:{name}", train.images, train.labels, classes, TEST_SHARE, seed)
    test, *others = (_split(sources[split], size, keep_proportions) for split in tests[: 2 if validation else 1])
    return Dataset(f"tfds:{name}", train, test, classes, validation=others[0] if others else None)


def _announce_download(name: str, builder: Any) -> None:
    """Say that a set will be downloaded, and refuse at once if its host does not answer.

    TensorFlow Datasets itself tries for minutes.
    """
    urls = sorted(builder.url_infos)
    if not urls:
        return
    size = f" {builder.info.download_size}" if builder.info.download_size else ""
    print(f"tfds:{name} is not prepared yet: downloading{size} to {builder.data_dir}", file=sys.stderr)
    try:
        urllib.request.urlopen(urllib.request.Request(urls[0], method="HEAD"), timeout=TIMEOUT).close()
    except urllib.error.HTTPError:
        return  # It answers.
    except OSError as error:
        raise ConnectionError(
            f"tfds:{name} must be downloaded, but {urls[0]} cannot be reached ({error}); --data-dir or TFDS_DATA_DIR "
            "names a folder where it is prepared"
        ) from None


def _split(source: Any, size: int, keep_proportions: bool) -> Split:
    rows = [(_image(row["image"], size, keep_proportions), row["label"]) for row in source]
    images, labels = zip(*rows, strict=True)
    return Split(np.stack(images), np.asarray(labels, np.int32))


def _image(array: np.ndarray, size: int, keep_proportions: bool) -> np.ndarray:
    if array.dtype == np.uint8 and array.shape[-1] in (1, 3, 4):
        return pixels(Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array), size, keep_proportions)
    try:
        return resize(scaled(array), size, keep_proportions)
    except ValueError as error:
        raise ValueError(f"an image of the set {error}") from None
