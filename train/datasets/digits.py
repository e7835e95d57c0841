"""The handwritten digits that come with scikit-learn: 1,797 real images of 8×8 pixels.

Reference: Alpaydin & Kaynak, 1998, doi:10.24432/C50P49.
"""

import numpy as np
from sklearn.datasets import load_digits

from train.datasets.dataset import Dataset
from train.datasets.prepare import stratified
from zoo import Preprocess

TEST_IMAGES = 360


def load(size: int = 8, seed: int = 0) -> Dataset:
    """Load the digits: 1,437 for training and 360 for testing, each class in its share.

    Args:
      size: height and width in pixels, bilinear from the original 8.
      seed: not used: the split is always the same, so that accuracies can be compared.

    Returns:
      A `Dataset` with one channel.

    Example:
      >>> load(size=16).test.images.shape
      (360, 16, 16, 1)
    """
    del seed
    digits = load_digits()
    images = Preprocess(size=size).resize((digits.images / 16).astype(np.float32)[..., np.newaxis])
    # Interpolation may pass 1 by a rounding.
    images = np.clip(np.asarray(images), 0, 1)
    labels = digits.target.astype(np.int32)
    classes = tuple(str(name) for name in digits.target_names)
    return stratified("digits", images, labels, classes, TEST_IMAGES, seed=0)
