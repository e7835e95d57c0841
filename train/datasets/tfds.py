"""Any labelled set of images from TensorFlow Datasets, read without TensorFlow."""

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from train.datasets.dataset import Dataset, Split
from train.datasets.prepare import pixels, stratified

TEST_SPLITS = ("test", "validation")
TEST_SHARE = 0.2


def load(name: str, size: int, seed: int = 0, data_dir: str | None = None) -> Dataset:
    """Read a set that has features `image` and `label`; it is downloaded and prepared where it is not there.

    The test split is `test`, else `validation`, else a fifth of each class of `train`.

    Args:
      name: in TensorFlow Datasets.
      size: height and width in pixels of the result.
      seed: draws the test split where the set has none.
      data_dir: where prepared sets lie; None: where TensorFlow Datasets keeps them (`TFDS_DATA_DIR`).

    Returns:
      A `Dataset`.

    Raises:
      ValueError: an unknown name, a set that was prepared in a format that needs TensorFlow, or one without
        images and class labels.
    """
    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
        features = builder.info.features
        if not {"image", "label"} <= set(features or ()) or not isinstance(features["label"], tfds.features.ClassLabel):
            raise ValueError(f"it has no features 'image' and 'label', but {', '.join(features or ())}")
        builder.download_and_prepare()
        sources = builder.as_data_source()
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"tfds:{name} cannot be used: {str(error).splitlines()[0]}") from None
    classes = tuple(features["label"].names)
    train = _split(sources["train"], size)
    for test in TEST_SPLITS:
        if test in sources:
            return Dataset(f"tfds:{name}", train, _split(sources[test], size), classes)
    return stratified(f"tfds:{name}", train.images, train.labels, classes, TEST_SHARE, seed)


def _split(source, size: int) -> Split:
    rows = [(pixels(Image.fromarray(np.squeeze(row["image"])), size), row["label"]) for row in source]
    images, labels = zip(*rows, strict=True)
    return Split(np.stack(images), np.asarray(labels, np.int32))
