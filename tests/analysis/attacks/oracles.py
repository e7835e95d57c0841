"""Optima of linear functions over balls and boxes, by bisection and sorting in float64."""

import numpy as np

BISECTIONS = 200


def _root(gain, aim, high):
    """The multiplier at which a rising gain reaches an aim, or `high`."""
    low = 0.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if gain(middle) >= aim else (middle, high)
    return high


def _greedy(size, room, amounts):
    """The largest weights filled first: (values,) changes, until `amounts(change, before)` leaves nothing."""
    change = np.zeros_like(size)
    for index in np.argsort(-size, kind="stable"):
        change[index] = np.clip(amounts(size[index], change), 0, room[index])
    return change


def _in_room(norm, size, room):
    """The family of changes, along one multiplier, that are best for L2 and Linf."""
    if norm == "linf":
        return (lambda level: np.minimum(level, room)), 1.0
    return (lambda level: np.minimum(level * size, room)), float((room[size > 0] / size[size > 0]).max())


def _frame(weights, image):
    weights, image = np.asarray(weights, np.float64).ravel(), np.asarray(image, np.float64).ravel()
    return np.abs(weights), np.where(weights > 0, 1 - image, image)


def largest_gain(norm, weights, image, eps):
    """The most that a linear function grows from an image, in the ball of radius eps and in [0, 1]."""
    size, room = _frame(weights, image)
    if norm == "l1":
        change = _greedy(size, room, lambda _, before: eps - before.sum())
    else:
        family, high = _in_room(norm, size, room)
        length = np.max if norm == "linf" else np.linalg.norm
        change = family(_root(lambda level: length(family(level)), eps, high))
    return change @ size


def least_distance(norm, weights, image, gain):
    """The length of the shortest change that adds `gain` to a linear function within [0, 1]; inf: there is none."""
    size, room = _frame(weights, image)
    if size @ room < gain:
        return np.inf
    if norm == "l1":
        return _greedy(size, room, lambda weight, before: (gain - before @ size) / weight).sum()
    family, high = _in_room(norm, size, room)
    change = family(_root(lambda level: family(level) @ size, gain, high))
    return change.max() if norm == "linf" else np.linalg.norm(change)
