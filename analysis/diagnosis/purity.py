"""The class purity of a channel's top images, and what chance would give.

Reference: Zeiler & Fergus, 2013, arXiv:1311.2901.
"""

from typing import Any

import numpy as np

from convzoo.checks import integer


def class_purity(labels: Any, indices: Any) -> np.ndarray:
    """The class purity of a channel's top images: the share of their most frequent class.

    To be read against `chance_purity`: nine of ten equal classes drawn blindly have a purity of 0.29.

    Args:
      labels: (N,) the class of each image of the data set.
      indices: (K, count) images of each channel, `TopImages.indices`.

    Returns:
      (K,) in [1 / count, 1].

    Raises:
      ValueError: labels or indices of another form, or indices that there are no labels for.

    Example:
      >>> class_purity([3, 3, 5, 7], [[0, 1, 2, 3], [0, 1, 0, 1]]).tolist()
      [0.5, 1.0]
    """
    labels, indices = _whole("labels", labels, 1), _whole("indices", indices, 2)
    if indices.min() < 0 or indices.max() >= len(labels):
        raise ValueError(f"indices span [{indices.min()}, {indices.max()}]: expected those of {len(labels)} labels")
    _, numbers = np.unique(labels, return_inverse=True)
    classes = numbers[indices]
    return np.array([np.bincount(row).max() for row in classes]) / indices.shape[1]


def chance_purity(labels: Any, count: int) -> float:
    r"""The purity to expect of `count` images drawn blindly, with replacement.

    .. math:: \frac1n \operatorname{E} \max_k X_k = \frac1n \sum_{m=0}^{n-1} 1 - P(\max_k X_k \le m), \qquad
              P(\max_k X_k \le m) = n!\,[z^n] \prod_k \sum_{j=0}^{m} \frac{(p_k z)^j}{j!}

    Args:
      labels: (N,) the class of each image of the data set, for how frequent the classes are.
      count: images a channel.

    Returns:
      The expected share of the most frequent class.

    Raises:
      ValueError: labels of another form, or a count that is not positive.

    Example:
      >>> chance_purity([0, 1], 2)
      0.75
    """
    integer("count", count)
    shares = np.unique(_whole("labels", labels, 1), return_counts=True)[1] / len(np.asarray(labels))
    powers = np.arange(count + 1)
    # Each factor is a truncated Poisson distribution of mean p·n, which keeps the numbers near one.
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(powers[1:]))])
    missing = 0.0
    for most in range(count):
        product = np.ones(1)
        for share in shares:
            terms = np.exp(powers * np.log(share * count) - share * count - logarithms)
            product = np.convolve(product, np.where(powers <= most, terms, 0))[: count + 1]
        missing += 1 - product[-1:].sum() * (len(product) > count) / _poisson(count)
    return float(missing / count)


def _poisson(count: int) -> float:
    """The probability of a Poisson variable to hit its mean."""
    return float(np.exp(count * np.log(count) - count - np.log(np.arange(1, count + 1)).sum()))


def _whole(name: str, values: Any, rank: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != rank or not array.size or not np.issubdtype(array.dtype, np.integer):
        form = "(N,)" if rank == 1 else "(K, count)"
        raise ValueError(f"{name} of shape {array.shape}, {array.dtype}: expected integers of shape {form}")
    return array
