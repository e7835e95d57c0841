"""Whether a model's answer for an image depends on the others in its batch, which no attack or metric here expects."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from analysis import checks
from convzoo.checks import number


def depends_on_batch(logits_fn: Callable, images: Any, tolerance: float | None = None) -> bool:
    r"""Whether logits of an image differ alone, repeated, and beside others by more than rounding.

    Batch normalization that still takes the statistics of the batch, dropout that is still on and other randomness
    are the usual reasons: attacks then optimize against the batch instead of the image, and their results mean
    little. The function is only called. A False holds for these images, not for all.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits; any function.
      images: (N, H, W, C) floats in [0, 1]; each is compared beside the others, and a single one beside its negative.
      tolerance: largest difference that counts as rounding, as a share of the largest absolute logit; None: the
        square root of the logits' machine epsilon, 3e-4 for float32.

    Returns:
      True if they depend on it.

    Raises:
      ValueError: images or a tolerance that are not of the above, or logits that are not finite.

    Example:
      >>> images = np.random.default_rng(0).uniform(size=(4, 2, 2, 1)).astype(np.float32)
      >>> depends_on_batch(lambda x: x.sum((1, 2)), images)
      False
      >>> depends_on_batch(lambda x: (x - x.mean(0)).sum((1, 2)), images)
      True
    """
    images = np.asarray(checks.as_images(images))
    checks.finite(logits_fn)
    if tolerance is not None:
        number("tolerance", tolerance, 0)
    batch = images if len(images) > 1 else np.concatenate([images, 1 - images])

    def logits(images):
        outputs = np.asarray(logits_fn(images))
        values = outputs.astype(np.float64)
        if not np.isfinite(values).all() or len(values) != len(images):
            raise ValueError(
                f"the function gave {checks.form(outputs)} for {len(images)} images: expected finite logits"
            )
        return outputs.dtype, values

    dtype, beside = logits(batch)
    scale = np.abs(beside).max()
    if tolerance is None:
        tolerance = float(np.sqrt(jnp.finfo(dtype).eps)) if jnp.issubdtype(dtype, jnp.floating) else 0.0
    for index, image in enumerate(images):
        alone = logits(image[None])[1][0]
        repeated = logits(np.repeat(image[None], len(batch), 0))[1]
        if max(np.abs(other - beside[index]).max() for other in (alone, repeated)) > tolerance * scale:
            return True
    return False
